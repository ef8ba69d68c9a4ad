"""Deterministic CBOR (RFC 8949 section 4.2.1) for a closed set of values.

Refuses floats, tags, indefinite lengths, simple values other than true, false and null, map keys that
are not integers or text, and any bytes that are not the one canonical encoding of their value.
"""

import io
from typing import TypeAlias

import cbor2

from luminous.protocol.limits import CBOR_DEPTH_MAX, CBOR_ITEMS_MAX, ENVELOPE_SIZE_BYTES_MAX, UINT_MAX
from luminous.protocol.reasons import Reason, Refused

Value: TypeAlias = int | bytes | str | bool | list["Value"] | dict[int, "Value"] | dict[str, "Value"] | None


def encode(value: Value) -> bytes:
    """The one canonical encoding. Asserts that the value is of the closed set: a wrong one is our fault."""
    assert _is_plain(value, CBOR_DEPTH_MAX), f"not encodable: {value!r:.200}"
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, size_bytes_max: int = ENVELOPE_SIZE_BYTES_MAX) -> Value | Refused:
    """The value of canonical ``data``, or why not. Never raises for any bytes."""
    if len(data) > size_bytes_max:
        return Refused(Reason.OVERSIZED, f"{len(data)} bytes, at most {size_bytes_max}")
    shape = _scan(data)
    if isinstance(shape, Refused):
        return shape
    stream = io.BytesIO(data)
    try:
        value: Value = cbor2.CBORDecoder(stream).decode()
    except (cbor2.CBORDecodeError, ValueError, OverflowError, RecursionError, TypeError) as error:
        return Refused(Reason.MALFORMED, type(error).__name__)
    if not _is_plain(value, CBOR_DEPTH_MAX):
        return Refused(Reason.MALFORMED, "a type that is not allowed")
    if cbor2.dumps(value, canonical=True) != data:
        return Refused(Reason.NOT_CANONICAL, "")
    return value


def _scan(data: bytes) -> Refused | None:
    """Walk the heads before anything is built: depth, item count and lengths are bounded here."""
    position, remaining, items = 0, [1], 0
    size = len(data)
    while remaining:
        if remaining[-1] == 0:
            remaining.pop()
            continue
        remaining[-1] -= 1
        items += 1
        if items > CBOR_ITEMS_MAX or len(remaining) > CBOR_DEPTH_MAX:
            return Refused(Reason.MALFORMED, "too deep or too many items")
        if position >= size:
            return Refused(Reason.MALFORMED, "truncated")
        head = data[position]
        major, info = head >> 5, head & 31
        position += 1
        if info < 24:
            argument = info
        elif info <= 27:
            width = 1 << (info - 24)
            if position + width > size:
                return Refused(Reason.MALFORMED, "truncated")
            argument = int.from_bytes(data[position : position + width], "big")
            position += width
        else:
            return Refused(Reason.NOT_CANONICAL, "indefinite length")
        if major in (0, 1):
            if argument > UINT_MAX:
                return Refused(Reason.OUT_OF_BOUNDS, "integer too large")
        elif major in (2, 3):
            position += argument
            if position > size:
                return Refused(Reason.MALFORMED, "truncated")
        elif major in (4, 5):
            children = argument if major == 4 else 2 * argument
            if children > size - position:
                return Refused(Reason.MALFORMED, "truncated")
            remaining.append(children)
        elif major == 6:
            return Refused(Reason.MALFORMED, "tags are not allowed")
        elif head not in (0xF4, 0xF5, 0xF6):
            return Refused(Reason.MALFORMED, "floats and other simple values are not allowed")
    if position != size:
        return Refused(Reason.MALFORMED, "bytes left over")
    return None


def _is_plain(value: object, depth: int) -> bool:
    if depth < 0:
        return False
    if value is None or isinstance(value, bool | bytes | str):
        return True
    if isinstance(value, int):
        return -UINT_MAX - 1 <= value <= UINT_MAX
    if isinstance(value, list):
        return all(_is_plain(item, depth - 1) for item in value)
    if isinstance(value, dict):
        kinds = {type(key) for key in value}
        return (
            len(kinds) <= 1
            and kinds <= {int, str}
            and all(_is_plain(key, 0) and _is_plain(item, depth - 1) for key, item in value.items())
        )
    return False
