"""Beliefs, the gate, the rollback, the public prior, wisdom: what is used and shown, and how surely."""

import random
import tomllib
from pathlib import Path

import pytest

from luminous.node.core.learning.adoption import Adopted, Adoption, count, judge, predict
from luminous.node.core.learning.estimates import compute_shrinkage_milli, estimate, find_patterns
from luminous.node.core.learning.priors import PSEUDO_TRIALS_MAX, PublicPrior, read_prior
from luminous.node.core.learning.statistics import EVENTS_MAX, TAIL_MAX, Statistics, Trial
from luminous.protocol.aggregation import FRACTION, Aggregate
from luminous.protocol.deltas import LearningLaw
from luminous.protocol.layout import FIXES_1

LAW = LearningLaw()
UNIT = LAW.scale * FRACTION
PAIR, RIVAL = ("disk_full", "collect_garbage"), ("disk_full", "limit_boot_entries")
J, K = FIXES_1.index[PAIR], FIXES_1.index[RIVAL]
PRIORS = Path(__file__).resolve().parents[4] / "node" / "data" / "priors" / "fixes.toml"


def exact(counts: dict[int, int], contributors: int = 3) -> Aggregate:
    vector = tuple(counts.get(i, 0) for i in range(64))
    return Aggregate(1, vector, 0, True, contributors, b"m")


def direction(values: dict[int, float], sigma: float, contributors: int = 1000) -> Aggregate:
    vector = tuple(int(values.get(i, 0.0) * UNIT) for i in range(64))
    return Aggregate(1, vector, int((sigma * UNIT) ** 2), False, contributors, b"m")


def beliefs(rates: dict[int, tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(rates.get(j, (0, 0)) for j in range(32))


def trials_of(rate: float, size: int, pair: tuple[str, str] = PAIR, seed: int = 1) -> tuple[Trial, ...]:
    chance = random.Random(seed)
    return tuple(Trial(pair, chance.random() < rate) for _ in range(size))


def test_exact_sums_become_at_most_ten_pseudo_trials_without_the_own_part() -> None:
    found = estimate(exact({2 * J: 300, 2 * J + 1: 100, 2 * K: 3}), LAW, (0,) * 64)
    assert found[J] == (7500, 10_000) and found[K] == (3000, 3000)
    own = tuple(3 if i == 2 * K else 0 for i in range(64))
    assert estimate(exact({2 * K: 3}), LAW, own)[K] == (0, 0)


def test_pure_noise_is_shrunk_to_nothing_and_a_signal_is_kept() -> None:
    chance = random.Random(5)
    noise = direction({i: chance.gauss(0, 0.2) for i in range(64)}, 0.2)
    assert compute_shrinkage_milli(noise) < 350
    assert sum(trials for _, trials in estimate(noise, LAW, (0,) * 64)) < 32_000 // 2
    strong = estimate(direction({2 * J: 0.6, 2 * J + 1: 0.2}, 0.02), LAW, (0,) * 64)
    assert strong[J][1] == 10_000 and strong[J][0] == pytest.approx(7500, abs=20)
    weak = estimate(direction({2 * J: 0.6, 2 * J + 1: 0.2}, 0.2), LAW, (0,) * 64)
    assert 0 <= weak[J][1] <= 4000


def test_the_gate_takes_what_helps_and_refuses_what_hurts() -> None:
    own = trials_of(0.9, 40)
    right, wrong = beliefs({J: (9000, 10_000)}), beliefs({J: (500, 10_000)})
    assert judge(own, FIXES_1, PublicPrior(), right, True) > 0
    assert judge(own, FIXES_1, PublicPrior(), wrong, True) == 0
    assert judge(own, FIXES_1, PublicPrior(), beliefs({}), True) == 1000


def test_below_twenty_own_trials_the_public_set_judges_and_only_members_are_heard() -> None:
    prior = PublicPrior({}, trials_of(0.9, 30, seed=3))
    right, wrong = beliefs({J: (9000, 10_000)}), beliefs({J: (500, 10_000)})
    few = trials_of(0.0, 19)
    assert judge(few, FIXES_1, prior, right, True) == 500
    assert judge(few, FIXES_1, prior, wrong, True) == 0
    assert judge(few, FIXES_1, prior, right, False) == 0
    assert judge(trials_of(0.0, 20), FIXES_1, prior, right, True) == 0


def first_works(
    rates: dict[tuple[str, str], float], own: tuple[Trial, ...], bad: tuple, step_milli: int
) -> float:
    """How often the fix that is shown first works."""
    counts, prior = count(own), PublicPrior()
    first, second = (predict(p, FIXES_1, prior, counts, bad, step_milli) for p in (PAIR, RIVAL))
    return rates[PAIR if first >= second else RIVAL]


def test_random_beliefs_hurt_when_taken_as_they_are_and_not_through_the_gate() -> None:
    """Sixty worlds: mean loss of first-fix success against alone, in points of one hundredth."""
    chance = random.Random(11)
    gated, naive = 0.0, 0.0
    for _ in range(60):
        rates = {PAIR: chance.random(), RIVAL: chance.random()}
        own = tuple(Trial(p, chance.random() < rates[p]) for _ in range(15) for p in (PAIR, RIVAL))
        bad = beliefs({J: (chance.randrange(10_001), 10_000), K: (chance.randrange(10_001), 10_000)})
        alone = first_works(rates, own, bad, 0)
        gated += alone - first_works(rates, own, bad, judge(own, FIXES_1, PublicPrior(), bad, True))
        naive += alone - first_works(rates, own, bad, 1000)
    assert gated / 60 <= 0.02 < naive / 60


def adopted(window: int) -> Adopted:
    return Adopted(window, bytes([window]), 500, 10, beliefs({}))


def test_the_last_five_are_kept_and_regret_goes_back_one() -> None:
    adoption = Adoption()
    for window in range(7):
        adoption.adopt(adopted(window))
    assert adoption.current == adopted(6)
    assert [adoption.learn(-0.5) for _ in range(10)] == [None] * 9 + [adopted(6)]
    assert adoption.current == adopted(5) and adoption.is_known(bytes([6]))
    for _ in range(4):
        adoption.roll_back()
    assert adoption.current is None and adoption.roll_back() is None


def test_gains_and_chance_do_not_roll_back() -> None:
    adoption, chance = Adoption(), random.Random(2)
    adoption.adopt(adopted(1))
    assert all(adoption.learn(chance.gauss(0.05, 0.3)) is None for _ in range(200))


def test_patterns_are_told_from_noise() -> None:
    sure = find_patterns(direction({2 * J: 0.6, 2 * J + 1: 0.2, 2 * K: 0.05}, 0.02), FIXES_1)
    assert [p.pair for p in sure] == [PAIR]
    assert sure[0].low_milli < 750 < sure[0].high_milli and sure[0].trials is None
    assert sure[0].contributors == 1000
    chance = random.Random(9)
    noise = direction({i: chance.gauss(0, 0.2) for i in range(64)}, 0.2)
    assert find_patterns(noise, FIXES_1) == ()


def test_exact_patterns_have_wilson_intervals() -> None:
    (pattern,) = find_patterns(exact({2 * J: 41, 2 * J + 1: 11}), FIXES_1)
    assert (pattern.rate_milli, pattern.low_milli, pattern.high_milli) == (788, 659, 878)
    assert pattern.trials == 52


def test_the_shipped_prior_can_be_read_and_is_humble() -> None:
    prior = read_prior(tomllib.loads(PRIORS.read_text()), FIXES_1)
    assert len(prior.pairs) == 21 and len(prior.evaluation) == 32
    assert all(0 < s < n <= PSEUDO_TRIALS_MAX for s, n in prior.pairs.values())
    assert prior.get(("option_not_found", "add_import")) == (3, 4)
    assert prior.get(("nobody", "knows")) == (1, 2)
    with pytest.raises(AssertionError):
        read_prior({"prior": [{"class": "x", "fix": "y", "successes": 1, "trials": 2}]}, FIXES_1)


def test_statistics_are_bounded() -> None:
    statistics = Statistics(FIXES_1)
    for n in range(2 * TAIL_MAX):
        statistics.add(Trial((f"c{n}", "f"), True))
    for _ in range(2 * EVENTS_MAX):
        statistics.add(Trial(PAIR, True))
    assert len(statistics.counts()) == TAIL_MAX + 1 and len(statistics.trials) == EVENTS_MAX
    assert statistics.vector[2 * J] == 2 * EVENTS_MAX
