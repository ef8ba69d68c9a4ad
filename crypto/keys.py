"""Ed25519 keys and signatures (RFC 8032, through libsodium).

Refuses to make a key without a seed given by the caller, and to sign anything but a digest.
"""

from dataclasses import dataclass, field

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

SEED_SIZE_BYTES = 32
PUBLIC_KEY_SIZE_BYTES = 32
SIGNATURE_SIZE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that signs digests. ``public`` is its 32-byte Ed25519 public key."""

    public: bytes
    _key: SigningKey = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """A 64-byte Ed25519 signature over ``message`` (a digest)."""
        return bytes(self._key.sign(message).signature)


def signer_from_seed(seed: bytes) -> Signer:
    """The signer of a 32-byte seed."""
    assert len(seed) == SEED_SIZE_BYTES
    key = SigningKey(seed)
    return Signer(public=bytes(key.verify_key), _key=key)


def is_public_key(public: bytes) -> bool:
    """True for a canonical point of the prime-order group: what a member's key must be."""
    return len(public) == PUBLIC_KEY_SIZE_BYTES and bool(crypto_core_ed25519_is_valid_point(public))


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """True if ``signature`` over ``message`` verifies under ``public``; never raises for a peer's bytes."""
    if len(public) != PUBLIC_KEY_SIZE_BYTES or len(signature) != SIGNATURE_SIZE_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public)
    except BadSignatureError:
        return False
    return True
