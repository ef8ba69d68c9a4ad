"""Streams of simulated connections: ordered bytes with a window, an end and a reset.

Refuses to know links: what one end tells the other goes through its connection.
"""

from typing import Any

import trio
from libp2p.abc import IMuxedStream
from libp2p.stream_muxer.exceptions import MuxedStreamClosed, MuxedStreamEOF, MuxedStreamReset

# Bytes that one stream may have under way and unread before the writer waits, as Yamux has.
WINDOW_SIZE_BYTES = 256 * 1024


class MemoryStream(IMuxedStream):
    """One end of a stream."""

    def __init__(self, connection: Any, stream_id: int) -> None:
        self.muxed_conn: Any = connection
        self.id = stream_id
        self._buffer = bytearray()
        self._under_way = 0
        self._unreported = 0  # bytes read that the writer does not know of yet
        self._is_ended = False  # the other side wrote its last
        self._is_closed = False  # we wrote our last
        self._is_reset = False
        self._changed = trio.Event()

    @property
    def closed(self) -> bool:
        """True once nothing can be written."""
        return self._is_closed or self._is_reset

    async def read(self, n: int | None = None) -> bytes:
        """At most ``n`` bytes; everything up to the end when ``n`` is None or -1."""
        if n == 0:
            return b""
        if n is None or n < 0:
            return await self._read_all()
        while not self._is_reset and not self._is_ended and not self._buffer:
            await self._change()
        await trio.lowlevel.checkpoint()
        if self._is_reset:
            raise MuxedStreamReset("reset")
        if not self._buffer:
            raise MuxedStreamEOF("ended")
        data = bytes(self._buffer[:n])
        del self._buffer[:n]
        self._unreported += len(data)
        if self._unreported >= WINDOW_SIZE_BYTES // 2:
            self._send(0, "was_read", self._unreported)
            self._unreported = 0
        return data

    async def _read_all(self) -> bytes:
        parts = [await self.read(WINDOW_SIZE_BYTES)]
        try:
            while True:
                parts.append(await self.read(WINDOW_SIZE_BYTES))
        except MuxedStreamEOF:
            return b"".join(parts)

    async def write(self, data: bytes) -> None:
        """Send ``data``; waits while a window is under way."""
        for start in range(0, len(data), WINDOW_SIZE_BYTES):
            chunk = bytes(data[start : start + WINDOW_SIZE_BYTES])
            while self._under_way and self._under_way + len(chunk) > WINDOW_SIZE_BYTES and not self.closed:
                await self._change()
            if self._is_reset:
                raise MuxedStreamReset("reset")
            if self._is_closed:
                raise MuxedStreamClosed("closed")
            self._under_way += len(chunk)
            self._send(len(chunk), "received", chunk)
        await trio.lowlevel.checkpoint()

    async def close(self) -> None:
        """Write no more; the other side reads to the end."""
        if not self.closed:
            self._is_closed = True
            self._send(0, "ended")
            self._settle()
        await trio.lowlevel.checkpoint()

    async def reset(self) -> None:
        """Drop both directions."""
        if not self._is_reset:
            self._send(0, "was_reset")
            self.was_reset()
        await trio.lowlevel.checkpoint()

    def set_deadline(self, ttl: int) -> None:
        """Not needed: callers bound their waits."""

    def get_remote_address(self) -> tuple[str, int] | None:
        """The remote address."""
        address: tuple[str, int] = self.muxed_conn.get_remote_address()
        return address

    async def __aenter__(self) -> "MemoryStream":
        """As the library calls it."""
        return self

    # What the other end does to this one

    def received(self, data: bytes) -> None:
        """Bytes came."""
        if not self._is_reset:
            self._buffer += data
            self._notice()

    def was_read(self, size_bytes: int) -> None:
        """The other side read what we sent: the window is free again."""
        self._under_way -= size_bytes
        self._notice()

    def ended(self) -> None:
        """The other side writes no more."""
        self._is_ended = True
        self._notice()
        self._settle()

    def was_reset(self) -> None:
        """Both directions are gone."""
        self._is_reset = True
        self._buffer.clear()
        self._notice()
        self.muxed_conn.forget(self.id)

    def _send(self, size_bytes: int, what: str, *args: Any) -> None:
        self.muxed_conn.tell(self.id, size_bytes, what, *args)

    def _settle(self) -> None:
        if self._is_closed and self._is_ended:
            self.muxed_conn.forget(self.id)

    def _notice(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _change(self) -> None:
        await self._changed.wait()
