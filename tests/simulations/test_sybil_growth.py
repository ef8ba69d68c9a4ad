"""The cap alone bounds how fast false members can take a third; without it one day is enough."""

import pytest

from luminous.protocol import electorate, sponsors
from luminous.simulations.sybil_growth import bound_days, days_by_sponsors, days_to_a_third, table


@pytest.mark.parametrize(("members", "attackers"), [(100, 5), (200, 10), (400, 80)])
def test_an_attacker_who_wins_every_vote_still_needs_the_promised_days(members: int, attackers: int) -> None:
    assert days_to_a_third(members, attackers) >= bound_days(attackers, members) - 1


def test_five_percent_need_more_than_two_weeks() -> None:
    assert days_to_a_third(100, 5) >= 17


def test_without_the_cap_a_day_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault."""
    monkeypatch.setattr(electorate, "GROWTH_PERCENT_A_DAY", 100)
    assert days_to_a_third(100, 5, 64) <= 1


@pytest.mark.parametrize(("members", "attackers"), [(100, 5), (200, 10), (100, 20)])
def test_own_sponsors_are_slower_than_won_votes_and_too_few_of_them_admit_nobody(
    members: int, attackers: int
) -> None:
    by_words = days_by_sponsors(members, attackers)
    assert by_words is not None and by_words > days_to_a_third(members, attackers)
    assert days_by_sponsors(members, 4) is None


def test_one_sponsor_or_none_that_waits_would_be_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted faults: each rule is worth days."""
    honest = days_by_sponsors(100, 20)
    assert honest is not None
    monkeypatch.setattr(sponsors, "VOUCH_EVERY_MS", 0)
    monkeypatch.setattr(electorate, "SPONSOR_AFTER_MS", 0)
    faster = days_by_sponsors(100, 20)
    assert faster is not None and faster < honest


def test_the_table_has_a_row_for_each_attacker() -> None:
    rows = table([50])
    assert len(rows) == 2 + 3 and "never" in rows[2]
