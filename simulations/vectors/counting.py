"""Counting at its boundaries, Minutes from whole sets of signed records, and certificates.

Refuses to copy its expectations from the counter where a person can say them: the boundary verdicts are
written by hand.
"""

from dataclasses import replace

from luminous.crypto.keys import Signer
from luminous.protocol.ballots import Ballot, Choice, cast_of, chains_of
from luminous.protocol.certificate import Certificate, certify, mark_of, write_certificate
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import NO_PARENT, Entry, Final, Report, Vote, freeze, heads_digest, value_of
from luminous.protocol.proposals import Threshold
from luminous.protocol.reasons import Reason
from luminous.protocol.roll import Roll
from luminous.protocol.tally import Verdict, decide, turnout_min
from luminous.simulations.vectors.envelopes import PROPOSAL
from luminous.simulations.vectors.reading import derive_from, minutes_shown
from luminous.simulations.vectors.scene import (
    AT_MS,
    MEMBERS,
    NETWORK,
    OTHER_NETWORK,
    File,
    Json,
    admitted,
    sealed,
)

ROLL = Roll(tuple(AuthorId(signer.public) for signer in MEMBERS))
_PASSED, _FAILED, _NO_QUORUM = Verdict.PASSED, Verdict.FAILED, Verdict.NO_QUORUM

# threshold, members, yes, no, abstain, void, grey, verdict, robust
_TALLIES: tuple[tuple[Threshold, int, int, int, int, int, int, Verdict, bool], ...] = (
    (Threshold.SIMPLE, 50, 24, 26, 0, 0, 0, _FAILED, True),
    (Threshold.SIMPLE, 50, 25, 25, 0, 0, 0, _FAILED, True),
    (Threshold.SIMPLE, 50, 26, 24, 0, 0, 0, _PASSED, True),
    (Threshold.SUPER, 50, 32, 18, 0, 0, 0, _FAILED, True),
    (Threshold.SUPER, 50, 33, 17, 0, 0, 0, _FAILED, True),
    (Threshold.SUPER, 50, 34, 16, 0, 0, 0, _PASSED, True),
    (Threshold.CONSENSUS, 50, 44, 6, 0, 0, 0, _FAILED, True),
    (Threshold.CONSENSUS, 50, 45, 5, 0, 0, 0, _FAILED, True),
    (Threshold.CONSENSUS, 50, 46, 4, 0, 0, 0, _PASSED, True),
    (Threshold.SUPER, 100, 66, 34, 0, 0, 0, _FAILED, True),
    (Threshold.SUPER, 100, 67, 33, 0, 0, 0, _PASSED, True),
    (Threshold.CONSENSUS, 100, 90, 10, 0, 0, 0, _FAILED, True),
    (Threshold.CONSENSUS, 100, 91, 9, 0, 0, 0, _PASSED, True),
    (Threshold.SUPER, 150, 99, 51, 0, 0, 0, _FAILED, True),
    (Threshold.SUPER, 150, 100, 50, 0, 0, 0, _PASSED, True),
    (Threshold.SIMPLE, 100, 14, 0, 0, 0, 0, _NO_QUORUM, True),
    (Threshold.SIMPLE, 100, 15, 0, 0, 0, 0, _PASSED, True),
    (Threshold.SIMPLE, 100, 1, 0, 14, 0, 0, _PASSED, True),
    (Threshold.SUPER, 100, 33, 0, 67, 0, 0, _NO_QUORUM, True),
    (Threshold.SUPER, 100, 34, 0, 66, 0, 0, _PASSED, True),
    (Threshold.CONSENSUS, 100, 49, 0, 51, 0, 0, _NO_QUORUM, True),
    (Threshold.CONSENSUS, 100, 50, 0, 50, 0, 0, _PASSED, True),
    (Threshold.SIMPLE, 3, 1, 1, 0, 1, 0, _NO_QUORUM, False),
    (Threshold.SIMPLE, 5, 3, 2, 0, 0, 1, _PASSED, False),
    (Threshold.SIMPLE, 5, 2, 2, 0, 0, 1, _FAILED, False),
    (Threshold.SIMPLE, 10, 8, 1, 0, 0, 1, _PASSED, True),
    (Threshold.SIMPLE, 0, 0, 0, 0, 0, 0, _NO_QUORUM, True),
)


def make_tally() -> File:
    """tests/vectors/tally.json"""
    rows: list[Json] = []
    for threshold, members, yes, no, abstain, void, grey, verdict, robust in _TALLIES:
        found = decide(threshold, members, yes, no, abstain, void, grey)
        assert (found.verdict, found.is_robust) == (verdict, robust), found
        rows.append(
            {
                "threshold": threshold.name,
                "members": members,
                "yes": yes,
                "no": no,
                "abstain": abstain,
                "void": void,
                "grey": grey,
                "verdict": verdict.value,
                "is_robust": robust,
            }
        )
    rolls: list[Json] = [
        {
            "members": members,
            "faulty_max": max(0, (members - 1) // 3),
            "quorum": 2 * members // 3 + 1,
            "turnout_min": {item.name: turnout_min(item, members) for item in Threshold},
        }
        for members in (1, 2, 3, 4, 5, 6, 7, 10, 49, 50, 100, 150, 1000, 10_000)
    ]
    return {
        "about": "verdicts one below, at and one above every boundary; quorums by size of the roll",
        "source": "luminous.protocol.tally, luminous.protocol.roll",
        "vectors": rows,
        "rolls": rolls,
    }


_CLOSES_MS = PROPOSAL.closes_at_ms
_ASKED = admitted(sealed(Kind.PROPOSAL, PROPOSAL, MEMBERS[0], 1))
_ID = ProposalId(_ASKED.id)


def _ballot(
    signer: Signer, choice: Choice, before: Admitted | None = None, *, sequence: int = 2, at_ms: int = AT_MS
) -> Admitted:
    number = 0 if before is None else before.payload.sequence + 1
    payload = Ballot(_ID, choice, number, b"" if before is None else before.id)
    return admitted(sealed(Kind.BALLOT, payload, signer, sequence + number, at_ms))


def _reported(held: dict[int, list[Admitted]], late_ms: int = 5) -> list[Admitted]:
    """Each member's Heads records and Report, ``late_ms`` after the deadline and one more for each member."""
    made: list[Admitted] = []
    for member, ballots in held.items():
        blocks = freeze(ROLL, chains_of(cast_of(item) for item in ballots))
        entry = Entry(_ID, tuple(heads_digest(block) for block in blocks))
        at_ms = _CLOSES_MS + late_ms + member
        report = Report(1, NO_PARENT, at_ms, (entry,))
        made += [admitted(sealed(Kind.HEADS, block, MEMBERS[member], 20, at_ms)) for block in blocks]
        made.append(admitted(sealed(Kind.REPORT, report, MEMBERS[member], 21, at_ms)))
    return made


def _case(
    name: str,
    held: dict[int, list[Admitted]],
    expected: dict[str, Json] | None = None,
    *,
    late_ms: int = 5,
    drop: bytes = b"",
    decided: tuple[bytes, ...] = (),
) -> Json:
    made = _reported(held, late_ms)
    ballots = {item.id: item for listed in held.values() for item in listed}
    everything = [_ASKED, *ballots.values(), *made]
    envelopes = [item for item in everything if item.id != drop]
    reports = [item.id for item in made if item.kind is Kind.REPORT]
    found = minutes_shown(derive_from(ROLL, envelopes, reports, decided))
    if expected is not None:
        (outcome,) = found["outcomes"]
        assert {key: outcome["tally"][key] for key in expected} == expected, (name, outcome)
    return {
        "name": name,
        "envelopes": [item.raw.hex() for item in envelopes],
        "reports": [item.hex() for item in reports],
        "decided": [item.hex() for item in decided],
        "derived": found,
    }


def make_minutes() -> File:
    """tests/vectors/minutes.json"""
    a, b, c = (_ballot(MEMBERS[number], Choice.YES) for number in range(3))
    no = _ballot(MEMBERS[3], Choice.NO)
    second = _ballot(MEMBERS[0], Choice.NO, a)
    twice = _ballot(MEMBERS[1], Choice.NO, sequence=9)
    late = _ballot(MEMBERS[2], Choice.YES, at_ms=_CLOSES_MS + 1)
    cases = [
        _case("all hold everything", {n: [a, b, no] for n in range(4)}, {"yes": 2, "no": 1, "grey": 0}),
        _case(
            "what one lists is grey, what two list counts",
            {0: [a, b], 1: [a, b], 2: [a, c]},
            {"yes": 2, "no": 0, "grey": 1},
        ),
        _case("a changed ballot, held by all", {n: [a, second] for n in range(3)}, {"yes": 0, "no": 1}),
        _case(
            "a changed ballot, held by one: the earlier one counts",
            {0: [a, second], 1: [a], 2: [a]},
            {"yes": 1, "no": 0, "grey": 1},
        ),
        _case(
            "two ballots with one number are void", {n: [b, twice] for n in range(3)}, {"void": 1, "yes": 0}
        ),
        _case("issued after the deadline", {n: [a, late] for n in range(3)}, {"yes": 1, "grey": 1}),
        _case("frozen before the deadline: nothing is decided", {n: [a] for n in range(3)}, late_ms=-10),
        _case("decided in earlier Minutes", {n: [a] for n in range(3)}, decided=(_ID,)),
        _case("two Reports are no quorum of four", {n: [a] for n in range(2)}),
        _case("a ballot is missing", {n: [a] for n in range(3)}, drop=a.id),
        _case("the proposal is missing", {n: [a] for n in range(3)}, drop=_ID),
    ]
    return {
        "about": "what follows from a set of Reports: Minutes, what is missing, or a refusal",
        "source": "luminous.protocol.minutes_count",
        "network": NETWORK.hex(),
        "roll": [member.hex() for member in ROLL.members],
        "vectors": cases,
    }


def make_certificates() -> File:
    """tests/vectors/certificates.json"""
    reports = tuple(sorted(EnvelopeId(bytes([number]) * 32) for number in range(1, 4)))
    value = value_of(1, NO_PARENT, reports)
    votes = [mark_of(admitted(sealed(Kind.VOTE, Vote(1, 1, value), MEMBERS[n], 30)), n) for n in range(4)]
    finals = [mark_of(admitted(sealed(Kind.FINAL, Final(1, 1), MEMBERS[n], 31)), n) for n in range(4)]
    good = certify(1, NO_PARENT, 1, reports, votes[:3], finals[1:])
    forged = finals[3][:-1] + bytes([finals[3][-1] ^ 1])
    rows: list[tuple[str, Certificate, bytes, Reason | None]] = [
        ("three of four", good, NETWORK, None),
        ("four of four", certify(1, NO_PARENT, 1, reports, votes, finals), NETWORK, None),
        ("two Votes", replace(good, votes=b"".join(votes[:2])), NETWORK, Reason.NOT_A_MEMBER),
        ("two Finals", replace(good, finals=b"".join(finals[:2])), NETWORK, Reason.NOT_A_MEMBER),
        ("one member three times", replace(good, finals=finals[0] * 3), NETWORK, Reason.NOT_A_MEMBER),
        ("a member beyond the roll", replace(good, votes=good.votes[:-82] + b"\0\x09" + good.votes[-80:]),
         NETWORK, Reason.NOT_A_MEMBER),
        ("a changed signature", replace(good, finals=finals[0] + finals[1] + forged), NETWORK,
         Reason.BAD_SIGNATURE),
        ("Votes in place of Finals", replace(good, finals=good.votes), NETWORK, Reason.BAD_SIGNATURE),
        ("of another iteration", replace(good, iteration=2), NETWORK, Reason.BAD_SIGNATURE),
        ("of other Reports", replace(good, reports=b"\x09" * 32), NETWORK, Reason.BAD_SIGNATURE),
        ("Reports unsorted", replace(good, reports=b"\2" * 32 + b"\1" * 32), NETWORK, Reason.MALFORMED),
        ("a cut mark", replace(good, votes=good.votes[:-1]), NETWORK, Reason.MALFORMED),
        ("another network's", good, OTHER_NETWORK, Reason.BAD_SIGNATURE),
    ]  # fmt: skip
    return {
        "about": "certificates of Minutes against the roll of four",
        "source": "luminous.protocol.certificate",
        "roll": [member.hex() for member in ROLL.members],
        "vectors": [
            {
                "name": name,
                "network": network.hex(),
                "raw": write_certificate(item).hex(),
                "value": item.value.hex(),
                "reason": None if reason is None else reason.value,
            }
            for name, item, network, reason in rows
        ],
    }
