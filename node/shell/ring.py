"""The end of an endless text, in bounded memory.

Refuses to keep more than twice its size, whatever is pushed.
"""

RING_SIZE_BYTES = 1024 * 1024


class Ring:
    """Remembers the last `size_bytes` of all that was pushed; amortised one copy a byte."""

    __slots__ = ("_kept", "_size_bytes", "total_bytes")

    def __init__(self, size_bytes: int = RING_SIZE_BYTES) -> None:
        self._kept = bytearray()
        self._size_bytes = size_bytes
        self.total_bytes = 0

    def push(self, data: bytes) -> None:
        """Add `data` at the end."""
        self.total_bytes += len(data)
        self._kept += data[-self._size_bytes :]
        if len(self._kept) > 2 * self._size_bytes:
            del self._kept[: -self._size_bytes]

    def tail(self) -> bytes:
        """The last `size_bytes` pushed."""
        return bytes(self._kept[-self._size_bytes :])
