"""The closed form against numbers of dp-accounting's PLD accountant (version 0.6.0).

The table was made by ``python tests/crypto/make_accountant_table.py`` in an environment of its own with
``pip install dp-accounting``; it is recomputed here when that package is installed.
"""

from math import exp, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.accountant import (
    compute_budget_nano,
    compute_cost_nano,
    compute_delta,
    compute_epsilon,
    compute_mu,
    compute_noise_milli,
    compute_spent_epsilon,
)

# epsilon, delta, releases, noise multiplier by PLD calibration
MULTIPLIERS = [
    (1.0, 1e-6, 1, 4.2248),
    (1.0, 1e-6, 7, 11.1774),
    (1.0, 1e-6, 12, 14.6348),
    (1.0, 1e-6, 30, 23.1395),
    (0.5, 1e-6, 1, 8.0577),
    (2.0, 1e-6, 1, 2.2306),
    (4.0, 1e-6, 1, 1.1935),
    (8.0, 1e-6, 1, 0.653),
    (1.0, 1e-5, 1, 3.7306),
]
# noise multiplier, releases, delta, epsilon by PLD composition
EPSILONS = [
    (4.225, 1, 1e-6, 0.99992),
    (4.225, 2, 1e-6, 1.45455),
    (4.225, 4, 1e-6, 2.12268),
    (4.225, 12, 1e-6, 3.90372),
    (4.225, 41, 1e-6, 7.90169),
    (11.18, 7, 1e-6, 0.99975),
    (23.14, 30, 1e-6, 0.99998),
]


@pytest.mark.parametrize(("epsilon", "delta", "releases", "multiplier"), MULTIPLIERS)
def test_noise_multiplier_equals_pld(epsilon: float, delta: float, releases: int, multiplier: float) -> None:
    assert compute_noise_milli(epsilon, delta, releases) / 1000 == pytest.approx(
        multiplier, rel=1e-3, abs=1e-3
    )
    assert releases**0.5 / compute_mu(epsilon, delta) == pytest.approx(multiplier, rel=1e-3)


@pytest.mark.parametrize(("multiplier", "releases", "delta", "epsilon"), EPSILONS)
def test_composed_epsilon_equals_pld(multiplier: float, releases: int, delta: float, epsilon: float) -> None:
    assert compute_epsilon(releases**0.5 / multiplier, delta) == pytest.approx(epsilon, rel=1e-3)


def test_one_release_a_month_costs_epsilon_one() -> None:
    assert compute_noise_milli(1.0, 1e-6, 1) == 4225
    assert compute_budget_nano(1.0, 1e-6) == 56_028_963
    assert compute_budget_nano(8.0, 1e-6) // compute_cost_nano(4225) == 41
    assert compute_spent_epsilon(compute_cost_nano(4225), 1e-6, factor=2.0) == pytest.approx(2.123, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 8.0), st.sampled_from([1e-5, 1e-6, 1e-9]), st.integers(1, 400))
def test_rounding_never_flatters(epsilon: float, delta: float, releases: int) -> None:
    noise_milli = compute_noise_milli(epsilon, delta, releases)
    assert releases * 1e6 / noise_milli**2 <= compute_mu(epsilon, delta) ** 2
    assert compute_cost_nano(noise_milli) * noise_milli**2 >= 10**15
    assert compute_spent_epsilon(compute_cost_nano(noise_milli), delta) >= 0.0


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 10.0), st.sampled_from([1e-5, 1e-6]))
def test_epsilon_and_mu_are_inverse(epsilon: float, delta: float) -> None:
    assert compute_epsilon(compute_mu(epsilon, delta), delta) == pytest.approx(epsilon, rel=1e-6, abs=1e-9)


def test_no_noise_has_no_bound_and_nothing_sent_costs_nothing() -> None:
    assert compute_epsilon(inf, 1e-6) == inf
    assert compute_epsilon(0.0, 1e-6) == 0.0 == compute_delta(0.0, 0.0)


def test_the_discrete_gaussian_obeys_the_continuous_formula() -> None:
    """Exact delta of the integer mechanism in the worst direction of one coordinate, sensitivity 64 and
    sigma 270.4 (already a sixteenth of the scale in use), against the closed form."""
    sensitivity, sigma, epsilon = 64, 270.4, 1.0
    reach = int(14 * sigma)
    weights = [exp(-x * x / (2 * sigma * sigma)) for x in range(-reach, reach + 1)]
    total = sum(weights)
    delta = (
        sum(
            max(0.0, weights[i] - exp(epsilon) * weights[i - sensitivity])
            for i in range(sensitivity, len(weights))
        )
        / total
    )
    assert delta == pytest.approx(compute_delta(epsilon, sensitivity / sigma), rel=1e-2)


def test_halved_noise_is_noticed() -> None:
    assert compute_epsilon(2 / 4.225, 1e-6) > 2.0


@pytest.mark.slow
@pytest.mark.oracle
def test_table_is_what_pld_says_today() -> None:
    accounting = pytest.importorskip("dp_accounting", reason="dp-accounting is not installed")
    for multiplier, releases, delta, epsilon in EPSILONS:
        accountant = accounting.pld.PLDAccountant()
        event = accounting.GaussianDpEvent(multiplier)
        accountant.compose(accounting.SelfComposedDpEvent(event, releases))
        assert accountant.get_epsilon(delta) == pytest.approx(epsilon, rel=1e-3)
