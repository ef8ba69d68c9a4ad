"""Typed records to and from canonical values: one description serves both directions.

Refuses unknown keys, missing keys, wrong types and anything outside the stated bounds; never raises for
a peer's value. Records use small integer keys on the wire.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from luminous.protocol.codec import Value
from luminous.protocol.limits import UINT_MAX
from luminous.protocol.reasons import Reason, Refused

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """How one field looks on the wire: ``pack`` to a value, ``parse`` back or a refusal."""

    pack: Callable[[Any], Value]
    parse: Callable[[Value], T | Refused]


def _bad(what: str) -> Refused:
    return Refused(Reason.OUT_OF_BOUNDS, what)


def integer(low: int, high: int) -> Shape[int]:
    """An integer in [low, high]."""

    def parse(value: Value) -> int | Refused:
        if isinstance(value, bool) or not isinstance(value, int):
            return Refused(Reason.MALFORMED, "an integer is expected")
        return value if low <= value <= high else _bad(f"{value} is not in {low}..{high}")

    return Shape(lambda value: int(value), parse)


def uint(high: int = UINT_MAX) -> Shape[int]:
    """An integer in [0, high]."""
    return integer(0, high)


def flag() -> Shape[bool]:
    """true or false."""
    return Shape(
        lambda value: bool(value),
        lambda value: value if isinstance(value, bool) else Refused(Reason.MALFORMED, "a flag is expected"),
    )


def blob(low: int, high: int) -> Shape[bytes]:
    """Bytes of a length in [low, high]."""

    def parse(value: Value) -> bytes | Refused:
        if not isinstance(value, bytes):
            return Refused(Reason.MALFORMED, "bytes are expected")
        return value if low <= len(value) <= high else _bad(f"{len(value)} bytes, {low} to {high} allowed")

    return Shape(lambda value: bytes(value), parse)


def fixed(size_bytes: int) -> Shape[bytes]:
    """Exactly ``size_bytes`` bytes."""
    return blob(size_bytes, size_bytes)


def text(high_bytes: int, low_bytes: int = 0) -> Shape[str]:
    """UTF-8 text without control characters other than newline and tab; length in bytes."""

    def parse(value: Value) -> str | Refused:
        if not isinstance(value, str):
            return Refused(Reason.MALFORMED, "text is expected")
        size = len(value.encode("utf-8", "surrogatepass"))
        if not low_bytes <= size <= high_bytes:
            return _bad(f"{size} bytes of text, {low_bytes} to {high_bytes} allowed")
        if any(_is_control(char) for char in value):
            return _bad("control characters in text")
        return value

    return Shape(lambda value: str(value), parse)


def _is_control(char: str) -> bool:
    point = ord(char)
    return (
        (point < 32 and char not in "\n\t")
        or 0x7F <= point < 0xA0
        or 0x200B <= point <= 0x200F
        or 0x202A <= point <= 0x202E
        or 0x2060 <= point <= 0x2069
        or 0xD800 <= point <= 0xDFFF
        or point == 0xFEFF
    )


def choice(kind: type[T]) -> Shape[T]:
    """A member of an ``Enum`` whose values are integers or text."""

    def parse(value: Value) -> T | Refused:
        if isinstance(value, bool) or not isinstance(value, int | str):
            return Refused(Reason.MALFORMED, "a choice is expected")
        try:
            return kind(value)  # type: ignore[call-arg]
        except ValueError:
            return _bad(f"{value!r:.40} is not a {kind.__name__}")

    return Shape(lambda value: value.value, parse)


def optional(inner: Shape[T]) -> Shape[T | None]:
    """null, or what ``inner`` says."""
    return Shape(
        lambda value: None if value is None else inner.pack(value),
        lambda value: None if value is None else inner.parse(value),
    )


def many(inner: Shape[T], high: int, low: int = 0) -> Shape[tuple[T, ...]]:
    """An array of ``low`` to ``high`` items; a tuple in memory."""

    def parse(value: Value) -> tuple[T, ...] | Refused:
        if not isinstance(value, list):
            return Refused(Reason.MALFORMED, "an array is expected")
        if not low <= len(value) <= high:
            return _bad(f"{len(value)} items, {low} to {high} allowed")
        items: list[T] = []
        for raw in value:
            item = inner.parse(raw)
            if isinstance(item, Refused):
                return item
            items.append(item)
        return tuple(items)

    return Shape(lambda value: [inner.pack(item) for item in value], parse)


class Schema(Generic[T]):
    """A dataclass and its fields: ``Schema(Ballot, (1, "proposal", fixed(32)), ...)``.

    ``check`` may refuse a combination of fields that are each within bounds. ``extras``: fields that are on
    the wire exactly when they differ from their default, so records without them have the bytes they had
    before those fields existed; a default that is written out is refused (one value, one encoding).
    """

    def __init__(
        self,
        record: type[T],
        *fields: tuple[int, str, Shape[Any]],
        check: Callable[[T], Refused | None] | None = None,
        extras: tuple[tuple[int, str, Shape[Any], object], ...] = (),
    ) -> None:
        assert len({key for key, *_ in (*fields, *extras)}) == len(fields) + len(extras)
        self.record = record
        self.fields = fields
        self.extras = extras
        self._check = check

    def pack(self, record: T) -> Value:
        """The record as a map of integer keys."""
        packed = {key: shape.pack(getattr(record, name)) for key, name, shape in self.fields}
        for key, name, shape, default in self.extras:
            if getattr(record, name) != default:
                packed[key] = shape.pack(getattr(record, name))
        return packed

    def parse(self, value: Value) -> T | Refused:
        """The record of a decoded map, or why not."""
        if not isinstance(value, dict):
            return Refused(Reason.MALFORMED, "a map is expected")
        present = [extra for extra in self.extras if extra[0] in value]
        if len(value) != len(self.fields) + len(present):
            return Refused(Reason.MALFORMED, "unknown or missing keys")
        arguments: dict[str, Any] = {}
        for key, name, shape in self.fields:
            if key not in value:
                return Refused(Reason.MALFORMED, f"key {key} is missing")
            parsed = shape.parse(value[key])  # type: ignore[index]
            if isinstance(parsed, Refused):
                return Refused(parsed.reason, f"{name}: {parsed.detail}")
            arguments[name] = parsed
        for key, name, shape, default in present:
            parsed = shape.parse(value[key])  # type: ignore[index]
            if isinstance(parsed, Refused):
                return Refused(parsed.reason, f"{name}: {parsed.detail}")
            if parsed == default:
                return Refused(Reason.NOT_CANONICAL, f"{name}: a default is not written")
            arguments[name] = parsed
        record = self.record(**arguments)
        if self._check is not None:
            refusal = self._check(record)
            if refusal is not None:
                return refusal
        return record


def nested(schema: Schema[T]) -> Shape[T]:
    """A record inside a record."""
    return Shape(schema.pack, schema.parse)
