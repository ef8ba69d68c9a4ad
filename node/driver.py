"""The effect loop over the ports: the same code in every body.

Refuses to decide: it only guarantees the order. All appends of a batch are durable before any other
effect of it; when they cannot be made durable, nothing of the batch happens and the node is mute until
the very same batch could be appended. A damaged state store is no reason to fall silent: what it cannot
take waits in memory until the store was repaired, as only others' records and counts are in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from luminous.node.core.effects import Append, Apply, Compare, Effect, Erase, Note, Publish, Report, Store
from luminous.node.core.events import Event, Received, StoreFailed, StoreRecovered, Synced
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.node.ports import Outbox, RecordStore, StoreError, StoreFault

BATCH_EVENTS_MAX = 256
# Changes that wait for a repaired state store. Sync brings back what does not fit.
UNSAVED_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes of both stores, and what follows once they are durable."""

    journal: tuple[Append, ...]
    state: tuple[Append | Erase, ...]
    after: tuple[Effect, ...]


class Driver:
    """Runs one node over its stores and outbox. Only one task may call it."""

    def __init__(self, node: Node, journal: RecordStore, state: RecordStore, outbox: Outbox) -> None:
        self.node = node
        self._journal = journal
        self._state = state
        self._outbox = outbox
        self._stuck: Batch | None = None
        self._ballast_released = False
        self._unsaved: list[Append | Erase] = []
        self.state_fault = ""

    @property
    def is_mute(self) -> bool:
        """True while an append failed and no probe append succeeded since."""
        return self._stuck is not None

    def replace_state(self, state: RecordStore) -> None:
        """Go on with another state store: the old one was damaged and restored from its backup.

        Raises ``StoreError`` if this one cannot be written either.
        """
        state.commit(self._unsaved)
        self._state, self._unsaved, self.state_fault = state, [], ""

    def take_over(self, old: "Driver") -> None:
        """Go on where a driver left off whose node is given up: what waits for a repaired state store."""
        self._unsaved, self.state_fault = old._unsaved, old.state_fault

    def step(self, events: Sequence[Event], at: Instant) -> None:
        """Handle up to ``BATCH_EVENTS_MAX`` events: plan, commit, perform."""
        assert len(events) <= BATCH_EVENTS_MAX
        if self.is_mute and not self.probe(at):
            events = [event for event in events if not isinstance(event, Received | Synced)]
        batch = self.plan(events)
        if self.is_mute:
            self._perform(tuple(effect for effect in batch.after if isinstance(effect, Report | Note)))
            return
        self.execute(batch, at)

    def plan(self, events: Sequence[Event]) -> Batch:
        """Let the node handle the events; sort what it wants into changes and the rest, in order."""
        return sort_effects([effect for event in events for effect in self.node.handle(event)])

    def execute(self, batch: Batch, at: Instant) -> bool:
        """Commit, then perform. On failure the batch is kept, the node told, and False returned."""
        try:
            self._commit(batch)
        except StoreError as error:
            self._stuck = batch
            told = self.node.handle(StoreFailed(at, str(error)))
            self._perform(tuple(effect for effect in told if isinstance(effect, Report | Note)))
            return False
        self._perform(batch.after)
        return True

    def probe(self, at: Instant) -> bool:
        """Try the stuck batch once more: the probe append. True when the node may speak again."""
        assert self._stuck is not None
        try:
            self._commit(self._stuck)
        except StoreError:
            return False
        stuck, self._stuck = self._stuck, None
        self._ballast_released = False
        self._perform(stuck.after)
        self.execute(self.plan([StoreRecovered(at)]), at)
        return True

    def _commit(self, batch: Batch) -> None:
        if batch.journal:
            self._commit_to(self._journal, batch.journal)
        if batch.state and not self.state_fault:
            try:
                self._commit_to(self._state, batch.state)
            except StoreError as error:
                if error.fault is not StoreFault.CORRUPT:
                    raise
                self.state_fault = str(error)
        if batch.state and self.state_fault:
            self._unsaved.extend(batch.state[: UNSAVED_MAX - len(self._unsaved)])

    def _commit_to(self, store: RecordStore, changes: Sequence[Append | Erase]) -> None:
        try:
            store.commit(changes)
        except StoreError as error:
            if error.fault is not StoreFault.FULL or self._ballast_released or not store.release_ballast():
                raise
            self._ballast_released = True
            store.commit(changes)

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Publish):
                self._outbox.publish(effect.raw)
            elif isinstance(effect, Compare):
                self._outbox.compare(effect)
            elif isinstance(effect, Apply):
                self._outbox.apply(effect)
            elif isinstance(effect, Report):
                self._outbox.report(effect)
            else:
                assert isinstance(effect, Note), effect
                self._outbox.note(effect)


def sort_effects(effects: Sequence[Effect]) -> Batch:
    """Split effects into the journal's appends, the state store's changes and the rest, order kept."""
    journal: list[Append] = []
    state: list[Append | Erase] = []
    after: list[Effect] = []
    for effect in effects:
        if isinstance(effect, Append):
            (journal if effect.store is Store.JOURNAL else state).append(effect)
        elif isinstance(effect, Erase):
            state.append(effect)
        else:
            after.append(effect)
    return Batch(tuple(journal), tuple(state), tuple(after))
