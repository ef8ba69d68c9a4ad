"""What healing wants done, beside the outcomes every machine has.

Refuses argument vectors: a verb and a target of closed lists; the shell knows what they mean.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Act:
    """Start ``verb`` on ``target``; answer later with ``remedied(intent_id, …)``. Follows its kept intent."""

    intent_id: str
    verb: str
    target: str
