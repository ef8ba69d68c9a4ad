"""Exact integer noise: the discrete Gaussian and conditional stochastic rounding.

Refuses floating point and refuses chance of its own: every draw is made of uniform bytes of the caller's
``Entropy`` and of integer comparisons, so the distribution is exact and no bits of a float betray the
value below the noise (Mironov, "On significance of the least significant bits", 2012).

Source: Canonne, Kamath, Steinke, "The discrete Gaussian for differential privacy", 2020, algorithms 1-3;
Kairouz, Liu, Steinke, "The distributed discrete Gaussian mechanism", 2021, for conditional rounding.
"""

from collections.abc import Sequence
from math import isqrt

from luminous.crypto.entropy import Entropy, uniform_below

# A rounding that misses its bound has probability below 1e-9 at every scale in use; so many in a row mean
# that the caller's bound cannot be met, which is our fault.
ROUNDING_TRIES_MAX = 256


def bernoulli(entropy: Entropy, numerator: int, denominator: int) -> bool:
    """True with probability exactly ``numerator / denominator``, 0 <= numerator <= denominator."""
    return uniform_below(entropy, denominator) < numerator


def bernoulli_exp(entropy: Entropy, numerator: int, denominator: int) -> bool:
    """True with probability exactly exp(-numerator / denominator), both >= 0 (CKS algorithm 1)."""
    assert numerator >= 0 < denominator
    whole, rest = divmod(numerator, denominator)
    for _ in range(whole):
        if not _bernoulli_exp_unit(entropy, 1, 1):
            return False
    return _bernoulli_exp_unit(entropy, rest, denominator)


def _bernoulli_exp_unit(entropy: Entropy, numerator: int, denominator: int) -> bool:
    """``bernoulli_exp`` for an exponent in [0, 1]: von Neumann's alternating series."""
    draw = 1
    while bernoulli(entropy, numerator, denominator * draw):
        draw += 1
    return draw % 2 == 1


def discrete_laplace(entropy: Entropy, scale: int) -> int:
    """An integer x with probability proportional to exp(-|x| / scale), scale >= 1 (CKS algorithm 2)."""
    assert scale >= 1
    while True:
        low = uniform_below(entropy, scale)
        if not bernoulli_exp(entropy, low, scale):
            continue
        high = 0
        while _bernoulli_exp_unit(entropy, 1, 1):
            high += 1
        size = low + scale * high
        is_negative = bernoulli(entropy, 1, 2)
        if is_negative and size == 0:
            continue
        return -size if is_negative else size


def discrete_gaussian(entropy: Entropy, variance_numerator: int, variance_denominator: int = 1) -> int:
    """An integer x with probability proportional to exp(-x^2 / (2 s^2)), s^2 the given rational (CKS
    algorithm 3). ``s`` is the scale parameter; above 1 it equals the standard deviation to 1e-7."""
    assert variance_numerator > 0 < variance_denominator
    a, b = variance_numerator, variance_denominator
    scale = isqrt(a // b) + 1
    denominator = 2 * a * b * scale * scale
    while True:
        x = discrete_laplace(entropy, scale)
        if bernoulli_exp(entropy, (abs(x) * b * scale - a) ** 2, denominator):
            return x


def round_conditionally(
    entropy: Entropy, numerators: Sequence[int], denominator: int, norm_squared_max: int
) -> tuple[int, ...]:
    """Round each ``numerator / denominator`` up or down at random, unbiased, and begin again until the sum
    of squares is at most ``norm_squared_max``: the sensitivity then holds for certain, not on average."""
    for _ in range(ROUNDING_TRIES_MAX):
        rounded = []
        for numerator in numerators:
            whole, rest = divmod(numerator, denominator)
            rounded.append(whole + (1 if rest and bernoulli(entropy, rest, denominator) else 0))
        if sum(x * x for x in rounded) <= norm_squared_max:
            return tuple(rounded)
    raise AssertionError("the norm bound cannot be met by rounding")
