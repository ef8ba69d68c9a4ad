"""Power cuts between every two effects: nothing lost, doubled or promised twice."""

from collections.abc import Iterator, Sequence

import pytest

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import signer_from_seed
from luminous.node.core import commands, events
from luminous.node.core.config import Config, Membership
from luminous.node.core.effects import Append, Apply, Compare, Erase, Note, Report
from luminous.node.core.founding import found, join
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.node.core.observing import FIX_TRIED
from luminous.node.driver import Driver
from luminous.node.ports import Record
from luminous.protocol.admission import admit
from luminous.protocol.envelope import Admitted
from luminous.protocol.kinds import Kind
from luminous.simulations.disk import Crash, MemoryStore

SIGNER = signer_from_seed(b"\x05" * 32)
START_MS = 1_800_000_000_000
WINDOW_MS = 60_000


def membership() -> Membership:
    raw = found(
        "alone",
        [SIGNER.public],
        is_fleet=False,
        is_open=False,
        parameters={
            "voting.window_ms_min": 1000,
            "voting.grace_ms": 1000,
            "learning.window_ms": WINDOW_MS,
        },
        created_at_ms=START_MS,
        salt=b"s" * 16,
    )
    joined = join(raw)
    assert isinstance(joined, Membership)
    return joined


NETWORK = membership()


class Points:
    """Counts the places where power may fail, and fails at one of them."""

    def __init__(self, crash_at: int | None) -> None:
        self.count = 0
        self.crash_at = crash_at

    def pass_one(self) -> None:
        self.count += 1
        if self.count == self.crash_at:
            raise Crash


class FailingStore:
    """A disk whose power may fail before and after a commit, never within one."""

    def __init__(self, inner: MemoryStore, points: Points) -> None:
        self._inner, self._points = inner, points

    def commit(self, changes: Sequence[Append | Erase]) -> None:
        self._points.pass_one()
        self._inner.commit(changes)
        self._points.pass_one()

    def records(self) -> Iterator[Record]:
        return self._inner.records()

    def release_ballast(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing."""


class Outbox:
    """What left the machine, and whether it was in the journal then."""

    def __init__(self, journal: MemoryStore, points: Points, sent: list[bytes]) -> None:
        self._journal, self._points, self.sent = journal, points, sent

    def publish(self, raw: bytes) -> None:
        self._points.pass_one()
        journalled = b"".join(record.body for record in self._journal.records())
        assert raw in journalled, "sent before it was durable"
        self.sent.append(raw)
        self._points.pass_one()

    def compare(self, compare: Compare) -> None:
        self._points.pass_one()

    def apply(self, act: Apply) -> None:
        self._points.pass_one()

    def report(self, report: Report) -> None:
        self._points.pass_one()

    def note(self, note: Note) -> None:
        self._points.pass_one()


def instant(ms: int, boot: int) -> Instant:
    return Instant(f"boot-{boot}", ms, START_MS + ms)


def script() -> list[tuple[int, events.Event | commands.Command]]:
    """One life: consent, an outcome, a proposal, a ballot, its change, two windows, a closing."""
    tried = {"class": "hash_mismatch", "fix": "update_hash", "success": True}
    steps: list[tuple[int, object]] = [
        (10, commands.GrantLearning("PUBLIC")),
        (20, events.Observed(instant(20, 0), FIX_TRIED, tried)),  # type: ignore[arg-type]
        (30, commands.Propose("text", "Shall we", "", (), "simple", START_MS + 20_000)),
        (40, commands.CastVote("", "no")),
        (50, commands.CastVote("", "yes")),
        (60, commands.Override("feature.command_prediction", 0)),
        *[(ms, None) for ms in range(1_000, 200_000, 7_000)],
    ]
    return steps  # type: ignore[return-value]


def live(crash_at: int | None) -> tuple[Points, MemoryStore, MemoryStore, list[bytes], Node]:
    """Play the script; after a crash restart from the stores and go on with the next step."""
    points = Points(crash_at)
    journal, state = MemoryStore(durable=True), MemoryStore(durable=False)
    sent: list[bytes] = []
    boots = 0

    def boot(ms: int) -> Driver:
        node = Node(Config(SIGNER, SeededEntropy(bytes([boots])), NETWORK))
        node.restore(
            [(record.kind, record.body) for record in journal.records()],
            [(record.kind, record.body) for record in state.records()],
            instant(ms, boots),
        )
        stores = FailingStore(journal, points), FailingStore(state, points)
        return Driver(node, *stores, Outbox(journal, points, sent))

    driver = boot(0)
    for ms, step in script():
        at = instant(ms, boots)
        happened: list[events.Event] = [events.Tick(at)]
        if isinstance(step, commands.CastVote):
            open_ones = driver.node.machines.governance.proposals()  # type: ignore[union-attr]
            step = commands.CastVote(open_ones[0].id.hex() if open_ones else "00", step.choice)
        if isinstance(step, events.Observed):
            happened.append(events.Observed(at, step.name, step.facts))
        elif step is not None:
            happened.append(events.Commanded(at, step, 1))  # type: ignore[arg-type]
        try:
            for event in happened:
                driver.step([event], at)
        except Crash:
            boots += 1
            driver = boot(ms)
    return points, journal, state, sent, driver.node


# What may be signed once only: the fields that name the occasion.
ONCE = {
    Kind.CLOSE: ("proposal",),
    Kind.REPORT: ("epoch",),
    Kind.LEAD: ("epoch", "iteration"),
    Kind.VOTE: ("epoch", "iteration"),
    Kind.FINAL: ("epoch", "iteration"),
}


def promise_of(item: Admitted) -> tuple[object, ...] | None:
    fields = ONCE.get(item.kind)
    return None if fields is None else (item.kind, *(getattr(item.payload, name) for name in fields))


def check(journal: MemoryStore, sent: list[bytes], node: Node) -> None:
    own = [admit(raw, NETWORK.id) for raw in set(sent)]
    envelopes = [item for item in own if isinstance(item, Admitted)]
    assert len(envelopes) == len(own)
    held = [item for item in node.records.envelopes() if item.author == SIGNER.public]
    everything = {item.id: item for item in (*envelopes, *held)}.values()
    sequences = [item.sequence for item in everything]
    assert len(sequences) == len(set(sequences)), "one sequence number, two records"
    promises = [promise for promise in map(promise_of, everything) if promise is not None]
    assert len(promises) == len(set(promises)), "promised twice"
    windows = [item.payload.window for item in everything if item.kind is Kind.DELTA]
    assert len(windows) == len(set(windows)), "two releases of one window"
    charged = [record for record in journal.records() if record.kind == "released"]
    assert len(charged) >= len(windows), "a release without a charge"
    ballots = [
        (item.payload.proposal, item.payload.sequence) for item in everything if item.kind is Kind.BALLOT
    ]
    assert len(ballots) == len(set(ballots)), "two ballots of one sequence"


def test_an_undisturbed_life_decides_and_releases() -> None:
    points, journal, _, sent, node = live(None)
    check(journal, sent, node)
    items = [item for item in (admit(raw, NETWORK.id) for raw in sent) if isinstance(item, Admitted)]
    kinds = [item.kind for item in items]
    assert kinds.count(Kind.BALLOT) == 2
    finals = [item.payload.epoch for item in items if item.kind is Kind.FINAL]
    assert finals and len(finals) == len(set(finals))  # one in each epoch: of the vote, of learning windows
    assert kinds.count(Kind.DELTA) >= 2
    assert points.count > 40
    assert node.machines.governance.proposals()[0].is_final  # type: ignore[union-attr]
    assert node.machines.governance.overrides() == {"feature.command_prediction": 0}  # type: ignore[union-attr]


def test_a_crash_at_every_point_loses_and_doubles_nothing() -> None:
    total = live(None)[0].count
    for crash_at in range(1, total + 1):
        _, journal, _, sent, node = live(crash_at)
        check(journal, sent, node)
        assert node.machines.learning is not None
        # The step that was cut may be undone as a whole; a later window is released all the same.
        assert node.machines.learning.level.name == "PUBLIC" or crash_at < 8
        assert not node.halted


def test_publishing_before_appending_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: effects performed before the commit."""

    def hasty(self: Driver, batch: object, at: Instant) -> bool:
        self._perform(batch.after)  # type: ignore[attr-defined]
        self._commit(batch)  # type: ignore[arg-type]
        return True

    monkeypatch.setattr(Driver, "execute", hasty)
    with pytest.raises(AssertionError, match="before it was durable"):
        live(None)


def test_a_node_that_forgets_where_it_was_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: after a restart sequence numbers start again."""
    restore = Node.restore

    def forgetful(self: Node, journal: object, state: object, at: Instant) -> list[str]:
        lost = restore(self, journal, state, at)  # type: ignore[arg-type]
        self.signing._sequence = 0
        return lost

    monkeypatch.setattr(Node, "restore", forgetful)
    total = live(None)[0].count
    with pytest.raises(AssertionError, match="one sequence number"):
        for crash_at in range(1, total + 1):
            _, journal, _, sent, node = live(crash_at)
            check(journal, sent, node)


def test_a_full_disk_makes_the_node_mute_and_an_empty_one_speak_again() -> None:
    points = Points(None)
    journal, state = MemoryStore(durable=True), MemoryStore(durable=False)
    sent: list[bytes] = []
    node = Node(Config(SIGNER, SeededEntropy(b"m"), NETWORK))
    driver = Driver(node, journal, state, Outbox(journal, points, sent))
    driver.step([events.Tick(instant(1, 0))], instant(1, 0))
    journal.full = state.full = True
    propose = commands.Propose("text", "Shall we", "", (), "simple", START_MS + 20_000)
    driver.step([events.Commanded(instant(2, 0), propose, 1)], instant(2, 0))
    assert driver.is_mute
    assert node.is_mute
    assert sent == []
    again = commands.Propose("text", "And this", "", (), "simple", START_MS + 20_000)
    driver.step([events.Commanded(instant(3, 0), again, 2)], instant(3, 0))
    driver.step([events.Tick(instant(60_000, 0))], instant(60_000, 0))
    assert sent == []
    assert len(list(journal.records())) == 0
    journal.full = state.full = False
    driver.step([events.Tick(instant(61_000, 0))], instant(61_000, 0))
    assert not driver.is_mute
    assert not node.is_mute
    titles = [item.payload.title for item in node.records.envelopes() if item.kind is Kind.PROPOSAL]
    assert titles == ["Shall we"], "the stuck act happened once, the one asked while mute did not"
    assert len(sent) >= 1


def test_a_damaged_state_store_does_not_silence_the_node_and_its_repair_loses_nothing() -> None:
    points = Points(None)
    journal, state = MemoryStore(durable=True), MemoryStore(durable=False)
    sent: list[bytes] = []
    driver = Driver(
        Node(Config(SIGNER, SeededEntropy(b"m"), NETWORK)), journal, state, Outbox(journal, points, sent)
    )
    driver.step([events.Tick(instant(1, 0))], instant(1, 0))
    state.corrupt = True
    tried = {"class": "hash_mismatch", "fix": "update_hash", "success": True}
    driver.step([events.Observed(instant(2, 0), FIX_TRIED, tried)], instant(2, 0))  # type: ignore[arg-type]
    propose = commands.Propose("text", "Shall we", "", (), "simple", START_MS + 20_000)
    driver.step([events.Commanded(instant(3, 0), propose, 1)], instant(3, 0))
    assert driver.state_fault
    assert not driver.is_mute
    assert len(sent) == 1
    repaired = MemoryStore(durable=False)
    driver.replace_state(repaired)
    assert not driver.state_fault
    assert any(record.kind == "kept" for record in repaired.records())
