"""The wire of range-based set reconciliation: bounds, ranges and messages of the Negentropy protocol v1.

Refuses to know records: it reads and writes ranges. Refuses (as values) varints that are too long or not
minimal, bounds that go backwards, unknown modes and more ranges than the limits allow.

Source: docs/negentropy-protocol-v1.md of hoytech/negentropy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from luminous.protocol.limits import RECONCILIATION_FRAME_SIZE_BYTES_MAX, RECONCILIATION_RANGES_MAX
from luminous.protocol.reasons import Reason, Refused

VERSION_BYTE = 0x61
ID_SIZE_BYTES = 32
FINGERPRINT_SIZE_BYTES = 16
# The reserved timestamp: no record may carry it.
INFINITY_MS = 2**64 - 1

_SKIP, _FINGERPRINT, _ID_LIST = 0, 1, 2
_VARINT_SIZE_BYTES_MAX = 10

# A place between records: (timestamp in ms, id padded with zeros to 32 bytes). Compares like records do.
Bound: TypeAlias = tuple[int, bytes]

LOWEST: Bound = (0, bytes(ID_SIZE_BYTES))
INFINITY: Bound = (INFINITY_MS, bytes(ID_SIZE_BYTES))


@dataclass(frozen=True, slots=True)
class Skip:
    """The sender is content with this range."""

    upper: Bound


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``value``: the sender's 16-byte digest of its ids in this range."""

    upper: Bound
    value: bytes


@dataclass(frozen=True, slots=True)
class IdList:
    """``ids``: every id the sender has in this range, 32 bytes each."""

    upper: Bound
    ids: tuple[bytes, ...]


Range: TypeAlias = Skip | Fingerprint | IdList


def encode_varint(value: int) -> bytes:
    """Base 128, most significant digit first, as few digits as possible."""
    assert value >= 0
    digits = bytearray((value & 0x7F,))
    value >>= 7
    while value:
        digits.append(0x80 | (value & 0x7F))
        value >>= 7
    digits.reverse()
    return bytes(digits)


def bound_between(before: Bound, after: Bound) -> Bound:
    """The shortest bound that separates two neighbouring records: above ``before``, not above ``after``."""
    assert before < after
    if before[0] != after[0]:
        return (after[0], bytes(ID_SIZE_BYTES))
    shared = next(i for i in range(ID_SIZE_BYTES) if before[1][i] != after[1][i])
    return (after[0], after[1][: shared + 1].ljust(ID_SIZE_BYTES, b"\0"))


class MessageWriter:
    """A message under construction. Merges neighbouring skips and leaves out the last one.

    ``size_bytes`` is what has been written; a skip that waits for a successor is not counted.
    """

    def __init__(self) -> None:
        self._out = bytearray((VERSION_BYTE,))
        self._last_ms = 0
        self._skip_to: Bound | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""
        return len(self._out)

    def skip(self, upper: Bound) -> None:
        """Nothing more to say up to ``upper``."""
        self._skip_to = upper

    def fingerprint(self, upper: Bound, value: bytes) -> None:
        """A fingerprint range."""
        self._open(upper, _FINGERPRINT)
        self._out += value

    def id_list(self, upper: Bound, ids: Sequence[bytes]) -> None:
        """An id list range."""
        self._open(upper, _ID_LIST)
        self._out += encode_varint(len(ids))
        self._out += b"".join(ids)

    def finish(self) -> bytes:
        """The message."""
        return bytes(self._out)

    def _open(self, upper: Bound, mode: int) -> None:
        if self._skip_to is not None:
            self._bound(self._skip_to)
            self._out += encode_varint(_SKIP)
            self._skip_to = None
        self._bound(upper)
        self._out += encode_varint(mode)

    def _bound(self, bound: Bound) -> None:
        at_ms, padded = bound
        if at_ms == INFINITY_MS:
            self._out += b"\0\0"
            return
        prefix = padded.rstrip(b"\0")
        self._out += encode_varint(1 + at_ms - self._last_ms)
        self._out += encode_varint(len(prefix))
        self._out += prefix
        self._last_ms = at_ms


class _Malformed(Exception):
    """Inside this module only: what is wrong with a message."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._last_ms = 0

    @property
    def is_at_end(self) -> bool:
        return self._at == len(self._data)

    def take(self, size_bytes: int) -> bytes:
        end = self._at + size_bytes
        if end > len(self._data):
            raise _Malformed("truncated")
        chunk = self._data[self._at : end]
        self._at = end
        return chunk

    def varint(self) -> int:
        value = 0
        for position in range(_VARINT_SIZE_BYTES_MAX):
            (digit,) = self.take(1)
            if position == 0 and digit == 0x80:
                raise _Malformed("a varint with a leading zero")
            value = value << 7 | digit & 0x7F
            if digit < 0x80:
                return value
        raise _Malformed("a varint that is too long")

    def bound(self) -> Bound:
        encoded_ms = self.varint()
        size_bytes = self.varint()
        if size_bytes > ID_SIZE_BYTES:
            raise _Malformed("a bound longer than an id")
        prefix = self.take(size_bytes).ljust(ID_SIZE_BYTES, b"\0")
        if encoded_ms == 0:
            self._last_ms = INFINITY_MS
            return (INFINITY_MS, prefix)
        at_ms = self._last_ms + encoded_ms - 1
        if at_ms >= INFINITY_MS:
            raise _Malformed("a timestamp beyond infinity")
        self._last_ms = at_ms
        return (at_ms, prefix)

    def range(self) -> Range:
        upper = self.bound()
        mode = self.varint()
        if mode == _SKIP:
            return Skip(upper)
        if mode == _FINGERPRINT:
            return Fingerprint(upper, self.take(FINGERPRINT_SIZE_BYTES))
        if mode != _ID_LIST:
            raise _Malformed(f"mode {mode}")
        count = self.varint()
        packed = self.take(count * ID_SIZE_BYTES)
        starts = range(0, len(packed), ID_SIZE_BYTES)
        return IdList(upper, tuple(packed[at : at + ID_SIZE_BYTES] for at in starts))


def parse_message(data: bytes) -> tuple[Range, ...] | Refused:
    """The ranges of a version 1 message, or why not. Never raises for any bytes.

    WRONG_VERSION names the version byte; the server role answers that with its own version byte.
    """
    if len(data) > RECONCILIATION_FRAME_SIZE_BYTES_MAX:
        return Refused(Reason.OVERSIZED, f"{len(data)} bytes")
    if not data or not 0x60 <= data[0] <= 0x6F:
        return Refused(Reason.MALFORMED, "no version byte")
    if data[0] != VERSION_BYTE:
        return Refused(Reason.WRONG_VERSION, f"version byte {data[0]:#x}")
    reader = _Reader(data)
    reader.take(1)
    ranges: list[Range] = []
    lower = LOWEST
    try:
        while not reader.is_at_end:
            if len(ranges) == RECONCILIATION_RANGES_MAX:
                return Refused(Reason.TOO_MANY, "ranges in one message")
            ranges.append(reader.range())
            if ranges[-1].upper < lower:
                return Refused(Reason.MALFORMED, "a bound that goes backwards")
            lower = ranges[-1].upper
    except _Malformed as wrong:
        return Refused(Reason.MALFORMED, str(wrong))
    return tuple(ranges)
