"""Elections over a bad network with liars: one outcome, nothing lost or forged; and controls that fail."""

import pytest

from luminous.protocol import minutes_count
from luminous.simulations.minutes_network import Run, run


def total(n: int, f: int, runs: int) -> list[Run]:
    return [run(n, f, seed) for seed in range(runs)]


@pytest.mark.parametrize(("n", "f", "runs"), [(4, 1, 60), (7, 2, 8), (10, 3, 2)])
def test_all_honest_members_print_one_outcome(n: int, f: int, runs: int) -> None:
    """Through a partition, two-faced liars, back-dated ballots and skewed clocks; the naive count splits."""
    results = total(n, f, runs)
    assert not any(one.is_split or one.is_stuck for one in results)
    assert sum(one.lost for one in results) == 0 and sum(one.forged for one in results) == 0
    assert sorted(one.iterations for one in results)[runs // 2] <= 3
    assert any(one.naive_split for one in results)


def test_one_liar_more_splits_or_forges() -> None:
    results = total(4, 2, 20)
    assert any(one.is_split for one in results) and any(one.forged for one in results)


def test_support_of_one_report_would_let_forged_ballots_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: a ballot counts if a single Report lists it."""
    monkeypatch.setattr(minutes_count, "support_min", lambda roll: 1)
    assert sum(one.forged for one in total(4, 1, 12)) > 0


def test_a_run_is_a_function_of_its_seed() -> None:
    assert run(4, 1, 5) == run(4, 1, 5)


@pytest.mark.long
def test_a_hundred_thousand_small_elections() -> None:
    for n, f, runs in ((4, 1, 90_000), (7, 2, 8_000), (10, 3, 2_000)):
        for seed in range(runs):
            one = run(n, f, 10_000_000 + seed)
            assert not (one.is_split or one.is_stuck or one.lost or one.forged), (n, f, seed)
