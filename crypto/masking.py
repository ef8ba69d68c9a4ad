"""Additive masks in Z_2^32: vectors that say nothing alone and add up exactly together.

Refuses a weaker seed than the full 256-bit key, and a range that is not the whole ring: masks are the
ChaCha20 key stream itself, uniform by construction. Whoever reuses a key for the sums of two windows would
cancel the mask, so the window is part of every derived key.

Source: Bonawitz et al., "Practical secure aggregation for privacy-preserving machine learning", 2017.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_scalarmult,
    crypto_scalarmult_base,
)

from luminous.crypto.digest import digest

if TYPE_CHECKING:
    import numpy

KEY_SIZE_BYTES = 32
_TAG_SIZE_BYTES = 16
_WORD = "<u4"  # little-endian 32-bit words: the wire form of a masked vector

Signed = tuple[bytes, int]  # a key and +1 or -1


def public_of(private: bytes) -> bytes:
    """The X25519 public key of a window's private key (32 uniform bytes, never an author's key)."""
    return bytes(crypto_scalarmult_base(private))


def derive_pair_key(private: bytes, own_public: bytes, peer_public: bytes, context: bytes) -> bytes:
    """The 256-bit key that two members share in ``context`` (network, window, cohort): the same on both
    sides. Raises RuntimeError for a peer key of low order (libsodium's check)."""
    first, second = sorted((own_public, peer_public))
    return digest("pair-key", crypto_scalarmult(private, peer_public), first, second, context)


def sign_of(own_public: bytes, peer_public: bytes) -> int:
    """+1 for the one of a pair who adds the mask, -1 for the one who subtracts it."""
    assert own_public != peer_public
    return 1 if own_public < peer_public else -1


def stream(key: bytes, size_bytes: int) -> bytes:
    """The ChaCha20 key stream (RFC 8439, from block 1) of a key that is used for nothing else."""
    assert len(key) == KEY_SIZE_BYTES
    sealed = crypto_aead_chacha20poly1305_ietf_encrypt(bytes(size_bytes), b"", bytes(12), key)
    return bytes(sealed[:-_TAG_SIZE_BYTES])


def mask(values: Sequence[int], keys: Iterable[Signed]) -> bytes:
    """``values`` (signed, below 2^31 in size) plus every key's stream with its sign, as 32-bit words."""
    import numpy

    words = numpy.asarray(values, dtype=numpy.int64).astype(numpy.uint32)
    return _shift(words, keys)


def unmask(total: bytes, keys: Iterable[Signed]) -> tuple[int, ...]:
    """Take every key's stream with its sign off a sum of masked vectors; the exact signed sum."""
    import numpy

    words = numpy.frombuffer(total, dtype=_WORD)
    bare = _shift(words, [(key, -sign) for key, sign in keys])
    return tuple(numpy.frombuffer(bare, dtype="<i4").tolist())


def add(vectors: Sequence[bytes]) -> bytes:
    """The sum of masked vectors in Z_2^32; all of one length."""
    import numpy

    total = numpy.zeros(len(vectors[0]) // 4, dtype=numpy.uint32)
    for vector in vectors:
        total += numpy.frombuffer(vector, dtype=_WORD)
    return total.astype(_WORD).tobytes()


def _shift(words: "numpy.typing.NDArray[numpy.uint32]", keys: Iterable[Signed]) -> bytes:
    import numpy

    total = words.astype(numpy.uint32)  # a copy; unsigned 32-bit arithmetic wraps, which is the ring
    for key, sign in keys:
        noise = numpy.frombuffer(stream(key, 4 * len(total)), dtype=_WORD)
        if sign > 0:
            total += noise
        else:
            total -= noise
    return total.astype(_WORD).tobytes()
