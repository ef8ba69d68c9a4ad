"""Shamir's secret sharing of 32-byte secrets, with commitments that expose a wrong share.

Refuses to guess: too few shares, or one that does not open its commitment, give no secret at all. The
commitments are plain digests, which hide because every share is uniform in a field of 257 bits; they bind
the dealer to the shares it dealt and cannot prove that these lie on one polynomial of the stated degree.
A dealer who cheats there is found out when the recovered secret does not open ``secret_mark``.

Source: Shamir, "How to share a secret", 1979.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from luminous.crypto.digest import digest
from luminous.crypto.entropy import Entropy, uniform_below

PRIME = 2**256 + 297  # the least prime above 2^256
SECRET_SIZE_BYTES = 32
SHARE_SIZE_BYTES = 33


@dataclass(frozen=True, slots=True)
class Sharing:
    """What a dealer makes: ``shares`` by position from 1 on go to one holder each, the rest is public."""

    threshold: int
    shares: tuple[bytes, ...]
    commitments: tuple[bytes, ...]
    secret_mark: bytes


def split(entropy: Entropy, secret: bytes, threshold: int, count: int) -> Sharing:
    """Shares of ``secret``: any ``threshold`` of ``count`` give it back, fewer say nothing about it."""
    assert len(secret) == SECRET_SIZE_BYTES and 1 <= threshold <= count < 2**16
    polynomial = [int.from_bytes(secret, "big")]
    polynomial += [uniform_below(entropy, PRIME) for _ in range(threshold - 1)]
    shares = tuple(_evaluate(polynomial, x).to_bytes(SHARE_SIZE_BYTES, "big") for x in range(1, count + 1))
    commitments = tuple(commit(x, share) for x, share in enumerate(shares, 1))
    return Sharing(threshold, shares, commitments, digest("secret-mark", secret))


def commit(position: int, share: bytes) -> bytes:
    """The public commitment to one share."""
    return digest("share", position.to_bytes(4, "big"), share)


def recover(
    shares: Mapping[int, bytes], threshold: int, commitments: tuple[bytes, ...], secret_mark: bytes
) -> bytes | None:
    """The secret from shares by position, or None. Shares that do not open their commitment are left out."""
    good = [
        (position, int.from_bytes(share, "big"))
        for position, share in sorted(shares.items())
        if 1 <= position <= len(commitments) and commit(position, share) == commitments[position - 1]
    ][:threshold]
    if len(good) < threshold:
        return None
    value = 0
    for x, y in good:
        numerator, denominator = 1, 1
        for other, _ in good:
            if other != x:
                numerator = numerator * other % PRIME
                denominator = denominator * (other - x) % PRIME
        value = (value + y * numerator * pow(denominator, -1, PRIME)) % PRIME
    if value >= 2**256:
        return None
    secret = value.to_bytes(SECRET_SIZE_BYTES, "big")
    return secret if digest("secret-mark", secret) == secret_mark else None


def _evaluate(polynomial: list[int], x: int) -> int:
    value = 0
    for coefficient in reversed(polynomial):
        value = (value * x + coefficient) % PRIME
    return value
