"""The packets of libp2p's discovery on a local network (libp2p specs, discovery/mdns.md; RFC 1035, RFC 6762).

A question asks for the service; an answer holds a pointer to a random name and, as text under that name, the
addresses of one peer. The service's name carries a fingerprint of the network, as the specification has it
for private networks. Refuses whatever else DNS can say, loops of pointers, and more records than a peer has.
"""

import struct
from dataclasses import dataclass

from luminous.protocol.limits import ADDRESS_SIZE_BYTES_MAX, ADDRESSES_PER_CARD_MAX
from luminous.protocol.reasons import Reason, Refused

PACKET_SIZE_BYTES_MAX = 9000
# Records and questions looked at in one packet, and pointers followed in one name. Stops decompression bombs.
RECORDS_MAX = 32
JUMPS_MAX = 8
NAME_SIZE_BYTES_MAX = 255
_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
PTR, TXT, IN, ANY = 12, 16, 1, 255
_RESPONSE = 0x8400
_TTL_S = 120
_KEY = b"dnsaddr="


@dataclass(frozen=True, slots=True)
class Packet:
    """What a packet says about one service: whether it asks for it, and the addresses that it tells."""

    is_question: bool
    addresses: tuple[str, ...]


def write_question(service: str) -> bytes:
    """Who is there?"""
    return _HEADER.pack(0, 0, 1, 0, 0, 0) + _name(service) + _QUESTION.pack(PTR, IN)


def write_answer(service: str, name: str, addresses: tuple[str, ...]) -> bytes:
    """One peer and where it is; ``name``: a random label."""
    full = _name(f"{name}.{service}")
    texts = [_KEY + address.encode() for address in addresses[:ADDRESSES_PER_CARD_MAX]]
    body = b"".join(bytes([len(text)]) + text for text in texts if len(text) < 256)
    pointer = _name(service) + _RECORD.pack(PTR, IN, _TTL_S, len(full)) + full
    return (
        _HEADER.pack(0, _RESPONSE, 0, 1, 0, 1)
        + pointer
        + full
        + _RECORD.pack(TXT, IN, _TTL_S, len(body))
        + body
    )


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def read(raw: bytes, service: str) -> Packet | Refused:
    """What a packet says about ``service``; nothing of it is believed yet."""
    if not _HEADER.size <= len(raw) <= PACKET_SIZE_BYTES_MAX:
        return Refused(Reason.OVERSIZED if raw else Reason.MALFORMED, "no packet of this size")
    _, flags, questions, *counts = _HEADER.unpack_from(raw)
    records = sum(counts)
    if questions + records > RECORDS_MAX:
        return Refused(Reason.TOO_MANY, "records")
    wanted = service.lower()
    try:
        at, is_question, found = _HEADER.size, False, []
        for _ in range(questions):
            name, at = _read_name(raw, at)
            kind, _ = _QUESTION.unpack_from(raw, at)
            at += _QUESTION.size
            is_question |= kind in (PTR, ANY) and name == wanted and not flags & 0x8000
        for _ in range(records):
            name, at = _read_name(raw, at)
            kind, _, _, size = _RECORD.unpack_from(raw, at)
            at += _RECORD.size
            if at + size > len(raw):
                return Refused(Reason.MALFORMED, "cut short")
            if kind == TXT and name.endswith(f".{wanted}"):
                found += _addresses(raw[at : at + size])
            at += size
    except (struct.error, ValueError):
        return Refused(Reason.MALFORMED, "no DNS packet")
    return Packet(is_question, tuple(found[:ADDRESSES_PER_CARD_MAX]))


def _addresses(body: bytes) -> list[str]:
    found, at = [], 0
    while at < len(body):
        text = body[at + 1 : at + 1 + body[at]]
        at += 1 + body[at]
        if text.startswith(_KEY) and len(text) <= ADDRESS_SIZE_BYTES_MAX and text.isascii():
            found.append(text[len(_KEY) :].decode())
    return found


def _read_name(raw: bytes, at: int) -> tuple[str, int]:
    """A name in lower case and where it ends. Raises ``ValueError``."""
    labels: list[str] = []
    end, jumps, size = 0, 0, 0
    while True:
        if at >= len(raw):
            raise ValueError("cut short")
        length = raw[at]
        if length >= 0xC0:
            if at + 1 >= len(raw) or jumps >= JUMPS_MAX:
                raise ValueError("pointers")
            end = end or at + 2
            at, jumps = (length & 0x3F) << 8 | raw[at + 1], jumps + 1
            continue
        at += 1
        if length == 0:
            return ".".join(labels).lower(), end or at
        size += length + 1
        if length > 63 or size > NAME_SIZE_BYTES_MAX or at + length > len(raw):
            raise ValueError("label")
        labels.append(raw[at : at + length].decode("ascii", "replace"))
        at += length
