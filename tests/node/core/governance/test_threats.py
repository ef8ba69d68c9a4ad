"""Rows of the threat table that had no test of their own, and that each row names a real one."""

import re
from functools import partial
from pathlib import Path

import pytest

from luminous.node.core.governance import minutes as closing
from luminous.node.core.governance.machine import Governance
from luminous.node.core.governance.pool import PROPOSALS_PER_AUTHOR_MAX, VERSIONS_MAX
from luminous.protocol.ballots import BALLOT_SEQUENCE_MAX, Ballot, Choice
from luminous.protocol.identifiers import AuthorId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ORPHANS_PER_AUTHOR_MAX
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.protocol.reasons import Refused
from luminous.simulations.election import LAW, START_MS, Election, instant, sealed, signer_of

ROOT = Path(__file__).resolve().parents[4]
CLOSES_MS = START_MS + 10_000
DAY_MS = 24 * 60 * 60 * 1000


def opened(election: Election) -> ProposalId:
    asked = Proposal(ProposalKind.TEXT, "threat", "", (), Threshold.SIMPLE, CLOSES_MS)
    (opening,) = election.do(0, election.members[0].governance.propose(asked, instant(START_MS)), START_MS)
    election.spread([opening], START_MS)
    return ProposalId(opening.id)


def voted(election: Election, proposal: ProposalId) -> None:
    for number, member in enumerate(election.members):
        cast = member.governance.vote(proposal, Choice.YES, instant(START_MS + 100))
        election.spread(election.do(number, cast, START_MS + 100), START_MS + 100)


def test_f_fast_clocks_close_nothing_early() -> None:
    election = Election(4)
    election.members[3].skew_ms = DAY_MS
    proposal = opened(election)
    voted(election, proposal)
    early_ms = CLOSES_MS - 1
    for _ in range(40):
        sent = [item for member in election.members for item in member.tick(early_ms)]
        election.spread(sent, early_ms)
    assert election.outcomes(proposal) == [None] * 4
    election.settle(CLOSES_MS + 1_100)
    assert all(election.outcomes(proposal))


def test_more_than_f_fast_clocks_would_close_early() -> None:
    """The planted fault: it is the number of clocks that protects."""
    election = Election(4)
    for number in (1, 2, 3):
        election.members[number].skew_ms = DAY_MS
    proposal = opened(election)
    election.settle(CLOSES_MS - 1)
    assert any(election.outcomes(proposal))


def test_an_isolated_member_prints_nothing_final() -> None:
    election = Election(4)
    proposal = opened(election)
    voted(election, proposal)
    election.settle(CLOSES_MS + 1_100, among=(0,))
    assert election.outcomes(proposal, (0,)) == [None]
    decision = election.members[0].governance.decision(proposal)
    assert "provisional" in decision.words  # type: ignore[union-attr]
    election.settle(CLOSES_MS + 200_000)
    assert all(election.outcomes(proposal))


def test_one_members_flood_is_bounded() -> None:
    election = Election(4)
    machine = election.members[0].governance
    proposal = opened(election)
    for number in range(3000):
        kind, payload = Kind.BALLOT, Ballot(proposal, Choice(number % 3), 0, b"")
        if number % 3 == 1:
            payload = Ballot(ProposalId(number.to_bytes(32, "big")), Choice.YES, 0, b"")
        if number % 3 == 2:
            asked = Proposal(ProposalKind.TEXT, f"junk {number}", "", (), Threshold.SIMPLE, CLOSES_MS)
            machine.hear(sealed(3, Kind.PROPOSAL, asked, START_MS, number), instant(START_MS))
            continue
        machine.hear(sealed(3, kind, payload, START_MS, number), instant(START_MS))
    pool = machine._pool
    assert len(pool.proposals) <= 1 + PROPOSALS_PER_AUTHOR_MAX
    assert len(list(pool.casts(proposal))) <= VERSIONS_MAX * (BALLOT_SEQUENCE_MAX + 1)
    assert sum(map(len, pool._orphans.values())) <= ORPHANS_PER_AUTHOR_MAX
    assert sum(view.refusal is None for view in machine.proposals()) <= 1 + 3


def test_a_member_who_was_convicted_cannot_keep_the_others_from_closing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Evidence changes the quorum of the next epoch; without it the liar stays on the roll."""

    def run() -> int:
        election = Election(4)
        proposal = opened(election)
        for choice in (Choice.YES, Choice.NO):
            twice = sealed(3, Kind.BALLOT, Ballot(proposal, choice, 0, b""), START_MS, 9 + choice)
            election.spread([twice], START_MS, range(3))
        now_ms = election.settle(CLOSES_MS + 1_100, among=range(3))
        for _ in range(40):
            now_ms += 500
            sent = [item for number in range(3) for item in election.members[number].tick(now_ms)]
            election.spread(sent, now_ms, range(3))
        return election.members[0].governance.roll().size

    assert run() == 3
    monkeypatch.setattr(closing.Operations, "pending", lambda self, *given: {})
    assert run() == 4


def closed_by_old_keys(title: str) -> tuple[Election, ProposalId]:
    """A chain of one epoch: what happened, or what the founders' keys, stolen later, make up."""
    election = Election(4)
    asked = Proposal(ProposalKind.TEXT, title, "", (), Threshold.SIMPLE, CLOSES_MS)
    (opening,) = election.do(0, election.members[0].governance.propose(asked, instant(START_MS)), START_MS)
    election.spread([opening], START_MS)
    proposal = ProposalId(opening.id)
    voted(election, proposal)
    election.settle(CLOSES_MS + 1_100)
    return election, proposal


def test_a_history_forged_with_old_keys_is_refused_by_who_joined_with_a_card() -> None:
    real, asked = closed_by_old_keys("what happened")
    forged, made_up = closed_by_old_keys("what the thieves wish")
    known = real.members[0].governance.closing.newest()
    assert known[0] == 1 and known != forged.members[0].governance.closing.newest()

    def joiner(history: Election, known: tuple[int, bytes] | None) -> Governance:
        build = partial(closing.MinutesClosing, known=known)
        node = Governance(AuthorId(signer_of(9).public), history.roll, LAW, build=build)
        for envelope in history.members[0].held.values():
            node.hear(envelope, instant(CLOSES_MS))
        node.tick(instant(CLOSES_MS + 60_000))
        return node

    honest = joiner(real, known).decision(asked)
    assert not isinstance(honest, Refused) and honest.is_final
    deceived = joiner(forged, known)
    decision = deceived.decision(made_up)
    assert not isinstance(decision, Refused) and not decision.is_final
    assert "card" in deceived.closing.foreign() and not deceived.verify()[0].holds
    # Without what the card names nobody could tell: the planted fault.
    trusting = joiner(forged, None).decision(made_up)
    assert not isinstance(trusting, Refused) and trusting.is_final


def test_nothing_is_final_or_signed_before_the_minutes_of_the_card_are_reached() -> None:
    real, asked = closed_by_old_keys("the first epoch")
    build = partial(closing.MinutesClosing, known=(2, b"m" * 32))
    node = Governance(real.roll.members[1], real.roll, LAW, build=build)
    for envelope in real.members[0].held.values():
        node.hear(envelope, instant(CLOSES_MS))
    assert node.tick(instant(CLOSES_MS + 60_000)) == ()
    decision = node.decision(asked)
    assert not isinstance(decision, Refused) and not decision.is_final
    assert node.closing.foreign() == ""


def test_every_row_of_the_threat_table_names_a_test_that_exists() -> None:
    page = (ROOT / "docs/governance.md").read_text(encoding="utf-8")
    table = page.partition("<!-- threats -->")[2].partition("<!-- /threats -->")[0]
    rows = [line for line in table.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) >= 19
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    names = re.findall(r"`(test_\w+)`", table)
    missing = [name for name in names if f"def {name}(" not in source and f"\n{name} = " not in source]
    assert missing == []
    numbers = {int(number) for row in rows for number in re.findall(r"\d+", row.split("|")[1])}
    assert numbers == set(range(1, 26))
    assert [row for row in rows if "`test_" not in row and "| not " not in row] == []
