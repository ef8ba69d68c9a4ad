"""What must hold at the end of a run: every checker, in the order they are shown.

Refuses to know faults or workload. Each is proven by a mutant of the product that it catches (``mutants``).
"""

from collections.abc import Callable

from luminous.simulations.checkers_deciding import (
    check_agreement,
    check_constitution,
    check_convergence,
    check_exclusion,
    check_halting,
    check_inclusion,
    check_independence,
    check_liveness,
)
from luminous.simulations.checkers_keeping import (
    check_authenticity,
    check_boundedness,
    check_healing,
    check_secrecy,
    check_tolerance,
)
from luminous.simulations.checkers_learning import (
    check_aggregates,
    check_budget,
    check_consent,
    check_robustness,
    check_statistics,
)
from luminous.simulations.evidence import Check, Evidence, finals_of

__all__ = ["CHECKERS", "Check", "Evidence", "check_all", "finals_of"]

CHECKERS: tuple[Callable[[Evidence], Check], ...] = (
    check_agreement,
    check_liveness,
    check_independence,
    check_aggregates,
    check_convergence,
    check_budget,
    check_consent,
    check_authenticity,
    check_boundedness,
    check_constitution,
    check_inclusion,
    check_exclusion,
    check_halting,
    check_statistics,
    check_robustness,
    check_healing,
    check_secrecy,
    check_tolerance,
)


def check_all(evidence: Evidence) -> list[Check]:
    """Every checker on one run."""
    return [checker(evidence) for checker in CHECKERS]
