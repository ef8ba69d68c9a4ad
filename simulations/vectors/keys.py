"""Ed25519 at its edges: keys and signatures on which libraries are known to disagree.

Refuses to say what is right in general: it says what this wire does (the equation without cofactor, no point
of small order, one encoding of everything), so that another implementation can do the same.
After "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko; 2020); the vectors are made here.
"""

import hashlib
from functools import cache

from luminous.crypto.digest import digest
from luminous.crypto.keys import signer_from_seed
from luminous.simulations.vectors import edwards
from luminous.simulations.vectors.scene import SEEDS, File, Json

_MESSAGE = digest("envelope", b"an edge case")


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _sign(
    secret: int, public: bytes, nonce: int, commitment: bytes | None = None, message: bytes = _MESSAGE
) -> bytes:
    """A signature with a chosen nonce, and with another encoding of its point if one is given."""
    point = commitment or edwards.encode(edwards.multiply(nonce, edwards.BASE))
    scalar = (nonce + _hash(point, public, message) * secret) % edwards.ORDER
    return point + scalar.to_bytes(32, "little")


@cache
def small_order_keys() -> tuple[bytes, ...]:
    """The eight points that eight times makes nothing, in their canonical encodings."""
    generator = edwards.torsion_generator()
    return tuple(edwards.encode(edwards.multiply(number, generator)) for number in range(8))


def non_canonical_keys() -> tuple[bytes, ...]:
    """Points of the curve written with a y that is not reduced, or with a sign that a zero x has not."""
    found = [
        edwards.encode_raw(edwards.P + y, sign)
        for y in range(19)
        for sign in (0, 1)
        if edwards.recover_x(y, sign) is not None
    ]
    return (*found, edwards.encode_raw(1, 1), edwards.encode_raw(edwards.P - 1, 1))


@cache
def mixed_order_key() -> bytes:
    """A key outside the prime-order group, to which somebody has the secret."""
    secret = _hash(b"mixed") % edwards.ORDER
    point = edwards.add(edwards.multiply(secret, edwards.BASE), edwards.torsion_generator())
    return edwards.encode(point)


@cache
def mixed_order(is_accepted: bool, message: bytes = _MESSAGE) -> tuple[bytes, bytes]:
    """That key and a signature for it, which the equation without cofactor accepts or not; with cofactor
    both would pass."""
    secret, public = _hash(b"mixed") % edwards.ORDER, mixed_order_key()
    for number in range(1, 200):
        nonce = _hash(b"nonce", bytes([number])) % edwards.ORDER
        signature = _sign(secret, public, nonce, message=message)
        if (_hash(signature[:32], public, message) % edwards.ORDER % 8 == 0) == is_accepted:
            return public, signature
    raise AssertionError("one nonce in eight divides")


def make() -> File:
    """tests/vectors/ed25519.json"""
    secret = _hash(b"edge") % edwards.ORDER
    public = edwards.encode(edwards.multiply(secret, edwards.BASE))
    good = _sign(secret, public, 7)
    scalar = int.from_bytes(good[32:], "little")
    rows: list[Json] = []

    def row(
        name: str, key: bytes, signature: bytes, *, is_key: bool, signed: bool, message: bytes = _MESSAGE
    ) -> None:
        rows.append(
            {
                "name": name,
                "public": key.hex(),
                "message": message.hex(),
                "signature": signature.hex(),
                "is_public_key": is_key,
                "is_signed": signed,
            }
        )

    honest = signer_from_seed(SEEDS[0])
    row("a library's own", honest.public, honest.sign(_MESSAGE), is_key=True, signed=True)
    row("made by hand", public, good, is_key=True, signed=True)
    row("another message", public, good, is_key=True, signed=False, message=digest("envelope", b"other"))
    row(
        "scalar plus the order",
        public,
        good[:32] + (scalar + edwards.ORDER).to_bytes(32, "little"),
        is_key=True,
        signed=False,
    )
    row("scalar with its top bit", public, good[:63] + bytes([good[63] | 0x80]), is_key=True, signed=False)
    row(
        "scalar is the order",
        public,
        good[:32] + edwards.ORDER.to_bytes(32, "little"),
        is_key=True,
        signed=False,
    )
    row("all zero", bytes(32), bytes(64), is_key=False, signed=False)
    row("signature cut by one byte", public, good[:63], is_key=True, signed=False)
    row("signature with a byte more", public, good + b"\0", is_key=True, signed=False)
    row("key cut by one byte", public[:31], good, is_key=False, signed=False)
    row("key off the curve", _off_the_curve(), good, is_key=False, signed=False)
    neutral = edwards.encode(edwards.NEUTRAL)
    for number, key in enumerate(small_order_keys()):
        row(
            f"small-order key {number}, neutral commitment",
            key,
            neutral + bytes(32),
            is_key=False,
            signed=False,
        )
    for number, key in enumerate(non_canonical_keys()):
        row(f"non-canonical key {number}", key, neutral + bytes(32), is_key=False, signed=False)
    for number, point in enumerate(small_order_keys()):
        # Without cofactor and with R small: S*B = R + h*A needs R neutral; the others fail by arithmetic.
        row(
            f"small-order commitment {number}",
            public,
            _sign(secret, public, 0, point),
            is_key=True,
            signed=False,
        )
    row(
        "non-canonical commitment",
        public,
        _sign(secret, public, 0, edwards.encode_raw(edwards.P + 1, 0)),
        is_key=True,
        signed=False,
    )
    key, signature = mixed_order(is_accepted=True)
    row("mixed-order key, torsion cancels", key, signature, is_key=False, signed=True)
    key, signature = mixed_order(is_accepted=False)
    row("mixed-order key, true only with cofactor", key, signature, is_key=False, signed=False)
    return {
        "about": "Ed25519 as this wire verifies it: no cofactor, no small order, one encoding of everything",
        "source": "luminous.crypto.keys",
        "vectors": rows,
    }


def _off_the_curve() -> bytes:
    y = next(y for y in range(2, 100) if edwards.recover_x(y, 0) is None)
    return edwards.encode_raw(y, 0)
