"""Connections: whom the node lets in, when a slot is free again, who is at the other end.

Refuses an unwelcome peer before it costs a stream, and more connections of one network address than its
share. The slot of an inbound connection is free when the connection closes; the library keeps it until the
node stops, so that a node would go deaf after as many inbound connections as it has slots.
"""

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.exceptions import SwarmException

from luminous.node.shell.circuit_stream import circuit_of
from luminous.node.shell.guards import AddressGate, Offence, PeerLedger
from luminous.node.shell.reach import address_group
from luminous.node.shell.yamux_session import GO_AWAY_FRAME

# From the wish to stop until the last socket is closed.
DRAIN_S_MAX = 2.0


async def inbound_connection(swarm: Any, stream: Any, maddr: Any, failure_event: Any) -> None:
    """Upgrade an inbound connection and hold its slot until it closes (the library: until it stops)."""
    gate = getattr(swarm, "address_gate", None)
    group = ""
    if gate is not None:
        with contextlib.suppress(OSError):  # gone already: the upgrade fails on its own
            group = address_group(stream.stream.socket.getpeername()[0])
    if gate is not None and not gate.enter(group):
        swarm.guard_counters["refused.address"] += 1
        await stream.close()
        return
    raw = RawConnection(stream, False)
    is_proven = False
    try:
        muxed = await swarm.upgrade_inbound_raw_conn(raw, maddr)
        is_proven = True
        if gate is not None:
            gate.proven(group)
        await muxed.event_closed.wait()
    except Exception as error:  # noqa: BLE001 - a guard: any failed handshake is just a failed handshake
        counters = getattr(swarm, "guard_counters", None)
        if counters is not None:
            counters[f"handshake.{type(error).__name__}"] += 1
    finally:
        if gate is not None:
            if not is_proven:
                gate.proven(group)
            gate.leave(group)
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream.stream)


def admit(network: Any, ledger: PeerLedger, is_welcome: Callable[[str], bool]) -> None:
    """Let ``network`` keep only connections of welcome peers, and know the limits of this node."""
    original = network.add_conn
    limits = ledger.limits

    async def add_conn(muxed_conn: Any, direction: str = "unknown") -> Any:
        name = str(muxed_conn.peer_id)
        if not is_welcome(name):
            ledger.counters["refused.peer"] += 1
            with trio.move_on_after(2.0):
                await muxed_conn.close()
            raise SwarmException(f"{name} is not welcome")
        muxed_conn.streams_max = limits.streams_per_connection_max
        muxed_conn.on_fault = functools.partial(_session_fault, ledger, name)
        return await original(muxed_conn, direction)

    network.add_conn = add_conn
    # The library's own dialling wakes up below half of its slots whatever its watermarks say.
    network._schedule_auto_connect = lambda: None
    network.auto_connector.run_background_task = _no_background_task
    network.address_gate = AddressGate(limits)


async def _no_background_task(nursery: Any) -> None:
    """The library dials nobody by itself."""


def _session_fault(ledger: PeerLedger, name: str, what: str) -> None:
    ledger.counters["session_faults"] += 1
    offence = Offence.STREAMS if what == "too many streams" else Offence.WINDOW
    ledger.strike(name, offence, trio.current_time(), what)


class Notifee:
    """Tells when the first connection of a peer opens and the last one closes."""

    def __init__(
        self, joined: Callable[[str], None], left: Callable[[str], None], lost: Callable[[Any], None]
    ) -> None:
        """``lost`` hears of every connection that closes, also while the peer has another."""
        self._joined = joined
        self._left = left
        self._lost = lost
        self._open: set[str] = set()

    async def connected(self, network: Any, conn: Any) -> None:
        name = str(conn.muxed_conn.peer_id)
        if name not in self._open:
            self._open.add(name)
            self._joined(name)

    async def disconnected(self, network: Any, conn: Any) -> None:
        peer = conn.muxed_conn.peer_id
        self._lost(conn.muxed_conn)
        if not network.get_connections(peer) and str(peer) in self._open:
            self._open.discard(str(peer))
            self._left(str(peer))

    async def opened_stream(self, network: Any, stream: Any) -> None:
        """Not needed."""

    async def closed_stream(self, network: Any, stream: Any) -> None:
        """Not needed."""

    async def listen(self, network: Any, multiaddr: Any) -> None:
        """Not needed."""

    async def listen_close(self, network: Any, multiaddr: Any) -> None:
        """Not needed."""


async def quietly(function: Callable[..., Any], *args: Any) -> None:
    """Call ``function`` for at most a few seconds and let nothing out."""
    try:
        with trio.move_on_after(5.0):
            await function(*args)
    except Exception:  # noqa: BLE001 - a guard: closing or probing may not end the node
        pass


async def close_peer(network: Any, peer: Any) -> None:
    """Close every connection of ``peer``; never raises."""
    for conn in list(network.connections.get(peer, ())):
        await quietly(conn.close)


@asynccontextmanager
async def closing(network: Any) -> AsyncIterator[None]:
    """On the way out, stop listening, say goodbye to every peer and close its socket, also when cancelled.

    The library then leaves the sockets to the garbage collector and its listeners (system tasks) running:
    peers notice minutes later, and newcomers are accepted by a node that is gone.
    """
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):
            await _close_all(network)


async def _close_all(network: Any) -> None:
    found = [conn for of_peer in network.connections.values() for conn in of_peer]
    with trio.move_on_after(DRAIN_S_MAX):
        async with trio.open_nursery() as nursery:
            for listener in list(network.listeners.values()):
                nursery.start_soon(quietly, listener.close)
            for conn in found:
                nursery.start_soon(quietly, _say_goodbye, conn)
    for conn in found:
        with contextlib.suppress(AttributeError):
            await trio.aclose_forcefully(_socket_stream(conn))


async def _say_goodbye(conn: Any) -> None:
    with trio.move_on_after(0.5):
        await conn.muxed_conn._write_frame(GO_AWAY_FRAME)


def _socket_stream(connection: Any) -> Any:
    raw = connection.muxed_conn.secured_conn.conn.read_writer.read_write_closer
    return raw.stream.stream


def remote_endpoint(connection: Any) -> tuple[str, int] | None:
    """The remote IP address and port of a connection; None if it is gone, or goes through a relay."""
    try:
        host, port = _socket_stream(connection).socket.getpeername()[:2]
    except (AttributeError, OSError, ValueError):
        return None
    return str(host), int(port)


def remote_host(connection: Any) -> str:
    """The remote IP address of a connection, or an empty string."""
    endpoint = remote_endpoint(connection)
    return endpoint[0] if endpoint else ""


def host_answerable(connection: Any) -> str:
    """Whose network a connection burdens: its remote host, or the host of the relay that it goes through."""
    circuit = circuit_of(connection.muxed_conn)
    return circuit.relay_host if circuit else remote_host(connection)


def shown_address(connection: Any) -> str:
    """Where a peer is connected from, for people: its host, or through whom."""
    circuit = circuit_of(connection.muxed_conn)
    return f"/p2p/{circuit.relay}/p2p-circuit" if circuit else remote_host(connection)
