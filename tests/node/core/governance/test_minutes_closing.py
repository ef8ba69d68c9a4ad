"""Minutes in the machine: journals bind, restarts at every step are safe, minorities wait."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.governance.first import FirstClosing
from luminous.node.core.governance.lifecycle import Phase
from luminous.node.core.governance.machine import Governance
from luminous.protocol.admission import admit
from luminous.protocol.ballots import Ballot, Choice
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import NetworkId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import Report, Vote
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, Uncertainty
from luminous.protocol.reasons import Refused
from luminous.simulations.election import LAW, START_MS, Election, instant, sealed

CLOSES_MS = START_MS + 10_000
AFTER_MS = CLOSES_MS + 1_100
UNSURE = Uncertainty(500, ("whether it helps",))


def asking(value: int, closes_ms: int = CLOSES_MS, key: str = "notify.per_day_max") -> Proposal:
    return Proposal(
        ProposalKind.PARAMETER,
        f"{key} {value}",
        "",
        (Effect(key, value),),
        Threshold.SIMPLE,
        closes_ms,
        UNSURE,
    )


def opened(election: Election, proposal: Proposal, choices: str) -> ProposalId:
    envelope = sealed(0, Kind.PROPOSAL, proposal, START_MS)
    identifier = ProposalId(envelope.id)
    ballots = [
        sealed(
            number,
            Kind.BALLOT,
            Ballot(identifier, Choice.YES if letter == "y" else Choice.NO, 0, b""),
            START_MS,
        )
        for number, letter in enumerate(choices)
    ]
    election.spread([envelope, *ballots], START_MS)
    return identifier


def sync(election: Election, now_ms: int, among: range) -> None:
    """Everybody gets what anybody holds."""
    held = {envelope.id: envelope for number in among for envelope in election.members[number].held.values()}
    election.spread(held.values(), now_ms, among)


def phase(election: Election, number: int, proposal: ProposalId) -> Phase:
    decision = election.members[number].governance.decision(proposal)
    assert not isinstance(decision, Refused)
    return decision.phase


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_every_small_roll_closes(size: int) -> None:
    election = Election(size)
    proposal = opened(election, asking(2), "y" * size)
    election.settle(AFTER_MS)
    assert {phase(election, number, proposal) for number in range(size)} == {Phase.IN_FORCE}


def test_a_silent_third_does_not_stop_it_and_a_silent_half_does_until_it_heals() -> None:
    election = Election(7)
    proposal = opened(election, asking(2), "yyyyyyy")
    later = election.settle(AFTER_MS, among=range(3), rounds=30)
    assert all(phase(election, number, proposal) is Phase.CLOSING for number in range(3))
    sync(election, later, range(5))
    later = election.settle(later, among=range(5), rounds=200)
    assert all(phase(election, number, proposal) is Phase.IN_FORCE for number in range(5))
    sync(election, later, range(7))
    for number in (5, 6):
        assert phase(election, number, proposal) is Phase.IN_FORCE
    assert len(set(election.outcomes(proposal))) == 1


def test_two_proposals_due_at_once_close_in_one_epoch_and_the_later_on_one_key_is_superseded() -> None:
    election = Election(4)
    first = opened(election, asking(2, CLOSES_MS - 1), "yyyy")
    second = opened(election, asking(4, CLOSES_MS), "yyyy")
    election.settle(AFTER_MS)
    assert phase(election, 0, first) is Phase.IN_FORCE
    assert phase(election, 0, second) is Phase.SUPERSEDED
    assert election.members[0].governance.parameters()["notify.per_day_max"] == 2
    third = opened(election, asking(5, CLOSES_MS + 20_000), "yyyy")
    election.settle(AFTER_MS + 20_000)
    assert phase(election, 0, third) is Phase.IN_FORCE
    assert election.members[0].governance.parameters()["notify.per_day_max"] == 5


def slots(envelopes: list[Admitted]) -> list[tuple[object, ...]]:
    """What an honest member signs at most once."""
    found: list[tuple[object, ...]] = []
    for envelope in envelopes:
        payload = envelope.payload
        if isinstance(payload, Vote):
            found.append((envelope.author, payload.epoch, payload.iteration, bool(payload.value)))
        elif isinstance(payload, Report):
            found.append((envelope.author, payload.epoch, "report"))
    return found


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_a_kill_after_any_append_never_signs_a_slot_twice(chance: random.Random, victim: int) -> None:
    """The victim restarts after random ticks from what it held, heard in random order; one outcome."""
    election = Election(4)
    proposal = opened(election, asking(2), "yyyn")
    sent: list[Admitted] = []

    def shuffled(envelopes: list[Admitted]) -> list[Admitted]:
        chance.shuffle(envelopes)
        return envelopes

    now_ms = AFTER_MS
    for _ in range(60):
        for number in range(4):
            envelopes = election.members[number].tick(now_ms)
            sent += envelopes
            delivered = [envelope for envelope in envelopes if chance.random() < 0.8]
            election.spread(delivered, now_ms)
            if number == victim and chance.random() < 0.4:
                election.restart(victim, shuffled)
        now_ms += 500
    for envelope in sent:
        election.spread([envelope], now_ms)
    election.settle(now_ms)
    assert len(set(slots(sent))) == len(slots(sent))
    assert not any(member.governance.is_halted for member in election.members)
    assert len(set(election.outcomes(proposal))) == 1 and election.outcomes(proposal)[0] is not None


def test_one_key_on_two_machines_halts_signing_and_says_so() -> None:
    election = Election(4)
    opened(election, asking(2), "yyyy")
    twin = Election(4)
    opened(twin, asking(2), "yyyn")
    here, there = election.members[0].tick(AFTER_MS), twin.members[0].tick(AFTER_MS + 7)
    assert here and there
    election.spread(there, AFTER_MS + 10)
    assert election.members[0].governance.is_halted
    assert election.members[0].tick(AFTER_MS + 60_000) == []
    refused = election.members[0].governance.propose(asking(3, AFTER_MS + 90_000), instant(AFTER_MS))
    assert isinstance(refused, Refused) and "another machine" in refused.detail


def test_records_of_another_network_or_of_strangers_are_never_accepted() -> None:
    election = Election(4)
    proposal = opened(election, asking(2), "yyyy")
    for number in range(4, 12):
        election.spread([sealed(number, Kind.VOTE, Vote(1, 1, b"\x01" * 32), AFTER_MS)], AFTER_MS)
    election.settle(AFTER_MS, among=range(2), rounds=10)
    assert phase(election, 0, proposal) is Phase.CLOSING
    foreign = sealed(1, Kind.VOTE, Vote(1, 1, b""), AFTER_MS, network=b"m" * 16)
    assert isinstance(admit(foreign.raw, NetworkId(b"n" * 16)), Refused)


def test_the_first_closing_can_still_be_compared() -> None:
    election = Election(4, lambda me, roll: Governance(me, roll, LAW, build=FirstClosing))
    proposal = opened(election, asking(2), "yyyn")
    election.settle(AFTER_MS)
    assert phase(election, 3, proposal) is Phase.IN_FORCE


def test_the_first_closing_gets_stuck_on_a_late_ballot_where_minutes_close() -> None:
    """Two members hold one ballot in time, two another: no three of four counts are equal."""
    verdicts = []
    for build in (FirstClosing, None):
        make = (lambda me, roll: Governance(me, roll, LAW, build=FirstClosing)) if build else None
        election = Election(4, make)
        proposal = opened(election, asking(2), "yy")
        for number, to in ((2, [0, 1]), (3, [2, 3])):
            late = sealed(number, Kind.BALLOT, Ballot(proposal, Choice.YES, 0, b""), CLOSES_MS - 1)
            election.spread([late], CLOSES_MS, to)
        now_ms = election.settle(AFTER_MS, rounds=2)
        sync(election, now_ms, range(4))
        election.settle(now_ms, rounds=80)
        verdicts.append(phase(election, 0, proposal))
    assert verdicts == [Phase.UNRESOLVED, Phase.IN_FORCE]
