"""Randomness as an argument.

Refuses to make chance of its own: the shell passes the operating system's, the world a seeded stream.
"""

import hashlib
from typing import Protocol


class Entropy(Protocol):
    """A source of uniform random bytes."""

    def take(self, size_bytes: int) -> bytes:
        """Return ``size_bytes`` uniform random bytes."""
        ...


class SeededEntropy:
    """A deterministic stream: SHAKE-256 of seed and block counter. For worlds and tests only."""

    def __init__(self, seed: bytes) -> None:
        self._seed = hashlib.sha256(b"luminous/entropy/1\0" + seed).digest()
        self._counter = 0
        self._buffer = b""
        self._offset = 0

    def take(self, size_bytes: int) -> bytes:
        """Return the next ``size_bytes`` of the stream."""
        while len(self._buffer) - self._offset < size_bytes:
            block = hashlib.shake_256(self._seed + self._counter.to_bytes(8, "big")).digest(1024)
            self._buffer = self._buffer[self._offset :] + block
            self._offset = 0
            self._counter += 1
        start = self._offset
        self._offset += size_bytes
        return self._buffer[start : self._offset]

    def fork(self, label: str) -> "SeededEntropy":
        """An independent stream that depends on the seed and the label alone."""
        return SeededEntropy(self._seed + label.encode())


def uniform_below(entropy: Entropy, bound: int) -> int:
    """A uniform integer in [0, bound), by rejection; ``bound`` >= 1."""
    assert bound >= 1
    size_bytes = ((bound - 1).bit_length() + 7) // 8
    if size_bytes == 0:
        return 0
    shift = size_bytes * 8 - (bound - 1).bit_length()
    while True:
        value = int.from_bytes(entropy.take(size_bytes), "big") >> shift
        if value < bound:
            return value
