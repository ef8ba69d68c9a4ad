"""The world: virtual time, simulated links and disks, and the real node in every place.

Refuses to run trio or libp2p: it interprets effects. One seed, one history: every draw comes from it, and
the digest covers every event handled and every effect made.
"""

import hashlib
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import signer_from_seed
from luminous.node.core import events
from luminous.node.core.commands import Command
from luminous.node.core.config import Config, Membership
from luminous.node.core.effects import Apply, Compare, Note, Report
from luminous.node.core.founding import found, join
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.node.driver import Driver
from luminous.protocol.admission import Admissions, Arrival, Verdict, topic_of
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.parameters import (
    CLOSING_GRACE_MS,
    MIN_CONTRIBUTORS,
    VOTING_WINDOW_MS_MIN,
    WINDOW_MS,
)
from luminous.protocol.reasons import Refused
from luminous.simulations.disk import MemoryStore
from luminous.simulations.network import Network
from luminous.simulations.peers_sync import Dialogue
from luminous.simulations.scenario import Scenario

WALL_START_MS = 1_800_000_000_000
SEEN_MAX = 50_000


@dataclass
class Place:
    """One machine of the world: its disks survive a crash, its node does not."""

    index: int
    config: Config
    journal: MemoryStore
    state: MemoryStore
    skew_ms: int
    driver: Driver | None = None
    boots: int = 0
    seen: set[bytes] = field(default_factory=set)
    tick_at_ms: int = -1
    published: list[bytes] = field(default_factory=list)
    truth: list[tuple[str, str, bool, int]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    @property
    def node(self) -> Node:
        """The running node."""
        assert self.driver is not None
        return self.driver.node

    @property
    def network(self) -> NetworkId:
        """The network it belongs to."""
        assert self.config.membership is not None
        return self.config.membership.id

    @property
    def is_up(self) -> bool:
        """True between boot and crash."""
        return self.driver is not None


class WorldOutbox:
    """Carries a node's effects into the world."""

    def __init__(self, world: "World", place: Place) -> None:
        self._world = world
        self._place = place

    def publish(self, raw: bytes) -> None:
        """Gossip it."""
        self._place.published.append(raw)
        self._world.mark(b"publish", self._place.index, raw)
        self._world.gossip(self._place, raw)

    def compare(self, compare: Compare) -> None:
        """Hold the dialogue over simulated links."""
        Dialogue(self._world, self._place, compare).start()

    def apply(self, act: Apply) -> None:
        """Healing acts of simulated hosts succeed at once."""
        self._world.mark(b"apply", self._place.index, act.verb.encode())
        self._world.soon(self._place, events.Remedied(self._world.instant(self._place), act.intent, True))

    def report(self, report: Report) -> None:
        """Remember what people were told."""
        self._place.reports.append(report)
        self._world.mark(b"report", self._place.index, repr(report).encode())

    def note(self, note: Note) -> None:
        """Readings are not kept in the world."""


class World:
    """All machines of a scenario under one virtual clock. ``run`` it once."""

    def __init__(self, scenario: Scenario, seed: int, *, memoise: bool = True) -> None:
        self.scenario = scenario
        self.seed = seed
        self.now_ms = 0
        self.handled = 0
        self.deliveries = 0
        self.chance = random.Random(f"world/{scenario.id}/{seed}")
        self.network = Network(scenario.nodes, scenario.link, scenario.partition, self.chance)
        self._memoise = memoise
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._trace = hashlib.blake2b(digest_size=16)
        signers = [signer_from_seed(self._seed_of(i, "author")) for i in range(scenario.nodes)]
        self.membership = settle(
            scenario, [signer.public for signer in signers], self._seed_of(0, "salt")[:16]
        )
        self.admissions = Admissions(self.membership.id, size_max=200_000)
        level = "LOCAL_ONLY" if scenario.learning is None else scenario.learning.level
        self.places = [
            Place(
                i,
                Config(signer, SeededEntropy(self._seed_of(i, "entropy")), self.membership, level),
                MemoryStore(durable=True),
                MemoryStore(durable=False),
                self.chance.randint(-scenario.skew_ms_max, scenario.skew_ms_max),
            )
            for i, signer in enumerate(signers)
        ]

    # Time

    def at(self, time_ms: int, action: Callable[[], None]) -> None:
        """Do something at a virtual time."""
        self._order += 1
        heapq.heappush(self._queue, (max(time_ms, self.now_ms), self._order, action))

    def run(self) -> None:
        """Play the scenario to its end."""
        while self._queue and self._queue[0][0] <= self.scenario.duration_ms:
            self.now_ms, _, action = heapq.heappop(self._queue)
            action()
        self.now_ms = self.scenario.duration_ms

    def instant(self, place: Place) -> Instant:
        """What the clocks of a machine say."""
        wall_ms = WALL_START_MS + self.now_ms + place.skew_ms
        return Instant(f"boot-{place.boots}", self.now_ms, wall_ms)

    # Machines

    def boot(self, place: Place) -> None:
        """Start a machine from its stores."""
        if place.is_up:
            return
        place.boots += 1
        place.seen = set()
        node = Node(place.config, self.admissions if self._memoise else None)
        node.restore(
            [(record.kind, record.body) for record in place.journal.records()],
            [(record.kind, record.body) for record in place.state.records()],
            self.instant(place),
        )
        place.driver = Driver(node, place.journal, place.state, WorldOutbox(self, place))
        self.step(place, events.Tick(self.instant(place)))
        for peer in self.network.neighbours[place.index]:
            if self.places[peer].is_up:
                self.step(place, events.PeerJoined(self.instant(place), str(peer)))
                self.step(
                    self.places[peer], events.PeerJoined(self.instant(self.places[peer]), str(place.index))
                )

    def crash(self, place: Place, *, lose_state: bool = False) -> None:
        """Cut a machine's power: what was not committed is gone."""
        if not place.is_up:
            return
        place.driver = None
        if lose_state:
            place.state.wipe()
        for peer in self.network.neighbours[place.index]:
            if self.places[peer].is_up:
                self.step(
                    self.places[peer], events.PeerLeft(self.instant(self.places[peer]), str(place.index))
                )

    def step(self, place: Place, event: events.Event) -> None:
        """Let a node handle one event, and schedule its next tick."""
        if place.driver is None:
            return
        self.handled += 1
        self.mark(type(event).__name__.encode(), place.index, self.now_ms.to_bytes(8, "big"))
        place.driver.step([event], event.at)
        self._schedule_tick(place)

    def soon(self, place: Place, event: events.Event) -> None:
        """Hand a node an event after the one it is handling."""
        boots = place.boots
        self.at(self.now_ms, lambda: self.step(place, event) if place.boots == boots else None)

    def command(self, place: Place, command: Command) -> None:
        """A person asks for something."""
        self.step(place, events.Commanded(self.instant(place), command, reply=1))

    def _schedule_tick(self, place: Place) -> None:
        due_ms = max(place.node.deadline(), self.now_ms + 1)
        if self.now_ms < place.tick_at_ms <= due_ms:
            return
        place.tick_at_ms = due_ms
        boots = place.boots

        def tick() -> None:
            if place.is_up and place.boots == boots and place.tick_at_ms == self.now_ms:
                place.tick_at_ms = -1
                self.step(place, events.Tick(self.instant(place)))

        self.at(due_ms, tick)

    # Bytes

    def gossip(self, source: Place, raw: bytes) -> None:
        """Flood along the links, as a mesh does: each node forwards what it accepts, once."""
        source.seen.add(raw)
        for peer in self.network.neighbours[source.index]:
            for delay_ms in self.network.deliveries_ms(source.index, peer, self.now_ms):
                self.at(self.now_ms + delay_ms, self._delivery(source.index, peer, raw))

    def _delivery(self, source: int, target: int, raw: bytes) -> Callable[[], None]:
        def deliver() -> None:
            place = self.places[target]
            if place.is_up and raw not in place.seen:
                self.deliver(place, source, raw)

        return deliver

    def deliver(self, place: Place, source: int, raw: bytes) -> None:
        """A gossiped message reaches a machine: judge it, relay it, hear it."""
        self.deliveries += 1
        if len(place.seen) >= SEEN_MAX:
            place.seen.clear()
        place.seen.add(raw)
        node = place.node
        if node.judge(Arrival(raw, topic_of(self.membership.id), str(source))) is not Verdict.ACCEPT:
            return
        self.gossip(place, raw)
        self.receive(place, raw, gossiped=True)

    def receive(self, place: Place, raw: bytes, *, gossiped: bool) -> None:
        """Admit bytes and hand them to the node."""
        envelope = place.node.admit(raw)
        if not isinstance(envelope, Refused):
            self.step(place, events.Received(self.instant(place), envelope, gossiped))

    # Evidence

    def mark(self, what: bytes, index: int, body: bytes) -> None:
        """Add to the trace digest."""
        self._trace.update(what + b"\0" + index.to_bytes(4, "big") + body)

    def digest(self) -> str:
        """One history, one digest."""
        return self._trace.hexdigest()

    def _seed_of(self, index: int, what: str) -> bytes:
        return hashlib.sha256(f"{self.scenario.id}/{self.seed}/{index}/{what}".encode()).digest()


def settle(scenario: Scenario, founders: list[bytes], salt: bytes) -> Membership:
    """The network of a scenario: all its machines found it, with the scenario's short windows as law."""
    return settle_raw(scenario, founders, salt, scenario.grace_ms, 1)[1]


def settle_raw(
    scenario: Scenario, founders: list[bytes], salt: bytes, grace_ms: int, pace: int
) -> tuple[bytes, Membership]:
    """Genesis bytes and membership; ``pace`` divides the windows where time is real."""
    learning = scenario.learning
    is_fleet = learning is not None and learning.fleet
    values = {VOTING_WINDOW_MS_MIN: 1000, CLOSING_GRACE_MS: grace_ms}
    if learning is not None:
        values[WINDOW_MS] = max(10_000, learning.window_ms // pace)
    if is_fleet:
        values[MIN_CONTRIBUTORS] = 1
    raw = found(
        scenario.id,
        founders,
        is_fleet=is_fleet,
        is_open=False,
        parameters=values,
        created_at_ms=WALL_START_MS,
        salt=salt,
    )
    membership = join(raw)
    assert isinstance(membership, Membership), membership
    return raw, membership
