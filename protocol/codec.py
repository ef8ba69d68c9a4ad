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


# What the keys of an open map are: not known yet, integers, text; 0 for arrays and for forbidden keys.
_NOT_A_MAP, _ANY_KEYS, _INTEGER_KEYS, _TEXT_KEYS = 0, 1, 2, 3
_ATOMS = (bytes, str, bool)
_KEY_TYPES = frozenset({int, str})
_KEY_KINDS = (_INTEGER_KEYS, _INTEGER_KEYS, 0, _TEXT_KEYS, 0, 0, 0, 0)


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
    if cbor2.dumps(value, canonical=True) != data:
        return Refused(Reason.NOT_CANONICAL, "")
    return value


def _scan(data: bytes) -> Refused | None:
    """Walk the heads before anything is built: depth, item count, lengths, types and map keys.

    What passes holds only integers, bytes, text, true, false, null, arrays, and maps whose keys are all
    integers or all text. One loop without calls: every received byte goes through it.
    """
    position, items, size = 0, 0, len(data)
    # Of the innermost open array or map: items left, and what its keys are so far (_NOT_A_MAP for arrays).
    left, keys = 1, _NOT_A_MAP
    outer: list[tuple[int, int]] = []
    while left or outer:
        if not left:
            left, keys = outer.pop()
            continue
        items += 1
        if items > CBOR_ITEMS_MAX or len(outer) >= CBOR_DEPTH_MAX:
            return Refused(Reason.MALFORMED, "too deep or too many items")
        if position >= size:
            return Refused(Reason.MALFORMED, "truncated")
        head = data[position]
        major, argument = head >> 5, head & 31
        position += 1
        if argument >= 24:
            if argument > 27:
                return Refused(Reason.NOT_CANONICAL, "indefinite length")
            width = 1 << (argument - 24)
            if position + width > size:
                return Refused(Reason.MALFORMED, "truncated")
            argument = int.from_bytes(data[position : position + width], "big")
            position += width
        if keys and not left & 1:  # the first item of a pair
            kind = _KEY_KINDS[major]
            if keys == _ANY_KEYS:
                keys = kind
            if keys != kind or not kind:
                return Refused(Reason.MALFORMED, "map keys are all integers or all text")
        left -= 1
        if major <= 1:
            if argument > UINT_MAX:
                return Refused(Reason.OUT_OF_BOUNDS, "integer too large")
        elif major <= 3:
            position += argument
            if position > size:
                return Refused(Reason.MALFORMED, "truncated")
        elif major <= 5:
            children = argument if major == 4 else 2 * argument
            if children > size - position:
                return Refused(Reason.MALFORMED, "truncated")
            outer.append((left, keys))
            left, keys = children, _NOT_A_MAP if major == 4 else _ANY_KEYS
        elif major == 6:
            return Refused(Reason.MALFORMED, "tags are not allowed")
        elif head not in (0xF4, 0xF5, 0xF6):
            return Refused(Reason.MALFORMED, "floats and other simple values are not allowed")
    if position != size:
        return Refused(Reason.MALFORMED, "bytes left over")
    return None


def _is_plain(value: object, depth: int) -> bool:
    """Is ``value`` of the closed set? For our own values; bytes from others go through ``_scan``."""
    if depth < 0:
        return False
    if value is None or isinstance(value, _ATOMS):
        return True
    if isinstance(value, int):
        return -UINT_MAX - 1 <= value <= UINT_MAX
    if isinstance(value, list):
        for item in value:
            # No call for what long lists are made of: all sent bytes come by.
            is_small = type(item) is int and -UINT_MAX <= item <= UINT_MAX and depth > 0
            if not (is_small or _is_plain(item, depth - 1)):
                return False
        return True
    if isinstance(value, dict):
        kinds = {type(key) for key in value}
        if len(kinds) > 1 or not kinds <= _KEY_TYPES:
            return False
        for key, item in value.items():  # noqa: SIM110 - likewise
            if not (_is_plain(key, 0) and _is_plain(item, depth - 1)):
                return False
        return True
    return False
