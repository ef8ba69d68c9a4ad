"""One running node: stores, service, link, watchers and the control socket, composed and supervised.

Refuses to decide: it starts what consent allows, restarts what falls, and hands every fact to the node.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import trio

from luminous.crypto.entropy import Entropy
from luminous.crypto.keys import signer_from_seed
from luminous.node.core import commands, events, observing
from luminous.node.core.effects import Apply, Report
from luminous.node.core.node import Node
from luminous.node.core.signing import ENVELOPE
from luminous.node.ports import StoreError
from luminous.node.shell import consent, experience, networks, stores
from luminous.node.shell.actions import Done
from luminous.node.shell.clock import SystemClock
from luminous.node.shell.components import Components
from luminous.node.shell.evidence import MB, Evidence
from luminous.node.shell.failure import Failure
from luminous.node.shell.host import Host
from luminous.node.shell.host_watch import HostWatch
from luminous.node.shell.keyfile import Seeds
from luminous.node.shell.link import Link, MakeTransport
from luminous.node.shell.paths import Paths
from luminous.node.shell.restored import learnt_by, newest_minutes, restored_node
from luminous.node.shell.service import Service, TooBusy
from luminous.node.shell.settings import Settings
from luminous.node.shell.spool_intake import Intake
from luminous.node.shell.state_care import CHECK_INTERVAL_S, StateCare
from luminous.protocol.constitution_table import TABLE
from luminous.protocol.parameters import HEALTH_INTERVAL_S

LOOK_INTERVAL_S = 2.0
# A part that does not go round its loop for so long hangs; a disk that is busy may take this much.
HANGS_AFTER_S = 60.0
# The longest that a vote can set.
MONITORING_S_MAX = cast(int, TABLE[HEALTH_INTERVAL_S]["max"])
INCIDENTS_KEPT_MAX = 64
EVIDENCE_NAME = "evidence.sqlite"


class OsEntropy:
    """The operating system's randomness."""

    def take(self, size_bytes: int) -> bytes:
        """Uniform random bytes from the kernel."""
        return os.urandom(size_bytes)


@dataclass
class Body:
    """Everything of one node that is not the node. ``run`` lives until cancelled.

    ``chosen``: the keys of the settings that somebody set. ``make_transport``: builds the mesh transport,
    called only under network consent.
    """

    paths: Paths
    settings: Settings
    seeds: Seeds
    make_transport: Callable[["Body"], MakeTransport]
    environ: dict[str, str]
    is_bootstrap: bool = False
    chosen: frozenset[str] = frozenset()
    clock: Any = field(default_factory=SystemClock)
    entropy: Entropy = field(default_factory=OsEntropy)
    tell: Callable[[Report], None] = lambda report: None
    link: Link | None = None
    _consent_changed: trio.Event = field(default_factory=trio.Event)
    _link_scope: trio.CancelScope | None = None
    _acting: trio.Nursery | None = None

    def __post_init__(self) -> None:
        self.started = self.clock.now()
        self.host = Host((os.fspath(self.paths.data),))
        self.signer = signer_from_seed(self.seeds.author)
        self.stores = stores.open_stores(self.paths.journal, self.paths.state, self.paths.backups)
        self.incidents: list[str] = list(self.stores.incidents)
        self.components = Components(
            self._component_told, is_fatal=lambda error: isinstance(error, NetworkJoined)
        )
        self.watch = HostWatch(self.host, partial(self.components.beat, "monitor"))
        self.care = StateCare(
            self.paths,
            self.stores,
            self._open_evidence(),
            self.components,
            self.tell,
            backup_interval_s=60.0 * self.settings.storage.backup_interval_min,
            beat=partial(self.components.beat, "backup"),
        )
        self._build()
        self._adopt_declared_consent()

    @property
    def falls(self) -> list[str]:
        """What fell or hung since the start, newest last."""
        return self.components.falls

    # Consent

    def in_force(self) -> consent.InForce:
        """What the user agreed to, after what beats it."""
        if self.is_bootstrap and not consent.blocked_by(self.environ):
            return consent.InForce(True, "LOCAL_ONLY", (), ())
        return consent.in_force(
            consent.read(self.paths.consent), self.environ, is_wished=self.settings.federated.enabled
        )

    def _adopt_declared_consent(self) -> None:
        """Take over what the configuration declares, once for each change of it."""
        if self.is_bootstrap:
            return
        record = consent.read(self.paths.consent)
        adopted = consent.adopt(record, self.settings.consent, self.started.wall_ms)
        if adopted != record:
            consent.write(self.paths.consent, adopted)

    def consent_changed(self) -> None:
        """Start or stop what the new consent allows or forbids; at once."""
        self._consent_changed.set()
        if self._link_scope is not None and not self.in_force().network:
            self._link_scope.cancel()

    # Life

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Run all parts until cancelled."""
        live = self.components.live
        async with trio.open_nursery() as nursery:
            self._acting = nursery
            nursery.start_soon(self.components.watch)
            nursery.start_soon(live, "node", self._run_node, 2 * HANGS_AFTER_S)
            await self._first_facts()
            if self.settings.infrastructure.monitoring_enabled and not self.is_bootstrap:
                own_s = self.settings.infrastructure.monitoring_interval
                longest_s = max(own_s, MONITORING_S_MAX) + HANGS_AFTER_S
                nursery.start_soon(live, "monitor", self._monitor, longest_s)
            nursery.start_soon(live, "spool", self._take_spool, HANGS_AFTER_S)
            nursery.start_soon(live, "backup", self._back_up, CHECK_INTERVAL_S + HANGS_AFTER_S)
            nursery.start_soon(live, "experience", self._leave_experience, HANGS_AFTER_S)
            nursery.start_soon(live, "link", self._link)
            task_status.started()

    def close(self) -> None:
        """Close the stores."""
        self.stores.close()
        if self.care.evidence is not None:
            self.care.evidence.close()

    def look(self) -> None:
        """Measure now instead of at the next interval."""
        self.watch.look()

    async def forget(self) -> None:
        """Delete evidence, statistics and counts, also from free pages and copies. Raises ``Failure``."""
        if self.service.state_fault:
            raise Failure(
                "nothing was deleted",
                f"the state store is being repaired ({self.service.state_fault})",
                "try again in a minute; see luminous-node health",
            )
        report = await self.service.command(commands.Forget())
        if report.name == "refused":
            raise Failure("nothing was deleted", str(report.facts["detail"]), "see luminous-node status")
        self.service.history.clear()
        self.service.notes.clear()
        await self.care.scrub(self.service)

    def _component_told(self, report: Report) -> None:
        self.tell(report)
        name = observing.COMPONENT_HUNG if report.name == "component_hung" else observing.COMPONENT_FAILED
        self.service.post(events.Observed(self.clock.now(), name, {"component": report.facts["component"]}))

    def _open_evidence(self) -> Evidence | None:
        """The evidence file; without one nothing is kept, and it is said."""
        kept = self.settings.storage
        try:
            return Evidence(
                self.paths.data / EVIDENCE_NAME,
                days=kept.evidence_days,
                size_bytes_max=kept.evidence_mb * MB,
            )
        except StoreError as error:
            self._note_incident(f"texts of failures are not kept: {error}")
            return None

    def _note_incident(self, line: str) -> None:
        self.incidents[:] = [*self.incidents[-INCIDENTS_KEPT_MAX + 1 :], line]

    async def _run_node(self) -> None:
        """The node; after a fall it is rebuilt from its stores, which alone say what happened."""
        if self.components.generation("node") > 1:
            await trio.to_thread.run_sync(self.service.renew, self._rebuilt)
            if self.stores.is_journal_lost:
                self.service.post(events.JournalLost(self.clock.now()))
        await self.service.run()

    def _make_node(self, state: list[tuple[str, bytes]]) -> Node:
        node, lost = restored_node(
            networks.read_membership(self.paths.data),
            self.settings,
            self.chosen,
            self.signer,
            self.entropy,
            [(record.kind, record.body) for record in self.stores.journal.records()],
            state,
            self.clock.now(),
        )
        if lost:
            self._note_incident(f"{len(lost)} stored records could not be read: {lost[0]}")
        self.membership = node.config.membership
        return node

    def _stored_state(self) -> list[tuple[str, bytes]]:
        return [(record.kind, record.body) for record in self.stores.state.records()]

    def _rebuilt(self, old: Node) -> Node:
        """A node from the stores; while the state store is damaged, others' records come from memory."""
        try:
            state = self._stored_state()
        except StoreError:
            held = old.records.envelopes()
            state = [(ENVELOPE, item.raw) for item in held if item.author != old.me]
        return self._make_node(state)

    def _build(self) -> None:
        node = self._make_node(self._stored_state())
        self.service = Service(
            node,
            self.stores.journal,
            self.stores.state,
            self.clock,
            publish=self._publish,
            compare=lambda compare: self.link.compare(compare) if self.link else None,
            act=self._act,
            told=self._told,
            beat=partial(self.components.beat, "node"),
        )

    def _told(self, report: Report) -> None:
        self.watch.look()
        self.tell(report)

    def _publish(self, raw: bytes) -> None:
        if self.link is not None:
            self.link.publish(raw)

    async def _first_facts(self) -> None:
        if self.stores.is_journal_lost:
            self.service.post(events.JournalLost(self.clock.now()))
        await self._keep_consent_in_step()

    async def _keep_consent_in_step(self) -> None:
        """As ``sync_learning_consent``; a node that is busy or mute hears of it at the next look."""
        try:
            await self.sync_learning_consent()
        except TooBusy:
            self.tell(Report(0, "busy", {"why": "the learning level could not be set yet"}))

    async def sync_learning_consent(self) -> None:
        """Make the node's learning level the one that is in force."""
        level = self.in_force().level
        current = await self.service.ask(
            lambda node: "LOCAL_ONLY" if node.machines.learning is None else node.machines.learning.level.name
        )
        if current != level:
            await self.service.command(commands.GrantLearning(level))

    # Parts

    async def _link(self) -> None:
        while True:
            changed = self._consent_changed = trio.Event()
            network = networks.network_of(self.paths.data)
            if network is None or not self.in_force().network:
                await changed.wait()
                continue
            genesis = networks.genesis_bytes(self.paths.data)
            self.link = Link(self.service, network, self.make_transport(self), genesis)
            with trio.CancelScope() as scope:
                self._link_scope = scope
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._note_addresses, self.link)
                        await self.link.run()
                        nursery.cancel_scope.cancel()
                finally:
                    found = self.link.found_genesis
                    self.link, self._link_scope = None, None
            if found is not None:
                networks.keep_genesis(self.paths.data, found)
                raise NetworkJoined

    async def _note_addresses(self, link: Link) -> None:
        known: tuple[str, ...] = ()
        minutes = networks.read_minutes(self.paths.data)
        while True:
            await trio.sleep(1.0)
            now = link.transport.addresses()
            if now and now != known:
                known = now
                networks.keep_addresses(self.paths.data, now)
            try:
                newest = await self.service.ask(newest_minutes)
            except TooBusy:
                continue  # a busy node keeps its connections, and is asked again
            if newest > minutes:
                minutes = newest
                networks.keep_minutes(self.paths.data, *minutes)

    async def _monitor(self) -> None:
        await self.watch.run(self.service, lambda: self.link)

    async def _take_spool(self) -> None:
        beat = partial(self.components.beat, "spool")
        await Intake(self.paths.data, self.service, self.care.evidence, self.tell, beat).run()

    async def _back_up(self) -> None:
        await self.care.run(self.service)

    async def _leave_experience(self) -> None:
        """Let ``explain`` rank by what was tried here and what the network believes."""
        written: object = None
        while True:
            await self._keep_consent_in_step()
            learnt = await self.service.ask(learnt_by)
            if learnt is not None and learnt != written:
                local, prior = written = learnt
                await trio.to_thread.run_sync(experience.write, self.paths.data, local, prior)
            self.components.beat("experience")
            await trio.sleep(LOOK_INTERVAL_S)

    def _act(self, act: Apply) -> None:
        if self._acting is not None:
            self._acting.start_soon(self._perform, act)

    async def _perform(self, act: Apply) -> None:
        """Carry a healing act out and tell the node how it ended."""
        try:
            done = await self.care.perform(self.service, act)
        except TooBusy as error:
            done = Done(False, False, f"{act.verb} {act.target}: {error}")
        if act.verb == "repair":
            how = "was repaired" if done.ok else "could not be repaired"
            self._note_incident(f"the state store {how}: {done.steps}")
        facts: dict[str, Any] = {**done.facts()}
        await self.service.put(events.Remedied(self.clock.now(), act.intent, done.ok, facts))
        self.watch.look()


class NetworkJoined(Exception):
    """The founding record was fetched: the body must be built anew with its network."""
