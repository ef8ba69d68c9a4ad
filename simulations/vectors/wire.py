"""The encoding and the digests below everything else: what is canonical, and what each name keeps apart.

Refuses values outside the closed set; the refused ones are written as bytes by hand.
"""

from typing import Any

from luminous.crypto.digest import digest
from luminous.protocol.codec import Value, encode
from luminous.protocol.reasons import Reason
from luminous.simulations.vectors.scene import File, Json

_GOOD: tuple[tuple[str, Any], ...] = (
    ("zero", 0),
    ("23, the last of one byte", 23),
    ("24, the first of two", 24),
    ("255", 255),
    ("256", 256),
    ("2^32 - 1", 2**32 - 1),
    ("2^32", 2**32),
    ("2^63 - 1, the largest", 2**63 - 1),
    ("-1", -1),
    ("-2^63, the smallest", -(2**63)),
    ("true", True),
    ("false", False),
    ("null", None),
    ("no bytes", b""),
    ("bytes", b"\x00\xff"),
    ("no text", ""),
    ("text", "nœud"),
    ("an empty array", []),
    ("an array", [1, [2, b"3"]]),
    ("an empty map", {}),
    ("integer keys, in the order of their encodings", {10: 1, 9: 2, 100: 3, -1: 4}),
    ("text keys, shorter first", {"b": 1, "aa": 2, "a": 3}),
)

_BAD: tuple[tuple[str, str, Reason], ...] = (
    ("nothing", "", Reason.MALFORMED),
    ("cut integer", "19ff", Reason.MALFORMED),
    ("cut bytes", "43ffff", Reason.MALFORMED),
    ("cut array", "8201", Reason.MALFORMED),
    ("a second value after the first", "0000", Reason.MALFORMED),
    ("an array that claims 2^32 items", "9affffffff", Reason.MALFORMED),
    ("23 in two bytes", "1817", Reason.NOT_CANONICAL),
    ("255 in three bytes", "1900ff", Reason.NOT_CANONICAL),
    ("1 in nine bytes", "1b0000000000000001", Reason.NOT_CANONICAL),
    ("a length in two bytes", "5801ff", Reason.NOT_CANONICAL),
    ("indefinite bytes", "5f41ffff", Reason.NOT_CANONICAL),
    ("indefinite array", "9f01ff", Reason.NOT_CANONICAL),
    ("indefinite map", "bf0102ff", Reason.NOT_CANONICAL),
    ("reserved argument 28", "1c", Reason.NOT_CANONICAL),
    ("keys out of order", "a202000100", Reason.NOT_CANONICAL),
    ("longer key first", "a2626161006162 00".replace(" ", ""), Reason.NOT_CANONICAL),
    ("one key twice", "a201000100", Reason.NOT_CANONICAL),
    ("integer and text keys", "a2010061 6100".replace(" ", ""), Reason.MALFORMED),
    ("a key of bytes", "a1410100", Reason.MALFORMED),
    ("a key of true", "a1f500", Reason.MALFORMED),
    ("a key that is an array", "a18000", Reason.MALFORMED),
    ("half float", "f93c00", Reason.MALFORMED),
    ("single float", "fa3f800000", Reason.MALFORMED),
    ("double float", "fb3ff0000000000000", Reason.MALFORMED),
    ("not a number", "f97e00", Reason.MALFORMED),
    ("undefined", "f7", Reason.MALFORMED),
    ("simple value 32", "f820", Reason.MALFORMED),
    ("true in two bytes", "f815", Reason.MALFORMED),
    ("break alone", "ff", Reason.NOT_CANONICAL),
    ("tag 2, a big number", "c24101", Reason.MALFORMED),
    ("tag 55799, self-described", "d9d9f700", Reason.MALFORMED),
    ("2^63", "1b8000000000000000", Reason.OUT_OF_BOUNDS),
    ("-2^63 - 1", "3b8000000000000000", Reason.OUT_OF_BOUNDS),
    ("text that is not UTF-8", "61ff", Reason.MALFORMED),
    ("text with half a surrogate", "63eda080", Reason.MALFORMED),
    ("thirteen arrays", "81" * 13 + "00", Reason.MALFORMED),
)

_DIGESTS: tuple[tuple[str, tuple[bytes, ...], int], ...] = (
    ("envelope", (), 32),
    ("envelope", (b"",), 32),
    ("envelope", (b"ab", b"c"), 32),
    ("envelope", (b"a", b"bc"), 32),
    ("envelope", (b"abc",), 32),
    ("envelope-id", (b"abc",), 32),
    ("genesis", (b"abc",), 16),
    ("genesis", (b"abc",), 32),
    ("card", (b"abc",), 4),
    ("layout", (b"abc",), 8),
    ("heads", (b"abc",), 32),
    ("minutes", (b"abc",), 32),
    ("tally", (b"abc",), 32),
    ("delta-set", (b"abc",), 32),
    ("aggregate", (b"abc",), 32),
    ("rotation", (b"abc",), 32),
    ("constitution", (b"abc",), 32),
)


def plain(value: Value) -> Json:
    """A value as JSON that keeps types apart: bytes and maps are tagged."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {"map": [[key, plain(item)] for key, item in value.items()]}
    return [plain(item) for item in value] if isinstance(value, list) else value


def make_codec() -> File:
    """tests/vectors/codec.json"""
    return {
        "about": "canonical CBOR: the one encoding of each value, and bytes that are refused",
        "source": "luminous.protocol.codec",
        "vectors": [
            {"name": name, "value": plain(value), "cbor": encode(value).hex()} for name, value in _GOOD
        ],
        "refused": [{"name": name, "cbor": raw, "reason": reason.value} for name, raw, reason in _BAD],
    }


def make_digests() -> File:
    """tests/vectors/digests.json"""
    rows = [
        {
            "domain": domain,
            "parts": [part.hex() for part in parts],
            "size_bytes": size,
            "digest": digest(domain, *parts, size_bytes=size).hex(),
        }
        for domain, parts, size in _DIGESTS
    ]
    return {
        "about": "BLAKE2b with a domain and length prefixes: no two rows of one size are equal",
        "source": "luminous.crypto.digest",
        "vectors": rows,
    }
