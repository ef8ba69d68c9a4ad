"""From an aggregate to beliefs: pseudo-trials per pair, shrunk by what the noise could explain.

Refuses certainty that the noise does not allow: a pair counts as many trials as would be equally
uncertain, at most ten, and none if it cannot be told from noise.

Source: James, Stein, "Estimation with quadratic loss", 1961 (positive part), with the noise variance known.
"""

from dataclasses import dataclass
from math import sqrt

from luminous.node.core.learning.priors import PSEUDO_TRIALS_MAX
from luminous.protocol.aggregation import FRACTION, Aggregate
from luminous.protocol.deltas import LearningLaw
from luminous.protocol.layout import Layout, Pair

TRIALS_MILLI_MAX = 1000 * PSEUDO_TRIALS_MAX

Estimates = tuple[tuple[int, int], ...]  # (successes, trials) in thousandths, in the layout's order


def estimate(aggregate: Aggregate, law: LearningLaw, own: tuple[int, ...]) -> Estimates:
    """Beliefs from ``aggregate``. ``own``: this machine's part of an exact sum, taken out so that it is not
    heard twice; zeros if it released nothing in that window."""
    if aggregate.is_exact:
        return _estimate_exact(tuple(max(0, x - y) for x, y in zip(aggregate.vector, own, strict=True)))
    return _estimate_direction(aggregate, law)


def _estimate_exact(counts: tuple[int, ...]) -> Estimates:
    result = []
    for successes, failures in zip(counts[::2], counts[1::2], strict=True):
        trials = successes + failures
        held = min(TRIALS_MILLI_MAX, 1000 * trials)
        result.append((held * successes // trials if trials else 0, held))
    return tuple(result)


def compute_shrinkage_milli(aggregate: Aggregate) -> int:
    """max(0, 1 - D s^2 / |m|^2) in thousandths: how much of the vector the noise leaves standing."""
    norm_squared = sum(x * x for x in aggregate.vector)
    noise = len(aggregate.vector) * aggregate.variance
    return 1000 * (norm_squared - noise) // norm_squared if norm_squared > noise else 0


def _estimate_direction(aggregate: Aggregate, law: LearningLaw) -> Estimates:
    shrinkage = compute_shrinkage_milli(aggregate)
    unit = law.scale * FRACTION
    result = []
    for successes, failures in zip(aggregate.vector[::2], aggregate.vector[1::2], strict=True):
        a, b = max(0, successes) * shrinkage // 1000, max(0, failures) * shrinkage // 1000
        mass = a + b
        if mass == 0:
            result.append((0, 0))
            continue
        # A rate from n trials has variance at most 1 / (4 n), one from this mass at most variance / mass^2.
        held = min(TRIALS_MILLI_MAX, 1000 * aggregate.contributors * mass // unit)
        if aggregate.variance:
            held = min(held, 1000 * mass * mass // (4 * aggregate.variance))
        result.append((held * a // mass, held))
    return tuple(result)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One thing that many know: how often a fix works for a class. Rates in thousandths, 95 % interval."""

    pair: Pair
    rate_milli: int
    low_milli: int
    high_milli: int
    contributors: int
    trials: int | None  # None where only a noised direction is known
    window: int


def find_patterns(aggregate: Aggregate, layout: Layout) -> tuple[Pattern, ...]:
    """The pairs that can be told from noise (mass above three standard deviations, every pair being
    looked at), the surest first."""
    deviation = sqrt(2 * aggregate.variance)
    found = []
    for j, pair in enumerate(layout.pairs):
        a, b = aggregate.vector[2 * j], aggregate.vector[2 * j + 1]
        mass = a + b
        if mass <= 0 or mass <= 3 * deviation:
            continue
        rate = min(1.0, max(0.0, a / mass))
        if aggregate.is_exact:
            low, high = _wilson(rate, mass)
        else:
            # Delta method for a / (a + b), plus what so few authors leave open.
            spread = 1.96 * sqrt(aggregate.variance * (rate**2 + (1 - rate) ** 2)) / mass
            narrow, wide = _wilson(rate, aggregate.contributors)
            low, high = max(0.0, narrow - spread), min(1.0, wide + spread)
        trials = mass if aggregate.is_exact else None
        milli = (round(1000 * rate), int(1000 * low), -int(-1000 * high // 1))
        found.append(Pattern(pair, *milli, aggregate.contributors, trials, aggregate.window))
    return tuple(sorted(found, key=lambda p: (p.high_milli - p.low_milli, p.pair)))


def _wilson(rate: float, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval (1927)."""
    z2 = 1.96**2
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = 1.96 * sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials)) / (1 + z2 / trials)
    return max(0.0, centre - half), min(1.0, centre + half)
