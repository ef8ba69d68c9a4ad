"""Prints the golden table of test_accountant.py. Needs dp-accounting; takes about ten seconds."""

import dp_accounting
from dp_accounting import pld
from test_accountant import EPSILONS, MULTIPLIERS


def _event(multiplier: float, releases: int) -> object:
    return dp_accounting.SelfComposedDpEvent(dp_accounting.GaussianDpEvent(multiplier), releases)


def main() -> None:
    for epsilon, delta, releases, _ in MULTIPLIERS:
        found = dp_accounting.calibrate_dp_mechanism(
            lambda: pld.PLDAccountant(),
            lambda z, releases=releases: _event(z, releases),
            epsilon,
            delta,
            tol=1e-4,
        )
        print((epsilon, delta, releases, round(found, 4)))
    for multiplier, releases, delta, _ in EPSILONS:
        accountant = pld.PLDAccountant()
        accountant.compose(_event(multiplier, releases))
        print((multiplier, releases, delta, round(accountant.get_epsilon(delta), 5)))


if __name__ == "__main__":
    main()
