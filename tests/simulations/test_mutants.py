"""Every checker finds a mutant of the product, and is content without it."""

from pathlib import Path

import pytest

from luminous.simulations.checkers import CHECKERS
from luminous.simulations.doc_tables import refresh
from luminous.simulations.mutants import MUTANTS, Mutant, table

# About a second each; these take longer.
SLOW = ("liveness", "boundedness", "robustness", "exclusion", "convergence")


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(one, id=one.name, marks=pytest.mark.slow if one.checker in SLOW else ())
        for one in MUTANTS
    ],
)
def test_a_mutant_is_caught_by_its_checker_and_only_with_the_mutant(mutant: Mutant) -> None:
    assert mutant.checker in mutant.caught()
    assert mutant.checker not in mutant.spared()


def test_every_checker_has_a_mutant() -> None:
    names = {checker.__name__.removeprefix("check_") for checker in CHECKERS}
    assert names == {mutant.checker for mutant in MUTANTS}


def test_the_table_lists_every_mutant() -> None:
    assert all(f"| {one.name} | {one.checker} |" in table() for one in MUTANTS)


def test_the_documentation_holds_the_table_and_a_stale_one_is_written_anew() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/simulation.md").read_text()
    assert table() in page
    stale = page.replace("| three members can never finalise | liveness |", "| another | nothing |")
    assert table() not in stale and table() in refresh(stale)
