"""One honest envelope of every kind, and the payloads at the edges of what each kind allows.

Refuses kinds without a schema: a new kind without a vector here fails its test.
"""

from luminous.crypto.digest import digest
from luminous.protocol.ballots import Ballot, Choice
from luminous.protocol.bindings import Binding
from luminous.protocol.closing import Close
from luminous.protocol.codec import encode
from luminous.protocol.deltas import Delta, Level
from luminous.protocol.envelope import signing_digest
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1
from luminous.protocol.leads import mark_of
from luminous.protocol.limits import UINT_MAX
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.minutes import NO_PARENT, Entry, Final, Heads, Lead, Report, Row, Vote, value_of
from luminous.protocol.operations import Operation, Verb, consent_of, wish_of
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, Uncertainty
from luminous.simulations.vectors.scene import (
    AT_MS,
    MEMBER_SEEDS,
    MEMBERS,
    NETWORK,
    File,
    Json,
    admitted,
    shown,
)
from luminous.simulations.vectors.scene import sealed as seal_payload

DAY_MS = 86_400_000


def _id(name: str) -> bytes:
    return digest("vector", name.encode())


PROPOSAL = Proposal(
    ProposalKind.PARAMETER,
    "Measure health every minute",
    "Thirty seconds keep disks awake.",
    (Effect("health.interval_s", 60),),
    Threshold.SIMPLE,
    AT_MS + DAY_MS,
    Uncertainty(700, ("how many machines have disks that sleep",), True, AT_MS + 30 * DAY_MS),
)
BINDING = Binding("12D3KooWVectorsOnly", AT_MS + 180 * DAY_MS)


def _lead_of_many() -> Lead:
    """As for more Reports than are named by their ids."""
    reports = {0: EnvelopeId(_id("a")), 9: EnvelopeId(_id("b")), 2: EnvelopeId(_id("c"))}
    value = value_of(1, NO_PARENT, sorted(reports.values()))
    marks = b"".join(mark_of(value, reports[number]) for number in sorted(reports))
    return Lead(1, 1, 0, (), value, b"\xa0\x40", marks)


PAYLOADS: tuple[tuple[str, Kind, object], ...] = (
    ("a parameter proposal", Kind.PROPOSAL, PROPOSAL),
    (
        "a text proposal with the longest title, a tab and a newline",
        Kind.PROPOSAL,
        Proposal(ProposalKind.TEXT, "t" * 200, "a\tb\nc", (), Threshold.CONSENSUS, AT_MS + DAY_MS),
    ),
    ("a first ballot", Kind.BALLOT, Ballot(ProposalId(_id("proposal")), Choice.YES, 0, b"")),
    (
        "a changed ballot",
        Kind.BALLOT,
        Ballot(ProposalId(_id("proposal")), Choice.NO, 1, _id("first ballot")),
    ),
    ("a close", Kind.CLOSE, Close(ProposalId(_id("proposal")), _id("root"), 2, 1, 0, 1)),
    ("exact counts", Kind.DELTA, Delta(690, Level.PUBLIC, FIXES_1.id, 1, 0, (3, 1, *[0] * 62))),
    (
        "noised counts",
        Kind.DELTA,
        Delta(690, Level.DIFFERENTIAL, FIXES_1.id, 1024, 4225, tuple(range(-3200, 3200, 100))),
    ),
    ("a binding", Kind.BINDING, BINDING),
    (
        "a report",
        Kind.REPORT,
        Report(1, NO_PARENT, AT_MS + DAY_MS, (Entry(ProposalId(_id("proposal")), (_id("heads"),)),)),
    ),
    (
        "heads",
        Kind.HEADS,
        Heads((Row(0, 1, _id("second") + _id("first")), Row(2, 0, _id("other")))),
    ),
    ("a lead", Kind.LEAD, Lead(1, 1, 0, tuple(sorted((_id("a"), _id("b"), _id("c")))))),  # type: ignore[arg-type]
    ("a vote", Kind.VOTE, Vote(1, 1, _id("value"))),
    ("a skip", Kind.VOTE, Vote(1, 2, b"")),
    ("a final", Kind.FINAL, Final(1, 1)),
    ("a leave", Kind.OPERATION, Operation(Verb.LEAVE)),
    (
        "a rotation",
        Kind.OPERATION,
        Operation(
            Verb.ROTATE,
            MEMBERS[0].public,
            consent_of(MEMBERS[0], NETWORK, AuthorId(MEMBERS[3].public)),
        ),
    ),
    ("evidence", Kind.OPERATION, Operation(Verb.EVIDENCE, first=_id("first"), second=_id("last"))),
    (
        "a proposal to admit a member, asked of the roll after Minutes 3",
        Kind.PROPOSAL,
        Proposal(
            ProposalKind.MEMBER,
            "Admit a member",
            "",
            (),
            Threshold.SUPER,
            AT_MS + DAY_MS,
            Uncertainty(0, ("whether a key is a person",)),
            anchor=3,
            candidate=MEMBERS[0].public,
        ),
    ),
    (
        "a report with operations",
        Kind.REPORT,
        Report(2, _id("minutes"), AT_MS + DAY_MS, (), tuple(sorted((_id("a"), _id("b"))))),  # type: ignore[arg-type]
    ),
    (
        "a word for a candidate, who has signed",
        Kind.OPERATION,
        Operation(Verb.VOUCH, MEMBERS[0].public, wish_of(MEMBERS[0], NETWORK)),
    ),
    ("a word against it", Kind.OPERATION, Operation(Verb.OBJECT, MEMBERS[0].public)),
    ("a lead of many: the Reports a, b and c of the members 0, 9 and 2", Kind.LEAD, _lead_of_many()),
)


def make() -> File:
    """tests/vectors/envelopes.json"""
    rows: list[Json] = []
    for number, (name, kind, payload) in enumerate(PAYLOADS):
        seed, signer = MEMBER_SEEDS[number % 4], MEMBERS[number % 4]
        sequence = UINT_MAX if name == "a final" else number + 1
        raw = seal_payload(kind, payload, signer, sequence)
        packed = SCHEMAS[kind].pack(payload)
        author = AuthorId(signer.public)
        rows.append(
            {
                "name": name,
                "kind": kind.name,
                "number": int(kind),
                "seed": seed.hex(),
                "author": author.hex(),
                "sequence": sequence,
                "issued_at_ms": AT_MS,
                "payload": shown(payload),
                "payload_cbor": encode(packed).hex(),
                "signing_digest": signing_digest(NETWORK, kind, author, sequence, AT_MS, packed).hex(),
                "raw": raw.hex(),
                "id": admitted(raw).id.hex(),
            }
        )
    return {
        "about": "one envelope of every kind; raw is what travels",
        "source": "luminous.protocol.envelope, luminous.protocol.messages",
        "network": NETWORK.hex(),
        "vectors": rows,
    }
