"""Request and answer: one libp2p stream each, sizes and times bounded.

Refuses a request that is too large, too slow or too frequent, and to let a handler's fault reach the
service tree: the stream is reset and counted.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from libp2p.custom_types import TProtocol

from luminous.node.shell.frames import framed
from luminous.node.shell.guards import Limits, Offence, PeerLedger

READ_SIZE_BYTES = 65_536
Handler = Callable[[str, bytes], Awaitable[bytes]]


class RequestFailed(Exception):
    """The exchange did not complete; ``args[0]`` says how."""


async def read_framed(stream: Any, size_bytes_max: int) -> bytes:
    """One varint-prefixed message. Raises ``RequestFailed`` if it is too large or cut short."""
    buffer = bytearray()
    length = -1
    start = 0
    while length < 0 or len(buffer) - start < length:
        chunk = await stream.read(READ_SIZE_BYTES)
        if not chunk:
            raise RequestFailed("cut short")
        buffer += chunk
        if length < 0:
            length, start = _prefix(buffer)
            if length > size_bytes_max:
                raise RequestFailed("oversized")
    return bytes(buffer[start : start + length])


def _prefix(buffer: bytearray) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(buffer[:6]):
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, index + 1
    if len(buffer) >= 6:
        raise RequestFailed("oversized")
    return -1, 0


async def ask(
    host: Any, peer: Any, protocol: str, data: bytes, timeout_s: float, limits: Limits
) -> bytes | None:
    """Send ``data`` and return the answer; None if the peer does not answer properly in time."""
    stream = None
    try:
        with trio.fail_after(timeout_s):
            stream = await host.new_stream(peer, [TProtocol(protocol)])
            await stream.write(framed(data))
            answer = await read_framed(stream, limits.response_size_bytes_max)
            await stream.close()
            return answer
    except Exception:  # noqa: BLE001 - a guard: the library raises some twenty kinds; all mean "no answer"
        return None
    finally:
        if stream is not None:
            with trio.move_on_after(1.0) as scope:
                scope.shield = True
                await _finish(stream)


async def _finish(stream: Any) -> None:
    muxed = stream.muxed_stream
    if not muxed.closed:
        await stream.reset()


class Server:
    """Answers requests for the registered protocols."""

    def __init__(self, ledger: PeerLedger, drop: Callable[[Any], None]) -> None:
        self._ledger = ledger
        self._drop = drop
        self._at_once = trio.CapacityLimiter(ledger.limits.requests_at_once_max)

    def stream_handler(self, handler: Handler) -> Callable[[Any], Awaitable[None]]:
        """The library's stream handler that serves one request with ``handler``."""

        async def handle(stream: Any) -> None:
            peer = stream.muxed_conn.peer_id
            name = str(peer)
            if self._ledger.debt_s(name, "requests_in", 1, trio.current_time()) > 0:
                if self._ledger.strike(name, Offence.REQUESTS, trio.current_time()):
                    self._drop(peer)
                await stream.reset()
                return
            await self._serve(stream, name, handler)

        return handle

    async def _serve(self, stream: Any, name: str, handler: Handler) -> None:
        limits, counters = self._ledger.limits, self._ledger.counters
        try:
            with trio.fail_after(limits.request_s_max):
                data = await read_framed(stream, limits.request_size_bytes_max)
                self._ledger.account(name).bytes_in += len(data)
                counters["bytes.in"] += len(data)
                async with self._at_once:
                    answer = await handler(name, data)
                if len(answer) > limits.response_size_bytes_max:
                    raise RequestFailed("answer oversized")
                await stream.write(framed(answer))
                self._ledger.account(name).bytes_out += len(answer)
                counters["bytes.out"] += len(answer)
                await stream.close()
                counters["requests.served"] += 1
        except Exception as error:  # noqa: BLE001 - a guard: a request may not end the node
            counters[f"requests.{type(error).__name__}"] += 1
            with trio.move_on_after(1.0) as scope:
                scope.shield = True
                await stream.reset()
