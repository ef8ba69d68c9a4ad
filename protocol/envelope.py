"""The envelope: a signed, canonical, network-bound wrapper around one payload.

Refuses to know payloads: kinds and schemas are ``messages``; whether it counts is the domain's.
"""

from dataclasses import dataclass
from typing import Any

from luminous.crypto.digest import digest
from luminous.crypto.keys import PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES, Signer
from luminous.protocol.codec import Value, encode
from luminous.protocol.identifiers import (
    NETWORK_ID_SIZE_BYTES,
    AuthorId,
    EnvelopeId,
    NetworkId,
)
from luminous.protocol.kinds import Kind
from luminous.protocol.schema import Schema, Shape, fixed, uint

WIRE_VERSION = 1
VERSION_MAX = 255
# The head of an array of seven items; keys 0 to 6; key 7 with the head of 64 bytes and the signature.
_SEVEN = b"\x87"
_KEYS_SIZE_BYTES = 7
_END_SIZE_BYTES = 1 + 2 + SIGNATURE_SIZE_BYTES

_ANY: Shape[Any] = Shape(lambda value: value, lambda value: value)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The wire form, decoded but not yet trusted. ``issued_at_ms`` is the author's wall clock."""

    version: int
    network: NetworkId
    kind: int
    author: AuthorId
    sequence: int
    issued_at_ms: int
    payload: Value
    signature: bytes


@dataclass(frozen=True, slots=True)
class Admitted:
    """An envelope that passed every check of the wire: what the domain sees. ``raw`` is its only encoding."""

    id: EnvelopeId
    network: NetworkId
    kind: Kind
    author: AuthorId
    sequence: int
    issued_at_ms: int
    payload: Any
    raw: bytes


ENVELOPE: Schema[Envelope] = Schema(
    Envelope,
    (0, "version", uint(VERSION_MAX)),
    (1, "network", fixed(NETWORK_ID_SIZE_BYTES)),
    (2, "kind", uint(255)),
    (3, "author", fixed(PUBLIC_KEY_SIZE_BYTES)),
    (4, "sequence", uint()),
    (5, "issued_at_ms", uint()),
    (6, "payload", _ANY),
    (7, "signature", fixed(SIGNATURE_SIZE_BYTES)),
)


def signing_digest(
    network: NetworkId, kind: int, author: AuthorId, sequence: int, issued_at_ms: int, payload: Value
) -> bytes:
    """What an author signs: every field but the signature, under the envelope domain."""
    return packed_digest(network, kind, author, sequence, issued_at_ms, encode(payload))


def packed_digest(
    network: NetworkId, kind: int, author: AuthorId, sequence: int, issued_at_ms: int, packed: bytes
) -> bytes:
    """``signing_digest`` of a payload that is encoded already: it is the last item of an array of seven."""
    head = encode([WIRE_VERSION, network, kind, author, sequence, issued_at_ms])
    return digest("envelope", _SEVEN + head[1:] + packed)


def signed_digest(raw: bytes, envelope: Envelope) -> bytes:
    """What the author of ``envelope`` must have signed; ``raw``: its canonical bytes, checked as such.

    The payload is cut from them, not encoded again: it stands between six fields, each behind a key of one
    byte, its own key, and the key and signature at the end.
    """
    head = encode(
        [
            envelope.version,
            envelope.network,
            envelope.kind,
            envelope.author,
            envelope.sequence,
            envelope.issued_at_ms,
        ]
    )
    packed = raw[len(head) + _KEYS_SIZE_BYTES : -_END_SIZE_BYTES]
    return digest("envelope", _SEVEN + head[1:] + packed)


def envelope_id(raw: bytes) -> EnvelopeId:
    """The id of an envelope: the digest of its canonical bytes."""
    return EnvelopeId(digest("envelope-id", raw))


def seal(
    signer: Signer, network: NetworkId, kind: Kind, sequence: int, issued_at_ms: int, payload: Value
) -> bytes:
    """Sign ``payload`` (already packed) and return the envelope's canonical bytes."""
    author = AuthorId(signer.public)
    signature = signer.sign(signing_digest(network, kind, author, sequence, issued_at_ms, payload))
    return encode(
        {
            0: WIRE_VERSION,
            1: network,
            2: int(kind),
            3: author,
            4: sequence,
            5: issued_at_ms,
            6: payload,
            7: signature,
        }
    )
