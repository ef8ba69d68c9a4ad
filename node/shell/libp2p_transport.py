"""The mesh on py-libp2p: TCP, Noise, Yamux and Gossipsub 1.1 behind the transport port.

Every constant the library needs is here, with the trap of research/network.md that it answers. Refuses to
start on a library that the guards were not written for, on a port that is in use, or before somebody calls
``run``: constructing a transport opens nothing.
"""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import psutil
import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from luminous.node.shell import connections, libp2p_patches, reach
from luminous.node.shell.dialler import Dialler
from luminous.node.shell.gossip import Gossip, Received, Validate
from luminous.node.shell.guards import Limits, PeerLedger
from luminous.node.shell.libp2p_stack import HEARTBEAT_S, AddressInUse, Identity, Stack, build, check_listen
from luminous.node.shell.mesh_care import MeshCare
from luminous.node.shell.peer_book import PeerBook
from luminous.node.shell.requests import Handler, Server, ask
from luminous.node.shell.seen_ids import SeenIds
from luminous.node.shell.supervisor import supervise
from luminous.node.shell.transport_types import PeerView

DIAL_S_MAX = 10.0
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
    ) -> None:
        """``transport_seed``: 32 bytes, the peer id's Ed25519 key; ``noise_seed``: 32 bytes, X25519."""
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
        self._seen = SeenIds(libp2p_patches.SEEN_TTL_S, libp2p_patches.SEEN_IDS_MAX, time.monotonic)
        self._plan = reach.DialPlan(bootstrap, random.Random(), 0.0)
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
        for address in self._book.addresses():
            self._plan.add(address, trio.current_time())

        async def live() -> None:
            await self._live(task_status)

        await supervise(live, fell=self._fell, is_fatal=lambda error: not self._has_started)

    def peer_id(self) -> str:
        """This peer's id."""
        return str(self._id)

    def addresses(self) -> tuple[str, ...]:
        """Where others can dial this peer, with the peer id; empty while it does not listen."""
        if self._announce:
            found = list(self._announce)
        elif self._stack is None:
            found = []
        else:
            interfaces = [a.address for group in psutil.net_if_addrs().values() for a in group]
            interfaces = [a for a in interfaces if reach.is_ip(a)]
            found = [
                address
                for bound in self._stack.host.get_transport_addrs()
                for address in reach.expanded(str(bound), interfaces)
            ]
        suffix = f"/p2p/{self._id}"
        return tuple(address if "/p2p/" in address else address + suffix for address in found)

    async def connect(self, address: str) -> bool:
        """Dial ``address`` (a multiaddr with /p2p/) now; True if connected."""
        host = None if self._stack is None else self._stack.host
        peer = reach.peer_of(address)
        if host is None or not peer or peer == self.peer_id() or not self._is_welcome(peer):
            return False
        try:
            info = info_from_p2p_addr(Multiaddr(address))
            host.get_network().unblock_peer(info.peer_id)
            with trio.fail_after(DIAL_S_MAX):
                await host.connect(info)
        except Exception as error:  # noqa: BLE001 - a guard: a dial may fail in any way the library knows
            self.ledger.counters[f"dial.{type(error).__name__}"] += 1
            self._book.failed(address)
            return False
        self._book.reached(address, int(time.time() * 1000))
        self._plan.add(address, trio.current_time())
        return True

    def peers(self) -> tuple[PeerView, ...]:
        """Connected peers and peers under a ban, by id."""
        now_s = self._now_s()
        opened = {} if self._stack is None else self._stack.network.connections
        views = {}
        for peer, of_peer in list(opened.items()):
            if of_peer:
                views[str(peer)] = self._view(peer, of_peer[0], now_s)
        for peer, reason, _ in self.ledger.bans(now_s):
            account = self.ledger.account(peer)
            views.setdefault(
                peer,
                PeerView(
                    peer,
                    "",
                    "",
                    (),
                    self.ledger.score(peer, now_s),
                    self.ledger.strikes(peer, now_s),
                    account.bytes_in,
                    account.bytes_out,
                    account.messages_in,
                    reason,
                ),
            )
        return tuple(views[peer] for peer in sorted(views))

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
        """Refuse ``peer`` from now on."""
        self.ledger.ban(peer, reason, self._now_s(), duration_s)
        self._drop(ID.from_string(peer))

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
        stack.network.register_notifee(connections.Notifee(self._joined, self._left, gossip.lost))
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
            dialler = Dialler(self._plan, self.connect, self._connected, self._is_welcome, self._peers_wanted)
            nursery.start_soon(dialler.run)
            if not self._has_started:
                self._has_started = True
                task_status.started()

    def _fell(self, error: BaseException) -> None:
        self.ledger.counters["restarts"] += 1
        self.ledger.counters[f"restarts.{type(error).__name__}"] += 1

    # Peers -------------------------------------------------------------------------------------------

    def _now_s(self) -> float:
        return trio.current_time()

    def _connected(self) -> set[str]:
        return set() if self._stack is None else {str(peer) for peer in self._stack.network.connections}

    def _is_welcome(self, peer: str) -> bool:
        return not self.ledger.banned(peer, self._now_s()) and self._allow(peer)

    def _drop(self, peer: Any) -> None:
        """Close the connections of ``peer``, in the background."""
        if self._nursery is not None and self._stack is not None:
            self._nursery.start_soon(connections.close_peer, self._stack.network, peer)

    def _view(self, peer: Any, connection: Any, now_s: float) -> PeerView:
        name = str(peer)
        account = self.ledger.account(name)
        mesh = {} if self._stack is None else self._stack.router.mesh
        return PeerView(
            id=name,
            address=connections.remote_host(connection),
            direction=str(connection.direction.name).lower(),
            mesh=tuple(topic for topic in self._topics if peer in mesh.get(topic, ())),
            score=self.ledger.score(name, now_s),
            strikes=self.ledger.strikes(name, now_s),
            bytes_in=account.bytes_in,
            bytes_out=account.bytes_out,
            messages_in=account.messages_in,
            banned=self.ledger.banned(name, now_s),
        )
