"""Fixes in the order of what is known about them.

Hierarchical Beta posteriors: the fix's own trials here, under a prior from all fixes of the class here, under
what peers report, at most 10 pseudo-trials that
fade as trials are made here. Shown and ordered by the lower bound. Refuses to
let peers outweigh local trials, or to order by a mean that two lucky trials could move.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Peers' evidence counts as at most this many trials, however many report. Stops a crowd of sybils from
# outweighing what happened on this machine.
PEER_TRIALS_MAX = 10.0
# The class's own mean counts as this many trials for a fix that was never tried.
CLASS_TRIALS = 4.0
# The other fixes of the class say at most this much about one of them.
SIBLING_TRIALS_MAX = 2.0
# After this many trials here, what peers report counts half.
PEERS_HALVE_AFTER_TRIALS = 10.0
# One-sided 90 % lower bound.
LOWER_BOUND_Z = 1.2816
# The catalogue's order is a prior too: its first fix starts here, each later one a little lower.
FIRST_FIX_MEAN = 0.60
LATER_FIX_STEP = 0.04

Counts = Mapping[tuple[str, str], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A fix with its posterior: ``lower`` orders and is shown; ``trials`` happened here."""

    class_id: str
    fix_id: str
    lower: float
    mean: float
    successes: int
    trials: int


def rank(fixes: Sequence[tuple[str, str]], local: Counts, prior: Counts) -> tuple[Ranked, ...]:
    """Order (class, fix) pairs, best first; without any evidence the catalogue's order stays.

    ``local`` and ``prior`` map a pair to (successes, trials); the prior is what peers report. Raises
    ValueError when a count is negative or has more successes than trials.
    """
    ranked = []
    for place, pair in enumerate(fixes):
        class_successes, class_trials = _class_totals(pair[0], pair, fixes, local)
        base = max(0.05, FIRST_FIX_MEAN - LATER_FIX_STEP * place)
        share = min(1.0, SIBLING_TRIALS_MAX / class_trials) if class_trials else 0.0
        class_mean = (class_successes * share + base * 4.0) / (class_trials * share + 4.0)
        alpha, beta = CLASS_TRIALS * class_mean, CLASS_TRIALS * (1.0 - class_mean)
        peer_successes, peer_trials = _checked(prior.get(pair, (0.0, 0.0)))
        successes, trials = _checked(local.get(pair, (0.0, 0.0)))
        if peer_trials > 0.0:
            fading = 1.0 / (1.0 + trials / PEERS_HALVE_AFTER_TRIALS)
            weight = min(peer_trials, PEER_TRIALS_MAX) * fading / peer_trials
            alpha += peer_successes * weight
            beta += (peer_trials - peer_successes) * weight
        alpha += successes
        beta += trials - successes
        mean = alpha / (alpha + beta)
        ranked.append(Ranked(*pair, lower_bound(alpha, beta), mean, round(successes), round(trials)))
    order = sorted(range(len(ranked)), key=lambda i: (-round(ranked[i].lower, 9), i))
    return tuple(ranked[i] for i in order)


def lower_bound(alpha: float, beta: float) -> float:
    """Lower 90 % bound of Beta(alpha, beta), by the normal approximation on the logit scale; in 0..1."""
    mean = alpha / (alpha + beta)
    deviation = math.sqrt(mean * (1.0 - mean) / (alpha + beta + 1.0))
    logit = math.log(mean / (1.0 - mean)) if 0.0 < mean < 1.0 else (-30.0 if mean <= 0.0 else 30.0)
    slope = deviation / max(1e-9, mean * (1.0 - mean))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit - LOWER_BOUND_Z * slope))))


def _class_totals(
    class_id: str, but: tuple[str, str], fixes: Sequence[tuple[str, str]], local: Counts
) -> tuple[float, float]:
    successes = trials = 0.0
    for pair in fixes:
        if pair[0] == class_id and pair != but:
            s, n = _checked(local.get(pair, (0.0, 0.0)))
            successes, trials = successes + s, trials + n
    return successes, trials


def _checked(counts: tuple[float, float]) -> tuple[float, float]:
    successes, trials = counts
    if not 0.0 <= successes <= trials:
        raise ValueError(f"impossible counts: {successes} of {trials}")
    return successes, trials
