"""The sampler against its exact distribution, and two wrong samplers that the same test finds."""

import random
from collections import Counter
from collections.abc import Callable
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.noise import (
    bernoulli_exp,
    discrete_gaussian,
    discrete_laplace,
    round_conditionally,
)

DRAWS = 12_000


def chi_square(draws: list[int], weight: Callable[[int], float], reach: int) -> tuple[float, int]:
    """Pearson's statistic of integers against a pmf proportional to ``weight`` on [-reach, reach], bins of
    at least eight expected, and the degrees of freedom."""
    total = sum(weight(x) for x in range(-reach, reach + 1))
    counts = Counter(draws)
    statistic, bins, seen, expected = 0.0, 0, 0.0, 0.0
    for x in range(-reach, reach + 1):
        seen += counts[x]
        expected += weight(x) / total * len(draws)
        if expected >= 8.0:
            statistic += (seen - expected) ** 2 / expected
            bins, seen, expected = bins + 1, 0.0, 0.0
    return statistic, bins - 1


def is_plausible(statistic: float, freedom: int) -> bool:
    """Within five standard deviations of what chance gives (the seed is fixed: no flakes)."""
    return abs(statistic - freedom) < 5.0 * (2.0 * freedom) ** 0.5


@pytest.mark.parametrize(("numerator", "denominator"), [(1, 4), (1, 1), (9, 1), (2500, 49)])
def test_discrete_gaussian_has_the_exact_distribution(numerator: int, denominator: int) -> None:
    entropy = SeededEntropy(b"gaussian")
    variance = numerator / denominator
    draws = [discrete_gaussian(entropy, numerator, denominator) for _ in range(DRAWS)]
    reach = int(12 * variance**0.5) + 4
    assert is_plausible(*chi_square(draws, lambda x: exp(-x * x / (2 * variance)), reach))


def test_half_the_sigma_and_a_rounded_float_are_caught() -> None:
    entropy, floats = SeededEntropy(b"gaussian"), random.Random(7)
    half = [discrete_gaussian(entropy, 9, 4) for _ in range(DRAWS)]
    truncated = [int(floats.gauss(0.0, 3.0)) for _ in range(DRAWS)]
    for draws in (half, truncated):
        assert not is_plausible(*chi_square(draws, lambda x: exp(-x * x / 18.0), 40))


def test_discrete_laplace_has_the_exact_distribution() -> None:
    entropy = SeededEntropy(b"laplace")
    draws = [discrete_laplace(entropy, 3) for _ in range(DRAWS)]
    assert is_plausible(*chi_square(draws, lambda x: exp(-abs(x) / 3.0), 60))


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 2), (1, 1), (5, 2)])
def test_bernoulli_exp_has_its_probability(numerator: int, denominator: int) -> None:
    entropy = SeededEntropy(b"exp")
    hits = sum(bernoulli_exp(entropy, numerator, denominator) for _ in range(DRAWS))
    p = exp(-numerator / denominator)
    assert abs(hits - DRAWS * p) <= 4.5 * (DRAWS * p * (1 - p)) ** 0.5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=32), st.integers(1, 97), st.binary(max_size=8))
def test_rounding_is_to_a_neighbour_and_within_the_norm(
    values: list[int], denominator: int, seed: bytes
) -> None:
    ceiling = sum((abs(v) // denominator + 1) ** 2 for v in values)
    rounded = round_conditionally(SeededEntropy(seed), values, denominator, ceiling)
    assert all(v // denominator <= r <= -(-v // denominator) for v, r in zip(values, rounded, strict=True))


def test_rounding_is_unbiased() -> None:
    entropy = SeededEntropy(b"round")
    total = sum(round_conditionally(entropy, [3], 10, 100)[0] for _ in range(DRAWS))
    assert abs(total - 0.3 * DRAWS) < 4.5 * (DRAWS * 0.21) ** 0.5


def test_rounding_that_leaves_the_norm_is_drawn_again() -> None:
    entropy = SeededEntropy(b"norm")
    assert all(sum(round_conditionally(entropy, [5] * 4, 10, 2)) <= 2 for _ in range(200))
    with pytest.raises(AssertionError):
        round_conditionally(entropy, [30], 10, 8)
