"""What a report plots of one run: tallies, agreement, privacy spent, health and propagation over time.

Refuses to change history: it looks between events, draws nothing, and is not part of the digest.
"""

from dataclasses import dataclass, field
from typing import Any

from luminous.node.core import events
from luminous.simulations.place import Place
from luminous.simulations.world import World

SAMPLES = 120


@dataclass
class Probe:
    """Attach before the first event; ``as_json`` afterwards."""

    world: World
    rows: list[dict[str, Any]] = field(default_factory=list)
    born_ms: dict[bytes, int] = field(default_factory=dict)
    took_ms: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.every_ms = max(1, self.world.scenario.duration_ms // SAMPLES)
        self.next_ms = 0
        self.world.watchers.append(self._look)
        self.world.hearers.append(self._hear)

    def _hear(self, place: Place, raw: bytes, is_own: bool) -> None:
        if is_own:
            self.born_ms.setdefault(raw, self.world.now_ms)
        elif raw in self.born_ms:
            self.took_ms.append(self.world.now_ms - self.born_ms[raw])

    def _look(self, step: int, place: Place, event: events.Event) -> None:
        if self.world.now_ms >= self.next_ms:
            self.next_ms = self.world.now_ms + self.every_ms
            self.rows.append(self._row())

    def _row(self) -> dict[str, Any]:
        up = [place for place in self.world.places if place.is_up and not place.role]
        sets: dict[bytes, int] = {}
        scores: list[int] = []
        spent: list[int] = []
        tallies: dict[str, list[int]] = {}
        for place in up:
            digest = place.node.records.digest()
            sets[digest] = sets.get(digest, 0) + 1
            machines = place.node.machines
            points = machines.health.view()["score"]
            if isinstance(points, int):
                scores.append(points)
            if machines.learning is not None and place.node.last is not None:
                spent.append(int(str(machines.learning.status(place.node.last)["epsilon_milli_spent"])))
        if up and up[0].node.machines.governance is not None:
            for item in up[0].node.machines.governance.proposals():
                tally = item.tally
                counts = [tally.yes, tally.no, tally.abstain, int(item.is_final)]
                tallies[item.proposal.title] = counts
        return {
            "at_ms": self.world.now_ms,
            "up": len(up),
            "record_sets": len(sets),
            "in_largest_set": max(sets.values(), default=0),
            "records": max((len(place.node.records) for place in up), default=0),
            "health_mean": sum(scores) / len(scores) if scores else None,
            "epsilon_milli_spent_max": max(spent, default=0),
            "tallies": tallies,
        }

    def as_json(self) -> dict[str, Any]:
        """The samples, and how long envelopes took to a machine: percentiles in ms."""
        ordered = sorted(self.took_ms)
        shares = (0, 5, 10, 25, 50, 75, 90, 95, 99, 100)
        marks = {
            str(share): ordered[min(len(ordered) - 1, len(ordered) * share // 100)]
            for share in shares
            if ordered
        }
        return {"schema": 1, "samples": self.rows, "propagation_ms": marks, "deliveries": len(ordered)}
