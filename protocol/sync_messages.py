"""Requests and answers of the sync protocol: reconcile, fetch, offer.

One request and one answer a stream. Refuses to know who asks or what is held; bounded both ways. Moves
only what was asked for: nobody can push an envelope through it.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from luminous.protocol.codec import decode, encode
from luminous.protocol.identifiers import ENVELOPE_ID_SIZE_BYTES, NETWORK_ID_SIZE_BYTES, NetworkId
from luminous.protocol.limits import (
    ENVELOPE_SIZE_BYTES_MAX,
    RECONCILIATION_FRAME_SIZE_BYTES_MAX,
    SYNC_IDS_MAX,
    SYNC_RESPONSE_SIZE_BYTES_MAX,
)
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.schema import Schema, blob, choice, fixed, many, uint

SYNC_PROTOCOL = "/luminous/sync/1"
_REQUEST_SIZE_BYTES_MAX = RECONCILIATION_FRAME_SIZE_BYTES_MAX + 256
_ANSWER_SIZE_BYTES_MAX = SYNC_RESPONSE_SIZE_BYTES_MAX + 4096


@dataclass(frozen=True, slots=True)
class Reconcile:
    """``frame``: one reconciliation message, in a request or in its answer."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Fetch:
    """Send me the envelopes with these ids."""

    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """You lack these; fetch them from me when you like. Also the answer: the ids that are welcome."""

    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Envelopes:
    """The answer to a fetch. Of the first ``considered`` ids, those that are held, as raw envelopes.

    The ids after that did not fit: ask again.
    """

    considered: int
    raws: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """The answer is no."""

    reason: Reason


Request: TypeAlias = Reconcile | Fetch | Offer
Answer: TypeAlias = Reconcile | Envelopes | Offer | Denied

_IDS = many(fixed(ENVELOPE_ID_SIZE_BYTES), SYNC_IDS_MAX, 1)
_RECONCILE: Schema[Any] = Schema(Reconcile, (0, "frame", blob(1, RECONCILIATION_FRAME_SIZE_BYTES_MAX)))
_FETCH: Schema[Any] = Schema(Fetch, (0, "ids", _IDS))
_OFFER: Schema[Any] = Schema(Offer, (0, "ids", _IDS))
_WELCOME: Schema[Any] = Schema(Offer, (0, "ids", many(fixed(ENVELOPE_ID_SIZE_BYTES), SYNC_IDS_MAX)))
_ENVELOPES: Schema[Any] = Schema(
    Envelopes,
    (0, "considered", uint(SYNC_IDS_MAX)),
    (1, "raws", many(blob(1, ENVELOPE_SIZE_BYTES_MAX), SYNC_IDS_MAX)),
)
_DENIED: Schema[Any] = Schema(Denied, (0, "reason", choice(Reason)))

_REQUESTS = {1: _RECONCILE, 2: _FETCH, 3: _OFFER}
_ANSWERS = {1: _RECONCILE, 2: _ENVELOPES, 3: _WELCOME, 4: _DENIED}


def encode_request(network: NetworkId, request: Request) -> bytes:
    """The bytes of a request to a peer of ``network``."""
    return encode([network, *_tagged(_REQUESTS, request)])


def decode_request(network: NetworkId, data: bytes) -> Request | Refused:
    """The request in ``data``, if it is one and of this network."""
    value = decode(data, _REQUEST_SIZE_BYTES_MAX)
    if isinstance(value, Refused):
        return value
    if not isinstance(value, list) or len(value) != 3:
        return Refused(Reason.MALFORMED, "a request has three parts")
    theirs = value[0]
    if not isinstance(theirs, bytes) or len(theirs) != NETWORK_ID_SIZE_BYTES:
        return Refused(Reason.MALFORMED, "no network id")
    if theirs != network:
        return Refused(Reason.FOREIGN_NETWORK, "")
    return _parse(_REQUESTS, value[1], value[2])  # type: ignore[return-value]


def encode_answer(answer: Answer) -> bytes:
    """The bytes of an answer."""
    return encode([*_tagged(_ANSWERS, answer)])


def decode_answer(data: bytes) -> Answer | Refused:
    """The answer in ``data``, if it is one."""
    value = decode(data, _ANSWER_SIZE_BYTES_MAX)
    if isinstance(value, Refused):
        return value
    if not isinstance(value, list) or len(value) != 2:
        return Refused(Reason.MALFORMED, "an answer has two parts")
    return _parse(_ANSWERS, value[0], value[1])  # type: ignore[return-value]


def _tagged(schemas: dict[int, Schema[Any]], message: object) -> tuple[Any, Any]:
    tag = next(tag for tag, schema in schemas.items() if schema.record is type(message))
    return tag, schemas[tag].pack(message)


def _parse(schemas: dict[int, Schema[Any]], tag: object, body: Any) -> object:
    schema = schemas.get(tag) if isinstance(tag, int) and not isinstance(tag, bool) else None
    return Refused(Reason.MALFORMED, "an unknown type") if schema is None else schema.parse(body)
