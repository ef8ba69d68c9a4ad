"""The world: virtual time, simulated links and disks, and the real node in every place.

Refuses to run trio or libp2p: it interprets effects. One seed, one history: every draw comes from it, and
the digest covers every event handled and every effect made.
"""

import hashlib
import heapq
import random
from collections.abc import Callable

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import signer_from_seed
from luminous.node.core import events
from luminous.node.core.commands import Command
from luminous.node.core.config import Config
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.node.driver import Driver
from luminous.protocol.admission import Admissions, Arrival, Verdict, topic_of
from luminous.protocol.reasons import Refused
from luminous.simulations.disk import MemoryStore
from luminous.simulations.network import Network
from luminous.simulations.outbox import WorldOutbox
from luminous.simulations.place import CANARY, WALL_START_MS, Place, settle, settle_raw
from luminous.simulations.roles import COPY, cast_roles, shameless
from luminous.simulations.scenario import Scenario

__all__ = ["WALL_START_MS", "Place", "World", "settle", "settle_raw"]

SEEN_MAX = 50_000
_CANARY = CANARY.encode()


class World:
    """All machines of a scenario under one virtual clock. ``run`` it once.

    ``memoise``: admission is remembered by its bytes across machines; verdicts are the same either way.
    """

    def __init__(self, scenario: Scenario, seed: int, *, memoise: bool = True) -> None:
        self.scenario = scenario
        self.seed = seed
        self.now_ms = 0
        self.handled = 0
        self.deliveries = 0
        self.chance = random.Random(f"world/{scenario.id}/{seed}")
        cast = cast_roles(scenario)
        self.network = Network(len(cast), scenario.link, scenario.partition, self.chance, cast.twins)
        self.watchers: list[Callable[[int, Place, events.Event], None]] = []
        self.hearers: list[Callable[[Place, bytes, bool], None]] = []
        self._memoise = memoise
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._trace = hashlib.blake2b(digest_size=16)
        signers = [signer_from_seed(self._seed_of(number, "author")) for number in cast.keys]
        founders = [signer.public for signer in signers[: scenario.nodes]]
        self.membership = settle(scenario, founders, self._seed_of(0, "salt")[:16])
        self.admissions = Admissions(self.membership.id, size_max=200_000)
        level = "LOCAL_ONLY" if scenario.learning is None else scenario.learning.level
        self.places = [
            Place(
                i,
                Config(signer, SeededEntropy(self._seed_of(i, "entropy")), self.membership, level),
                MemoryStore(durable=True),
                MemoryStore(durable=False),
                self.chance.randint(-scenario.skew_ms_max, scenario.skew_ms_max),
                role=cast.roles[i],
                is_silent=cast.roles[i] == "withhold",
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
        return Instant(f"boot-{place.boots}", self.now_ms - place.slept_ms, wall_ms)

    # Machines

    def boot(self, place: Place) -> None:
        """Start a machine from its stores."""
        if place.is_up:
            return
        place.boots += 1
        place.seen = set()
        node = Node(place.config, self.admissions if self._memoise else None)
        if place.role not in ("", COPY, "sybil"):
            shameless(node)
        node.restore(
            [(record.kind, record.body) for record in place.journal.records()],
            [(record.kind, record.body) for record in place.state.records()],
            self.instant(place),
        )
        place.driver = Driver(node, place.journal, place.state, WorldOutbox(self, place))
        if place.journal_lost:
            place.journal_lost = False
            self.step(place, events.JournalLost(self.instant(place)))
        self.step(place, events.Tick(self.instant(place)))
        self._meet(place)

    def crash(self, place: Place, *, lose_state: bool = False) -> None:
        """Cut a machine's power: what was not synced to its disk may be gone."""
        if not place.is_up:
            return
        place.driver = None
        place.sick.pop("own_memory", None)
        place.state.tear(self.chance)
        if lose_state:
            place.state.wipe()
        self._part(place)

    def sleep(self, place: Place) -> None:
        """Suspend a machine: it keeps its memory, its peers lose it, its monotonic clock stops."""
        if place.is_up and not place.is_asleep:
            place.is_asleep = True
            place.slept_ms -= self.now_ms
            self._part(place)

    def wake(self, place: Place) -> None:
        """Resume a machine."""
        if place.is_asleep:
            place.is_asleep = False
            place.slept_ms += self.now_ms
            if place.is_up:
                place.tick_at_ms = -1
                self.step(place, events.Tick(self.instant(place)))
                for peer in self.network.neighbours[place.index]:
                    self.step(place, events.PeerLeft(self.instant(place), str(peer)))
                self._meet(place)

    def _meet(self, place: Place) -> None:
        for number in self.network.neighbours[place.index]:
            peer = self.places[number]
            if peer.is_up and not peer.is_asleep:
                self.step(place, events.PeerJoined(self.instant(place), str(number)))
                self.step(peer, events.PeerJoined(self.instant(peer), str(place.index)))

    def _part(self, place: Place) -> None:
        for number in self.network.neighbours[place.index]:
            peer = self.places[number]
            if peer.is_up and not peer.is_asleep:
                self.step(peer, events.PeerLeft(self.instant(peer), str(place.index)))

    def step(self, place: Place, event: events.Event) -> None:
        """Let a node handle one event, and schedule its next tick."""
        if place.driver is None or place.is_asleep:
            return
        self.handled += 1
        self.mark(type(event).__name__.encode(), place.index, self.now_ms.to_bytes(8, "big"))
        for watch in self.watchers:
            watch(self.handled, place, event)
        place.driver.step([event], event.at)
        self._schedule_tick(place)

    def soon(self, place: Place, event: events.Event) -> None:
        """Hand a node an event after the one it is handling."""
        self.later(place, 0, event)

    def later(self, place: Place, wait_ms: int, event: events.Event) -> None:
        """Hand a node an event after a while, unless it was stopped meanwhile."""
        boots = place.boots
        self.at(self.now_ms + wait_ms, lambda: self.step(place, event) if place.boots == boots else None)

    def command(self, place: Place, command: Command) -> None:
        """A person asks for something."""
        self.step(place, events.Commanded(self.instant(place), command, reply=1))

    def _schedule_tick(self, place: Place) -> None:
        mono_ms = self.now_ms - place.slept_ms
        due_ms = self.now_ms + max(1, place.node.deadline() - mono_ms)
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

    def publish(self, place: Place, raw: bytes) -> None:
        """Bytes that a machine offers to the network."""
        place.published.append(raw)
        self.mark(b"publish", place.index, raw)
        self.left(place, raw)
        for hear in self.hearers:
            hear(place, raw, True)
        self.gossip(place, raw)

    def left(self, place: Place, raw: bytes) -> None:
        """Look for the canary in bytes that left a machine."""
        if _CANARY in raw:
            place.leaks.append(f"{len(raw)} bytes at {self.now_ms} ms")

    def gossip(self, source: Place, raw: bytes) -> None:
        """Flood along the links, as a mesh does: each node forwards what it accepts, once."""
        source.seen.add(raw)
        for peer in self.network.neighbours[source.index]:
            self.send(source, peer, raw)

    def send(self, source: Place, peer: int, raw: bytes) -> None:
        """One gossip message over one link."""
        for delay_ms in self.network.deliveries_ms(source.index, peer, self.now_ms):
            self.at(self.now_ms + delay_ms, self._delivery(source.index, peer, raw))

    def _delivery(self, source: int, target: int, raw: bytes) -> Callable[[], None]:
        def deliver() -> None:
            place = self.places[target]
            if place.is_up and raw not in place.seen and not place.is_asleep:
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
        if not place.is_silent:
            self.gossip(place, raw)
        for hear in self.hearers:
            hear(place, raw, False)
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
