"""Canonical CBOR: round trips, refusals, and the bounds that stop bombs."""

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.protocol.codec import _is_plain, _scan, decode, encode
from luminous.protocol.limits import CBOR_DEPTH_MAX, UINT_MAX
from luminous.protocol.reasons import Reason, Refused

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-UINT_MAX - 1, UINT_MAX)
    | st.binary(max_size=40)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-5, 5), inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=200)
def test_what_is_encoded_is_decoded(value: object) -> None:
    assert decode(encode(value)) == value  # type: ignore[arg-type]


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_a_value_or_a_refusal(data: bytes) -> None:
    value = decode(data)
    if not isinstance(value, Refused):
        assert encode(value) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.MALFORMED),
        (bytes.fromhex("fb3ff0000000000000"), Reason.MALFORMED),  # a float
        (bytes.fromhex("f97e00"), Reason.MALFORMED),  # NaN
        (bytes.fromhex("9f01ff"), Reason.NOT_CANONICAL),  # indefinite length
        (bytes.fromhex("1801"), Reason.NOT_CANONICAL),  # 1 in two bytes
        (bytes.fromhex("a201010102"), Reason.NOT_CANONICAL),  # the same key twice
        (bytes.fromhex("a202010101"), Reason.NOT_CANONICAL),  # keys out of order
        (bytes.fromhex("c249010000000000000000"), Reason.MALFORMED),  # a big number
        (bytes.fromhex("1bffffffffffffffff"), Reason.OUT_OF_BOUNDS),
        (bytes.fromhex("f7"), Reason.MALFORMED),  # undefined
        (bytes.fromhex("62c328"), Reason.MALFORMED),  # invalid UTF-8
        (bytes.fromhex("9affffffff"), Reason.MALFORMED),  # four billion items promised
        (bytes.fromhex("5affffffff"), Reason.MALFORMED),
        (bytes.fromhex("0000"), Reason.MALFORMED),  # bytes left over
        (b"\x81" * (CBOR_DEPTH_MAX + 5) + b"\x00", Reason.MALFORMED),
        (b"\x81" * 60_000 + b"\x00", Reason.MALFORMED),
        (b"\x00" * 70_000, Reason.OVERSIZED),
        (bytes.fromhex("a10181a1f401"), Reason.MALFORMED),  # a map within: the key is a flag
        (bytes.fromhex("a1410101"), Reason.MALFORMED),  # the key is bytes
        (bytes.fromhex("a1800101"), Reason.MALFORMED),  # the key is an array
        (bytes.fromhex("a20102616103"), Reason.MALFORMED),  # an integer key and a text key
        (bytes.fromhex("a2616101200a"), Reason.MALFORMED),  # the other way round
    ],
)
def test_what_is_refused_and_why(data: bytes, reason: Reason) -> None:
    refused = decode(data)
    assert isinstance(refused, Refused)
    assert refused.reason is reason


def test_a_decoder_without_the_canonical_check_would_take_a_second_encoding() -> None:
    """The planted fault: plain cbor2 reads two byte strings as one value."""
    assert cbor2.loads(bytes.fromhex("1801")) == cbor2.loads(bytes.fromhex("01"))
    assert isinstance(decode(bytes.fromhex("1801")), Refused)


# Bytes that are nearly CBOR reach the deeper checks, where random bytes would be refused at once.
NEARLY = st.lists(
    st.sampled_from([bytes([head]) for head in (0, 1, 0x20, 0x40, 0x41, 0x60, 0x61, 0x80, 0x81, 0x82)])
    | st.sampled_from(
        [bytes([head]) for head in (0xA0, 0xA1, 0xA2, 0xA3, 0xC2, 0xF4, 0xF5, 0xF6, 0xF7, 0xF9)]
    )
    | st.sampled_from([b"\x18\x01", b"\x18\x20", b"\x1b" + b"\xff" * 8, b"\x9f", b"\xff", b"a", b"b"]),
    max_size=14,
).map(b"".join)


@given(NEARLY)
@settings(max_examples=400)
def test_what_the_scan_passes_is_of_the_closed_set(data: bytes) -> None:
    """The scan alone stands for the walk over the decoded value: it must not pass more."""
    if _scan(data) is None:
        try:
            value = cbor2.loads(data)
        except (cbor2.CBORDecodeError, ValueError, TypeError):
            return
        assert _is_plain(value, CBOR_DEPTH_MAX)
        assert isinstance(decode(data), Refused) or encode(value) == data


@pytest.mark.parametrize("value", [1.5, {1: 1, "a": 2}, (1,), 2**70, {True: 1}])
def test_our_own_wrong_values_are_our_fault(value: object) -> None:
    with pytest.raises(AssertionError):
        encode(value)  # type: ignore[arg-type]
