"""Roots from metrics: the frontier, not the loudest; and no units."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.causes.metrics_rca import Ordinary, rank_roots, robust_z

CALLS = {"shop": ["search", "pay"], "search": ["db"], "pay": ["db", "bank"], "db": [], "bank": [], "mail": []}


def test_the_deepest_anomalous_part_that_explains_the_target_comes_first():
    assert rank_roots({"shop": 40, "pay": 30, "bank": 25, "search": 0, "db": 1}, CALLS, "shop")[0] == "bank"
    assert rank_roots({"shop": 40, "pay": 30, "bank": 1, "db": 2}, CALLS, "shop")[0] == "pay"


def test_a_loud_part_that_the_target_does_not_rest_on_is_not_blamed():
    assert rank_roots({"shop": 20, "pay": 15, "mail": 500}, CALLS, "shop")[0] == "pay"
    loudest = max({"shop": 20, "pay": 15, "mail": 500}.items(), key=lambda item: item[1])
    assert loudest[0] == "mail"  # what the score alone would have said


def test_with_arrows_reversed_the_root_is_missed():
    reversed_calls = {"shop": [], "search": ["shop"], "pay": ["shop"], "bank": ["pay"], "db": ["search"]}
    assert rank_roots({"shop": 40, "pay": 30, "bank": 25}, reversed_calls, "shop")[0] != "bank"


@given(st.lists(st.floats(1, 1000), min_size=8, max_size=40), st.sampled_from([1e-6, 1e3, 1e6]))
@settings(max_examples=60)
def test_units_leave_the_score_unchanged(samples, unit):
    one, other = Ordinary.of(samples), Ordinary.of([value * unit for value in samples])
    assert one is not None
    assert other is not None
    bad = max(samples) * 3
    assert robust_z(one, [bad], 1) == pytest.approx(robust_z(other, [bad * unit], 1), rel=1e-6)


def test_rounding_is_no_movement():
    nearly = Ordinary.of([1.0] * 7 + [1.0 + 2e-16])
    assert nearly is not None
    assert robust_z(nearly, [1.01], 1) == pytest.approx(10)


def test_a_constant_that_moves_tells_and_too_few_samples_tell_nothing():
    always = Ordinary.of([100.0] * 50)
    assert always is not None
    assert robust_z(always, [99.0, 100.0], -1) == pytest.approx(10)
    assert robust_z(always, [101.0], -1) < 0
    assert Ordinary.of([0.0] * 50) is None
    assert Ordinary.of([1.0] * 3) is None
