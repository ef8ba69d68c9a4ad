"""What a network needs to run for years: long replays, and quotas that decisions free."""

from collections.abc import Iterable

import pytest

from luminous.node.core.governance import epochs, machine, strangers
from luminous.node.core.governance.machine import Governance
from luminous.protocol.ballots import Choice
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import Vote
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.simulations.election import LAW, START_MS, Election, instant, sealed

EPOCHS = 4


def closed(election: Election, now_ms: int) -> int:
    asked = Proposal(ProposalKind.TEXT, f"at {now_ms}", "", (), Threshold.SIMPLE, now_ms + 5_000)
    (opening,) = election.do(0, election.members[0].governance.propose(asked, instant(now_ms)), now_ms)
    election.spread([opening], now_ms)
    for number, member in enumerate(election.members):
        cast = member.governance.vote(ProposalId(opening.id), Choice.YES, instant(now_ms + 1))
        election.spread(election.do(number, cast, now_ms + 1), now_ms + 1)
    return election.settle(now_ms + 6_100)


def aged() -> tuple[Election, int]:
    election, now_ms = Election(4), START_MS
    for _ in range(EPOCHS):
        now_ms = closed(election, now_ms)
    return election, now_ms


def own_first(number: int, election: Election) -> list[Admitted]:
    """The journal before the other store, as a backup that lost the latter would leave it."""
    mine = election.roll.members[number]
    return sorted(in_time(election.members[number].held.values()), key=lambda item: item.author != mine)


def in_time(held: Iterable[Admitted]) -> list[Admitted]:
    """As sync brings it."""
    return sorted(held, key=lambda item: (item.issued_at_ms, item.id))


def restarted(election: Election, order: list[Admitted]) -> Governance:
    again = Governance(election.roll.members[0], election.roll, LAW)
    for envelope in order:
        again.hear(envelope, instant(START_MS))
    return again


def test_own_records_bind_however_early_they_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The present epoch is far beyond what may wait when the journal is heard first."""
    election, now_ms = aged()
    value = sealed(0, Kind.VOTE, Vote(EPOCHS + 1, 1, b"v" * 32), now_ms, 999)
    other = sealed(0, Kind.VOTE, Vote(EPOCHS + 1, 1, b"w" * 32), now_ms, 998)
    monkeypatch.setattr(epochs, "EPOCHS_AHEAD_MAX", 1)
    monkeypatch.setattr(epochs, "EARLY_PER_AUTHOR_MAX", 1)
    monkeypatch.setattr(machine, "HEARD_BETWEEN", 1)
    again = restarted(election, [value, *own_first(0, election)])
    assert again.closing.newest()[0] == EPOCHS
    assert again.tick(instant(now_ms)) == ()
    # It is bound by a vote that it heard before everything else: another one is a second machine's.
    again.hear(other, instant(now_ms))
    assert again.is_halted


def test_bounds_on_own_records_would_forget_what_binds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: own records treated like those of others."""
    election, now_ms = aged()
    value = sealed(0, Kind.VOTE, Vote(EPOCHS + 1, 1, b"v" * 32), now_ms, 999)
    other = sealed(0, Kind.VOTE, Vote(EPOCHS + 1, 1, b"w" * 32), now_ms, 998)
    watcher = Governance(election.roll.members[1], election.roll, LAW)
    monkeypatch.setattr(epochs, "EPOCHS_AHEAD_MAX", 1)
    monkeypatch.setattr(machine, "HEARD_BETWEEN", 1)
    watcher.hear(value, instant(now_ms))
    for envelope in in_time(election.members[1].held.values()):
        watcher.hear(envelope, instant(now_ms))
    watcher.tick(instant(now_ms))
    watcher.hear(other, instant(now_ms))
    epoch = watcher.closing.epoch(EPOCHS + 1)  # type: ignore[attr-defined]
    assert len(epoch.signed) == 1


def test_a_long_replay_is_heard_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    election, now_ms = aged()
    order = in_time(election.members[0].held.values())
    monkeypatch.setattr(epochs, "EARLY_PER_AUTHOR_MAX", 4)
    monkeypatch.setattr(strangers, "STRANGERS_MAX", 0)
    monkeypatch.setattr(machine, "HEARD_BETWEEN", 10**9)
    whole = restarted(election, order)
    whole.tick(instant(now_ms))
    monkeypatch.setattr(machine, "HEARD_BETWEEN", 4)
    pieces = restarted(election, order)
    pieces.tick(instant(now_ms))
    assert pieces.closing.newest() == election.members[0].governance.closing.newest()
    assert whole.closing.newest()[0] < EPOCHS


def test_minutes_name_the_records_that_they_rest_on_once() -> None:
    election, _ = aged()
    closing = election.members[0].governance.closing
    agreed = closing.take_agreed()
    assert closing.take_agreed() == ()
    held = election.members[0].held
    kinds = [held[EnvelopeId(item)].kind for item in agreed]
    for kind, least in (
        (Kind.PROPOSAL, 1),
        (Kind.BALLOT, 4),
        (Kind.REPORT, 3),
        (Kind.VOTE, 3),
        (Kind.LEAD, 1),
    ):
        assert kinds.count(kind) >= least * EPOCHS, kind
    left = [item for item in held.values() if item.id not in agreed]
    assert len(left) < len(held) // 3
