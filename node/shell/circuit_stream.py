"""A stream through a relay as the raw connection of two peers: Noise and Yamux run on it, end to end.

Refuses to pass for a socket: it has no remote address, and says through whom it goes. Closing it frees the
circuit at the relay at once.
"""

from typing import Any

from libp2p.connection_types import ConnectionType
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.stream.exceptions import StreamEOF, StreamError
from multiaddr import Multiaddr


class CircuitStream:
    """The library's ``ReadWriteCloser`` on one stream of the connection to a relay."""

    def __init__(self, stream: Any, relay: str, relay_host: str) -> None:
        self._stream = stream
        self.relay = relay
        self.relay_host = relay_host

    async def read(self, n: int | None = None) -> bytes:
        """What is there, ``n`` bytes at most; empty at the end."""
        try:
            return bytes(await self._stream.read(n))
        except StreamEOF:
            return b""
        except StreamError as error:
            raise ConnectionClosedError("the circuit was cut", transport="relay") from error

    async def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        try:
            await self._stream.write(data)
        except StreamError as error:
            raise ConnectionClosedError("the circuit was cut", transport="relay") from error

    async def close(self) -> None:
        """End both directions."""
        await self._stream.reset()

    def get_remote_address(self) -> tuple[str, int] | None:
        """Nobody sees the other's address through a relay."""
        return None


def raw_connection(stream: CircuitStream, is_initiator: bool, peer: str) -> RawConnection:
    """What the library upgrades; ``peer``: whose circuit it is said to be, until Noise has proven it."""
    address = f"/p2p/{stream.relay}/p2p-circuit" + (f"/p2p/{peer}" if peer else "")
    return RawConnection(stream, is_initiator, ConnectionType.RELAYED, [Multiaddr(address)])  # type: ignore[arg-type]


def circuit_of(muxed_conn: Any) -> CircuitStream | None:
    """The circuit below a multiplexed connection; None if it has a socket of its own."""
    try:
        found = muxed_conn.secured_conn.conn.read_writer.read_write_closer.stream
    except AttributeError:
        return None
    return found if isinstance(found, CircuitStream) else None
