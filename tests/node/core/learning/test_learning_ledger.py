"""The ledger never under-charges, frees what is over, and keeps a lifetime."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.instant import Instant
from luminous.node.core.learning.clock import Clock
from luminous.node.core.learning.ledger import Charge, Ledger, parse_charge
from luminous.protocol.codec import decode, encode
from luminous.protocol.deltas import BUDGET_PERIOD_MS, DAY_MS, LearningLaw, Level
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.reasons import Reason, Refused

MONTH = BUDGET_PERIOD_MS
LAW = LearningLaw()


def spend(ledger: Ledger, window: int, wall_ms: int, level: Level = Level.DIFFERENTIAL) -> Refused | None:
    charge = ledger.make_charge(window, level, wall_ms)
    refusal = ledger.refuse(charge)
    if refusal is None:
        ledger.add(charge)
    return refusal


def test_one_release_a_month_and_the_next_when_it_is_over() -> None:
    ledger = Ledger(LAW, 1000)
    assert ledger.noise_milli == 4225
    assert spend(ledger, 1, 2 * MONTH) is None
    early = spend(ledger, 2, 3 * MONTH - 1)
    assert early == Refused(
        Reason.NO_BUDGET, "epsilon 1 of these 30 days is used up: the next release fits in 1 h"
    )
    assert ledger.frees_at(ledger.make_charge(2, Level.DIFFERENTIAL, 3 * MONTH - 1)) == 3 * MONTH
    assert spend(ledger, 2, 3 * MONTH) is None
    assert spend(ledger, 2, 9 * MONTH) == Refused(Reason.DUPLICATE, "window 2 has been released")


def test_the_lifetime_ends_learning() -> None:
    ledger = Ledger(LAW, 1000)
    outcomes = [spend(ledger, w, (w + 1) * MONTH) for w in range(50)]
    assert outcomes[:41] == [None] * 41
    assert all(o is not None and "lifetime" in o.detail for o in outcomes[41:])
    assert ledger.show(50 * MONTH)["lifetime_epsilon_milli_spent"] == 7902


def test_epsilon_can_be_lowered_and_not_raised() -> None:
    assert Ledger(LAW, 500).noise_milli == 8058
    assert Ledger(LAW, 9000).epsilon_milli == 1000
    assert Ledger(LearningLaw(epsilon_milli_max=500), 1000).epsilon_milli == 500


def test_thirty_windows_share_the_month() -> None:
    law = LearningLaw(window_ms=DAY_MS)
    ledger = Ledger(law, 1000)
    assert ledger.noise_milli == 23_140
    results = [spend(ledger, w, MONTH + w * DAY_MS) for w in range(1, 31)]
    assert results == [None] * 30
    assert ledger.show(MONTH + 30 * DAY_MS)["epsilon_milli_spent"] == 1000
    assert ledger.show(MONTH + 30 * DAY_MS)["epsilon_milli_spent_replace_one"] == 2123


def test_public_is_unbounded_and_costs_no_budget() -> None:
    ledger = Ledger(LAW, 1000)
    assert spend(ledger, 1, MONTH, Level.PUBLIC) is None
    facts = ledger.show(MONTH)
    assert facts["is_unbounded"] is True and facts["public_releases"] == 1
    assert facts["epsilon_milli_spent"] == 0
    assert spend(ledger, 1, MONTH, Level.DIFFERENTIAL) is not None


def test_a_lost_journal_spends_the_period() -> None:
    ledger = Ledger(LAW, 1000)
    ledger.spend_period(4, 5 * MONTH)
    assert isinstance(spend(ledger, 5, 6 * MONTH - 1), Refused)
    assert spend(ledger, 5, 6 * MONTH) is None


charges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6 * DAY_MS)), max_size=40)


@settings(max_examples=100, deadline=None)
@given(charges, st.sampled_from([DAY_MS, 7 * DAY_MS, MONTH]), st.randoms(use_true_random=False))
def test_no_thirty_days_ever_cost_more_than_allowed(wishes: list, window_ms: int, chance: object) -> None:
    """Whenever releases are tried, and after a restart at any point, no rolling period exceeds epsilon 1."""
    law = LearningLaw(window_ms=window_ms)
    ledger = Ledger(law, 1000)
    wall_ms, made = MONTH, []
    for window, step_ms in wishes:
        wall_ms += step_ms
        charge = ledger.make_charge(window + wall_ms // window_ms, Level.DIFFERENTIAL, wall_ms)
        if ledger.refuse(charge) is None:
            ledger.add(charge)
            made.append(charge)
        restarted = Ledger(law, 1000)
        for held in [*made, *made]:
            packed = decode(encode(held.pack()))
            assert not isinstance(packed, Refused)
            again = parse_charge(packed)
            assert again == held and again is not None
            restarted.add(again)
        assert restarted.lifetime_spent_nano == ledger.lifetime_spent_nano
        ledger = restarted
    for charge in made:
        inside = [c for c in made if charge.wall_ms - MONTH < c.wall_ms <= charge.wall_ms]
        assert sum(c.cost_nano for c in inside) <= ledger.budget_nano


def test_a_ledger_that_forgets_is_caught() -> None:
    """The mutant refunds: with it the month holds two releases."""
    ledger = Ledger(LAW, 1000)
    assert spend(ledger, 1, 2 * MONTH) is None
    ledger._charges.clear()
    assert spend(ledger, 2, 2 * MONTH + 1) is None
    assert 2 * ledger.make_charge(2, Level.DIFFERENTIAL, 0).cost_nano > ledger.budget_nano


@pytest.mark.parametrize("body", [None, {}, [], {"window": 1}, {"window": -1}, "x"])
def test_what_is_no_charge_is_not_read(body: object) -> None:
    assert parse_charge(body) is None  # type: ignore[arg-type]


def test_charges_are_kept_in_full() -> None:
    charge = Charge(3, 2, 56_020_448, 4225, MONTH)
    assert parse_charge(charge.pack()) == charge


def at(wall_ms: int, mono_ms: int = 0, boot: str = "a") -> Instant:
    return Instant(boot, mono_ms, wall_ms)


def author(n: int) -> AuthorId:
    return AuthorId(bytes([n]) * 32)


def test_a_clock_behind_the_newest_charge_releases_nothing() -> None:
    clock = Clock()
    assert clock.refuse(at(MONTH - 5 * 60_000), MONTH) is None
    refusal = clock.refuse(at(MONTH - 5 * 60_000 - 60_000), MONTH)
    assert refusal is not None and refusal.reason == Reason.CLOCK and "6 min behind" in refusal.detail


def test_three_members_within_the_hour_overrule_a_wrong_clock() -> None:
    clock = Clock()
    for n, skew in enumerate([11 * 60_000, 12 * 60_000]):
        clock.hear(author(n), MONTH + skew, at(MONTH))
    assert clock.refuse(at(MONTH), 0) is None
    clock.hear(author(2), MONTH - 3 * DAY_MS, at(MONTH))
    assert isinstance(clock.refuse(at(MONTH), 0), Refused)
    assert clock.refuse(at(MONTH, mono_ms=3_600_001), 0) is None
    assert clock.refuse(at(MONTH, boot="b"), 0) is None


def test_one_liar_of_three_does_not_stop_a_right_clock() -> None:
    clock = Clock()
    for n, skew in enumerate([0, 1000, 9 * DAY_MS]):
        clock.hear(author(n), MONTH + skew, at(MONTH))
    assert clock.refuse(at(MONTH), 0) is None


def test_samples_are_bounded() -> None:
    clock = Clock()
    for n in range(3000):
        clock.hear(AuthorId(n.to_bytes(32, "big")), MONTH, at(MONTH))
    assert len(clock._skews) == 1024
