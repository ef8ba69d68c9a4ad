"""Counting: integers only, exact at every boundary, the same on every machine.

Refuses to decide which ballots count and to read a clock: it counts what it is given, against
denominators frozen at the proposal's anchor (the roll), so members who join later change nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import isqrt

from luminous.protocol.ballots import Cast, Choice, chains_of
from luminous.protocol.proposals import Proposal, Threshold
from luminous.protocol.roll import Roll


class Verdict(StrEnum):
    """What a count says."""

    PASSED = "passed"
    FAILED = "failed"  # the ratio was not reached
    NO_QUORUM = "no_quorum"  # too few took part, whatever they said


@dataclass(frozen=True, slots=True)
class Tally:
    """A count. ``void``: equivocators, not in the turnout. ``grey``: ballots that only some had in time."""

    members: int
    yes: int
    no: int
    abstain: int
    void: int
    grey: int
    verdict: Verdict
    is_robust: bool

    @property
    def turnout(self) -> int:
        """Members whose ballot counts, abstentions included."""
        return self.yes + self.no + self.abstain


def turnout_min(threshold: Threshold, members: int) -> int:
    """The quorum: max(3, ⌈1.5·√n⌉), ⌈20 %⌉ or ⌈40 %⌉ of the roll; never more than the roll itself."""
    if threshold is Threshold.SIMPLE:
        root = isqrt(9 * members // 4)
        while 4 * root * root < 9 * members:
            root += 1
        return min(members, max(3, root))
    percent = 20 if threshold is Threshold.SUPER else 40
    return -(-members * percent // 100)


def _verdict(threshold: Threshold, members: int, yes: int, no: int, turnout: int) -> Verdict:
    if turnout < max(1, turnout_min(threshold, members)):
        return Verdict.NO_QUORUM
    numerator, denominator = threshold.ratio
    share = {Threshold.SIMPLE: 0, Threshold.SUPER: 3, Threshold.CONSENSUS: 2}[threshold]
    if share and yes * share < members:
        return Verdict.NO_QUORUM
    passed = yes * denominator > numerator * (yes + no)
    return Verdict.PASSED if passed else Verdict.FAILED


def decide(
    threshold: Threshold, members: int, yes: int, no: int, abstain: int, void: int = 0, grey: int = 0
) -> Tally:
    """The tally of counted answers.

    ``is_robust``: the verdict stands even if ``void + grey`` ballots were moved to the other side.
    """
    turnout = yes + no + abstain
    verdict = _verdict(threshold, members, yes, no, turnout)
    doubt = void + grey
    if verdict is Verdict.PASSED:
        lost = min(doubt, yes)
        other = _verdict(threshold, members, yes - lost, no + doubt, turnout - lost)
        is_robust = other is Verdict.PASSED
    else:
        turned = min(doubt, no)
        other = _verdict(threshold, members, yes + doubt, no - turned, turnout + doubt)
        is_robust = other is not Verdict.PASSED
    return Tally(members, yes, no, abstain, void, grey, verdict, is_robust)


def count(proposal: Proposal, roll: Roll, casts: Iterable[Cast], grey: int = 0) -> Tally:
    """Count the ballots of members on ``proposal``: the newest link of each chain, equivocators void.

    Order and repetition of ``casts`` do not matter; counting a union equals counting its merged parts.
    Ballots issued after ``closes_at_ms`` and ballots of strangers are left out.
    """
    timely = [cast for cast in casts if cast.voter in roll and cast.issued_at_ms <= proposal.closes_at_ms]
    answers = dict.fromkeys(Choice, 0)
    void = 0
    for chain in chains_of(timely).values():
        if chain.conflict is not None:
            void += 1
        elif chain.head is not None:
            answers[chain.head.choice] += 1
    return decide(
        proposal.threshold,
        roll.size,
        answers[Choice.YES],
        answers[Choice.NO],
        answers[Choice.ABSTAIN],
        void,
        grey,
    )
