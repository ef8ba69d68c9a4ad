"""Populations find the best fix sooner together than alone, and a fifth of liars cannot promote a bad one:
with the product's own ranking, counting, aggregation and gate, and with each of them taken away."""

import pytest

from luminous.crypto.rotation import rotate
from luminous.node.core.causes import ranking
from luminous.node.core.learning import estimates, machine
from luminous.protocol import aggregation
from luminous.simulations.fix_population import CLASSES, FIXES, draw_world, live, paired

SEEDS = range(4)
LIARS = 4  # of 20


def plain_mean(deltas, signs, law):
    """The mutant: a mean of what everybody says, as loud as they say it."""
    columns = zip(*(rotate(delta.vector, signs) for delta in deltas), strict=True)
    return 0, tuple(aggregation.FRACTION * law.scale * sum(column) // (8 * len(deltas)) for column in columns)


@pytest.fixture
def no_robust_aggregation(monkeypatch):
    monkeypatch.setattr(aggregation, "_combine", plain_mean)


@pytest.fixture
def no_gate(monkeypatch):
    monkeypatch.setattr(machine, "judge", lambda *_: 1000)


@pytest.fixture
def no_discount(monkeypatch):
    monkeypatch.setattr(ranking, "PEER_TRIALS_MAX", 1e9)
    monkeypatch.setattr(estimates, "TRIALS_MILLI_MAX", 10**12)


def test_the_world_is_drawn_with_the_seed_and_the_catalogue_is_often_wrong():
    worlds = [draw_world(seed) for seed in range(20)]
    assert draw_world(3) == worlds[3]
    named_first = sum(world.best[name] == FIXES[name][0] for world in worlds for name in CLASSES)
    assert 60 < named_first < 140  # of 200


@pytest.mark.parametrize("is_fleet", [True, False], ids=["fleet", "community"])
def test_together_they_converge_sooner_than_alone(is_fleet):
    sooner, better = [], []
    for seed in SEEDS:
        alone = live(seed, together=False)
        together = live(seed, is_fleet=is_fleet)
        sooner.append(float(alone.windows_until(0.75) - together.windows_until(0.75)))
        better.append(together.best_first[-1] - alone.best_first[-1])
        assert together.best_first[-1] > 0.9
        assert together.promoted == 0
    assert paired(sooner)[1] > 3.0  # days; the lower end of the 95 % interval over worlds
    assert paired(better)[1] > 0.25


def test_planted_fault_machines_that_do_not_hear_each_other_are_no_faster(monkeypatch):
    monkeypatch.setattr(machine.Learning, "hear", lambda *_: ())
    for seed in SEEDS:
        assert live(seed) == live(seed, together=False)


def test_a_fifth_of_liars_promotes_nothing():
    worse = []
    for seed in SEEDS:
        alone, lied_to = live(seed, together=False), live(seed, is_fleet=False, liars=LIARS)
        assert lied_to.promoted == 0
        worse.append(alone.best_first[-1] - lied_to.best_first[-1])
    assert paired(worse)[2] < 0.05  # the upper end: they cost nothing against being alone


@pytest.mark.slow
def test_in_time_the_community_learns_in_spite_of_them():
    course = live(0, is_fleet=False, liars=LIARS, windows=40)
    assert course.best_first[-1] > 0.9
    assert course.promoted == 0


def test_planted_fault_without_robust_aggregation_they_do_harm(no_robust_aggregation):
    worse = [
        live(seed, together=False).best_first[-1] - live(seed, is_fleet=False, liars=LIARS).best_first[-1]
        for seed in SEEDS
    ]
    assert paired(worse)[1] > 0.05


def test_planted_fault_without_aggregation_and_gate_they_rule(no_robust_aggregation, no_gate):
    for seed in SEEDS[:2]:
        course = live(seed, is_fleet=False, liars=LIARS, windows=5)
        assert course.best_first[-1] == 0.0
        assert course.promoted > 0


CAPTURED = {"is_fleet": False, "liars": LIARS, "failures": 30, "bad_rate": 0.05}


def test_even_then_own_outcomes_outweigh_what_was_said(no_robust_aggregation, no_gate):
    """Peers count as at most ten trials, and less with every own one."""
    course = live(1, **CAPTURED)
    assert course.best_first[0] == 0.0
    assert course.best_first[-1] > 0.9


def test_planted_fault_without_the_discount_they_never_do(no_robust_aggregation, no_gate, no_discount):
    assert live(1, **CAPTURED).best_first[-1] == 0.0
