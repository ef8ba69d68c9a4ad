"""The agreement core under an adversary that leads every iteration and orders every delivery."""

import pytest

from luminous.simulations.minutes_search import search
from luminous.simulations.minutes_walk import MUTANTS, reached, run


@pytest.mark.parametrize(("n", "f", "walks"), [(4, 1, 6000), (7, 2, 3000), (10, 3, 1500)])
def test_no_disagreement_while_at_most_f_lie(n: int, f: int, walks: int) -> None:
    assert run(n, f, walks, seed=1) == 0
    assert reached(n, f, 300, seed=1) > 90


@pytest.mark.parametrize(("n", "f"), [(4, 2), (7, 3)])
def test_one_liar_more_and_the_same_walks_disagree(n: int, f: int) -> None:
    assert run(n, f, 600, seed=1) > 0


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_rule_left_out_is_found_by_the_walks(mutant: str) -> None:
    """With n = 4 the quorum n/2+1 is the right one, so that mutant walks with seven."""
    n, f = (7, 2) if mutant == "quorum n/2+1" else (4, 1)
    assert run(n, f, 1500, seed=1, mutant=mutant) > 0


def test_every_state_of_two_iterations_agrees() -> None:
    found = search(iterations=2)
    assert found.disagreements == 0 and found.decided > 20_000 and found.states == 84_254


@pytest.mark.parametrize("mutant", [name for name in MUTANTS if name != "quorum n/2+1"])
def test_every_rule_left_out_is_found_by_the_search(mutant: str) -> None:
    assert search(iterations=2, mutant=mutant, stop_at_first=True).disagreements > 0


def test_two_liars_of_four_are_found_by_the_search() -> None:
    assert search(iterations=2, byzantine=2, stop_at_first=True).disagreements > 0


@pytest.mark.long
def test_every_state_of_three_iterations_agrees() -> None:
    found = search(iterations=3)
    assert found.disagreements == 0 and found.states == 16_430_485


@pytest.mark.long
@pytest.mark.parametrize(("n", "f", "walks"), [(4, 1, 5_000_000), (7, 2, 3_000_000), (10, 3, 2_000_000)])
def test_ten_million_walks(n: int, f: int, walks: int) -> None:
    assert run(n, f, walks, seed=2) == 0
