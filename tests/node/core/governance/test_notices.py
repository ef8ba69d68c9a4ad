"""Flow: over a virtual month of proposals at night nobody is woken, and votes are still told of."""

import pytest

from luminous.node.core.governance import notices as noticing
from luminous.node.core.governance.machine import Governance
from luminous.node.core.governance.notices import NAME, Notices, is_quiet
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Keep, Tell
from luminous.protocol.ballots import Choice
from luminous.protocol.codec import Value
from luminous.protocol.identifiers import ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.parameters import VOTING_WINDOW_MS_MIN
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.simulations.election import LAW, roll_of, sealed

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
MIDNIGHT_MS = 1_700_006_400_000  # 15 November 2023, 00:00 UTC
ROLL = roll_of(6)
LAW_OF_DAYS = {**LAW, VOTING_WINDOW_MS_MIN: DAY_MS}


def local_hour(at_ms: int, offset_ms: int) -> int:
    return (at_ms + offset_ms) % DAY_MS // HOUR_MS


def proposed(machine: Governance, author: int, at_ms: int) -> ProposalId:
    asked = Proposal(ProposalKind.TEXT, f"at {at_ms}", "", (), Threshold.SIMPLE, at_ms + DAY_MS)
    opening = sealed(author, Kind.PROPOSAL, asked, at_ms, at_ms - MIDNIGHT_MS)
    machine.hear(opening, Instant("b", at_ms, at_ms))
    return ProposalId(opening.id)


def month(offset_ms: int = 0, **overrides: int) -> list[int]:
    """When notices were shown; three authors propose at three in the night, local time, each night."""
    machine, notices = Governance(ROLL.members[0], ROLL, LAW_OF_DAYS), Notices(ROLL.members[0])
    for key, value in overrides.items():
        machine.override(key.replace("__", "."), value)
    shown: list[int] = []
    for step in range(30 * 24 * 2):
        at_ms = MIDNIGHT_MS + step * HOUR_MS // 2
        if local_hour(at_ms, offset_ms) == 3 and at_ms % HOUR_MS == 0:
            for author in range(1, 4):
                proposed(machine, author, at_ms + author)
        told = notices.tick(machine, Instant("b", at_ms, at_ms, offset_ms))
        shown += [at_ms for item in told if isinstance(item, Tell)]
    return shown


@pytest.mark.parametrize("offset_h", [0, 2, -8])
def test_a_month_of_nightly_proposals_wakes_nobody_and_each_day_says_so(offset_h: int) -> None:
    shown = month(offset_h * HOUR_MS)
    hours = [local_hour(at_ms, offset_h * HOUR_MS) for at_ms in shown]
    assert [hour for hour in hours if hour < 8] == []
    days = [(at_ms + offset_h * HOUR_MS) // DAY_MS for at_ms in shown]
    assert len(set(days)) >= 29
    assert max(days.count(day) for day in days) <= 3


def test_without_quiet_hours_the_same_month_would_wake_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault."""
    monkeypatch.setattr(noticing, "is_quiet", lambda at, quiet_h: False)
    assert any(local_hour(at_ms, 0) == 3 for at_ms in month())


def test_the_owner_may_want_none_at_all_or_longer_quiet() -> None:
    assert month(notify__per_day_max=0) == []
    assert month(notify__quiet_hours_min=24) == []
    late = [local_hour(at_ms, 0) for at_ms in month(notify__quiet_hours_min=16)]
    assert late == [] or (min(late) >= 8 and max(late) < 16)


@pytest.mark.parametrize(
    ("hour", "quiet_h", "expected"),
    [
        (0, 8, True),
        (7, 8, True),
        (8, 8, False),
        (23, 8, False),
        (23, 9, True),
        (15, 16, False),
        (16, 16, True),
        (12, 24, True),
        (3, 0, False),
    ],
)
def test_quiet_hours_end_at_eight(hour: int, quiet_h: int, expected: bool) -> None:
    at_ms = MIDNIGHT_MS + hour * HOUR_MS
    assert is_quiet(Instant("b", 0, at_ms), quiet_h) is expected


def test_each_proposal_is_told_of_once_also_after_a_restart_and_not_when_answered() -> None:
    machine, noon_ms = Governance(ROLL.members[0], ROLL, LAW_OF_DAYS), MIDNIGHT_MS + 12 * HOUR_MS
    first = proposed(machine, 1, noon_ms)
    notices = Notices(ROLL.members[0])
    keep, tell = notices.tick(machine, Instant("b", 0, noon_ms))
    assert isinstance(tell, Tell) and tell.facts["proposals"] == [first.hex()]
    assert isinstance(keep, Keep) and keep.name == NAME
    again = Notices(ROLL.members[0])
    again.recall(keep.body)
    assert again.tick(machine, Instant("b", 0, noon_ms + HOUR_MS)) == ()
    second = proposed(machine, 2, noon_ms + HOUR_MS)
    answered = machine.vote(second, Choice.YES, Instant("b", 0, noon_ms + HOUR_MS))
    assert isinstance(answered, tuple)
    machine.hear(sealed(0, Kind.BALLOT, answered[0].payload, noon_ms + HOUR_MS), Instant("b", 0, noon_ms))  # type: ignore[union-attr]
    assert again.tick(machine, Instant("b", 0, noon_ms + 2 * HOUR_MS)) == ()


@pytest.mark.parametrize("body", [None, [], [1, 2], ["x", b"", [3]], [1, 2, 3]])
def test_a_strange_record_is_no_record(body: Value) -> None:
    Notices(ROLL.members[0]).recall(body)


def test_who_is_not_asked_is_not_told() -> None:
    machine = Governance(None, ROLL, LAW_OF_DAYS)
    proposed(machine, 1, MIDNIGHT_MS + 12 * HOUR_MS)
    stranger = Notices(roll_of(9).members[8])
    assert stranger.tick(machine, Instant("b", 0, MIDNIGHT_MS + 13 * HOUR_MS)) == ()
