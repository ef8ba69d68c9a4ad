"""Outcomes order fixes; luck, crowds and liars do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luminous.node.core.causes.ranking import PEER_TRIALS_MAX, lower_bound, rank

A, B, C = ("k", "k.a"), ("k", "k.b"), ("k", "k.c")


def _order(local=None, prior=None):
    return [r.fix_id for r in rank([A, B, C], local or {}, prior or {})]


def test_without_evidence_the_catalogue_order_stays():
    assert _order() == ["k.a", "k.b", "k.c"]


def test_what_worked_here_comes_first_and_one_lucky_trial_is_not_enough():
    assert _order({C: (9, 10), A: (1, 10)})[0] == "k.c"
    assert _order({C: (1, 1)})[0] != "k.c" or _order({C: (1, 1), A: (8, 9)})[0] == "k.a"


def test_local_failures_beat_any_number_of_peers():
    assert _order({B: (0, 30)}, {B: (1e6, 1e6)})[0] != "k.b"
    assert _order({}, {B: (90, 100)})[0] == "k.b"


def test_twenty_percent_liars_cannot_promote_a_bad_fix():
    # 100 honest machines see a work 8 of 10 and b 2 of 10; 25 liars claim the opposite, each as loud.
    honest, liars = 100, 25
    prior = {
        A: (0.8 * 10 * honest + 0.0, 10.0 * honest + 10 * liars),
        B: (0.2 * 10 * honest + 10.0 * liars, 10.0 * honest + 10 * liars),
    }
    assert _order({}, prior)[0] == "k.a"
    # and a majority of liars would: the test is not empty
    liars = 400
    prior = {A: (800.0, 1000.0 + 10 * liars), B: (200.0 + 10 * liars, 1000.0 + 10 * liars)}
    assert _order({}, prior)[0] == "k.b"


def test_peers_count_for_at_most_ten_trials():
    few = rank([A], {}, {A: (PEER_TRIALS_MAX, PEER_TRIALS_MAX)})[0]
    many = rank([A], {}, {A: (1e9, 1e9)})[0]
    assert few.lower == pytest.approx(many.lower)


@pytest.mark.parametrize("counts", [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="impossible"):
        rank([A], {A: counts}, {})


@given(st.integers(0, 50), st.integers(0, 50))
def test_the_bound_lies_below_the_mean_and_grows_with_success(good, bad):
    low = lower_bound(good + 1, bad + 1)
    assert 0.0 <= low <= (good + 1) / (good + bad + 2)
    assert lower_bound(good + 2, bad + 1) >= low
