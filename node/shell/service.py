"""The body's spine: one inbox, one task that moves the node, its stores and its outbox.

Refuses to decide anything and to let anybody else touch the node: events are posted, questions are asked,
and both are answered by the one task, between two steps.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import trio

from luminous.node.core import events
from luminous.node.core.commands import Command
from luminous.node.core.effects import Append, Apply, Compare, Note, Report, Store
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.node.core.signing import ENVELOPE
from luminous.node.driver import BATCH_EVENTS_MAX, Driver
from luminous.node.ports import RecordStore, StoreError
from luminous.node.shell.remembered import Remembered

T = TypeVar("T")
# What a question may raise: whoever asked is told, the node goes on.
FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, StoreError, TypeError, ValueError)
INBOX_MAX = 4096
TOLD_KEPT_MAX = 256
NOTES_KEPT_MAX = 512


class Clock(Protocol):
    """Reads the clocks."""

    def now(self) -> Instant:
        """This moment."""
        ...


class TooBusy(Exception):
    """The node did not get to a question in time."""


@dataclass
class _Outbox:
    """Collects what a step wants done outside; the step may run in a thread."""

    publishes: list[bytes] = field(default_factory=list)
    compares: list[Compare] = field(default_factory=list)
    acts: list[Apply] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def publish(self, raw: bytes) -> None:
        self.publishes.append(raw)

    def compare(self, compare: Compare) -> None:
        self.compares.append(compare)

    def apply(self, act: Apply) -> None:
        self.acts.append(act)

    def report(self, report: Report) -> None:
        self.reports.append(report)

    def note(self, note: Note) -> None:
        self.notes.append(note)


class _Question:
    """Something to read from the node, and who waits for it."""

    def __init__(self, ask: Callable[[Node], Any]) -> None:
        self.ask = ask
        self.done = trio.Event()
        self.answer: Any = None
        self.error: Exception | None = None


class Service:
    """Runs one node. ``publish``, ``compare``, ``act``, ``told`` are called in the trio thread after steps.

    ``in_thread``: commits may block, so steps run in a worker thread; False under virtual time.
    """

    def __init__(
        self,
        node: Node,
        journal: RecordStore,
        state: RecordStore,
        clock: Clock,
        *,
        publish: Callable[[bytes], None] = lambda raw: None,
        compare: Callable[[Compare], None] = lambda compare: None,
        act: Callable[[Apply], None] = lambda apply: None,
        told: Callable[[Report], None] = lambda report: None,
        beat: Callable[[], None] = lambda: None,
        in_thread: bool = True,
    ) -> None:
        self.clock = clock
        self.publish = publish
        self.compare = compare
        self.act = act
        self.told = told
        self.beat = beat
        self.dropped = 0
        self.steps = 0
        self.history: deque[Report] = deque(maxlen=TOLD_KEPT_MAX)
        self.notes: deque[Note] = deque(maxlen=NOTES_KEPT_MAX)
        self._node = node
        self._in_thread = in_thread
        self._outbox = _Outbox()
        self.state = Remembered(state)
        self._journal = journal
        self._driver = Driver(node, journal, self.state, self._outbox)
        self._limiter = trio.CapacityLimiter(1)
        self._send, self._receive = trio.open_memory_channel[events.Event | _Question](INBOX_MAX)
        self._replies: dict[int, tuple[trio.Event, list[Report]]] = {}
        self._next_reply = 1
        self._known_fault = ""

    def renew(self, make: Callable[[Node], Node]) -> None:
        """Go on with a node rebuilt from the stores: a step that broke off left the old one ahead of them.

        What was decided and not durable never happened; ``make`` is given the old node.
        """
        old, driver = self._node, self._driver
        self._node = make(old)
        self._outbox = _Outbox()
        self._driver = Driver(self._node, self._journal, self.state, self._outbox)
        self._driver.take_over(driver)
        for peer in old.peers.names():
            self.post(events.PeerJoined(self.clock.now(), peer))

    @property
    def is_mute(self) -> bool:
        """True while the journal cannot be written."""
        return self._driver.is_mute

    def post(self, event: events.Event) -> bool:
        """Hand the node an event; False, and counted, when the inbox is full: sync brings records back."""
        try:
            self._send.send_nowait(event)
        except trio.WouldBlock:
            self.dropped += 1
            return False
        return True

    @property
    def state_fault(self) -> str:
        """What is wrong with the state store; empty when it is sound."""
        return self._driver.state_fault

    async def report_damage(self, why: str) -> None:
        """A check found the state store damaged."""

        def mark(node: Node) -> None:
            self._driver.state_fault = why

        await self.ask(mark)
        self._tell_damage()

    def _tell_damage(self) -> None:
        """Say it once, when it is new."""
        if self._driver.state_fault and not self._known_fault:
            self._deliver(Report(0, "state_damaged", {"why": self._driver.state_fault}))
        self._known_fault = self._driver.state_fault

    async def replace_state(self, state: RecordStore) -> None:
        """Go on with a restored state store, filled up with the envelopes still held in memory."""

        def replace(node: Node) -> None:
            self.state.replace(state)
            self._driver.replace_state(self.state)
            self._known_fault = ""
            held = [Append(Store.STATE, ENVELOPE, item.id, item.raw) for item in node.records.envelopes()]
            state.commit(held)

        await self.ask(replace, 60.0)

    async def put(self, event: events.Event) -> None:
        """Hand the node an event, waiting for room: for what must not be lost."""
        await self._send.send(event)

    async def ask(self, question: Callable[[Node], T], timeout_s: float = 10.0) -> T:
        """Read from the node between two steps. Raises ``TooBusy``."""
        item = _Question(question)
        with trio.move_on_after(timeout_s):
            await self._send.send(item)
            await item.done.wait()
            if item.error is not None:
                raise item.error
            answer: T = item.answer
            return answer
        raise TooBusy("the node is busy")

    async def command(self, command: Command, at: Instant | None = None, timeout_s: float = 30.0) -> Report:
        """Ask the node to do something and wait until it is durable, or refused. Raises ``TooBusy``.

        ``at``: the instant that times within the command were counted from; now, unless told.
        """
        reply = self._next_reply
        self._next_reply += 1
        done = trio.Event()
        answers: list[Report] = []
        self._replies[reply] = (done, answers)
        try:
            with trio.move_on_after(timeout_s):
                await self._send.send(events.Commanded(at or self.clock.now(), command, reply))
                await done.wait()
                return answers[0]
            raise TooBusy("the node could not finish it in time; it may still happen")
        finally:
            del self._replies[reply]

    async def run(self) -> None:
        """Move the node until cancelled."""
        await self._step([events.Tick(self.clock.now())])
        while True:
            self.beat()
            items = await self._gather()
            if items:
                await self._step([item for item in items if not isinstance(item, _Question)])
                for item in items:
                    if isinstance(item, _Question):
                        self._answer(item)
            else:
                await self._step([events.Tick(self.clock.now())])

    async def _gather(self) -> list[events.Event | _Question]:
        """Up to a batch of what waits; empty when the node's deadline comes first."""
        wait_s = max(0.0, (self._node.deadline() - self.clock.now().mono_ms) / 1000)
        items: list[events.Event | _Question] = []
        with trio.move_on_after(wait_s if math.isfinite(wait_s) else 30.0):
            items.append(await self._receive.receive())
        while items and len(items) < BATCH_EVENTS_MAX:
            try:
                items.append(self._receive.receive_nowait())
            except trio.WouldBlock:
                break
        return items

    async def _step(self, happened: list[events.Event]) -> None:
        if not happened:
            return
        self.steps += 1
        now = self.clock.now()
        if self._in_thread:
            await trio.to_thread.run_sync(self._driver.step, happened, now, limiter=self._limiter)
        else:
            self._driver.step(happened, now)
        box = self._outbox
        publishes, box.publishes = box.publishes, []
        compares, box.compares = box.compares, []
        acts, box.acts = box.acts, []
        reports, box.reports = box.reports, []
        self.notes.extend(box.notes)
        box.notes = []
        for raw in publishes:
            self.publish(raw)
        for compare in compares:
            self.compare(compare)
        for act in acts:
            self.act(act)
        for report in reports:
            self._deliver(report)
        if self._driver.is_mute:
            self._tell_waiting(happened)
        self._tell_damage()

    def _tell_waiting(self, happened: list[events.Event]) -> None:
        """A command that could not be made durable: whoever asked need not wait for the disk."""
        detail = "the disk takes nothing; what you asked waits in memory and is done when there is room"
        for event in happened:
            reply = event.reply if isinstance(event, events.Commanded) else 0
            if reply in self._replies and not self._replies[reply][0].is_set():
                self._deliver(Report(reply, "refused", {"reason": "mute", "detail": detail}))

    def _deliver(self, report: Report) -> None:
        if report.reply in self._replies:
            done, answers = self._replies[report.reply]
            answers.append(report)
            done.set()
        elif report.reply == 0:
            self.history.append(report)
            self.told(report)

    def _answer(self, question: _Question) -> None:
        try:
            question.answer = question.ask(self._node)
        except FAULTS as error:
            question.error = error
        question.done.set()
