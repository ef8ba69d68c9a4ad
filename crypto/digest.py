"""Domain-separated digests.

Refuses to hash anything without naming what it is: every digest carries a domain, so bytes of one
kind can never stand for bytes of another. BLAKE2b (RFC 7693), 32 bytes unless said otherwise.
"""

import hashlib

DIGEST_SIZE_BYTES = 32


def digest(domain: str, *parts: bytes, size_bytes: int = DIGEST_SIZE_BYTES) -> bytes:
    """BLAKE2b over ``luminous/<domain>/1\\0`` and the length-prefixed parts.

    Length prefixes (8 bytes, big endian) keep (``ab``, ``c``) apart from (``a``, ``bc``).
    """
    h = hashlib.blake2b(b"luminous/" + domain.encode("ascii") + b"/1\0", digest_size=size_bytes)
    for part in parts:
        h.update(len(part).to_bytes(8, "big"))
        h.update(part)
    return h.digest()
