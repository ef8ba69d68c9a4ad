"""Envelopes that admission refuses, one for every way to be wrong that it can tell apart.

Refuses accidents: each is honest but for one thing, and signed again, so that only the named check can
refuse it.
"""

from typing import Any

from luminous.crypto.keys import Signer
from luminous.protocol.codec import Value
from luminous.protocol.envelope import WIRE_VERSION, signing_digest
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1
from luminous.protocol.reasons import Reason
from luminous.simulations.vectors.envelopes import BINDING
from luminous.simulations.vectors.keys import mixed_order, mixed_order_key, small_order_keys
from luminous.simulations.vectors.scene import (
    AT_MS,
    MEMBERS,
    NETWORK,
    OTHER_NETWORK,
    STRANGER,
    File,
    bytes_of,
    fields_of,
    sealed,
)

Case = tuple[str, bytes, Reason]

_KEYS = {"version": 0, "network": 1, "kind": 2, "author": 3, "sequence": 4, "payload": 6, "signature": 7}
_ID = b"\x07" * 32
_BINDING: dict[int, Any] = {1: "12D3KooWVectorsOnly", 2: AT_MS}
_TEXT: dict[int, Any] = {0: 3, 1: "t", 2: "", 3: [], 4: 1, 5: AT_MS, 6: {0: 0, 1: [], 2: True, 3: 0}}
_DELTA: dict[int, Any] = {1: 690, 2: 1, 3: FIXES_1.id, 4: 1, 5: 0, 6: [1, 0, 0, 0]}


def _honest() -> bytes:
    return sealed(Kind.BINDING, BINDING)


def _changed(**changes: Any) -> bytes:
    """The honest envelope with fields changed after it was signed."""
    value = fields_of(_honest())
    return bytes_of({**value, **{_KEYS[name]: change for name, change in changes.items()}})


def _signed(kind: int, payload: Value, signer: Signer = MEMBERS[0]) -> bytes:
    """An envelope of any payload, properly signed."""
    author = AuthorId(signer.public)
    signature = signer.sign(signing_digest(NETWORK, kind, author, 1, AT_MS, payload))
    fields: tuple[Any, ...] = (WIRE_VERSION, NETWORK, kind, author, 1, AT_MS, payload, signature)
    return bytes_of(dict(enumerate(fields)))


def _put(base: dict[int, Any], **changes: Any) -> dict[int, Any]:
    return {**base, **{int(key[1:]): value for key, value in changes.items()}}


def _encoding() -> list[Case]:
    raw = _honest()
    value = fields_of(raw)
    head, version = raw[:1], raw[1:3]
    assert (head, version) == (b"\xa8", b"\x00\x01")
    rest = raw[3:]
    float_at = rest.index(b"\x04\x01")  # sequence: 1
    return [
        ("no bytes", b"", Reason.MALFORMED),
        ("an empty map", b"\xa0", Reason.MALFORMED),
        ("an array instead of a map", bytes_of(list(range(8))), Reason.MALFORMED),
        ("cut by one byte", raw[:-1], Reason.MALFORMED),
        ("a byte more", raw + b"\0", Reason.MALFORMED),
        ("more than 64 KiB", b"\0" * (64 * 1024 + 1), Reason.OVERSIZED),
        ("version in two bytes", b"\xa8\x00\x18\x01" + rest, Reason.NOT_CANONICAL),
        ("a map of indefinite length", b"\xbf" + raw[1:] + b"\xff", Reason.NOT_CANONICAL),
        ("keys out of order", head + rest[: 1 + 17] + version + rest[1 + 17 :], Reason.NOT_CANONICAL),
        ("one key twice", b"\xa9" + version + version + rest, Reason.NOT_CANONICAL),
        (
            "the sequence as a float",
            head + version + rest[:float_at] + b"\x04\xf9\x3c\x00" + rest[float_at + 2 :],
            Reason.MALFORMED,
        ),
        (
            "the sequence as a big number",
            head + version + rest[:float_at] + b"\x04\xc2\x41\x01" + rest[float_at + 2 :],
            Reason.MALFORMED,
        ),
        ("a tag around it", b"\xd9\xd9\xf7" + raw, Reason.MALFORMED),
        ("a key missing", bytes_of({key: value[key] for key in range(7)}), Reason.MALFORMED),
        ("a ninth key", bytes_of({**value, 8: 0}), Reason.MALFORMED),
    ]


def _wrapper() -> list[Case]:
    ed = small_order_keys()[1]
    other, torsion = mixed_order(is_accepted=False)
    value = fields_of(_honest())
    scalar = int.from_bytes(value[7][32:], "little") + 2**252 + 27742317777372353535851937790883648493
    return [
        ("version 0", _changed(version=0), Reason.WRONG_VERSION),
        ("version 2", _changed(version=2), Reason.WRONG_VERSION),
        ("version 256", _changed(version=256), Reason.OUT_OF_BOUNDS),
        ("version 2 with fields of its own", bytes_of({0: 2, 1: "whatever"}), Reason.WRONG_VERSION),
        ("version as text", _changed(version="1"), Reason.MALFORMED),
        ("version true", _changed(version=True), Reason.MALFORMED),
        (
            "another network",
            sealed(Kind.BINDING, BINDING, network=OTHER_NETWORK),
            Reason.FOREIGN_NETWORK,
        ),
        ("moved from another network", _moved(), Reason.BAD_SIGNATURE),
        ("a network id of 15 bytes", _changed(network=b"n" * 15), Reason.OUT_OF_BOUNDS),
        ("kind 0", _signed(0, dict(_BINDING)), Reason.UNKNOWN_KIND),
        ("kind 200", _signed(200, dict(_BINDING)), Reason.UNKNOWN_KIND),
        ("CERTIFICATE, a number without a payload", _signed(Kind.CERTIFICATE, {}), Reason.UNKNOWN_KIND),
        ("the payload of another kind", _signed(Kind.BALLOT, dict(_BINDING)), Reason.MALFORMED),
        ("a negative sequence", _changed(sequence=-1), Reason.OUT_OF_BOUNDS),
        ("another sequence than signed", _changed(sequence=2), Reason.BAD_SIGNATURE),
        ("another author than signed", _changed(author=STRANGER.public), Reason.BAD_SIGNATURE),
        ("the signature of nothing", _changed(signature=bytes(64)), Reason.BAD_SIGNATURE),
        ("no signature", _changed(signature=b""), Reason.OUT_OF_BOUNDS),
        ("a signature of 65 bytes", _changed(signature=bytes(65)), Reason.OUT_OF_BOUNDS),
        (
            "the signature written a second way",
            _changed(signature=value[7][:32] + scalar.to_bytes(32, "little")),
            Reason.BAD_SIGNATURE,
        ),
        ("an author of 31 bytes", _changed(author=b"a" * 31), Reason.OUT_OF_BOUNDS),
        ("an all-zero author", _changed(author=bytes(32)), Reason.BAD_SIGNATURE),
        (
            "a small-order author, signed by nobody",
            _changed(author=ed, signature=small_order_keys()[0] + bytes(32)),
            Reason.BAD_SIGNATURE,
        ),
        (
            "a mixed-order author",
            _changed(author=other, signature=torsion),
            Reason.BAD_SIGNATURE,
        ),
        ("a mixed-order author, properly signed", _signed_outside_the_group(), Reason.BAD_KEY),
    ]


def _moved() -> bytes:
    value = fields_of(sealed(Kind.BINDING, BINDING, network=OTHER_NETWORK))
    return bytes_of({**value, 1: NETWORK})


def _signed_outside_the_group() -> bytes:
    author = AuthorId(mixed_order_key())
    message = signing_digest(NETWORK, Kind.BINDING, author, 1, AT_MS, dict(_BINDING))
    fields = {**fields_of(_honest()), 3: author, 4: 1, 5: AT_MS, 6: dict(_BINDING)}
    return bytes_of({**fields, 7: mixed_order(is_accepted=True, message=message)[1]})


def _payloads() -> list[Case]:
    bad, out = Reason.MALFORMED, Reason.OUT_OF_BOUNDS
    two = [{0: "health.interval_s", 1: 60}, {0: "health.interval_s", 1: 90}]
    cases: list[tuple[str, int, Any, Reason]] = [
        ("a payload that is a number", Kind.BINDING, 1, bad),
        ("a payload with a key more", Kind.BINDING, _put(_BINDING, k3=0), bad),
        ("an escape sequence in text", Kind.BINDING, _put(_BINDING, k1="a\x1b[31mb"), out),
        ("a null character in text", Kind.BINDING, _put(_BINDING, k1="a\0b"), out),
        ("a C1 control character", Kind.BINDING, _put(_BINDING, k1="a\x9bb"), out),
        ("a right-to-left override", Kind.BINDING, _put(_BINDING, k1="a\u202eb"), out),
        ("a zero-width space", Kind.BINDING, _put(_BINDING, k1="a\u200bb"), out),
        ("a byte order mark", Kind.BINDING, _put(_BINDING, k1="\ufeffa"), out),
        ("empty text where some is needed", Kind.BINDING, _put(_BINDING, k1=""), out),
        ("text a byte too long", Kind.BINDING, _put(_BINDING, k1="p" * 129), out),
        ("a title too long in bytes, not characters", Kind.PROPOSAL, _put(_TEXT, k1="é" * 101), out),
        ("text beyond 8 KiB", Kind.PROPOSAL, _put(_TEXT, k2="t" * 8193), out),
        ("a proposal kind that does not exist", Kind.PROPOSAL, _put(_TEXT, k0=99), out),
        ("a threshold that does not exist", Kind.PROPOSAL, _put(_TEXT, k4=99), out),
        ("a threshold of true", Kind.PROPOSAL, _put(_TEXT, k4=True), bad),
        ("a text proposal with an effect", Kind.PROPOSAL, _put(_TEXT, k3=two[:1]), bad),
        ("a parameter proposal without effects", Kind.PROPOSAL, _put(_TEXT, k0=1), bad),
        ("one parameter named twice", Kind.PROPOSAL, _put(_TEXT, k0=1, k3=two), bad),
        (
            "seventeen effects",
            Kind.PROPOSAL,
            _put(_TEXT, k0=1, k3=[{0: f"k{i}", 1: 0} for i in range(17)]),
            out,
        ),
        ("an effect that is text", Kind.PROPOSAL, _put(_TEXT, k0=1, k3=[{0: "k", 1: "rm"}]), bad),
        ("a ballot of 3", Kind.BALLOT, {0: _ID, 1: 3, 2: 0, 3: b""}, out),
        ("a first ballot with a previous one", Kind.BALLOT, {0: _ID, 1: 1, 2: 0, 3: _ID}, bad),
        ("a second ballot without a previous one", Kind.BALLOT, {0: _ID, 1: 1, 2: 1, 3: b""}, bad),
        ("the 65th ballot", Kind.BALLOT, {0: _ID, 1: 1, 2: 64, 3: _ID}, out),
        ("a close that counts more than a roll", Kind.CLOSE,
         {0: _ID, 1: _ID, 2: 16385, 3: 0, 4: 0, 5: 0}, out),
        ("LOCAL_ONLY statistics", Kind.DELTA, _put(_DELTA, k2=0), bad),
        ("ENCRYPTED, which needs cohorts", Kind.DELTA, _put(_DELTA, k2=3), Reason.NO_ROLL),
        ("exact counts with noise", Kind.DELTA, _put(_DELTA, k5=1), bad),
        ("exact counts on a grid", Kind.DELTA, _put(_DELTA, k4=1024), bad),
        ("a count below zero", Kind.DELTA, _put(_DELTA, k6=[-1, 0, 0, 0]), out),
        ("noised counts without noise", Kind.DELTA, _put(_DELTA, k2=2, k4=1024), bad),
        ("an odd number of coordinates", Kind.DELTA, _put(_DELTA, k6=[0] * 5), bad),
        ("two coordinates", Kind.DELTA, _put(_DELTA, k6=[0] * 2), out),
        ("1026 coordinates", Kind.DELTA, _put(_DELTA, k6=[0] * 1026), out),
        ("a coordinate of 2^31", Kind.DELTA, _put(_DELTA, k6=[2**31, 0, 0, 0]), out),
        ("a coordinate that is text", Kind.DELTA, _put(_DELTA, k6=["1", 0, 0, 0]), bad),
        ("seventeen entries in a report", Kind.REPORT,
         {0: 1, 1: bytes(32), 2: 0, 3: [{0: _ID, 1: b""}] * 17}, out),
        ("a cut digest in a report", Kind.REPORT,
         {0: 1, 1: bytes(32), 2: 0, 3: [{0: _ID, 1: b"x" * 33}]}, bad),
        ("heads with a cut id", Kind.HEADS, {0: [{0: 0, 1: 0, 2: _ID + b"x"}]}, bad),
        ("heads with more links than ballots", Kind.HEADS, {0: [{0: 0, 1: 0, 2: _ID * 2}]}, bad),
        ("heads with five links", Kind.HEADS, {0: [{0: 0, 1: 9, 2: _ID * 5}]}, out),
        ("heads of a member beyond any roll", Kind.HEADS, {0: [{0: 16384, 1: 0, 2: _ID}]}, out),
        ("a lead with its reports unsorted", Kind.LEAD, {0: 1, 1: 1, 2: 0, 3: b"\2" * 32 + b"\1" * 32}, bad),
        ("a lead with one report twice", Kind.LEAD, {0: 1, 1: 1, 2: 0, 3: _ID * 2}, bad),
        ("a lead that is its own parent", Kind.LEAD, {0: 1, 1: 1, 2: 1, 3: _ID}, bad),
        ("a lead without reports", Kind.LEAD, {0: 1, 1: 1, 2: 0, 3: b""}, out),
        ("a vote for half a digest", Kind.VOTE, {0: 1, 1: 1, 2: b"x" * 16}, bad),
        ("an iteration beyond 2^32", Kind.FINAL, {0: 1, 1: 2**32 + 1}, out),
    ]  # fmt: skip
    return [(name, _signed(int(kind), payload), reason) for name, kind, payload, reason in cases]


def make() -> File:
    """tests/vectors/envelopes_refused.json"""
    cases = [*_encoding(), *_wrapper(), *_payloads()]
    rows = [
        # What is too large is named by its size; nobody needs to read it.
        {"name": name, "reason": reason.value}
        | ({"zeros": len(raw)} if len(raw) > 64 * 1024 else {"raw": raw.hex()})
        for name, raw, reason in cases
    ]
    return {
        "about": "envelopes that admission refuses, with the reason",
        "source": "luminous.protocol.admission",
        "network": NETWORK.hex(),
        "vectors": rows,
    }
