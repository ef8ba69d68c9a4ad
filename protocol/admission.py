"""Admission: from bytes to an envelope the domain may see. A pure function of the bytes.

Refuses to look at rolls, proposals or windows: whether a record counts is the domain's question, and a
node with another view never censors. Age never affects admission.
"""

from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from luminous.crypto.keys import is_public_key, is_signed
from luminous.protocol.codec import Value, decode
from luminous.protocol.envelope import (
    ENVELOPE,
    VERSION_MAX,
    WIRE_VERSION,
    Admitted,
    envelope_id,
    signed_digest,
)
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ENVELOPE_SIZE_BYTES_MAX, FUTURE_SKEW_MS_MAX
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.reasons import Reason, Refused

# Answers remembered, and the bytes of what they answer: as long as one message goes through the node. Stops
# messages from filling memory.
ANSWERS_MAX = 64
ANSWERS_SIZE_BYTES_MAX = 2 * 1024 * 1024
# Authors whose keys were checked: a check costs as much as a signature, an author writes many records.
AUTHORS_CHECKED_MAX = 4096
# What only a newer release understands: nobody's fault, so nobody is blamed for passing it on.
_NEWER = frozenset({Reason.WRONG_VERSION, Reason.UNKNOWN_KIND})


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


def admit(raw: bytes, network: NetworkId, checked: Container[bytes] = frozenset()) -> Admitted | Refused:
    """Check size, encoding, version, network, kind, payload bounds, signature and key, in order of cost.

    ``checked``: authors whose keys were found good before, as those of a roll are when they enter it.
    """
    if len(raw) > ENVELOPE_SIZE_BYTES_MAX:
        return Refused(Reason.OVERSIZED, f"{len(raw)} bytes")
    value = decode(raw)
    if isinstance(value, Refused):
        return value
    if _is_of_another_version(value):
        return Refused(Reason.WRONG_VERSION, "")
    envelope = ENVELOPE.parse(value)
    if isinstance(envelope, Refused):
        return envelope
    assert envelope.version == WIRE_VERSION
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
    if envelope.author not in checked and not _is_author(envelope.author):
        return Refused(Reason.BAD_KEY, "the author's key is outside the prime-order group")
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


def _is_of_another_version(value: Value) -> bool:
    """Judged before anything else: another version has other fields."""
    version: object = value.get(0) if isinstance(value, dict) else None  # type: ignore[call-overload]
    if not isinstance(version, int) or isinstance(version, bool):
        return False
    return version != WIRE_VERSION and 0 <= version <= VERSION_MAX


@lru_cache(maxsize=AUTHORS_CHECKED_MAX)
def _is_author(public: bytes) -> bool:
    """A key with a part of small order would have several names for one signer, and signatures on which
    libraries disagree (Chalkias, Garillot, Nikolaenko 2020)."""
    return is_public_key(public)


class Admissions:
    """Admission of one network, remembering its last answers: gossip, sync and the inbox ask again.

    Bounded in answers and in bytes; the oldest is forgotten first.
    """

    def __init__(
        self,
        network: NetworkId,
        size_max: int = ANSWERS_MAX,
        size_bytes_max: int = ANSWERS_SIZE_BYTES_MAX,
    ) -> None:
        self._network = network
        self._size_max = size_max
        self._size_bytes_max = size_bytes_max
        self._known: OrderedDict[bytes, Admitted | Refused] = OrderedDict()
        self._size_bytes = 0

    def admit(self, raw: bytes) -> Admitted | Refused:
        """See ``admit``."""
        known = self._known.get(raw)
        if known is None:
            known = admit(raw, self._network)
            self._known[raw] = known
            self._size_bytes += len(raw)
            while len(self._known) > self._size_max or self._size_bytes > self._size_bytes_max:
                oldest, _ = self._known.popitem(last=False)
                self._size_bytes -= len(oldest)
        return known


def judge(admissions: Admissions, arrival: Arrival, topic: str, wall_ms: int) -> Verdict:
    """May these bytes be relayed and heard? ``topic``: the one this network gossips on."""
    if arrival.topic != topic:
        return Verdict.REJECT
    return judge_gossip(admissions.admit(arrival.raw), wall_ms)


def judge_gossip(admitted: Admitted | Refused, wall_ms: int) -> Verdict:
    """The verdict on a gossiped message. A refusal is the forwarder's fault; the future, and what only a
    newer release understands, are nobody's: not passed on, but counted against the sender's quotas."""
    if isinstance(admitted, Refused):
        return Verdict.IGNORE if admitted.reason in _NEWER else Verdict.REJECT
    if admitted.issued_at_ms > wall_ms + FUTURE_SKEW_MS_MAX:
        return Verdict.IGNORE
    return Verdict.ACCEPT
