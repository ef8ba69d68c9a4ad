"""A libp2p transport without sockets: connections that are multiplexed from birth, over simulated links.

Dialling returns an ``IMuxedConn``, so libp2p adds neither Noise nor Yamux; everything above runs
unmodified. Identities are believed: what the handshake proves is tested on the wire. Refuses to run
outside one process and one ``Links``. Its interface is the library's.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import trio
from libp2p.abc import IListener, IMuxedConn, IMuxedStream, ITransport
from libp2p.connection_types import ConnectionType
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable
from libp2p.transport.exceptions import OpenConnectionError
from multiaddr import Multiaddr

from luminous.simulations.mesh_links import Links
from luminous.simulations.mesh_streams import MemoryStream

# Round trips that TCP and Noise need before the first stream.
HANDSHAKE_ROUND_TRIPS = 3
DIAL_S_MAX = 5.0
PORT = 4001


class Air:
    """Who listens where: shared by all transports of one simulation."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.listening: dict[str, MemoryTransport] = {}
        self.open: dict[str, dict[MemoryConnection, None]] = {}

    def transport(self, peer: ID, ip: str) -> "MemoryTransport":
        """The transport of one host, whose address is ``ip``."""
        return MemoryTransport(self, peer, ip)

    def end(self, ip: str) -> None:
        """The process at ``ip`` is gone: as an operating system does, close whatever it left open."""
        self.listening.pop(ip, None)
        for connection in list(self.open.pop(ip, ())):
            connection.hang_up()


class MemoryTransport(ITransport):
    """One host's way to the others."""

    provides_native_muxing = True

    def __init__(self, air: Air, peer: ID, ip: str) -> None:
        self.air = air
        self.peer = peer
        self.ip = ip
        self.swarm: Any = None
        self.nursery: trio.Nursery | None = None

    def set_swarm(self, swarm: Any) -> None:
        """As the library calls it."""
        self.swarm = swarm

    def set_background_nursery(self, nursery: trio.Nursery) -> None:
        """As the library calls it."""
        self.nursery = nursery

    async def dial(self, maddr: Multiaddr) -> Any:
        """Connect to who listens at ``maddr``; takes as long as a handshake would."""
        links, ip = self.air.links, str(maddr.value_for_protocol("ip4"))
        if links.is_cut(self.ip, ip) or links.is_cut(ip, self.ip):
            await trio.sleep(DIAL_S_MAX)
            raise OpenConnectionError(f"{ip} does not answer")
        await trio.sleep(sum(links.delay_s() for _ in range(2 * HANDSHAKE_ROUND_TRIPS)))
        remote = self.air.listening.get(ip)
        if remote is None or remote.nursery is None or remote is self:
            raise OpenConnectionError(f"nobody listens at {ip}")
        ours, theirs = connect(self, remote)
        remote.nursery.start_soon(remote.accept, theirs)
        return ours

    async def accept(self, connection: "MemoryConnection") -> None:
        """Hand an inbound connection to the library."""
        try:
            await self.swarm.add_conn(connection, "inbound")
        except (BaseLibp2pError, trio.TooSlowError):
            await connection.close()

    def create_listener(self, handler_function: Any) -> IListener:
        """As the library calls it."""
        return MemoryListener(self)

    def can_dial(self, maddr: Multiaddr) -> bool:
        """Any TCP address of version 4."""
        return {"ip4", "tcp"} <= {protocol.name for protocol in maddr.protocols()}

    def can_listen(self, maddr: Multiaddr) -> bool:
        """As for dialling."""
        return self.can_dial(maddr)

    def protocols(self) -> list[str]:
        """As the library calls it."""
        return ["tcp"]


class MemoryListener(IListener):
    """A listener that is one entry in ``Air``."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport

    async def listen(self, maddr: Multiaddr) -> None:
        """From now on others can dial this host."""
        self._transport.air.listening[self._transport.ip] = self._transport
        await trio.lowlevel.checkpoint()

    def get_addrs(self) -> tuple[Multiaddr, ...]:
        """The one simulated address."""
        return (Multiaddr(f"/ip4/{self._transport.ip}/tcp/{PORT}"),)

    async def close(self) -> None:
        """Nobody can dial any more."""
        if self._transport.air.listening.get(self._transport.ip) is self._transport:
            del self._transport.air.listening[self._transport.ip]
        await trio.lowlevel.checkpoint()


def connect(
    dialler: MemoryTransport, listener: MemoryTransport
) -> tuple["MemoryConnection", "MemoryConnection"]:
    """Both ends of a new connection."""
    ours = MemoryConnection(dialler, listener, is_initiator=True)
    theirs = MemoryConnection(listener, dialler, is_initiator=False)
    ours.other, theirs.other = theirs, ours
    return ours, theirs


class MemoryConnection(IMuxedConn):
    """One end of a connection: opens and accepts streams."""

    def __init__(self, local: MemoryTransport, remote: MemoryTransport, *, is_initiator: bool) -> None:
        self.peer_id = remote.peer
        self.event_started = trio.Event()
        self.event_closed = trio.Event()
        self.other: MemoryConnection | None = None
        self.remote_ip = remote.ip
        self._is_initiator = is_initiator
        self._pipe = local.air.links.pipe(local.ip, remote.ip, self._break)
        self._streams: dict[int, MemoryStream] = {}
        self._next_id = 1 if is_initiator else 2
        self._arrived: deque[MemoryStream] = deque()
        self._arrival = trio.Event()
        self._of_host = local.air.open.setdefault(local.ip, {})
        self._of_host[self] = None

    @property
    def is_initiator(self) -> bool:
        """True on the side that dialled."""
        return self._is_initiator

    @property
    def is_established(self) -> bool:
        """True while open."""
        return not self.is_closed

    @property
    def is_closed(self) -> bool:
        """True once either side closed it."""
        return self.event_closed.is_set()

    async def start(self) -> None:
        """Nothing has to run."""
        self.event_started.set()
        await trio.lowlevel.checkpoint()

    async def open_stream(self) -> IMuxedStream:
        """A new stream; the other side learns of it after the delay."""
        await trio.lowlevel.checkpoint()
        if self.is_closed:
            raise MuxedConnUnavailable("closed")
        stream = MemoryStream(self, self._next_id)
        self._streams[stream.id] = stream
        self._next_id += 2
        self.send(0, partial(self._peer_end().arrived, stream.id))
        return stream

    async def accept_stream(self) -> IMuxedStream:
        """The next stream the other side opened. Raises ``MuxedConnUnavailable`` once closed."""
        while not self._arrived:
            if self.is_closed:
                raise MuxedConnUnavailable("closed")
            self._arrival = trio.Event()
            await self._arrival.wait()
        await trio.lowlevel.checkpoint()
        return self._arrived.popleft()

    async def close(self) -> None:
        """Close both ends; the other after the delay."""
        self.hang_up()
        await trio.lowlevel.checkpoint()

    def hang_up(self) -> None:
        """As ``close``, at once."""
        if not self.is_closed:
            self.send(0, self._peer_end().shut)
            self.shut()

    def get_transport_addresses(self) -> list[Multiaddr]:
        """The remote address."""
        return [Multiaddr(f"/ip4/{self.remote_ip}/tcp/{PORT}")]

    def get_connection_type(self) -> ConnectionType:
        """Always direct."""
        return ConnectionType.DIRECT

    def get_remote_address(self) -> tuple[str, int] | None:
        """The remote address, as streams ask for it."""
        return (self.remote_ip, PORT)

    def send(self, size_bytes: int, deliver: Callable[[], None]) -> None:
        """Let something happen at the other end, in order."""
        self._pipe.send(size_bytes, deliver)

    def shut(self) -> None:
        """This end is closed now: streams reset, whoever waits wakes up."""
        if self.is_closed:
            return
        self.event_closed.set()
        self._of_host.pop(self, None)
        self._pipe.close()
        for stream in list(self._streams.values()):
            stream.was_reset()
        self._arrival.set()

    def tell(self, stream_id: int, size_bytes: int, what: str, *args: Any) -> None:
        """Call ``what`` of the other end of a stream, after the delay and in order."""
        if not self.is_closed:
            self.send(size_bytes, partial(self._peer_end().told, stream_id, what, args))

    def told(self, stream_id: int, what: str, args: tuple[Any, ...]) -> None:
        """The other end of a stream calls ``what`` of this one."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            getattr(stream, what)(*args)

    def arrived(self, stream_id: int) -> None:
        """The other side opened a stream."""
        if not self.is_closed:
            self._streams[stream_id] = MemoryStream(self, stream_id)
            self._arrived.append(self._streams[stream_id])
            self._arrival.set()

    def forget(self, stream_id: int) -> None:
        """Both directions of a stream are over."""
        self._streams.pop(stream_id, None)

    def _peer_end(self) -> "MemoryConnection":
        assert self.other is not None
        return self.other

    def _break(self) -> None:
        """The link was cut for too long: both ends notice."""
        self.shut()
        self._peer_end().shut()
