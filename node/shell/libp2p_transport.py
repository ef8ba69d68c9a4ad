"""The mesh on py-libp2p: TCP, Noise, Yamux and Gossipsub 1.1 behind the transport port.

Every constant the library needs is here, with the trap of research/network.md that it answers. Refuses to
start on a library that the guards were not written for, on a port that is in use, or before somebody calls
``run``: constructing a transport opens nothing.
"""

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from luminous.node.shell import connections, dial_address, dialling, libp2p_patches, peer_views, reach
from luminous.node.shell.address_scope import own_addresses
from luminous.node.shell.circuit_slots import RelayLimits
from luminous.node.shell.circuits import Circuits
from luminous.node.shell.dialler import Dialler
from luminous.node.shell.gossip import Gossip, Received, Validate
from luminous.node.shell.guards import Limits, PeerLedger
from luminous.node.shell.kept_bans import KeptBans
from luminous.node.shell.libp2p_stack import HEARTBEAT_S, AddressInUse, Identity, Stack, build, check_listen
from luminous.node.shell.mdns import LocalDiscovery
from luminous.node.shell.mesh_care import MeshCare
from luminous.node.shell.peer_book import PeerBook
from luminous.node.shell.peer_exchange import ASK_FIRST_S, Doors, PeerExchange
from luminous.node.shell.reachability import SETTLED_S, Reachability, Seen
from luminous.node.shell.requests import Handler, Server, ask
from luminous.node.shell.rumours import Rumours
from luminous.node.shell.seen_ids import SeenIds
from luminous.node.shell.supervisor import supervise
from luminous.node.shell.transport_types import PeerView
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.peer_exchange import PEERS_PROTOCOL

# Peers to stay connected to, beyond which only bootstrap addresses are dialled.
PEERS_WANTED = 8
CARE_INTERVAL_S = 1.0
# Messages published while the service tree restarts. What does not fit is offered again by sync.
HELD_MESSAGES_MAX = 1024

PeerCallback = Callable[[str], None]


class LibP2PTransport:
    """The transport port on real sockets. One instance is one peer; ``run`` it once."""

    def __init__(
        self,
        *,
        transport_seed: bytes,
        noise_seed: bytes,
        listen: tuple[str, ...],
        bootstrap: tuple[str, ...] = (),
        topics: tuple[str, ...],
        validate: Validate,
        received: Received,
        serve: Mapping[str, Handler] | None = None,
        joined: PeerCallback | None = None,
        left: PeerCallback | None = None,
        allow: Callable[[str], bool] | None = None,
        limits: Limits | None = None,
        book: PeerBook | None = None,
        announce: tuple[str, ...] = (),
        peers_wanted: int = PEERS_WANTED,
        heartbeat_s: float = HEARTBEAT_S,
        exchange: NetworkId | None = None,
        ask_first_s: float = ASK_FIRST_S,
        settled_s: float = SETTLED_S,
        offers_relay: RelayLimits | None = None,
        uses_relays: bool = False,
        local: bool = False,
    ) -> None:
        """``transport_seed``: 32 bytes, the peer id's Ed25519 key; ``noise_seed``: 32 bytes, X25519.

        ``exchange``: the network whose peers are exchanged with its other peers; None: with nobody.
        ``offers_relay``: relay for peers behind NAT within these bounds; ``uses_relays``: be such a peer.
        ``local``: find and tell the peers of ``exchange`` on the local network by multicast.
        """
        self._identity = Identity(transport_seed, noise_seed)
        self._id = self._identity.peer_id
        self._listen = listen
        self._announce = announce
        self._topics = topics
        self._validate = validate
        self._received = received
        self._serve = dict(serve or {})
        self._joined = joined or (lambda peer: None)
        self._left = left or (lambda peer: None)
        self._allow = allow or (lambda peer: True)
        self._peers_wanted = peers_wanted
        self._heartbeat_s = heartbeat_s
        self._book = book or PeerBook(None)
        self.ledger = PeerLedger(limits or Limits())
        self._bans = KeptBans(self.ledger, self._book)
        self._seen = SeenIds(libp2p_patches.SEEN_TTL_S, libp2p_patches.SEEN_IDS_MAX, time.monotonic)
        self._plan = reach.DialPlan(bootstrap, random.Random(), 0.0)
        self._rumours = Rumours(random.Random())
        self._exchange = None if exchange is None else self._new_exchange(exchange, ask_first_s, settled_s)
        self._circuits = Circuits(
            offers_relay, uses_relays, self.ledger, self._drop, self._needs_relay, self._may_ask_for_slot
        )
        self._local: LocalDiscovery | None = None
        if local and exchange is not None:
            self._local = LocalDiscovery(
                exchange, self._own_addresses, self._connected, self._rumours, self.ledger.counters
            )
        self._held: list[tuple[str, bytes]] = []
        self._counter = 0
        self._stack: Stack | None = None
        self._gossip: Gossip | None = None
        self._nursery: trio.Nursery | None = None
        self._has_started = False

    # The port ----------------------------------------------------------------------------------------

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled. Raises ``LibraryChanged`` or ``AddressInUse`` at the start."""
        libp2p_patches.install()
        self._bans.recall()
        for address in self._book.addresses():
            self._plan.add(address, trio.current_time())

        async def live() -> None:
            await self._live(task_status)

        await supervise(live, fell=self._fell, is_fatal=lambda error: not self._has_started)

    def peer_id(self) -> str:
        """This peer's id."""
        return str(self._id)

    def addresses(self) -> tuple[str, ...]:
        """Where others can dial this peer, with the peer id: itself, then through relays."""
        return self._own_addresses() + self._circuits.addresses(self.peer_id())

    def _own_addresses(self) -> tuple[str, ...]:
        """Where this peer listens; empty while it does not."""
        bound = [] if self._stack is None else map(str, self._stack.host.get_transport_addrs())
        return own_addresses(bound, self._announce, self.peer_id())

    async def connect(self, address: str) -> bool:
        """Dial ``address`` (a multiaddr with /p2p/) now; True if connected."""
        peer = reach.peer_of(address)
        if self._stack is None or not peer or peer == self.peer_id() or not self._is_welcome(peer):
            return False
        if peer in self._connected():
            return True
        if reach.relay_of(address):
            return await self._dialled(address, self._dial_circuit)
        return await self._dialled(address, dialling.dial)

    async def _dial_circuit(self, host: Any, address: str) -> None:
        found = dial_address.read(address)
        if isinstance(found, str):
            raise ConnectionError(found)
        with trio.fail_after(2 * dialling.DIAL_S_MAX):
            await self._circuits.dial(found, self.connect)

    async def _dialled(self, address: str, way: Callable[[Any, str], Awaitable[None]]) -> bool:
        if self._stack is None:
            return False
        now_s = trio.current_time()
        try:
            await way(self._stack.host, address)
        except Exception as error:  # noqa: BLE001 - a guard: a dial may fail in any way the library knows
            self.ledger.counters[f"dial.{type(error).__name__}"] += 1
            self._book.failed(address)
            if self._exchange is not None:
                self._exchange.failed(address)
            return False
        self._book.reached(address, int(time.time() * 1000))
        self._plan.add(address, now_s)
        if self._exchange is not None:
            self._exchange.reached(address, now_s)
        return True

    def peers(self) -> tuple[PeerView, ...]:
        """Connected peers and peers under a ban, by id."""
        return peer_views.views(self._stack, self.ledger, self._topics, self._now_s())

    async def publish(self, topic: str, data: bytes) -> None:
        """Enqueue ``data`` for ``topic``; while the tree restarts a bounded number is held."""
        if self._gossip is None:
            if len(self._held) < HELD_MESSAGES_MAX:
                self._held.append((topic, data))
            else:
                self.ledger.counters["publish.dropped"] += 1
        else:
            self._gossip.publish(topic, data)
        await trio.lowlevel.checkpoint()

    async def request(self, peer: str, protocol: str, data: bytes, timeout_s: float) -> bytes | None:
        """Ask a connected peer; None if it does not answer properly in time."""
        host = None if self._stack is None else self._stack.host
        if host is None or not self._is_welcome(peer):
            return None
        try:
            peer_id = ID.from_string(peer)
        except ValueError:
            return None
        if peer_id not in host.get_network().connections:
            return None
        return await ask(host, peer_id, protocol, data, timeout_s, self.ledger.limits)

    # Beyond the port ---------------------------------------------------------------------------------

    def counters(self) -> dict[str, int]:
        """What happened, by name, since construction."""
        return dict(self.ledger.counters)

    def mesh_sizes(self) -> dict[str, int]:
        """Peers in the mesh of each topic."""
        mesh = {} if self._stack is None else self._stack.router.mesh
        return {topic: len(mesh.get(topic, ())) for topic in self._topics}

    def ban(self, peer: str, reason: str, duration_s: float | None = None) -> None:
        """Refuse ``peer`` from now on; ``duration_s`` infinite: until ``pardon``."""
        self.ledger.ban(peer, reason, self._now_s(), duration_s)
        self._drop(ID.from_string(peer))

    def pardon(self, peer: str) -> bool:
        """Lift a ban; False if there was none."""
        return self._bans.lift(peer)

    def seen_by(self) -> dict[str, Seen]:
        """How peers that were asked lately see this node: its host, and its ports that they could dial."""
        return {} if self._exchange is None else self._exchange.seen_by()

    def reachability(self) -> Reachability:
        """Whether others can dial this node, as they say; unknown without an exchange."""
        return Reachability.UNKNOWN if self._exchange is None else self._exchange.reachability()

    def relaying(self) -> dict[str, int] | None:
        """How much of this node's relay is taken; None if it offers none."""
        return self._circuits.usage()

    # One life of the service tree --------------------------------------------------------------------

    async def _live(self, task_status: Any) -> None:
        check_listen(self._listen)
        stack = build(self._identity, self._topics, self.ledger.limits, self._announce, self._heartbeat_s)
        stack.network.guard_counters = self.ledger.counters
        connections.admit(stack.network, self.ledger, self._is_welcome)
        # Sequence numbers go on where the last life stopped, also after a restart of the process (trap 6).
        self._counter = stack.pubsub.counter = max(self._counter + 1, time.time_ns())
        gossip = Gossip(
            stack.pubsub,
            stack.router,
            self.ledger,
            self._seen,
            self._topics,
            self._validate,
            self._received,
            self._drop,
        )
        stack.network.register_notifee(connections.Notifee(self._joined, self._parted, gossip.lost))
        self._circuits.install(stack.host)
        server = Server(self.ledger, self._drop)
        for protocol, handler in self._serve.items():
            stack.host.set_stream_handler(TProtocol(protocol), server.stream_handler(handler))
        try:
            async with AsyncExitStack() as running:
                listen = [Multiaddr(address) for address in self._listen]
                await running.enter_async_context(stack.host.run(listen))
                if self._listen and not stack.host.get_transport_addrs():
                    raise AddressInUse(f"cannot listen on {', '.join(self._listen)}")
                await running.enter_async_context(background_trio_service(stack.pubsub))
                await running.enter_async_context(background_trio_service(stack.router))
                await stack.pubsub.wait_until_ready()
                for topic in self._topics:
                    await stack.pubsub.subscribe(topic)
                await self._care_for(stack, gossip, task_status)
        finally:
            self._stack = self._gossip = self._nursery = None

    async def _care_for(self, stack: Stack, gossip: Gossip, task_status: Any) -> None:
        async with connections.closing(stack.network), trio.open_nursery() as nursery:
            self._nursery, self._stack, self._gossip = nursery, stack, gossip
            held, self._held = self._held, []
            for topic, data in held:
                gossip.publish(topic, data)
            care = MeshCare(stack, self.ledger, self._is_welcome, self._drop)
            nursery.start_soon(care.run, CARE_INTERVAL_S)
            dialler = Dialler(
                self._plan, self._rumours, self.connect, self._connected, self._is_welcome, self._peers_wanted
            )
            nursery.start_soon(dialler.run)
            nursery.start_soon(self._circuits.run)
            if self._local is not None:
                nursery.start_soon(self._local.run)
            if self._exchange is not None:
                nursery.start_soon(self._exchange.run)
            if not self._has_started:
                self._has_started = True
                task_status.started()

    def _fell(self, error: BaseException) -> None:
        self.ledger.counters["restarts"] += 1
        self.ledger.counters[f"restarts.{type(error).__name__}"] += 1

    def _parted(self, peer: str) -> None:
        self._circuits.lost(peer)
        self._left(peer)

    # Peers -------------------------------------------------------------------------------------------

    def _now_s(self) -> float:
        return trio.current_time()

    def _connected(self) -> set[str]:
        return set() if self._stack is None else {str(peer) for peer in self._stack.network.connections}

    def _is_welcome(self, peer: str) -> bool:
        return not self.ledger.banned(peer, self._now_s()) and self._allow(peer)

    def _needs_relay(self) -> bool:
        return self.reachability() is Reachability.BEHIND_NAT

    def _may_ask_for_slot(self, peer: str) -> bool:
        return self._exchange is not None and self._exchange.cannot_reach_me(peer) and self._is_welcome(peer)

    def _new_exchange(self, network: NetworkId, ask_first_s: float, settled_s: float) -> PeerExchange:
        doors = Doors(
            self.peer_id,
            lambda: tuple(sorted({reach.port_of(address) for address in self._own_addresses()} - {0})),
            self._connected,
            self._host_of,
            lambda address: self._dialled(address, dialling.prove),
            self.request,
            lambda: self._circuits.through_me(self._own_addresses()),
        )
        counters, chance = self.ledger.counters, random.Random()
        exchange = PeerExchange(
            network, doors, self._rumours, self._peers_wanted, counters, chance, ask_first_s, settled_s
        )
        self._serve[PEERS_PROTOCOL] = exchange.serve
        return exchange

    def _host_of(self, peer: str) -> str:
        """The IP address at which ``peer`` is connected, or an empty string."""
        opened = {} if self._stack is None else self._stack.network.connections
        found = next((of_peer for known, of_peer in list(opened.items()) if str(known) == peer), ())
        return next(filter(None, map(connections.remote_host, found)), "")

    def _drop(self, peer: Any) -> None:
        """Close the connections of ``peer``, in the background."""
        if self._nursery is not None and self._stack is not None:
            self._nursery.start_soon(connections.close_peer, self._stack.network, peer)
