"""Which ballots each machine held when it mattered: just before its grace ended, and when its Report left.

Refuses to ask the node what it froze: it looks at what the machine holds, from outside.
"""

from luminous.node.core import events
from luminous.protocol.envelope import Admitted
from luminous.protocol.kinds import Kind
from luminous.simulations.place import Place
from luminous.simulations.world import World

_NEVER_MS = 1 << 62


class Snapshots:
    """Watches one world. Attach before the first event."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._due: dict[int, list[tuple[int, bytes]]] = {place.index: [] for place in world.places}
        self._next_ms: dict[int, int] = dict.fromkeys(self._due, _NEVER_MS)
        self._known: dict[bytes, None] = {}
        world.hearers.append(self._heard)
        world.watchers.append(self._before)

    def _heard(self, place: Place, raw: bytes, is_own: bool) -> None:
        if not is_own:
            return
        envelope = self._world.admissions.admit(raw)
        if not isinstance(envelope, Admitted):
            return
        if envelope.kind is Kind.PROPOSAL and envelope.id not in self._known:
            self._known[envelope.id] = None
            due_ms = envelope.payload.closes_at_ms + self._world.scenario.grace_ms
            for index, waiting in self._due.items():
                waiting.append((due_ms, envelope.id))
                self._next_ms[index] = min(self._next_ms[index], due_ms)
        elif envelope.kind is Kind.REPORT:
            for entry in envelope.payload.entries:
                if entry.proposal not in place.held_at_report:
                    place.held_at_report[entry.proposal] = _ballots(place, entry.proposal)

    def _before(self, step: int, place: Place, event: events.Event) -> None:
        """Before an event that comes at or after the end of grace by the machine's own clock."""
        if self._next_ms[place.index] > event.at.wall_ms:
            return
        waiting = self._due[place.index]
        for due_ms, proposal in waiting:
            if due_ms <= event.at.wall_ms:
                place.held_at_close.setdefault(proposal, _ballots(place, proposal))
        left = [item for item in waiting if item[0] > event.at.wall_ms]
        self._due[place.index] = left
        self._next_ms[place.index] = min((due_ms for due_ms, _ in left), default=_NEVER_MS)


def _ballots(place: Place, proposal: bytes) -> frozenset[bytes]:
    return frozenset(
        item.id
        for item in place.node.records.envelopes()
        if item.kind is Kind.BALLOT and item.payload.proposal == proposal
    )
