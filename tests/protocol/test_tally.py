"""Counting is exact at every boundary and does not depend on order, repetition or partition."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.protocol.ballots import Cast, Choice, chain_of, chains_of
from luminous.protocol.identifiers import AuthorId, EnvelopeId
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold
from luminous.protocol.roll import Roll
from luminous.protocol.tally import Verdict, count, decide, turnout_min

CLOSES_MS = 1000


def roll_of(size: int) -> Roll:
    return Roll(tuple(AuthorId(number.to_bytes(32, "big")) for number in range(size)))


def proposal(threshold: Threshold) -> Proposal:
    return Proposal(ProposalKind.PARAMETER, "t", "", (Effect("notify.per_day_max", 2),), threshold, CLOSES_MS)


def cast(
    voter: int, choice: Choice, sequence: int = 0, previous: bytes = b"", salt: int = 0, at: int = 1
) -> Cast:
    identifier = EnvelopeId(bytes([voter % 256, voter // 256, sequence, choice, salt]).ljust(32, b"\x07"))
    return Cast(identifier, AuthorId(voter.to_bytes(32, "big")), sequence, previous, choice, at)


BOUNDARIES = [
    (Threshold.SIMPLE, 50, 25),
    (Threshold.SIMPLE, 100, 50),
    (Threshold.SIMPLE, 150, 75),
    (Threshold.SUPER, 50, 33),
    (Threshold.SUPER, 100, 66),
    (Threshold.SUPER, 150, 99),
    (Threshold.CONSENSUS, 50, 45),
    (Threshold.CONSENSUS, 100, 90),
    (Threshold.CONSENSUS, 150, 135),
]


@pytest.mark.parametrize(("threshold", "members", "exactly"), BOUNDARIES)
def test_a_threshold_must_be_exceeded(threshold: Threshold, members: int, exactly: int) -> None:
    """One below and exactly at the share fail; one above passes."""
    for yes, expected in (
        (exactly - 1, Verdict.FAILED),
        (exactly, Verdict.FAILED),
        (exactly + 1, Verdict.PASSED),
    ):
        casts = [cast(number, Choice.YES if number < yes else Choice.NO) for number in range(members)]
        assert count(proposal(threshold), roll_of(members), casts).verdict is expected, yes


@pytest.mark.parametrize(("threshold", "members", "exactly"), BOUNDARIES)
def test_a_threshold_of_at_least_would_be_noticed(threshold: Threshold, members: int, exactly: int) -> None:
    """The planted fault: ``>=`` in place of ``>`` passes exactly at the boundary, where the count fails."""
    numerator, denominator = threshold.ratio
    planted = exactly * denominator >= numerator * members
    counted = decide(threshold, members, exactly, members - exactly, 0).verdict is Verdict.PASSED
    assert planted and not counted


def test_quorums_and_shares_of_the_roll() -> None:
    assert [turnout_min(Threshold.SIMPLE, n) for n in (1, 2, 3, 4, 5, 50, 100, 150)] == [
        1,
        2,
        3,
        3,
        4,
        11,
        15,
        19,
    ]
    assert decide(Threshold.SIMPLE, 100, 14, 0, 0).verdict is Verdict.NO_QUORUM
    assert decide(Threshold.SIMPLE, 100, 14, 0, 1).verdict is Verdict.PASSED
    assert decide(Threshold.SUPER, 100, 33, 0, 60).verdict is Verdict.NO_QUORUM
    assert decide(Threshold.SUPER, 100, 34, 0, 0).verdict is Verdict.PASSED
    assert decide(Threshold.CONSENSUS, 100, 49, 0, 51).verdict is Verdict.NO_QUORUM
    assert decide(Threshold.CONSENSUS, 100, 50, 0, 0).verdict is Verdict.PASSED
    assert decide(Threshold.SIMPLE, 0, 0, 0, 0).verdict is Verdict.NO_QUORUM


def test_robust_means_that_the_doubtful_ballots_cannot_turn_it() -> None:
    assert decide(Threshold.SIMPLE, 50, 30, 20, 0, void=0, grey=0).is_robust
    assert decide(Threshold.SIMPLE, 50, 28, 20, 0, void=1, grey=2).is_robust
    assert not decide(Threshold.SIMPLE, 50, 28, 20, 0, void=2, grey=2).is_robust
    assert not decide(Threshold.SIMPLE, 50, 20, 21, 0, void=1).is_robust
    assert decide(Threshold.SIMPLE, 50, 10, 30, 0, grey=3).is_robust


def test_a_changed_vote_counts_once_and_an_equivocator_not_at_all() -> None:
    first = cast(0, Choice.NO)
    second = cast(0, Choice.YES, 1, first.id)
    tally = count(proposal(Threshold.SIMPLE), roll_of(4), [second, first])
    assert (tally.yes, tally.no, tally.void) == (1, 0, 0)
    twin = cast(0, Choice.ABSTAIN, 1, first.id)
    tally = count(proposal(Threshold.SIMPLE), roll_of(4), [second, twin, first])
    assert (tally.yes, tally.no, tally.void, tally.turnout) == (0, 0, 1, 0)


def test_late_ballots_strangers_and_broken_chains_do_not_count() -> None:
    first = cast(0, Choice.NO)
    late = cast(0, Choice.YES, 1, first.id, at=CLOSES_MS + 1)
    stranger = cast(9, Choice.YES)
    gap = cast(1, Choice.YES, 2, b"\x01" * 32)
    wrong = cast(2, Choice.YES, 1, b"\x02" * 32)
    tally = count(
        proposal(Threshold.SIMPLE), roll_of(4), [first, late, stranger, gap, wrong, cast(2, Choice.NO)]
    )
    assert (tally.yes, tally.no, tally.turnout) == (0, 2, 2)


@st.composite
def ballots(draw: st.DrawFn) -> list[Cast]:
    found: list[Cast] = []
    for voter in range(draw(st.integers(1, 8))):
        previous = b""
        for sequence in range(draw(st.integers(0, 3))):
            link = cast(voter, draw(st.sampled_from(Choice)), sequence, previous)
            found.append(link)
            if draw(st.booleans()) and draw(st.booleans()):
                found.append(cast(voter, draw(st.sampled_from(Choice)), sequence, previous, salt=1))
            previous = link.id
    return found


@settings(max_examples=150, deadline=None)
@given(ballots(), st.randoms(use_true_random=False), st.integers(0, 30))
def test_counting_is_order_independent_idempotent_and_mergeable(
    casts: list[Cast], chance: random.Random, cut: int
) -> None:
    whole = count(proposal(Threshold.SIMPLE), roll_of(8), casts)
    shuffled = casts + casts[: len(casts) // 2]
    chance.shuffle(shuffled)
    assert count(proposal(Threshold.SIMPLE), roll_of(8), shuffled) == whole
    merged = {item.id: item for item in [*casts[cut:], *casts[:cut]]}
    assert count(proposal(Threshold.SIMPLE), roll_of(8), merged.values()) == whole
    assert whole.turnout + whole.void <= 8


def test_the_first_conflict_is_the_evidence_whatever_comes_first() -> None:
    one, two, three = (cast(0, Choice.YES, salt=salt) for salt in (1, 2, 3))
    for order in ([one, two, three], [three, two, one], [two, one, three, one]):
        assert chain_of(order).conflict == (one, two)
    assert list(chains_of([one])) == [one.voter]
