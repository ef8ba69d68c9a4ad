"""The world: virtual time, simulated links and disks, and the real node in every place.

Refuses to run trio or libp2p: it interprets effects. One seed, one history: every draw comes from it, and
the digest covers every event handled and every effect made.
"""

import gc
import hashlib
import heapq
import random
from collections.abc import Callable
from typing import Any

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import signer_from_seed
from luminous.node.core import events
from luminous.node.core.commands import Command
from luminous.node.core.config import Config
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.node.driver import Driver
from luminous.protocol.admission import Admissions, Arrival, Verdict, topic_of
from luminous.protocol.limits import FOUNDERS_MAX
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
_NEVER_MS = 1 << 62


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
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        self._trace = hashlib.blake2b(digest_size=16)
        self._names: dict[type, bytes] = {}
        signers = [signer_from_seed(self._seed_of(number, "author")) for number in cast.keys]
        founders = [signer.public for signer in signers[: min(scenario.nodes, FOUNDERS_MAX)]]
        self.membership = settle(scenario, founders, self._seed_of(0, "salt")[:16])
        self._topic = topic_of(self.membership.id)
        self._peers = [str(number) for number in range(len(cast))]
        stopped = {crash.node for crash in scenario.crash}
        self.admissions = Admissions(self.membership.id, size_max=200_000, size_bytes_max=1 << 30)
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
                never_stops=not scenario.churn.every_ms and i not in stopped,
            )
            for i, signer in enumerate(signers)
        ]

    # Time

    def at(self, time_ms: int, action: Callable[..., None], *arguments: object) -> None:
        """Do something at a virtual time."""
        self._order += 1
        heapq.heappush(self._queue, (max(time_ms, self.now_ms), self._order, action, arguments))

    def run(self) -> None:
        """Play the scenario to its end."""
        queue, pop, end_ms = self._queue, heapq.heappop, self.scenario.duration_ms
        # A world grows and hardly anything in it dies: looking for dead cycles often finds nothing.
        often = gc.get_threshold()
        gc.set_threshold(100_000, 50, 50)
        try:
            while queue and queue[0][0] <= end_ms:
                self.now_ms, _, action, arguments = pop(queue)
                action(*arguments)
        finally:
            gc.set_threshold(*often)
        self.now_ms = end_ms

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
        kind = type(event)
        name = self._names.get(kind) or self._names.setdefault(kind, kind.__name__.encode())
        self.mark(name, place.index, self.now_ms.to_bytes(8, "big"))
        for watch in self.watchers:
            watch(self.handled, place, event)
        place.driver.step((event,), event.at)
        self._schedule_tick(place)

    def soon(self, place: Place, event: events.Event) -> None:
        """Hand a node an event after the one it is handling."""
        self.later(place, 0, event)

    def later(self, place: Place, wait_ms: int, event: events.Event) -> None:
        """Hand a node an event after a while, unless it was stopped meanwhile."""
        self.at(self.now_ms + wait_ms, self._step_unless_stopped, place, event, place.boots)

    def _step_unless_stopped(self, place: Place, event: events.Event, boots: int) -> None:
        if place.boots == boots:
            self.step(place, event)

    def command(self, place: Place, command: Command) -> None:
        """A person asks for something."""
        self.step(place, events.Commanded(self.instant(place), command, reply=1))

    def _schedule_tick(self, place: Place) -> None:
        now_ms, node = self.now_ms, place.node
        mono_ms = now_ms - place.slept_ms
        # Most events come while the soonest possible tick is due already: no need to ask for the deadline.
        if now_ms < place.tick_at_ms <= now_ms + max(1, node.soonest_ms() - mono_ms):
            return
        due_ms = now_ms + max(1, node.deadline() - mono_ms)
        if now_ms < place.tick_at_ms <= due_ms:
            return
        place.tick_at_ms = due_ms
        self.at(due_ms, self._tick, place, place.boots)

    def _tick(self, place: Place, boots: int) -> None:
        if place.is_up and place.boots == boots and place.tick_at_ms == self.now_ms:
            place.tick_at_ms = -1
            self.step(place, events.Tick(self.instant(place)))

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
        source.expected[raw] = self.now_ms
        for peer in self.network.neighbours[source.index]:
            self.send(source, peer, raw)

    def send(self, source: Place, peer: int, raw: bytes) -> None:
        """One gossip message over one link.

        Of several copies a machine hears the first; the others are not even queued if it runs all the time.
        """
        now_ms, place = self.now_ms, self.places[peer]
        for delay_ms in self.network.deliveries_ms(source.index, peer, now_ms):
            at_ms = now_ms + delay_ms
            if place.never_stops and place.driver is not None:
                if place.expected.get(raw, _NEVER_MS) <= at_ms:
                    continue
                place.expected[raw] = at_ms
            self._order += 1
            heapq.heappush(self._queue, (at_ms, self._order, self._arrive, (place, source.index, raw)))

    def _arrive(self, place: Place, source: int, raw: bytes) -> None:
        if place.driver is not None and raw not in place.seen and not place.is_asleep:
            self.deliver(place, source, raw)

    def deliver(self, place: Place, source: int, raw: bytes) -> None:
        """A gossiped message reaches a machine: judge it, relay it, hear it."""
        self.deliveries += 1
        if len(place.seen) >= SEEN_MAX:
            place.seen.clear()
            place.expected.clear()
        place.seen.add(raw)
        node = place.node
        if node.judge(Arrival(raw, self._topic, self._peers[source])) is not Verdict.ACCEPT:
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
        self._trace.update(b"%b\0%b%b" % (what, index.to_bytes(4, "big"), body))

    def digest(self) -> str:
        """One history, one digest."""
        return self._trace.hexdigest()

    def _seed_of(self, index: int, what: str) -> bytes:
        return hashlib.sha256(f"{self.scenario.id}/{self.seed}/{index}/{what}".encode()).digest()
