"""What waits to be written to one peer, as frames that are already encoded.

Refuses to grow with a slow reader: past its bounds a frame is refused and counted by the caller. Frames
are encoded once per message and written together, so that one broadcast costs one write a peer.
"""

from collections import deque
from typing import Any

import trio

from luminous.node.shell.frames import framed

# Control frames (graft, prune, wants) overtake data. One write takes frames up to this size together.
WRITE_SIZE_BYTES = 60_000


class FrameQueue:
    """Stands in for the library's ``RpcQueue``: same calls, bounded in frames and in bytes."""

    frames_max = 1024
    size_bytes_max = 8 << 20

    def __init__(self, max_size: int = 0, max_message_size: int = 1 << 20) -> None:
        self.max_message_size = max_message_size
        self.dropped = 0
        self._urgent: deque[bytes] = deque()
        self._frames: deque[bytes] = deque()
        self._size_bytes = 0
        self._wake = trio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """True once the peer is gone."""
        return self._closed

    def __len__(self) -> int:
        return len(self._urgent) + len(self._frames)

    def push(self, rpc: Any, priority: bool = False) -> bool:
        """Enqueue an RPC message (the library's own control traffic)."""
        return self.push_frame(framed(rpc.SerializeToString()), priority)

    def push_frame(self, frame: bytes, priority: bool = False) -> bool:
        """Enqueue an encoded frame; False if it does not fit."""
        if self._closed:
            return False
        if len(self) >= self.frames_max or self._size_bytes + len(frame) > self.size_bytes_max:
            self.dropped += 1
            return False
        (self._urgent if priority else self._frames).append(frame)
        self._size_bytes += len(frame)
        if not self._wake.is_set():
            self._wake.set()
        return True

    def split_rpc(self, rpc: Any) -> list[Any]:
        """One part: what this node sends is bounded before it is built."""
        return [rpc]

    def close(self) -> None:
        """End the sender."""
        self._closed = True
        self._wake.set()

    async def take(self) -> bytes | None:
        """Wait for frames; return as many as fit one write, joined, or None once closed."""
        while not len(self):
            if self._closed:
                return None
            self._wake = trio.Event()
            await self._wake.wait()
        batch: list[bytes] = []
        size_bytes = 0
        while len(self):
            source = self._urgent or self._frames
            if batch and size_bytes + len(source[0]) > WRITE_SIZE_BYTES:
                break
            frame = source.popleft()
            size_bytes += len(frame)
            batch.append(frame)
        self._size_bytes -= size_bytes
        return batch[0] if len(batch) == 1 else b"".join(batch)
