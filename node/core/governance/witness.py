"""What every author signed where an honest one signs one thing; the first contradiction of each is kept.

Refuses to accuse: it finds pairs, the machine signs evidence, and evidence convicts by itself.
"""

from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.operations import Slot, is_conflict, slot_of

# Slots remembered of one author, the newest: more than a node holds of an author's undecided records.
SLOTS_PER_AUTHOR_MAX = 8192


class Witness:
    """Registry of signed slots and of conflicting pairs by author."""

    def __init__(self) -> None:
        self.conflicts: dict[AuthorId, tuple[Admitted, Admitted]] = {}
        self._slots: dict[AuthorId, dict[Slot, Admitted]] = {}

    def hear(self, envelope: Admitted) -> None:
        """Remember what was signed; find what contradicts it."""
        slot = slot_of(envelope)
        if slot is None or envelope.author in self.conflicts:
            return
        slots = self._slots.setdefault(envelope.author, {})
        before = slots.get(slot)
        if before is None:
            slots[slot] = envelope
            if len(slots) > SLOTS_PER_AUTHOR_MAX:
                # The first heard: for long in Minutes, where a contradiction changes nothing.
                del slots[next(iter(slots))]
        elif is_conflict(before, envelope):
            self.conflicts[envelope.author] = (before, envelope)
            self._slots[envelope.author] = {}
