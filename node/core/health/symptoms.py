"""From readings to symptoms: named, about a target, with a start and an end.

Refuses to name causes: a symptom says what is seen (a full disk), not why it came about.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from luminous.node.core.health.readings import base_name, target_of
from luminous.node.core.health.score import (
    DISK_FREE_GB,
    DISK_FREE_SHARE,
    PARTS,
    Ladder,
    compute_points,
    grade_part,
)
from luminous.protocol.codec import Value

RAISE_SAMPLES = 2
# A symptom that stays is told again every ten minutes at 30 s: who believed it cured must hear.
REPEAT_SAMPLES = 20
CLEAR_SAMPLES = 4
# Symptoms held at once. Stops a host with very many failing mounts.
SYMPTOMS_MAX = 32
# A part that is this bad is a symptom; it ends this many points higher.
RAISE_POINTS = 25.0
CLEAR_POINTS = 50.0


@dataclass(frozen=True, slots=True)
class Symptom:
    """What is seen: ``name`` of the closed list below, ``target`` mount or part, the reading behind it."""

    name: str
    target: str
    signal: str
    value: int
    points: int

    def facts(self, present: bool) -> dict[str, Value]:
        """Plain facts for other machines and for people."""
        return {
            "name": self.name,
            "target": self.target,
            "signal": self.signal,
            "value": self.value,
            "points": self.points,
            "present": present,
        }


_OF_PART = {
    "cpu": "cpu_starved",
    "memory": "memory_pressure",
    "io": "io_pressure",
    "response": "slow_response",
    "errors": "many_errors",
    "units": "units_failed",
}
NAMES: tuple[str, ...] = (
    *_OF_PART.values(),
    "disk_full",
    "inodes_full",
    "store_damaged",
    "root_read_only",
    "own_memory_high",
)
# This node's own memory, in thousandths of a megabyte: budget 95, ill from 150 on.
OWN_MEMORY_MB: Ladder = (95_000, 110_000, 125_000, 150_000, 200_000)


def find_symptoms(values: Mapping[str, int]) -> dict[tuple[str, str], tuple[Symptom, bool]]:
    """All that could be a symptom: (name, target) to (the symptom, whether it is bad enough to raise)."""
    found: dict[tuple[str, str], tuple[Symptom, bool]] = {}
    for part in PARTS:
        name = _OF_PART.get(part.name)
        graded = grade_part(part, values) if name else None
        if name and graded:
            _put(found, name, "", graded[1], values[graded[1]], graded[0])
    for signal in sorted(values):
        kind, mount = base_name(signal), target_of(signal)
        if kind == "disk_free_share":
            gb = values.get(f"disk_free_gb:{mount}")
            points = compute_points(values[signal], DISK_FREE_SHARE)
            points = max(points, compute_points(gb, DISK_FREE_GB)) if gb is not None else points
            _put(found, "disk_full", mount, signal, values[signal], points)
        elif kind == "inode_free_share":
            points = compute_points(values[signal], DISK_FREE_SHARE)
            _put(found, "inodes_full", mount, signal, values[signal], points)
        elif kind == "own_memory_mb":
            points = compute_points(values[signal], OWN_MEMORY_MB)
            _put(found, "own_memory_high", "", signal, values[signal], points)
        elif kind == "store_integrity":
            _put(found, "store_damaged", mount or "state", signal, values[signal], values[signal] / 10)
        elif kind == "root_writable":
            _put(found, "root_read_only", mount or "/", signal, values[signal], values[signal] / 10)
    return found


def _put(
    found: dict[tuple[str, str], tuple[Symptom, bool]],
    name: str,
    target: str,
    signal: str,
    value: int,
    points: float,
) -> None:
    if len(found) < SYMPTOMS_MAX:
        found[(name, target)] = (Symptom(name, target, signal, value, int(points)), points <= RAISE_POINTS)


class SymptomWatch:
    """Raises a symptom after two bad samples and clears it after four good ones.

    What is well from the start is said once too: it is the proof that an act before a restart may wait for.
    """

    def __init__(self) -> None:
        self.present: dict[tuple[str, str], Symptom] = {}
        self._bad: dict[tuple[str, str], int] = {}
        self._good: dict[tuple[str, str], int] = {}
        self._known: dict[tuple[str, str], None] = {}

    def feed(self, values: Mapping[str, int]) -> tuple[tuple[Symptom, bool], ...]:
        """Take one sample; return the symptoms that began (True) or ended (False), in a fixed order."""
        found = find_symptoms(values)
        changes: list[tuple[Symptom, bool]] = []
        for key in sorted(found):
            symptom, bad = found[key]
            if bad:
                self._good[key] = 0
                self._bad[key] = self._bad.get(key, 0) + 1
                if key in self.present:
                    self.present[key] = symptom
                    if self._bad[key] % REPEAT_SAMPLES == 0:
                        changes.append((symptom, True))
                elif self._bad[key] >= RAISE_SAMPLES:
                    self._known[key] = None
                    self.present[key] = symptom
                    changes.append((symptom, True))
                continue
            self._bad[key] = 0
            if (key in self.present or key not in self._known) and symptom.points >= CLEAR_POINTS:
                self._good[key] = self._good.get(key, 0) + 1
                if self._good[key] >= CLEAR_SAMPLES:
                    self._known[key] = None
                    self.present.pop(key, None)
                    changes.append((symptom, False))
        for counts in (self._bad, self._good):
            for key in [key for key in counts if key not in found and key not in self.present]:
                del counts[key]
        return tuple(changes)
