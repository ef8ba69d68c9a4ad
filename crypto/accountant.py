"""Privacy arithmetic in closed form: Gaussian differential privacy with the standard library only.

Refuses approximations that flatter: no amplification by sampling or shuffling is ever claimed, and every
rounding goes to the side that costs more. Budgets are integers, nano units of mu squared, because they
add: releases with mu_1 ... mu_k cost sqrt(mu_1^2 + ... + mu_k^2), exactly.

Source: Dong, Roth, Su, "Gaussian differential privacy", 2022, corollary 2.13 and theorem on composition.
The noise added is the discrete Gaussian; at the scales in use (sigma above 1 000 grid steps) its privacy
curve differs from the continuous one by less than the rounding here, which a test computes exactly.
"""

from math import ceil, erfc, exp, floor, inf, sqrt

NANO = 10**9
MILLI = 10**3


def _phi(x: float) -> float:
    """The standard normal distribution function, accurate in both tails."""
    return 0.5 * erfc(-x / sqrt(2.0))


def compute_delta(epsilon: float, mu: float) -> float:
    """The smallest delta at which a mu-GDP mechanism is (epsilon, delta)-DP."""
    assert epsilon >= 0.0 and mu >= 0.0
    if mu == 0.0:
        return 0.0
    tail = -epsilon / mu - mu / 2.0
    # exp(epsilon) alone overflows above 709, where the second term is zero anyway.
    second = exp(epsilon) * _phi(tail) if epsilon < 700.0 else 0.0
    return max(0.0, _phi(mu / 2.0 - epsilon / mu) - second)


def compute_mu(epsilon: float, delta: float) -> float:
    """The largest mu that is (epsilon, delta)-DP, by bisection from below: never more than allowed."""
    assert epsilon > 0.0 and 0.0 < delta < 1.0
    low, high = 0.0, 1.0
    while compute_delta(epsilon, high) <= delta:
        low, high = high, high * 2.0
    for _ in range(80):
        middle = (low + high) / 2.0
        if compute_delta(epsilon, middle) <= delta:
            low = middle
        else:
            high = middle
    return low


def compute_epsilon(mu: float, delta: float) -> float:
    """The smallest epsilon at which mu-GDP gives ``delta``, by bisection from above: never less than spent.

    Infinite for an infinite mu: statistics sent without noise.
    """
    assert mu >= 0.0 and 0.0 < delta < 1.0
    if mu == inf:
        return inf
    if compute_delta(0.0, mu) <= delta:
        return 0.0
    low, high = 0.0, 1.0
    while compute_delta(high, mu) > delta:
        low, high = high, high * 2.0
    for _ in range(80):
        middle = (low + high) / 2.0
        if compute_delta(middle, mu) > delta:
            low = middle
        else:
            high = middle
    return high


def compute_noise_milli(epsilon: float, delta: float, releases: int) -> int:
    """The noise multiplier z (thousandths, rounded up) with which ``releases`` together cost (epsilon,
    delta): z = sqrt(releases) / mu. The noise has standard deviation z times the L2 sensitivity."""
    assert releases >= 1
    return ceil(MILLI * sqrt(releases) / compute_mu(epsilon, delta))


def compute_cost_nano(noise_milli: int) -> int:
    """What one release with multiplier ``noise_milli`` costs: mu^2 = 1 / z^2 in nano units, rounded up."""
    assert noise_milli >= 1
    return -(-NANO * MILLI * MILLI // (noise_milli * noise_milli))


def compute_budget_nano(epsilon: float, delta: float) -> int:
    """What (epsilon, delta) allows altogether: mu^2 in nano units, rounded down."""
    return floor(compute_mu(epsilon, delta) ** 2 * NANO)


def compute_spent_epsilon(cost_nano: int, delta: float, factor: float = 1.0) -> float:
    """Epsilon of releases that cost ``cost_nano`` together. ``factor`` 2 is replace-one adjacency (one
    person's data exchanged for another's, twice the sensitivity); 1 is zero-out."""
    return compute_epsilon(factor * sqrt(cost_nano / NANO), delta)
