"""What sync remembers of one peer.

Refuses behaviour.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class KnownPeer:
    """One peer as sync sees it. Times are mono_ms; None: never, or not.

    ``due_ms``: to be asked out of turn then; ``not_before_ms``: not to be asked sooner; ``offered``: ids it
    offered; ``served_bytes``: what it was sent in ``minute``.
    """

    due_ms: int | None = None  # asked for out of turn
    asked_ms: int | None = None
    equal_ms: int | None = None
    failures: int = 0
    is_silent: bool = False  # it failed by not answering, and was not heard of since
    not_before_ms: int = 0
    offered: tuple[bytes, ...] = field(default=())
    minute: int = 0
    served_bytes: int = 0
