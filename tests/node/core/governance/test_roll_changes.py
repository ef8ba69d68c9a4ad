"""The roll changes by Minutes alone: admission, leaving, another key, conviction; the same on every node."""

import random

import pytest

from luminous.node.core.governance.membership import Words
from luminous.node.core.governance.minutes import MinutesClosing
from luminous.protocol import electorate as roll_rules
from luminous.protocol.ballots import Ballot, Choice
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.operations import Operation, Verb, consent_of, wish_of
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.protocol.reasons import Reason, Refused
from luminous.simulations.election import START_MS, Election, Member, instant, sealed, signer_of

NETWORK = b"n" * 16
DAY_MS = 24 * 60 * 60 * 1000


def key(number: int) -> AuthorId:
    return AuthorId(signer_of(number).public)


def invite(election: Election, candidate: int, now_ms: int, by: int = 0) -> ProposalId:
    words = Words("a new member", "we know one another", now_ms + 5_000)
    asked = election.members[by].governance.invite(key(candidate), words, instant(now_ms))
    (envelope,) = election.do(by, asked, now_ms)
    election.spread([envelope], now_ms)
    return ProposalId(envelope.id)


def vote(election: Election, proposal: ProposalId, choices: str, now_ms: int) -> None:
    for number, letter in enumerate(choices):
        if letter != "-":
            choice = Choice.YES if letter == "y" else Choice.NO
            cast = election.members[number].governance.vote(proposal, choice, instant(now_ms))
            election.spread(election.do(number, cast, now_ms), now_ms)


def settle(election: Election, now_ms: int) -> int:
    now_ms = election.settle(now_ms)
    for _ in range(60):  # operations make no proposal final: tick on until the roll is
        now_ms += 500
        sent = [item for member in election.members for item in member.tick(now_ms)]
        election.spread(sent, now_ms)
    return now_ms


def rolls(election: Election) -> list[tuple[AuthorId, ...]]:
    return [member.governance.roll().members for member in election.members]


def admitted(size: int = 4) -> tuple[Election, int]:
    """An election whose roll took in one more member, who runs a machine and heard everything."""
    election = Election(size)
    proposal = invite(election, size, START_MS)
    vote(election, proposal, "y" * size, START_MS + 100)
    now_ms = settle(election, START_MS + 6_100)
    newcomer = Member(size, election._build(key(size), election.roll))
    for envelope in election.members[0].held.values():
        newcomer.hear(envelope, now_ms)
    election.members.append(newcomer)
    return election, settle(election, now_ms)


def test_a_vote_admits_and_the_new_member_decides_from_then_on() -> None:
    election, now_ms = admitted()
    assert len(set(rolls(election))) == 1
    assert election.members[4].governance.roll().members == (*election.roll.members, key(4))
    asked = Proposal(ProposalKind.TEXT, "with five", "", (), Threshold.SIMPLE, now_ms + 5_000)
    (opening,) = election.do(4, election.members[4].governance.propose(asked, instant(now_ms)), now_ms)
    election.spread([opening], now_ms)
    vote(election, ProposalId(opening.id), "nn-yy", now_ms + 100)
    settle(election, now_ms + 6_100)
    tallies = election.outcomes(ProposalId(opening.id))
    assert tallies[0] is not None
    assert tallies[0].members == 5  # type: ignore[attr-defined]
    assert tallies[0].turnout == 4  # type: ignore[attr-defined]
    assert len({repr(tally) for tally in tallies}) == 1


def test_without_enough_votes_nobody_is_admitted() -> None:
    election = Election(4)
    proposal = invite(election, 4, START_MS)
    vote(election, proposal, "yyn-", START_MS + 100)
    vote_no = election.members[3].governance.vote(proposal, Choice.NO, instant(START_MS + 200))
    election.spread(election.do(3, vote_no, START_MS + 200), START_MS + 200)
    settle(election, START_MS + 6_100)
    assert rolls(election) == [election.roll.members] * 4


def test_a_stranger_decides_nothing_and_members_refuse_to_ask_twice() -> None:
    election, now_ms = admitted()
    machine = election.members[0].governance
    again = machine.invite(key(4), Words("again", "", now_ms + 5_000), instant(now_ms))
    assert isinstance(again, Refused) and again.reason is Reason.NOTHING_NEW
    asked = Proposal(ProposalKind.TEXT, "stuffing", "", (), Threshold.SIMPLE, now_ms + 5_000)
    opening = sealed(99, Kind.PROPOSAL, asked, now_ms)
    election.spread([opening], now_ms)
    assert isinstance(machine.decision(ProposalId(opening.id)), Refused)


def test_who_joins_after_a_proposal_was_made_does_not_answer_it() -> None:
    """Roll stuffing just before a vote: the anchor froze who answers."""
    election = Election(4)
    asked = Proposal(ProposalKind.TEXT, "asked before", "", (), Threshold.SIMPLE, START_MS + 90_000)
    (opening,) = election.do(0, election.members[0].governance.propose(asked, instant(START_MS)), START_MS)
    election.spread([opening], START_MS)
    proposal = invite(election, 4, START_MS)
    vote(election, proposal, "yyyy", START_MS + 100)
    now_ms = START_MS + 6_100
    for _ in range(40):
        now_ms += 500
        sent = [item for member in election.members for item in member.tick(now_ms)]
        election.spread(sent, now_ms)
    assert rolls(election)[0][-1] == key(4)
    newcomer = Member(4, election._build(key(4), election.roll))
    for envelope in election.members[0].held.values():
        newcomer.hear(envelope, now_ms)
    newcomer.tick(now_ms)
    refused = newcomer.governance.vote(ProposalId(opening.id), Choice.YES, instant(now_ms))
    assert isinstance(refused, Refused) and refused.reason is Reason.NOT_A_MEMBER
    forced = sealed(4, Kind.BALLOT, Ballot(ProposalId(opening.id), Choice.YES, 0, b""), now_ms)
    election.spread([forced], now_ms)
    vote(election, ProposalId(opening.id), "ynn-", now_ms)
    settle(election, START_MS + 91_100)
    tally = election.outcomes(ProposalId(opening.id))[0]
    assert tally is not None
    assert (tally.members, tally.yes, tally.no) == (4, 1, 2)  # type: ignore[attr-defined]


def test_leaving_is_for_good_and_the_others_go_on() -> None:
    election = Election(5)
    election.spread(
        election.do(2, election.members[2].governance.leave(instant(START_MS)), START_MS), START_MS
    )
    now_ms = settle(election, START_MS + 100)
    assert set(rolls(election)) == {tuple(key(number) for number in (0, 1, 3, 4))}
    refused = election.members[2].governance.leave(instant(now_ms))
    assert isinstance(refused, Refused) and refused.reason is Reason.NOT_A_MEMBER
    words = Words("come back", "", now_ms + 5_000)
    again = election.members[0].governance.invite(key(2), words, instant(now_ms))
    assert isinstance(again, Refused) and again.reason is Reason.BAD_KEY


def test_a_rotation_needs_both_keys_and_keeps_the_place() -> None:
    election = Election(4)
    machine = election.members[1].governance
    consent = consent_of(signer_of(7), NETWORK, key(1))  # type: ignore[arg-type]
    done = machine.rotate(key(7), consent, instant(START_MS))
    election.spread(election.do(1, done, START_MS), START_MS)
    settle(election, START_MS + 100)
    assert set(rolls(election)) == {(key(0), key(7), key(2), key(3))}


@pytest.mark.parametrize("liar", ["another key's consent", "another network's", "for another place"])
def test_a_rotation_without_the_new_keys_word_is_nothing(liar: str) -> None:
    election = Election(4)
    signer = signer_of(8 if liar.startswith("another key") else 7)
    network = b"m" * 16 if "network" in liar else NETWORK
    place = key(0 if "place" in liar else 1)
    consent = consent_of(signer, network, place)  # type: ignore[arg-type]
    forged = sealed(1, Kind.OPERATION, Operation(Verb.ROTATE, key(7), consent), START_MS)
    election.spread([forged], START_MS)
    settle(election, START_MS + 100)
    assert rolls(election) == [election.roll.members] * 4


def equivocation(number: int, proposal: ProposalId, now_ms: int) -> list[Admitted]:
    return [
        sealed(number, Kind.BALLOT, Ballot(proposal, choice, 0, b""), now_ms, 50 + choice)
        for choice in (Choice.YES, Choice.NO)
    ]


def test_who_votes_twice_is_convicted_by_its_own_signatures() -> None:
    election = Election(5)
    asked = Proposal(ProposalKind.TEXT, "trap", "", (), Threshold.SIMPLE, START_MS + 5_000)
    (opening,) = election.do(0, election.members[0].governance.propose(asked, instant(START_MS)), START_MS)
    election.spread([opening], START_MS)
    vote(election, ProposalId(opening.id), "yyn", START_MS + 100)
    election.spread(equivocation(4, ProposalId(opening.id), START_MS + 200), START_MS + 200, range(4))
    settle(election, START_MS + 6_100)
    honest = rolls(election)[:4]
    assert set(honest) == {tuple(key(number) for number in range(4))}
    tally = election.outcomes(ProposalId(opening.id), range(4))[0]
    assert tally is not None and tally.void == 1  # type: ignore[attr-defined]


def test_false_evidence_convicts_nobody() -> None:
    """Two records that an honest member signs; and a pair whose signature was broken."""
    election = Election(4)
    asked = Proposal(ProposalKind.TEXT, "honest", "", (), Threshold.SIMPLE, START_MS + 5_000)
    (opening,) = election.do(0, election.members[0].governance.propose(asked, instant(START_MS)), START_MS)
    election.spread([opening], START_MS)
    vote(election, ProposalId(opening.id), "yyny", START_MS + 100)
    ballots = [item for item in election.members[0].held.values() if item.kind is Kind.BALLOT]
    pair = equivocation(2, ProposalId(opening.id), START_MS)
    broken = bytearray(pair[1].raw)
    broken[-1] ^= 1
    for first, second in (
        (ballots[0].raw, ballots[1].raw),
        (ballots[0].raw, opening.raw),
        (pair[0].raw, bytes(broken)),
    ):
        low, high = sorted((first, second))
        lie = sealed(3, Kind.OPERATION, Operation(Verb.EVIDENCE, first=low, second=high), START_MS + 300)
        election.spread([lie], START_MS + 300)
    settle(election, START_MS + 6_100)
    assert rolls(election) == [election.roll.members] * 4


@pytest.mark.parametrize("seed", range(4))
def test_replay_in_any_order_gives_the_same_roll_and_chain(seed: int) -> None:
    """What later members sign may be heard before the Minutes that admit them."""
    election, now_ms = admitted()
    asked = Proposal(ProposalKind.TEXT, "by the newcomer", "", (), Threshold.SIMPLE, now_ms + 5_000)
    (opening,) = election.do(4, election.members[4].governance.propose(asked, instant(now_ms)), now_ms)
    election.spread([opening], now_ms)
    vote(election, ProposalId(opening.id), "yyyyy", now_ms + 100)
    now_ms = settle(election, now_ms + 6_100)
    leaving = election.do(1, election.members[1].governance.leave(instant(now_ms)), now_ms)
    election.spread(leaving, now_ms)
    now_ms = settle(election, now_ms)
    before = [chain_of(member) for member in election.members]
    assert len(set(before)) == 1
    chance = random.Random(seed)
    for number in range(len(election.members)):
        election.restart(number, lambda held: chance.sample(held, len(held)))
        assert election.members[number].tick(now_ms) == []
    assert [chain_of(member) for member in election.members] == before
    assert len({member.governance.roll().members for member in election.members}) == 1


def chain_of(member: Member) -> bytes:
    closing = member.governance._closing
    assert isinstance(closing, MinutesClosing)
    return closing.chain()[-1].value


def closed_vote(election: Election, now_ms: int, among: tuple[int, ...]) -> int:
    """A vote on which the members of ``among`` agree, and the time after it."""
    asked = Proposal(ProposalKind.TEXT, f"at {now_ms}", "", (), Threshold.SIMPLE, now_ms + 5_000)
    (opening,) = election.do(0, election.members[0].governance.propose(asked, instant(now_ms)), now_ms)
    election.spread([opening], now_ms, among)
    for number in among:
        cast = election.members[number].governance.vote(ProposalId(opening.id), Choice.YES, instant(now_ms))
        election.spread(election.do(number, cast, now_ms), now_ms, among)
    return election.settle(now_ms + 6_100, among)


def test_a_member_who_is_long_silent_sleeps_and_wakes_by_its_own_node() -> None:
    election = Election(4)
    now_ms = closed_vote(election, START_MS, (0, 1, 2, 3))
    present = (0, 1, 2)
    now_ms = closed_vote(election, now_ms + 40 * DAY_MS, present)
    assert election.members[0].governance.roll().members == tuple(key(number) for number in present)
    assert election.members[0].governance.electorate().dormant == (key(3),)
    for envelope in election.members[0].held.values():
        election.members[3].hear(envelope, now_ms)
    settle(election, now_ms)
    assert set(rolls(election)) == {tuple(key(number) for number in range(4))}


def test_a_node_that_runs_renews_without_being_asked() -> None:
    election = Election(4)
    now_ms = closed_vote(election, START_MS, (0, 1, 2, 3)) + 8 * DAY_MS
    sent = [item for member in election.members for item in member.tick(now_ms)]
    verbs = [item.payload.verb for item in sent if item.kind is Kind.OPERATION]
    assert verbs == [Verb.RENEW] * 4
    again = [item for member in election.members for item in member.tick(now_ms + DAY_MS)]
    assert [item for item in again if item.kind is Kind.OPERATION] == []


def vouched(election: Election, wish: bytes, sponsors: range, now_ms: int) -> int:
    for number in sponsors:
        said = election.members[number].governance.vouch(key(99), wish, instant(now_ms))
        election.spread(election.do(number, said, now_ms), now_ms)
    return settle(election, now_ms)


@pytest.mark.parametrize("whose", ["the candidate's", "another's", "for another network"])
def test_members_vouch_for_a_candidate_who_signed_and_it_joins_after_its_probation(
    monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    monkeypatch.setattr(roll_rules, "FREE_GROWTH_BELOW", 6)
    election = Election(6)
    network = b"m" * 16 if "network" in whose else NETWORK
    wish = wish_of(signer_of(98 if "another's" in whose else 99), network)  # type: ignore[arg-type]
    now_ms = vouched(election, wish, range(5), START_MS)
    if whose != "the candidate's":
        assert election.members[0].governance.electorate().waiting == ()
        return
    assert [item for _, item in election.members[5].governance.electorate().waiting] == [key(99)]
    assert rolls(election) == [election.roll.members] * 6
    now_ms = settle(election, now_ms + 2 * DAY_MS)
    assert set(rolls(election)) == {(*election.roll.members, key(99))}
    again = election.members[0].governance.vouch(key(99), wish, instant(now_ms))
    assert isinstance(again, Refused) and again.reason is Reason.NOTHING_NEW


def test_objections_reach_the_roll_and_below_fifty_nobody_vouches(monkeypatch: pytest.MonkeyPatch) -> None:
    election = Election(6)
    wish = wish_of(signer_of(99), NETWORK)  # type: ignore[arg-type]
    refused = election.members[0].governance.vouch(key(99), wish, instant(START_MS))
    assert isinstance(refused, Refused) and "votes" in refused.detail
    monkeypatch.setattr(roll_rules, "FREE_GROWTH_BELOW", 6)
    now_ms = vouched(election, wish, range(5), START_MS)
    for number in range(1, 6):
        said = election.members[number].governance.object(key(99), instant(now_ms))
        election.spread(election.do(number, said, now_ms), now_ms)
    now_ms = settle(election, now_ms)
    assert election.members[0].governance.electorate().waiting == ()
    settle(election, now_ms + 3 * DAY_MS)
    assert rolls(election) == [election.roll.members] * 6


def test_a_revocation_signed_in_advance_takes_the_key_off_and_only_its_own() -> None:
    """It was written at ``START_MS`` and is sent by another machine months later."""
    election = Election(5)
    in_advance = sealed(4, Kind.OPERATION, Operation(Verb.REVOKE), START_MS, 0)
    now_ms = closed_vote(election, START_MS + 20 * DAY_MS, (0, 1, 2, 3, 4))
    election.spread([in_advance], now_ms, range(4))
    for _ in range(60):
        now_ms += 500
        sent = [item for number in range(4) for item in election.members[number].tick(now_ms)]
        election.spread(sent, now_ms, range(4))
    assert set(rolls(election)[:4]) == {tuple(key(number) for number in range(4))}
    assert key(4) in election.members[0].governance.electorate().gone
