"""The cap alone bounds how fast false members can take a third; without it one day is enough."""

import pytest

from luminous.protocol import electorate
from luminous.simulations.sybil_growth import bound_days, days_to_a_third


@pytest.mark.parametrize(("members", "attackers"), [(100, 5), (200, 10), (400, 80)])
def test_an_attacker_who_wins_every_vote_still_needs_the_promised_days(members: int, attackers: int) -> None:
    assert days_to_a_third(members, attackers) >= bound_days(attackers, members) - 1


def test_five_percent_need_more_than_two_weeks() -> None:
    assert days_to_a_third(100, 5) >= 17


def test_without_the_cap_a_day_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault."""
    monkeypatch.setattr(electorate, "GROWTH_PERCENT_A_DAY", 100)
    assert days_to_a_third(100, 5, 64) <= 1
