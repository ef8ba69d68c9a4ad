"""The deciding machine with its first closing: one outcome everywhere, or none; overrides; refusals."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.governance.lifecycle import TRANSITIONS, Phase, Step, phase_after
from luminous.node.core.governance.machine import Governance
from luminous.node.core.outcomes import Keep
from luminous.protocol.ballots import Ballot, Choice
from luminous.protocol.identifiers import ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.parameters import PARAMETERS
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, Uncertainty
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.roll import Roll, faulty_max, quorum
from luminous.simulations.election import LAW, START_MS, Election, instant, roll_of, sealed

CLOSES_MS = START_MS + 10_000
AFTER_MS = CLOSES_MS + 1_100
KEY = "notify.per_day_max"


def asking(
    value: int = 2, key: str = KEY, threshold: Threshold = Threshold.SIMPLE, closes_ms: int = CLOSES_MS
) -> Proposal:
    kind = ProposalKind.FEATURE if key.startswith("feature.") else ProposalKind.PARAMETER
    unknowns = Uncertainty(500, ("whether fewer notices help",))
    return Proposal(
        kind, f"{key} = {value}", "why not", (Effect(key, value),), threshold, closes_ms, unknowns
    )


def opened(election: Election, proposal: Proposal | None = None, now_ms: int = START_MS) -> ProposalId:
    (envelope,) = election.do(
        0, election.members[0].governance.propose(proposal or asking(), instant(now_ms)), now_ms
    )
    election.spread([envelope], now_ms)
    return ProposalId(envelope.id)


def vote(election: Election, proposal: ProposalId, choices: str, to: list[int] | None = None) -> None:
    for number, letter in enumerate(choices):
        if letter != "-":
            choice = {"y": Choice.YES, "n": Choice.NO, "a": Choice.ABSTAIN}[letter]
            machine = election.members[number].governance
            sent = election.do(
                number, machine.vote(proposal, choice, instant(START_MS + 100)), START_MS + 100
            )
            election.spread(sent, START_MS + 100, to)


def decided(machine: Governance, proposal: ProposalId):  # type: ignore[no-untyped-def]
    decision = machine.decision(proposal)
    assert not isinstance(decision, Refused)
    return decision


def test_quorums_intersect_in_an_honest_member() -> None:
    for members in range(1, 2000):
        f, q = faulty_max(members), quorum(members)
        assert 2 * q - members >= f + 1 and q <= members
        assert members < 4 or (q <= members - f and q - f >= f + 1)
    assert [(quorum(n), faulty_max(n)) for n in (1, 2, 3, 4, 7, 10)] == [
        (1, 0),
        (2, 0),
        (3, 0),
        (3, 1),
        (5, 2),
        (7, 3),
    ]


def test_a_vote_becomes_final_with_one_outcome_and_takes_effect_on_all() -> None:
    election = Election(5)
    proposal = opened(election)
    vote(election, proposal, "yynyy")
    for member in election.members:
        before = decided(member.governance, proposal)
        assert before.phase is Phase.OPEN and not before.is_final
        assert member.governance.parameters()[KEY] == PARAMETERS[KEY].default
    election.settle(AFTER_MS)
    outcomes = election.outcomes(proposal)
    assert len(set(outcomes)) == 1 and outcomes[0] is not None
    for member in election.members:
        after = decided(member.governance, proposal)
        assert after.phase is Phase.IN_FORCE and after.tally.yes == 4
        assert member.governance.parameters()[KEY] == 2
        assert all(check.holds for check in member.governance.verify())


def test_changing_a_vote_until_the_close_and_never_after() -> None:
    election = Election(4)
    proposal = opened(election)
    vote(election, proposal, "yyyy")
    machine = election.members[3].governance
    again = machine.vote(proposal, Choice.YES, instant(START_MS + 200))
    assert isinstance(again, Refused) and again.reason is Reason.NOTHING_NEW
    election.spread(
        election.do(3, machine.vote(proposal, Choice.NO, instant(START_MS + 200)), START_MS + 200),
        START_MS + 200,
    )
    late = machine.vote(proposal, Choice.YES, instant(CLOSES_MS + 1))
    assert isinstance(late, Refused) and late.reason is Reason.CLOSED
    election.settle(AFTER_MS)
    assert {(tally.yes, tally.no) for tally in election.outcomes(proposal)} == {(3, 1)}  # type: ignore[attr-defined]


def test_an_equivocator_is_void_everywhere_with_evidence_and_stops_signing() -> None:
    election = Election(4)
    proposal = opened(election)
    vote(election, proposal, "yyy-")
    twins = [
        sealed(3, Kind.BALLOT, Ballot(proposal, choice, 0, b""), START_MS + 5)
        for choice in (Choice.YES, Choice.NO)
    ]
    election.spread(twins, START_MS + 100)
    election.settle(AFTER_MS)
    assert {tally.void for tally in election.outcomes(proposal)} == {1}  # type: ignore[attr-defined]
    assert all(len(member.governance.evidence()) == 1 for member in election.members)
    assert election.members[3].governance.is_halted
    refused = election.members[3].governance.propose(asking(3), instant(START_MS))
    assert isinstance(refused, Refused) and refused.reason is Reason.EQUIVOCATION
    assert not election.members[0].governance.is_halted


def test_without_founders_nobody_decides_and_strangers_change_nothing() -> None:
    alone = Governance(roll_of(1).members[0], Roll(()), LAW)
    refused = alone.propose(asking(), instant(START_MS))
    assert isinstance(refused, Refused) and refused.reason is Reason.NO_ROLL
    election = Election(4)
    proposal = opened(election)
    election.spread([sealed(9, Kind.BALLOT, Ballot(proposal, Choice.NO, 0, b""), START_MS)], START_MS)
    election.spread([sealed(9, Kind.PROPOSAL, asking(3), START_MS)], START_MS)
    assert len(election.members[0].governance.proposals()) == 1
    assert decided(election.members[0].governance, proposal).tally.turnout == 0


def test_a_fleets_owner_sets_parameters_without_a_vote() -> None:
    election = Election(3, lambda me, roll: Governance(me, roll, LAW, is_fleet=True))
    machine = election.members[1].governance
    sent = election.do(1, machine.set_parameter("learning.min_contributors", 1, instant(START_MS)), START_MS)
    election.spread(sent, START_MS)
    assert {member.governance.parameters()["learning.min_contributors"] for member in election.members} == {1}
    refused = machine.set_parameter("consent.learning", 1, instant(START_MS))
    assert isinstance(refused, Refused) and refused.detail.startswith("consent.learning.votable")
    community = Election(3).members[0].governance.set_parameter(KEY, 1, instant(START_MS))
    assert isinstance(community, Refused)


def test_an_override_stands_before_the_network_and_survives_a_restart() -> None:
    election = Election(4)
    machine = election.members[2].governance
    kept = machine.override(KEY, 0)
    assert isinstance(kept, tuple) and isinstance(kept[0], Keep)
    proposal = opened(election)
    vote(election, proposal, "yyyy")
    election.settle(AFTER_MS)
    assert machine.parameters()[KEY] == 0 and machine.network_parameters()[KEY] == 2
    assert decided(machine, proposal).overridden == (KEY,)
    assert election.members[0].governance.parameters()[KEY] == 2
    election.restart(2)
    election.members[2].governance.recall(kept[0].name, kept[0].body)
    assert election.members[2].governance.parameters()[KEY] == 0
    again = election.members[2].governance.override(KEY, None)
    assert isinstance(again, tuple) and election.members[2].governance.parameters()[KEY] == 2


def test_the_constitution_speaks_before_proposing_and_before_voting() -> None:
    election = Election(4)
    machine = election.members[0].governance
    refused = machine.propose(asking(7), instant(START_MS))
    assert isinstance(refused, Refused) and refused.detail.startswith(f"{KEY}.max")
    illegal = sealed(1, Kind.PROPOSAL, asking(7), START_MS)
    election.spread([illegal], START_MS)
    for choice in Choice:
        answer = machine.vote(ProposalId(illegal.id), choice, instant(START_MS + 1))
        assert isinstance(answer, Refused) and answer.detail.startswith(f"{KEY}.max")


class Patched(Governance):
    """A member whose owner removed the constitution from the pool."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._pool._judge = lambda proposal, issued_at_ms: None  # type: ignore[method-assign]
        self._pool.refusal = lambda held: None  # type: ignore[method-assign]


def test_a_malicious_majority_passes_what_honest_nodes_refuse_to_apply_naming_the_rule() -> None:
    honest = roll_of(4).members[0]
    election = Election(4, lambda me, roll: (Governance if me == honest else Patched)(me, roll, LAW))
    illegal = sealed(1, Kind.PROPOSAL, asking(7), START_MS)
    proposal = ProposalId(illegal.id)
    ballots = [
        sealed(number, Kind.BALLOT, Ballot(proposal, Choice.YES, 0, b""), START_MS + 5)
        for number in (1, 2, 3)
    ]
    election.spread([illegal, *ballots], START_MS + 10)
    election.settle(AFTER_MS)
    decision = decided(election.members[0].governance, proposal)
    assert decision.is_final and decision.phase is Phase.REFUSED and decision.tally.yes == 3
    assert decision.refusal is not None and decision.refusal.detail.startswith(f"{KEY}.max: 7 is above 6")
    assert f"{KEY}.max" in decision.words
    assert election.members[0].governance.parameters()[KEY] == PARAMETERS[KEY].default


def test_the_fourth_open_proposal_of_one_author_is_left_out_by_all_alike() -> None:
    election = Election(4)
    envelopes = [sealed(1, Kind.PROPOSAL, asking(value), START_MS + value) for value in range(5)]
    election.spread(envelopes[::-1], START_MS + 10, [0])
    election.spread(envelopes, START_MS + 10, [1, 2, 3])
    for member in election.members:
        views = {view.held.issued_at_ms - START_MS: view.refusal for view in member.governance.proposals()}
        assert [value for value, refusal in sorted(views.items()) if refusal is not None] == [3, 4]
    own = election.members[1].governance.propose(asking(6), instant(START_MS + 20))
    assert isinstance(own, Refused) and own.reason is Reason.TOO_MANY


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.text("yna-", min_size=5, max_size=5))
def test_any_order_and_any_restart_give_the_same_view(chance: random.Random, choices: str) -> None:
    election = Election(5)
    proposal = opened(election)
    vote(election, proposal, choices)
    election.settle(AFTER_MS)
    expected = decided(election.members[0].governance, proposal)

    def shuffled(envelopes: list) -> list:  # type: ignore[type-arg]
        mixed = envelopes + envelopes[:3]
        chance.shuffle(mixed)
        return mixed

    for number in range(5):
        held = len(election.members[number].held)
        election.restart(number, shuffled)
        assert election.members[number].tick(AFTER_MS + 60_000) == []
        assert len(election.members[number].held) == held
        view = decided(election.members[number].governance, proposal)
        assert (view.tally, view.is_final, view.phase) == (expected.tally, expected.is_final, expected.phase)


def test_a_tick_that_is_not_due_or_not_synced_signs_nothing() -> None:
    election = Election(4)
    opened(election)
    member = election.members[0]
    assert member.tick(CLOSES_MS) == []
    assert member.tick(AFTER_MS, synced=False) == []
    assert member.tick(AFTER_MS) != []


def test_nothing_leaves_a_sealed_phase() -> None:
    sources = {phase for phase, _ in TRANSITIONS}
    assert sources == {Phase.OPEN, Phase.CLOSING, Phase.COOLING}
    for phase in Phase:
        for step in Step:
            path = {Phase.OPEN: (), Phase.CLOSING: (Step.DEADLINE,)}.get(phase)
            if path is not None and (phase, step) not in TRANSITIONS:
                with pytest.raises(AssertionError):
                    phase_after((*path, step))


def test_an_amendment_takes_two_votes_two_weeks_apart() -> None:
    election = Election(4)
    key, days_ms = "rule.voting.window_ms_min.max", 24 * 60 * 60 * 1000
    now_ms = START_MS
    for wanted in ({}, {key: 60 * days_ms}):
        asked = Proposal(
            ProposalKind.AMENDMENT,
            "longer votes",
            "",
            (Effect(key, 60 * days_ms),),
            Threshold.CONSENSUS,
            now_ms + 10_000,
            Uncertainty(500, ("whether people need it",)),
        )
        proposed = election.members[0].governance.propose(asked, instant(now_ms))
        (envelope,) = election.do(0, proposed, now_ms)
        election.spread([envelope], now_ms)
        for number, member in enumerate(election.members):
            cast = member.governance.vote(ProposalId(envelope.id), Choice.YES, instant(now_ms + 100))
            election.spread(election.do(number, cast, now_ms + 100), now_ms + 100)
        now_ms = election.settle(now_ms + 11_100) + 15 * days_ms
        for member in election.members:
            member.governance.parameters(now_ms)
            assert member.governance.rules() == wanted
            assert "two such votes" in decided(member.governance, ProposalId(envelope.id)).words
