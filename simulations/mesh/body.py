"""The machines of a scenario as running shells: service, link and libp2p over simulated links.

Each machine is the real node under the real service, link and transport; simulated are the sockets, the
clock, the disk and people. Offers the workload and the adversaries the same calls as the world does. Refuses
duplication of bytes (the streams under libp2p are ordered and exact) and machines that sleep.
"""

import hashlib
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import signer_from_seed
from luminous.node.core import events
from luminous.node.core.commands import Command
from luminous.node.core.config import Config, Membership
from luminous.node.core.effects import Apply, Report
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.node.shell import libp2p_stack
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.link import Link
from luminous.protocol.admission import Admissions, topic_of
from luminous.protocol.genesis import write_genesis
from luminous.protocol.reasons import Refused
from luminous.simulations.disk import MemoryStore
from luminous.simulations.mesh.gossip import address_of, hosts_over, ip_of
from luminous.simulations.mesh.hostile import silenced, whisper
from luminous.simulations.mesh.watched import Trace, TracedStore, WatchedService
from luminous.simulations.mesh_links import Links, Physics
from luminous.simulations.mesh_transport import Air
from luminous.simulations.network import Network
from luminous.simulations.place import WALL_START_MS, Place, settle
from luminous.simulations.roles import COPY, cast_roles, shameless
from luminous.simulations.scenario import Link as ScenarioLink
from luminous.simulations.scenario import Scenario, ScenarioError
from luminous.simulations.virtual_time import replaced


class MeshClock:
    """Virtual time with one machine's skew, which may jump."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._boot = f"boot-{place.boots}"

    def now(self) -> Instant:
        """This moment."""
        now_ms = int(trio.current_time() * 1000)
        return Instant(self._boot, now_ms, WALL_START_MS + now_ms + self._place.skew_ms)


class Mesh:
    """All machines of a scenario. Call ``run`` once, inside virtual time."""

    def __init__(self, scenario: Scenario, seed: int, membership: Membership | None = None) -> None:
        self.scenario = scenario
        self.seed = seed
        self.chance = random.Random(f"mesh/{scenario.id}/{seed}")
        if scenario.churn.sleep:
            raise ScenarioError(f"{scenario.id}: machines sleep in the world, not in the mesh")
        cast = cast_roles(scenario)
        self.network = Network(len(cast), scenario.link, scenario.partition, self.chance, cast.twins)
        self.links = Links(_physics(scenario.link), seed)
        self.links.clogged_s = self._clogged_s
        self.trace = Trace()
        self.watchers: list[Callable[[int, Place, events.Event], None]] = []
        self.hearers: list[Callable[[Place, bytes, bool], None]] = []
        signers = [signer_from_seed(self._seed_of(number, "author")) for number in cast.keys]
        founders = [signer.public for signer in signers[: scenario.nodes]]
        membership = membership or settle(scenario, founders, self._seed_of(0, "salt")[:16])
        self.membership = membership
        self.admissions = Admissions(membership.id, size_max=200_000, size_bytes_max=1 << 30)
        level = "LOCAL_ONLY" if scenario.learning is None else scenario.learning.level
        self.places = [
            Place(
                i,
                Config(signer, SeededEntropy(self._seed_of(i, "entropy")), membership, level),
                MemoryStore(durable=True),
                MemoryStore(durable=False),
                self.chance.randint(-scenario.skew_ms_max, scenario.skew_ms_max),
                role=cast.roles[i],
                is_silent=cast.roles[i] == "withhold",
            )
            for i, signer in enumerate(signers)
        ]
        self._identities = [
            libp2p_stack.Identity(self._seed_of(i, "transport"), self._seed_of(i, "noise"))
            for i in range(len(cast))
        ]
        self._index_of_ip = {ip_of(i): i for i in range(len(cast))}
        self._air = Air(self.links)
        self._services: dict[int, WatchedService] = {}
        self._transports: dict[int, LibP2PTransport] = {}
        self._scopes: dict[int, trio.CancelScope] = {}
        self._ended: dict[int, trio.Event] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, at_end: Callable[[], None]) -> None:
        """Play the scenario to its end, then call ``at_end`` while the machines still run."""
        index_of = {identity.peer_id: i for i, identity in enumerate(self._identities)}
        hosts = hosts_over(self._air, index_of)
        for partition in self.scenario.partition:
            for at_ms in (partition.from_ms, partition.until_ms):
                self.at(at_ms, partial(self.links.cut, self._is_cut))
        with replaced([(libp2p_stack, "new_host", hosts)]):
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self.links.run)
                await trio.sleep_until(self.scenario.duration_ms / 1000)
                at_end()
                nursery.cancel_scope.cancel()

    # What the workload calls, as in the world

    @property
    def now_ms(self) -> int:
        """Virtual milliseconds since the start."""
        return int(trio.current_time() * 1000)

    def at(self, time_ms: int, action: Callable[[], None]) -> None:
        """Do something at a virtual time."""
        self.links.at(time_ms / 1000, action)

    def instant(self, place: Place) -> Instant:
        """What the clocks of a machine say."""
        return MeshClock(place).now()

    def boot(self, place: Place) -> None:
        """Start a machine from its stores."""
        if place.is_up or self._nursery is None:
            return
        place.boots += 1
        node = Node(place.config, self.admissions)
        if place.role not in ("", COPY, "sybil"):
            shameless(node)
        node.restore(
            [(record.kind, record.body) for record in place.journal.records()],
            [(record.kind, record.body) for record in place.state.records()],
            self.instant(place),
        )
        self._nursery.start_soon(self._live, place, self._assemble(place, node))
        if place.journal_lost:
            place.journal_lost = False
            self.step(place, events.JournalLost(self.instant(place)))

    def crash(self, place: Place, *, lose_state: bool = False) -> None:
        """Stop a machine at once: what was not committed is gone."""
        if not place.is_up:
            return
        place.driver = None
        self._services.pop(place.index)
        self._scopes.pop(place.index).cancel()
        place.state.tear(self.chance)
        if lose_state:
            place.state.wipe()

    def step(self, place: Place, event: events.Event) -> None:
        """Hand a machine an event."""
        if place.is_up:
            self._services[place.index].post(event)

    def command(self, place: Place, command: Command) -> None:
        """A person asks for something."""
        self.step(place, events.Commanded(self.instant(place), command, reply=1))

    # What adversaries call, as in the world

    def mark(self, what: bytes, index: int, body: bytes) -> None:
        """Add to the trace digest."""
        self.trace.mark(what, index, body)

    def send(self, source: Place, peer: int, raw: bytes) -> None:
        """Bytes from a hostile machine to one peer, if they are connected."""
        if source.is_up:
            target = self._identities[peer].peer_id
            whisper(self._transports[source.index], target, topic_of(source.network), raw, self.now_ms)

    def receive(self, place: Place, raw: bytes, *, gossiped: bool) -> None:
        """Put bytes into a hostile machine's own node."""
        envelope = self.admissions.admit(raw)
        if not isinstance(envelope, Refused):
            self.step(place, events.Received(self.instant(place), envelope, gossiped))

    # Figures

    def mesh_sizes(self) -> list[int]:
        """Gossip mesh sizes of the machines that run."""
        return [size for one in self._transports.values() for size in one.mesh_sizes().values()]

    def peers(self) -> list[int]:
        """Connected peers of the machines that run."""
        return [len(self._transports[i].peers()) for i in sorted(self._scopes)]

    def counted(self, name: str) -> int:
        """What the transports of the honest counted under a name, summed."""
        honest = [self._transports[place.index] for place in self.places if place.is_up and not place.role]
        return sum(transport.counters().get(name, 0) for transport in honest)

    # One machine

    def _assemble(self, place: Place, node: Node) -> Link:
        publishing: list[Link] = []

        def publish(raw: bytes) -> None:
            place.published.append(raw)
            for hear in self.hearers:
                hear(place, raw, True)
            if not place.is_silent:
                publishing[0].publish(raw)

        def before(event: events.Event) -> None:
            for watch in self.watchers:
                watch(0, place, event)

        def act(apply: Apply) -> None:
            self.step(place, events.Remedied(self.instant(place), apply.intent, True))

        def told(report: Report) -> None:
            place.reports.append(report)

        service = WatchedService(
            node,
            TracedStore(place.journal, place.index, "journal", self.trace),
            TracedStore(place.state, place.index, "state", self.trace),
            MeshClock(place),
            publish=publish,
            compare=lambda compare: publishing[0].compare(compare),
            act=act,
            told=told,
            in_thread=False,
        )
        service.before = before
        # The checkers look at the node where the world keeps it.
        place.driver = service._driver
        self._services[place.index] = service
        genesis = write_genesis(self.membership.genesis)
        link = Link(service, self.membership.id, partial(self._transport, place), genesis)
        # What bytes are is a function of the bytes: judged once for all, as in the world.
        link._admissions = self.admissions
        publishing.append(link)
        return link

    async def _live(self, place: Place, link: Link) -> None:
        service = self._services.get(place.index)
        if service is None:
            return
        before, ended = self._ended.get(place.index), trio.Event()
        self._ended[place.index] = ended
        with trio.CancelScope() as scope:
            self._scopes[place.index] = scope
            if before is not None:  # two processes of one machine cannot listen on one port
                await before.wait()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(service.run)
                nursery.start_soon(link.run)
        self._air.end(ip_of(place.index))
        ended.set()

    def _transport(self, place: Place, **callbacks: Any) -> LibP2PTransport:
        if place.is_silent:
            callbacks = silenced(callbacks)
        dialled = [peer for peer in self.network.neighbours[place.index] if peer < place.index]
        transport = LibP2PTransport(
            transport_seed=self._seed_of(place.index, "transport"),
            noise_seed=self._seed_of(place.index, "noise"),
            listen=(f"/ip4/{ip_of(place.index)}/tcp/0",),
            bootstrap=tuple(address_of(peer, self._identities[peer].peer_id) for peer in dialled),
            peers_wanted=len(self.network.neighbours),  # every link of the graph is wanted
            **callbacks,
        )
        self._transports[place.index] = transport
        return transport

    def _is_cut(self, source_ip: str, target_ip: str) -> bool:
        source, target = self._index_of_ip[source_ip], self._index_of_ip[target_ip]
        return self.network.is_cut(source, target, self.now_ms)

    def _clogged_s(self, source_ip: str, target_ip: str) -> float:
        source, target = self._index_of_ip[source_ip], self._index_of_ip[target_ip]
        return self.network.clogged_ms(source, target, self.now_ms) / 1000

    def _seed_of(self, index: int, what: str) -> bytes:
        return hashlib.sha256(f"{self.scenario.id}/{self.seed}/{index}/{what}".encode()).digest()


def _physics(link: ScenarioLink) -> Physics:
    return Physics(link.delay_ms_min / 1000, link.delay_ms_mean / 1000, link.loss)
