"""Which part of a system of parts began it, from metrics: robust z scores and the frontier of a known graph.

A part is suspect when it is out of its ordinary and nothing that it rests on is. Refuses units: the scale is
the part's own spread, so seconds or megabytes leave the ranks unchanged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log1p

ANOMALOUS_Z = 5.0
FLOOR_SHARE = 0.1
# A metric that never moved in good times (availability of 100 %) tells most when it does: 0.1 % is one scale.
CONSTANT_SHARE = 0.001
# Less movement than this share of the median is rounding, and the metric is a constant.
ROUNDING_SHARE = 1e-9
# A part below explains one above when it deviates at least this much of what the one above does.
EXPLAINS_SHARE = 0.3
# What a part counts for when something below it explains it.
FRONTIER_SHARE = 0.7
SAMPLES_MIN = 8
NODES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Ordinary:
    """How a metric usually is: its median and a scale that a constant stretch cannot drive to zero."""

    median: float
    scale: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Ordinary | None":
        """From samples of good times; None for fewer than eight, or for nothing but zeros."""
        if len(samples) < SAMPLES_MIN:
            return None
        ordered = sorted(samples)
        size = len(ordered)
        spread = (ordered[(3 * size) // 4] - ordered[size // 4]) / 1.349
        mean = sum(ordered) / size
        deviation = (sum((value - mean) ** 2 for value in ordered) / size) ** 0.5
        scale = max(spread, FLOOR_SHARE * deviation)
        if scale <= ROUNDING_SHARE * abs(ordered[size // 2]):
            scale = CONSTANT_SHARE * abs(ordered[size // 2])
        return cls(ordered[size // 2], scale) if scale > 0 else None


def robust_z(ordinary: Ordinary, samples: Sequence[float], sign: int) -> float:
    """The largest deviation in the bad direction (``sign`` 1: high is bad, -1: low is bad), in scales."""
    return max((sign * (value - ordinary.median) / ordinary.scale for value in samples), default=0.0)


def rank_roots(scores: Mapping[str, float], rests_on: Mapping[str, Sequence[str]], target: str) -> list[str]:
    """Every part, most suspect first.

    ``rests_on``: part to the parts it calls. Walks from the target over anomalous parts only and adds how
    anomalous a part is itself to how much anomaly rests on it; parts behind the frontier count for less.
    """
    names = sorted({**scores, **rests_on})[:NODES_MAX]
    weight = {name: log1p(max(0.0, scores.get(name, 0.0))) for name in names}
    reached = _reach(target, rests_on, scores)
    explained = {
        name: _explained(name, weight, scores, rests_on) if name in reached else -1.0 for name in names
    }
    top_own = max(weight.values(), default=0.0) or 1.0
    top_explained = max(explained.values(), default=0.0) or 1.0
    suspicion = {
        name: (1.0 if _is_frontier(name, scores, rests_on) else FRONTIER_SHARE)
        * (weight[name] / top_own + explained[name] / top_explained)
        if name in reached
        else weight[name] / top_own - 1.0
        for name in names
    }
    return sorted(names, key=lambda name: (-suspicion[name], name))


def _reach(start: str, arrows: Mapping[str, Sequence[str]], scores: Mapping[str, float]) -> dict[str, None]:
    """``start`` and what is reached from it along ``arrows`` over anomalous parts only."""
    seen, edge = {start: None}, [start]
    while edge:
        edge = [
            other
            for name in edge
            for other in arrows.get(name, ())
            if other not in seen and scores.get(other, 0.0) >= ANOMALOUS_Z
        ]
        seen.update(dict.fromkeys(edge))
    return seen


def _explained(
    name: str,
    weight: Mapping[str, float],
    scores: Mapping[str, float],
    rests_on: Mapping[str, Sequence[str]],
) -> float:
    """How much anomaly rests on a part: its own and that of every anomalous part above it."""
    callers: dict[str, list[str]] = {}
    for caller in sorted(rests_on):
        for below in rests_on[caller]:
            callers.setdefault(below, []).append(caller)
    return sum(weight.get(part, 0.0) for part in _reach(name, callers, scores))


def _is_frontier(name: str, scores: Mapping[str, float], rests_on: Mapping[str, Sequence[str]]) -> bool:
    """Whether nothing below a part is out of its ordinary to an extent that could explain it."""
    needed = max(ANOMALOUS_Z, EXPLAINS_SHARE * scores.get(name, 0.0))
    return not any(scores.get(below, 0.0) >= needed for below in rests_on.get(name, ()))
