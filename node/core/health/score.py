"""The health score: one number from 0 to 100 that a bad part cannot hide in.

H = min(cap, half the weighted mean + half the worst part, the worst adjusted by how much it matters).
Refuses to invent: a part nobody could measure has no say, and the coverage and the interval show it.

Source: the node's own measurements of 39 real traces; saturation by pressure stall information rather
than utilisation, because a machine busy at 100 % is not ill.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from luminous.node.core.health.readings import base_name

# Points at which a part is worth 100, 75, 50, 25 and 0; in thousandths of the signal's unit.
Ladder = tuple[int, int, int, int, int]

CPU_STALL_SHARE: Ladder = (10_000, 30_000, 60_000, 85_000, 98_000)
MEMORY_STALL_SHARE: Ladder = (1_000, 5_000, 10_000, 25_000, 50_000)
MEMORY_AVAILABLE_SHARE: Ladder = (15_000, 10_000, 6_000, 3_000, 1_000)
IO_STALL_SHARE: Ladder = (5_000, 15_000, 30_000, 60_000, 90_000)
DISK_FREE_SHARE: Ladder = (15_000, 8_000, 4_000, 2_000, 500)
DISK_FREE_GB: Ladder = (10_000, 5_000, 2_000, 1_000, 300)
RESPONSE_MS: Ladder = (50_000, 250_000, 1_000_000, 5_000_000, 30_000_000)
ERRORS_PER_MINUTE: Ladder = (0, 1_000, 5_000, 20_000, 60_000)
FAILED_UNITS: Ladder = (0, 1_000, 2_000, 4_000, 8_000)
INTEGRITY: Ladder = (1_000, 750, 500, 250, 0)
PEERS: Ladder = (3_000, 1_000, 0, -1_000, -2_000)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the score: its weight and criticality in tenths, and the signals that feed it."""

    name: str
    weight_tenths: int
    criticality_tenths: int
    signals: tuple[str, ...]


PARTS: tuple[Part, ...] = (
    Part("cpu", 10, 5, ("cpu_stall_share",)),
    Part("memory", 20, 9, ("memory_stall_share", "memory_available_share")),
    Part("io", 10, 5, ("io_stall_share",)),
    Part("disk", 20, 10, ("disk_free_share", "disk_free_gb", "inode_free_share")),
    Part("response", 15, 8, ("response_ms",)),
    Part("errors", 15, 7, ("errors_per_minute",)),
    Part("units", 10, 7, ("failed_units",)),
    Part("storage", 20, 10, ("store_integrity", "root_writable", "smart_ok")),
    Part("peers", 5, 2, ("peers",)),
)

# The grave: whatever the rest says, the score cannot pass this. Signal, at or below (thousandths), cap.
CAPS: tuple[tuple[str, int, int], ...] = (
    ("root_writable", 0, 24),
    ("store_integrity", 0, 24),
    ("store_paths_sound", 0, 49),
    ("important_units_sound", 0, 74),
)
# A mount with no room left stops everything that writes.
FULL_DISK_CAP = 24


@dataclass(frozen=True, slots=True)
class Grade:
    """One part as it stands: points (0 to 100), how fresh (0 to 1) and which signal decided."""

    part: str
    points: float
    freshness: float
    signal: str


@dataclass(frozen=True, slots=True)
class Score:
    """The score with what it rests on.

    ``points`` None: nothing is known. ``low``/``high``: the score if everything not known were dead or
    perfect. ``worst``: up to three parts that cost the most, as (part, points, signal).
    """

    points: float | None
    coverage: float
    low: float
    high: float
    cap: int
    cap_reason: str
    worst: tuple[tuple[str, float, str], ...]


def compute_points(value: int, ladder: Ladder) -> float:
    """Piecewise linear: 100 at the first rung or better, 0 at the last or worse."""
    sign = 1 if ladder[0] < ladder[-1] else -1
    rungs = [sign * rung for rung in ladder]
    place = sign * value
    if place <= rungs[0]:
        return 100.0
    for index in range(4):
        if place <= rungs[index + 1]:
            span = rungs[index + 1] - rungs[index]
            return 100.0 - 25.0 * index - 25.0 * (place - rungs[index]) / span
    return 0.0


def grade_part(part: Part, values: Mapping[str, int]) -> tuple[float, str] | None:
    """Points of one part and the signal that decided; None when none of its signals is there."""
    if part.name == "memory":
        return _grade_memory(values)
    if part.name == "disk":
        return _grade_disk(values)
    worst: tuple[float, str] | None = None
    for signal in sorted(values):
        name = base_name(signal)
        if name in part.signals:
            points = compute_points(values[signal], _LADDERS[name])
            if worst is None or points < worst[0]:
                worst = (points, signal)
    return worst


def _grade_memory(values: Mapping[str, int]) -> tuple[float, str] | None:
    """Both must be bad: pressure with memory to spare is a busy page cache, and low memory may be calm."""
    found = [
        (compute_points(values[name], _LADDERS[name]), name)
        for name in ("memory_stall_share", "memory_available_share")
        if name in values
    ]
    return max(found) if found else None


def _grade_disk(values: Mapping[str, int]) -> tuple[float, str] | None:
    """The worst mount; of share and bytes the better one, because 2 % of a large disk is plenty."""
    worst: tuple[float, str] | None = None
    for signal in sorted(values):
        name = base_name(signal)
        if name == "disk_free_share":
            gb = values.get(signal.replace("disk_free_share", "disk_free_gb", 1))
            points = compute_points(values[signal], DISK_FREE_SHARE)
            if gb is not None:
                points = max(points, compute_points(gb, DISK_FREE_GB))
        elif name == "inode_free_share":
            points = compute_points(values[signal], DISK_FREE_SHARE)
        else:
            continue
        if worst is None or points < worst[0]:
            worst = (points, signal)
    return worst


def find_cap(values: Mapping[str, int]) -> tuple[int, str]:
    """The lowest cap that applies and the signal that asks for it; (100, "") when none does."""
    cap, reason = 100, ""
    for signal in sorted(values):
        for name, at_most, limit in CAPS:
            if base_name(signal) == name and values[signal] <= at_most and limit < cap:
                cap, reason = limit, signal
    disk = _grade_disk(values)
    if disk is not None and disk[0] <= 0 and cap > FULL_DISK_CAP:
        return FULL_DISK_CAP, disk[1]
    return cap, reason


def compute_score(grades: tuple[Grade, ...], supported: frozenset[str], cap: tuple[int, str]) -> Score:
    """The score of ``grades`` over the ``supported`` parts (those this machine can measure at all)."""
    weights = {part.name: part.weight_tenths for part in PARTS if part.name in supported}
    total = sum(weights.values())
    known = [grade for grade in grades if grade.part in weights and grade.freshness > 0]
    covered = sum(weights[grade.part] * grade.freshness for grade in known)
    low = _mix([*known, *_absent(known, weights, 0.0)], weights, cap[0])
    high = _mix([*known, *_absent(known, weights, 100.0)], weights, cap[0])
    criticality = {part.name: part.criticality_tenths for part in PARTS}
    costs = sorted(known, key=lambda grade: (-(100 - grade.points) * criticality[grade.part], grade.part))
    return Score(
        points=_mix(known, weights, cap[0]) if known else None,
        coverage=covered / total if total else 0.0,
        low=low,
        high=high,
        cap=cap[0],
        cap_reason=cap[1],
        worst=tuple((grade.part, grade.points, grade.signal) for grade in costs[:3]),
    )


def _absent(known: list[Grade], weights: Mapping[str, int], points: float) -> list[Grade]:
    held = {grade.part for grade in known}
    return [Grade(name, points, 1.0, "") for name in sorted(weights) if name not in held]


def _mix(grades: list[Grade], weights: Mapping[str, int], cap: int) -> float:
    criticality = {part.name: part.criticality_tenths / 10 for part in PARTS}
    weight = sum(weights[grade.part] * grade.freshness for grade in grades)
    if weight <= 0:
        return 0.0
    mean = sum(weights[grade.part] * grade.freshness * grade.points for grade in grades) / weight
    fresh = [grade for grade in grades if grade.freshness > 0.5]
    worst = min((100 - criticality[grade.part] * (100 - grade.points) for grade in fresh), default=mean)
    return min(float(cap), 0.5 * mean + 0.5 * worst)


_LADDERS: Mapping[str, Ladder] = {
    "cpu_stall_share": CPU_STALL_SHARE,
    "memory_stall_share": MEMORY_STALL_SHARE,
    "memory_available_share": MEMORY_AVAILABLE_SHARE,
    "io_stall_share": IO_STALL_SHARE,
    "response_ms": RESPONSE_MS,
    "errors_per_minute": ERRORS_PER_MINUTE,
    "failed_units": FAILED_UNITS,
    "store_integrity": INTEGRITY,
    "root_writable": INTEGRITY,
    "smart_ok": INTEGRITY,
    "peers": PEERS,
}
