"""Admission: from bytes to an envelope the domain may see. A pure function of the bytes.

Refuses to look at rolls, proposals or windows: whether a record counts is the domain's question, and a
node with another view never censors. Age never affects admission.
"""

from dataclasses import dataclass
from enum import StrEnum

from luminous.crypto.keys import is_signed
from luminous.protocol.codec import decode
from luminous.protocol.envelope import ENVELOPE, WIRE_VERSION, Admitted, envelope_id, signed_digest
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ENVELOPE_SIZE_BYTES_MAX, FUTURE_SKEW_MS_MAX
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.reasons import Reason, Refused


class Verdict(StrEnum):
    """What the gossip layer does with a message."""

    ACCEPT = "accept"  # relay it and hear it
    REJECT = "reject"  # the forwarder is at fault: a strike
    IGNORE = "ignore"  # nobody's fault; sync brings it later


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes as they came: the gossip topic, or None when sync brought them."""

    raw: bytes
    topic: str | None
    peer: str


def topic_of(network: NetworkId) -> str:
    """The one gossip topic of a network."""
    return f"/luminous/{network.hex()}/1"


def admit(raw: bytes, network: NetworkId) -> Admitted | Refused:
    """Check size, encoding, network, version, kind, payload bounds and signature, in order of cost."""
    if len(raw) > ENVELOPE_SIZE_BYTES_MAX:
        return Refused(Reason.OVERSIZED, f"{len(raw)} bytes")
    value = decode(raw)
    if isinstance(value, Refused):
        return value
    envelope = ENVELOPE.parse(value)
    if isinstance(envelope, Refused):
        return envelope
    if envelope.version != WIRE_VERSION:
        return Refused(Reason.WRONG_VERSION, f"version {envelope.version}")
    if envelope.network != network:
        return Refused(Reason.FOREIGN_NETWORK, "")
    schema = SCHEMAS.get(envelope.kind)
    if schema is None:
        return Refused(Reason.UNKNOWN_KIND, f"kind {envelope.kind}")
    payload = schema.parse(envelope.payload)
    if isinstance(payload, Refused):
        return payload
    if not is_signed(envelope.author, signed_digest(raw, envelope), envelope.signature):
        return Refused(Reason.BAD_SIGNATURE, "")
    return Admitted(
        id=envelope_id(raw),
        network=network,
        kind=Kind(envelope.kind),
        author=envelope.author,
        sequence=envelope.sequence,
        issued_at_ms=envelope.issued_at_ms,
        payload=payload,
        raw=raw,
    )


class Admissions:
    """Admission of one network, remembering its last answers: gossip, sync and the inbox ask again.

    Bounded: the oldest half is forgotten at ``size_max`` answers.
    """

    def __init__(self, network: NetworkId, size_max: int = 2048) -> None:
        self._network = network
        self._size_max = size_max
        self._known: dict[bytes, Admitted | Refused] = {}

    def admit(self, raw: bytes) -> Admitted | Refused:
        """See ``admit``."""
        known = self._known.get(raw)
        if known is None:
            known = admit(raw, self._network)
            if len(self._known) >= self._size_max:
                for old in list(self._known)[: self._size_max // 2]:
                    del self._known[old]
            self._known[raw] = known
        return known


def judge(admissions: Admissions, arrival: Arrival, topic: str, wall_ms: int) -> Verdict:
    """May these bytes be relayed and heard? ``topic``: the one this network gossips on."""
    if arrival.topic != topic:
        return Verdict.REJECT
    return judge_gossip(admissions.admit(arrival.raw), wall_ms)


def judge_gossip(admitted: Admitted | Refused, wall_ms: int) -> Verdict:
    """The verdict on a gossiped message: a refusal is the forwarder's fault, the future is nobody's."""
    if isinstance(admitted, Refused):
        return Verdict.REJECT
    if admitted.issued_at_ms > wall_ms + FUTURE_SKEW_MS_MAX:
        return Verdict.IGNORE
    return Verdict.ACCEPT
