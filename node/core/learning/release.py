"""From counts to what is sent: clip, rotate, round, add noise; or say that sending would not help.

Refuses a release whose predicted use is below the law's threshold, so that the budget is kept for one
that helps. The prediction uses public numbers only: it tells nobody anything about this machine.
"""

from math import ceil, isqrt, sqrt

from luminous.crypto.entropy import Entropy
from luminous.crypto.noise import discrete_gaussian, round_conditionally
from luminous.crypto.rotation import compute_signs, rotate
from luminous.protocol.aggregation import compute_clip
from luminous.protocol.deltas import Delta, LearningLaw, Level
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.layout import Layout
from luminous.protocol.limits import DELTA_COORDINATE_MAX
from luminous.protocol.reasons import Reason, Refused

# How much nodes agree: the norm of their mean direction. A public constant, never measured on this node.
COHERENCE = 0.5


def build_public(counts: tuple[int, ...], window: int, layout: Layout) -> Delta:
    """Exact counts: no noise, no bound on what they tell."""
    return Delta(window, Level.PUBLIC, layout.id, 1, 0, counts)


def build_noised(
    counts: tuple[int, ...],
    window: int,
    layout: Layout,
    law: LearningLaw,
    network: NetworkId,
    noise_milli: int,
    entropy: Entropy,
) -> Delta:
    """Counts clipped to L2 norm 1, rotated, rounded to grid steps within the law's sensitivity, plus
    discrete Gaussian noise of ``noise_milli`` thousandths of that sensitivity in every coordinate."""
    numerator, denominator = compute_clip(counts, law)
    spread = rotate(counts, compute_signs(network, window, law.dimension))
    rounded = round_conditionally(entropy, [x * numerator for x in spread], denominator, law.sensitivity**2)
    variance = (noise_milli * law.sensitivity) ** 2
    vector = tuple(
        max(-DELTA_COORDINATE_MAX, min(DELTA_COORDINATE_MAX, x + discrete_gaussian(entropy, variance, 10**6)))
        for x in rounded
    )
    return Delta(window, Level.DIFFERENTIAL, layout.id, law.scale, noise_milli, vector)


def compute_cosine(contributors: int, dimension: int, noise_milli: int) -> float:
    """The predicted cosine between the aggregate of ``contributors`` noised directions and the truth:
    s sqrt(N) / sqrt(s^2 N + z^2 D)."""
    signal = COHERENCE * COHERENCE * contributors
    return sqrt(signal / (signal + (noise_milli / 1000) ** 2 * dimension)) if contributors > 0 else 0.0


def compute_contributors_needed(min_cosine_milli: int, dimension: int, noise_milli: int) -> int:
    """The least number of contributors with which the predicted cosine reaches the threshold."""
    square = (min_cosine_milli / 1000) ** 2
    assert square < 1.0
    return ceil(square * (noise_milli / 1000) ** 2 * dimension / (COHERENCE * COHERENCE * (1.0 - square)))


def refuse_if_useless(contributors: int, law: LearningLaw, noise_milli: int) -> Refused | None:
    """None if a noised release can help, else what is predicted and what it would take."""
    cosine = compute_cosine(contributors, law.dimension, noise_milli)
    if cosine * 1000 >= law.min_cosine_milli:
        return None
    needed = compute_contributors_needed(law.min_cosine_milli, law.dimension, noise_milli)
    return Refused(
        Reason.NOT_USEFUL,
        f"predicted cosine {cosine:.2f} < {law.min_cosine_milli / 1000:.2f}, budget kept: "
        f"{contributors} contributors, about {needed} needed",
    )


def compute_norm_milli(counts: tuple[int, ...]) -> int:
    """The L2 norm of counts in thousandths, rounded down: what clipping to 1 takes away is shown."""
    return isqrt(10**6 * sum(x * x for x in counts))
