"""One running node: stores, service, link, watchers and the control socket, composed and supervised.

Refuses to decide: it starts what consent allows, restarts what falls, and hands every fact to the node.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from luminous.crypto.entropy import Entropy
from luminous.crypto.keys import signer_from_seed
from luminous.node import assets
from luminous.node.core import commands, events, observing
from luminous.node.core.config import Config
from luminous.node.core.effects import Apply, Report
from luminous.node.core.node import Node
from luminous.node.ports import StoreError
from luminous.node.shell import consent, experience, networks, spool, stores
from luminous.node.shell.actions import Actions
from luminous.node.shell.clock import SystemClock
from luminous.node.shell.host import Host
from luminous.node.shell.keyfile import Seeds
from luminous.node.shell.link import Link, MakeTransport
from luminous.node.shell.observed_fix import fix_of
from luminous.node.shell.paths import Paths
from luminous.node.shell.service import Service
from luminous.node.shell.settings import Settings
from luminous.node.shell.sqlite_store import SqliteStore
from luminous.node.shell.supervisor import leaves, supervise

SPOOL_INTERVAL_S = 2.0
FALLS_KEPT_MAX = 64


class OsEntropy:
    """The operating system's randomness."""

    def take(self, size_bytes: int) -> bytes:
        """Uniform random bytes from the kernel."""
        return os.urandom(size_bytes)


@dataclass
class Body:
    """Everything of one node that is not the node. ``run`` lives until cancelled.

    ``make_transport``: builds the mesh transport, called only under network consent.
    """

    paths: Paths
    settings: Settings
    seeds: Seeds
    make_transport: Callable[["Body"], MakeTransport]
    environ: dict[str, str]
    is_bootstrap: bool = False
    clock: Any = field(default_factory=SystemClock)
    entropy: Entropy = field(default_factory=OsEntropy)
    tell: Callable[[Report], None] = lambda report: None
    falls: list[str] = field(default_factory=list)
    link: Link | None = None
    _consent_changed: trio.Event = field(default_factory=trio.Event)
    _link_scope: trio.CancelScope | None = None
    _components: dict[str, trio.CancelScope] = field(default_factory=dict)
    _generations: dict[str, int] = field(default_factory=dict)
    _acting: trio.Nursery | None = None
    _look_now: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        self.started = self.clock.now()
        self.host = Host()
        self.signer = signer_from_seed(self.seeds.author)
        self.stores = stores.open_stores(self.paths.journal, self.paths.state, self.paths.backups)
        self.incidents: list[str] = list(self.stores.incidents)
        self._build()

    # Consent

    def in_force(self) -> consent.InForce:
        """What the user agreed to, after what beats it."""
        if self.is_bootstrap and not consent.blocked_by(self.environ):
            return consent.InForce(True, "LOCAL_ONLY", (), ())
        return consent.in_force(
            consent.read(self.paths.consent), self.environ, is_wished=self.settings.federated.enabled
        )

    def consent_changed(self) -> None:
        """Start or stop what the new consent allows or forbids; at once."""
        self._consent_changed.set()
        if self._link_scope is not None and not self.in_force().network:
            self._link_scope.cancel()

    # Life

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Run all parts until cancelled."""
        async with trio.open_nursery() as nursery:
            self._acting = nursery
            nursery.start_soon(self._live, "node", self.service.run)
            await self._first_facts()
            if self.settings.infrastructure.monitoring_enabled and not self.is_bootstrap:
                nursery.start_soon(self._live, "monitor", self._monitor)
            nursery.start_soon(self._live, "spool", self._take_spool)
            nursery.start_soon(self._live, "backup", self._back_up)
            nursery.start_soon(self._live, "experience", self._leave_experience)
            nursery.start_soon(self._live, "link", self._link)
            task_status.started()

    def close(self) -> None:
        """Close the stores."""
        self.stores.close()

    def restart(self, component: str) -> bool:
        """Stop one component; its supervisor starts it again. False if there is none of that name."""
        scope = self._components.get(component)
        if scope is None:
            return False
        scope.cancel()
        return True

    def look(self) -> None:
        """Measure now instead of at the next interval."""
        self._look_now.set()

    def generation(self, component: str) -> int:
        """How often the component was started."""
        return self._generations.get(component, 0)

    async def _live(self, name: str, part: Callable[[], Awaitable[None]]) -> None:
        """Keep one part alive: it is restarted when it falls and when ``restart`` stops it."""

        async def once() -> None:
            while True:
                with trio.CancelScope() as scope:
                    self._components[name] = scope
                    self._generations[name] = self._generations.get(name, 0) + 1
                    await part()
                if not scope.cancelled_caught:
                    return

        def fell(error: BaseException) -> None:
            kinds = ", ".join(f"{type(leaf).__name__}: {leaf}" for leaf in leaves(error))
            self.falls = [*self.falls[-FALLS_KEPT_MAX:], f"{name}: {kinds[:300]}"]
            self.tell(Report(0, "component_fell", {"component": name, "why": kinds[:300]}))

        await supervise(once, fell=fell, is_fatal=lambda error: isinstance(error, NetworkJoined))

    def _build(self) -> None:
        membership = networks.read_membership(self.paths.data)
        config = Config(
            signer=self.signer,
            entropy=self.entropy,
            membership=membership,
            epsilon_milli_max=round(self.settings.learning.epsilon * 1000),
            min_participants=self.settings.federated.min_participants if membership else 0,
            heal_consent=self.settings.healing.consent_level,
            prior=assets.public_prior(),
        )
        node = Node(config)
        journal = [(record.kind, record.body) for record in self.stores.journal.records()]
        state = [(record.kind, record.body) for record in self.stores.state.records()]
        lost = node.restore(journal, state, self.clock.now())
        if lost:
            self.incidents.append(f"{len(lost)} stored records could not be read: {lost[0]}")
        self.service = Service(
            node,
            self.stores.journal,
            self.stores.state,
            self.clock,
            publish=self._publish,
            compare=lambda compare: self.link.compare(compare) if self.link else None,
            act=self._act,
            told=self._told,
        )
        self.membership = membership

    def _told(self, report: Report) -> None:
        self._look_now.set()
        self.tell(report)

    def _publish(self, raw: bytes) -> None:
        if self.link is not None:
            self.link.publish(raw)

    async def _first_facts(self) -> None:
        if self.stores.is_journal_lost:
            self.service.post(events.JournalLost(self.clock.now()))
        await self.sync_learning_consent()

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
        while True:
            await trio.sleep(1.0)
            now = link.transport.addresses()
            if now and now != known:
                known = now
                networks.keep_addresses(self.paths.data, now)

    async def _monitor(self) -> None:
        while True:
            before_s = trio.current_time()
            now = self.clock.now()
            own = {
                "store_integrity:state": 0 if self.service.state_fault else 1000,
                "response_ms": 1000 * await self._lag_ms(),
            }
            if self.link is not None:
                own["peers"] = 1000 * len(self.link.transport.peers())
            readings = await trio.to_thread.run_sync(self.host.read, now, own)
            self.service.post(events.Measured(now, readings))
            interval_s = await self.service.ask(lambda node: node.machines.health.interval_ms / 1000)
            self._look_now = trio.Event()
            with trio.move_on_after(max(1.0, interval_s - (trio.current_time() - before_s))):
                await self._look_now.wait()

    async def _lag_ms(self) -> int:
        before = trio.current_time()
        await self.service.ask(lambda node: None)
        return int((trio.current_time() - before) * 1000)

    async def _take_spool(self) -> None:
        folder = str(self.paths.data)
        while True:
            records, refused = spool.read_all(folder)
            for item in refused:
                self.tell(Report(0, "spool_refused", {"why": item.why}))
                Path(item.path).unlink(missing_ok=True) if Path(item.path).is_file() else None
            for path, record in records:
                for event in spool_events(record, self.clock.now()):
                    await self.service.put(event)
                spool.take(path)
            await trio.sleep(SPOOL_INTERVAL_S)

    async def _back_up(self) -> None:
        self.paths.backups.mkdir(mode=0o700, exist_ok=True)
        target = stores.backup_path(self.paths.backups)
        while True:
            try:
                # A damaged store must never replace the sound copy of yesterday.
                damage = await trio.to_thread.run_sync(self.stores.state.integrity)
                if damage:
                    await self.service.report_damage(damage[0])
                    self._look_now.set()
                else:
                    await trio.to_thread.run_sync(self.stores.state.backup, target)
            except StoreError as error:
                self.tell(Report(0, "backup_failed", {"why": str(error)}))
            await trio.sleep(60.0 * self.settings.storage.backup_interval_min)

    async def _leave_experience(self) -> None:
        """Let ``explain`` rank by what was tried here and what the network believes."""
        written: object = None
        while True:
            learnt = await self.service.ask(_experience)
            if learnt is not None and learnt != written:
                local, prior = written = learnt
                await trio.to_thread.run_sync(experience.write, self.paths.data, local, prior)
            await trio.sleep(SPOOL_INTERVAL_S)

    def _act(self, act: Apply) -> None:
        if self._acting is not None:
            self._acting.start_soon(self._perform, act)

    async def _perform(self, act: Apply) -> None:
        """Carry a healing act out and tell the node how it ended."""
        taken: list[SqliteStore] = []
        actions = Actions(self, lambda: self.stores.state, taken.append, self.paths.backups)
        done = await actions.perform(act.verb, act.target)
        for store in taken:
            self.stores.state = store
            await self.service.replace_state(store)
        if act.verb == "repair":
            self.incidents.append(f"the state store was repaired: {done.steps}")
        facts: dict[str, Any] = {**done.facts()}
        await self.service.put(events.Remedied(self.clock.now(), act.intent, done.ok, facts))
        self._look_now.set()


def _experience(node: Node) -> tuple[Any, Any] | None:
    learning = node.machines.learning
    if learning is None:
        return None
    return experience.by_fix(learning.counts()), experience.by_fix(learning.prior())


class NetworkJoined(Exception):
    """The founding record was fetched: the body must be built anew with its network."""


def spool_events(record: dict[str, object], now: Any) -> list[events.Event]:
    """What a spooled record tells the node: a command's end, and perhaps an observed fix."""
    name = str(record.get("command_class", "other"))
    error_class = record.get("error_class") or (record.get("failed") or {}).get("error_class", "")  # type: ignore[attr-defined]
    facts: dict[str, Any] = {
        "command": name,
        "success": record.get("kind") != "failure",
        "class": str(error_class or ""),
        "signature": str(record.get("signature") or ""),
        "duration_ms": int(record.get("duration_ms") or 0),  # type: ignore[call-overload]
    }
    happened: list[events.Event] = [events.Observed(now, observing.COMMAND_ENDED, facts)]
    if record.get("kind") == "fix" and error_class:
        tried: dict[str, Any] = {
            "class": str(error_class),
            "fix": fix_of(str(error_class), str(record.get("fix_observed") or "other")),
            "success": True,
        }
        happened.append(events.Observed(now, observing.FIX_TRIED, tried))
    return happened
