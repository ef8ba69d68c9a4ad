"""The certificate of one epoch's Minutes: whoever has the roll can check it, without asking anybody.

Refuses to be believed in part: q different members' Votes for the value and q Finals in one iteration, each
a signature that this member's envelope carried. It proves which Reports are the Minutes, not what they mean:
that is ``minutes_count``.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from luminous.crypto.keys import is_signed
from luminous.protocol.codec import decode, encode
from luminous.protocol.envelope import Admitted, packed_digest
from luminous.protocol.identifiers import ENVELOPE_ID_SIZE_BYTES, EnvelopeId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ROLL_MAX
from luminous.protocol.minutes import FINAL, ITERATION_MAX, VOTE, Final, Vote, value_of
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.roll import Roll
from luminous.protocol.schema import Schema, blob, fixed, uint

# member (2 bytes), envelope sequence (8), issued_at_ms (8), signature (64)
_MARK = struct.Struct(">HQQ64s")
CERTIFICATE_SIZE_BYTES_MAX = (2 * _MARK.size + ENVELOPE_ID_SIZE_BYTES) * ROLL_MAX + 256


@dataclass(frozen=True, slots=True)
class Certificate:
    """``reports``: sorted Report ids, concatenated. ``votes``, ``finals``: packed marks of members."""

    epoch: int
    parent: bytes
    iteration: int
    reports: bytes
    votes: bytes
    finals: bytes

    def report_ids(self) -> tuple[EnvelopeId, ...]:
        """The agreed Reports."""
        size = ENVELOPE_ID_SIZE_BYTES
        return tuple(EnvelopeId(self.reports[at : at + size]) for at in range(0, len(self.reports), size))

    @property
    def value(self) -> bytes:
        """The digest that the Votes are for."""
        return value_of(self.epoch, self.parent, self.report_ids())


CERTIFICATE: Schema[Certificate] = Schema(
    Certificate,
    (0, "epoch", uint()),
    (1, "parent", fixed(32)),
    (2, "iteration", uint(ITERATION_MAX)),
    (3, "reports", blob(ENVELOPE_ID_SIZE_BYTES, ENVELOPE_ID_SIZE_BYTES * ROLL_MAX)),
    (4, "votes", blob(_MARK.size, _MARK.size * ROLL_MAX)),
    (5, "finals", blob(_MARK.size, _MARK.size * ROLL_MAX)),
)


def write_certificate(certificate: Certificate) -> bytes:
    """Canonical bytes."""
    return encode(CERTIFICATE.pack(certificate))


def read_certificate(raw: bytes) -> Certificate | Refused:
    """The certificate of canonical bytes, or why not. Checks no signature."""
    value = decode(raw, CERTIFICATE_SIZE_BYTES_MAX)
    return value if isinstance(value, Refused) else CERTIFICATE.parse(value)


def mark_of(envelope: Admitted, member: int) -> bytes:
    """What a certificate keeps of a Vote or Final envelope."""
    value = decode(envelope.raw)
    assert isinstance(value, dict)
    signature = value[7]  # type: ignore[index]
    assert isinstance(signature, bytes)
    return _MARK.pack(member, envelope.sequence, envelope.issued_at_ms, signature)


def certify(
    epoch: int,
    parent: bytes,
    iteration: int,
    reports: Iterable[EnvelopeId],
    votes: Iterable[bytes],
    finals: Iterable[bytes],
) -> Certificate:
    """Put marks together; ``verify_certificate`` says whether they suffice."""
    packed = b"".join(sorted(reports))
    return Certificate(epoch, parent, iteration, packed, b"".join(sorted(votes)), b"".join(sorted(finals)))


def verify_certificate(certificate: Certificate, network: NetworkId, roll: Roll) -> Refused | None:
    """None if q different members voted for the value and q finalised the iteration; else what is wrong."""
    ids = certificate.report_ids()
    if len(certificate.reports) % ENVELOPE_ID_SIZE_BYTES or list(ids) != sorted(set(ids)):
        return Refused(Reason.MALFORMED, "Reports unsorted or cut")
    vote = encode(VOTE.pack(Vote(certificate.epoch, certificate.iteration, certificate.value)))
    final = encode(FINAL.pack(Final(certificate.epoch, certificate.iteration)))
    for name, kind, payload, packed in (
        ("votes", Kind.VOTE, vote, certificate.votes),
        ("finals", Kind.FINAL, final, certificate.finals),
    ):
        if len(packed) % _MARK.size:
            return Refused(Reason.MALFORMED, f"{name} cut")
        signers: dict[int, None] = {}
        for member, sequence, issued_at_ms, signature in _MARK.iter_unpack(packed):
            if member >= roll.size or member in signers:
                return Refused(Reason.NOT_A_MEMBER, f"{name}: member {member} is unknown or twice")
            author = roll.members[member]
            message = packed_digest(network, kind, author, sequence, issued_at_ms, payload)
            if not is_signed(author, message, signature):
                return Refused(Reason.BAD_SIGNATURE, f"{name}: member {member}")
            signers[member] = None
        if len(signers) < roll.quorum:
            return Refused(
                Reason.NOT_A_MEMBER, f"{name}: {len(signers)} members signed, {roll.quorum} are needed"
            )
    return None
