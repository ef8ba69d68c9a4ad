"""Closing where a leader's proposal gives marks instead of ids, as large rolls need."""

import random
from dataclasses import replace

import pytest

from luminous.node.core.governance.audit import Audit, audit_records, certificates
from luminous.node.core.governance.minutes import MinutesClosing
from luminous.protocol import leads
from luminous.protocol.ballots import Choice
from luminous.protocol.certificate import write_certificate
from luminous.protocol.constitution import Standing
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import NetworkId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.parameters import VOTING_WINDOW_MS_MIN, defaults
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.simulations.election import LAW, START_MS, Election, instant, sealed

CLOSES_MS = START_MS + 10_000


@pytest.fixture(autouse=True)
def _marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "LEAD_REPORTS_MAX", 1)


def voted(size: int) -> tuple[Election, ProposalId]:
    election = Election(size)
    asked = Proposal(ProposalKind.TEXT, "many", "", (), Threshold.SIMPLE, CLOSES_MS)
    (opening,) = election.do(0, election.members[0].governance.propose(asked, instant(START_MS)), START_MS)
    election.spread([opening], START_MS)
    for number, member in enumerate(election.members):
        cast = member.governance.vote(ProposalId(opening.id), Choice(number % 2), instant(START_MS + 1))
        election.spread(election.do(number, cast, START_MS + 1), START_MS + 1)
    return election, ProposalId(opening.id)


def marked(election: Election) -> bool:
    leads_held = [item.payload for item in election.members[0].held.values() if item.kind is Kind.LEAD]
    return bool(leads_held) and all(lead.marks and not lead.reports for lead in leads_held)


@pytest.mark.parametrize("size", [2, 4, 7, 17])
def test_all_print_one_outcome_and_it_audits(size: int) -> None:
    election, proposal = voted(size)
    election.settle(CLOSES_MS + 1_100)
    outcomes = election.outcomes(proposal)
    assert outcomes[0] is not None and len({repr(item) for item in outcomes}) == 1
    assert marked(election)
    member = election.members[0]
    closing = member.governance._closing
    assert isinstance(closing, MinutesClosing)
    standing = Standing({**defaults(), VOTING_WINDOW_MS_MIN: LAW[VOTING_WINDOW_MS_MIN]})
    records = [
        item.raw for item in member.held.values() if item.kind not in (Kind.LEAD, Kind.VOTE, Kind.FINAL)
    ]
    proofs = [write_certificate(item) for item in certificates(closing)]
    found = audit_records(election.roll, NetworkId(b"n" * 16), standing, records, proofs)
    assert isinstance(found, Audit)
    assert [outcome.tally for minutes in found.chain for outcome in minutes.outcomes] == [outcomes[0]]


@pytest.mark.parametrize("seed", range(3))
def test_reports_may_come_after_the_lead_that_names_them(seed: int) -> None:
    """One member hears everything late and in any order; it prints the same."""
    election, proposal = voted(5)
    now_ms = election.settle(CLOSES_MS + 1_100, among=range(4))
    late = election.members[4]
    held = list(election.members[0].held.values())
    for envelope in random.Random(seed).sample(held, len(held)):
        late.hear(envelope, now_ms)
    late.tick(now_ms)
    assert election.outcomes(proposal)[4] == election.outcomes(proposal)[0] is not None


def test_a_liar_with_two_reports_delays_and_neither_splits_nor_stops() -> None:
    election, proposal = voted(4)
    now_ms = CLOSES_MS + 1_100
    sent: list[Admitted] = []
    for number in range(3):
        sent += election.members[number].tick(now_ms)
    reports = [item for item in sent if item.kind is Kind.REPORT]
    election.spread(sent, now_ms)
    for shown, (stamp, to) in enumerate(((now_ms, (0, 1)), (now_ms + 1, (2,)))):
        twin = replace(reports[0].payload, stamp_ms=stamp)
        election.spread([sealed(3, Kind.REPORT, twin, now_ms, 90 + shown)], now_ms, to)
    now_ms = election.settle(now_ms, among=range(3), rounds=20)
    assert not any(election.outcomes(proposal, range(3)))
    # Sync brings what the liar showed to some: from then on no leader names it.
    election.spread(
        [item for member in election.members[:3] for item in member.held.values()], now_ms, range(3)
    )
    election.settle(now_ms, among=range(3))
    outcomes = election.outcomes(proposal, range(3))
    assert outcomes[0] is not None and len({repr(item) for item in outcomes}) == 1
