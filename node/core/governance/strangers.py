"""Envelopes of authors who are on no roll yet: the Minutes that admit them may be heard later.

Refuses to read them: until their author is known they are bytes that wait.
"""

from collections.abc import Callable

from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId

# Stops strangers from filling memory.
STRANGERS_MAX = 8192


class Strangers:
    """Registry of waiting envelopes by id."""

    def __init__(self) -> None:
        self._waiting: dict[EnvelopeId, Admitted] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, envelope: Admitted) -> None:
        """Keep an envelope, if there is room."""
        if len(self._waiting) < STRANGERS_MAX:
            self._waiting[envelope.id] = envelope

    def take_known(self, is_known: Callable[[AuthorId], bool]) -> list[Admitted]:
        """Those whose author is known by now; they wait no longer."""
        known = [envelope for envelope in self._waiting.values() if is_known(envelope.author)]
        for envelope in known:
            del self._waiting[envelope.id]
        return known
