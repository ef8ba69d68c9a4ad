"""The node: one deterministic machine. Events in, effects out, in the order they must happen.

Refuses to decide what its machines decide: values cross between them here, and only here are envelopes
signed. ``handle`` is the only writer; ``judge`` only reads.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from luminous.node.core import commands, effects, events
from luminous.node.core.commanding import execute
from luminous.node.core.config import Config
from luminous.node.core.healing.outcomes import Act
from luminous.node.core.instant import Instant
from luminous.node.core.learning.records import CHARGE
from luminous.node.core.machines import Machines, build
from luminous.node.core.observing import observe
from luminous.node.core.outcomes import Emit, Keep, Outcome, Tell
from luminous.node.core.peers.present import Present
from luminous.node.core.peers.records import Records
from luminous.node.core.peers.sync import Sync
from luminous.node.core.signing import (
    ENVELOPE,
    HALTED,
    KEPT,
    RELEASED,
    Signing,
    journal_record,
    kept_record,
    read_released,
)
from luminous.protocol.admission import Admissions, Arrival, Verdict, judge, topic_of
from luminous.protocol.codec import decode
from luminous.protocol.envelope import Admitted
from luminous.protocol.reasons import Reason, Refused

# A machine that waits for others must not spin.
TICK_MS_MIN, TICK_MS_MAX = 100, 30_000
WOKE_MS_MIN = 30_000


class Node:
    """One peer's whole mind. Build it, ``restore`` its records, then ``handle`` events."""

    def __init__(self, config: Config, admissions: Admissions | None = None) -> None:
        self.config = config
        self.signing = Signing(config)
        self.records = Records()
        self.machines: Machines = build(config)
        self.refused: dict[str, int] = {}
        self.is_mute = False
        self.peers = Present()
        self.last: Instant | None = None
        self._ticked_ms: int | None = None
        network = config.membership.id if config.membership else None
        self._admissions = admissions or (Admissions(network) if network is not None else None)
        self._topic = None if network is None else topic_of(network)
        self.sync = None if network is None else Sync(network, config.entropy)
        self._handlers: dict[type, Callable[[Any], Iterator[effects.Effect]]] = {
            events.Received: self._received,
            events.Tick: self._tick,
            events.Commanded: self._commanded,
            events.Observed: self._observed,
            events.Measured: self._measured,
            events.Remedied: self._remedied,
            events.PeerJoined: self._peer_joined,
            events.PeerLeft: self._peer_left,
            events.Synced: self._synced,
            events.JournalLost: self._journal_lost,
            events.StoreFailed: self._store_failed,
            events.StoreRecovered: self._store_recovered,
        }

    @property
    def me(self) -> bytes:
        """The own author key."""
        return self.signing.me

    @property
    def halted(self) -> str:
        """Why nothing is signed any more; empty while all is well."""
        return self.signing.halted

    # The four calls of a body

    def restore(
        self, journal: Iterable[tuple[str, bytes]], state: Iterable[tuple[str, bytes]], at: Instant
    ) -> list[str]:
        """Rebuild everything from (kind, body) records. Draws no randomness. Returns what was unreadable."""
        lost: list[str] = []
        for kind, body in (*journal, *state):
            if kind == HALTED:
                self.signing.halted = body.decode("utf-8", "replace")
            elif kind == KEPT:
                value = decode(body)
                if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
                    self.machines.recall(value[0], value[1])
                else:
                    lost.append(kind)
            elif kind in (ENVELOPE, RELEASED):
                raw, charge = read_released(body) if kind == RELEASED else (body, None)
                admitted = self.admit(raw)
                if isinstance(admitted, Refused):
                    lost.append(f"{kind}: {admitted.reason.value}")
                    continue
                if charge is not None:
                    self.machines.recall(CHARGE, charge)
                self._hold(admitted, is_kept=True)
        # In the order of time, not own ones first: what is heard long before its epoch has to wait.
        for envelope in self.records.envelopes():
            self.machines.hear(envelope, at)
        self.records.release(self.machines.take_agreed())
        return lost

    def judge(self, arrival: Arrival) -> Verdict:
        """May these bytes be relayed and heard? A function of the bytes and the clock's newest reading."""
        if self._admissions is None or self._topic is None or self.last is None:
            return Verdict.IGNORE
        return judge(self._admissions, arrival, self._topic, self.last.wall_ms)

    def handle(self, event: events.Event) -> tuple[effects.Effect, ...]:
        """What shall be done about an event, in this order."""
        before, self.last = self.last, event.at
        if self.sync is not None and before is not None and is_after_sleep(before, event.at):
            self.sync.woke(event.at)
        return tuple(self._handlers[type(event)](event))

    def deadline(self) -> int:
        """mono_ms at which a ``Tick`` is due if nothing else happens."""
        assert self.last is not None
        now = self.last
        wall_ms, mono_ms = self.machines.deadlines()
        if wall_ms is not None and wall_ms <= now.wall_ms:  # at once: nothing can be sooner
            return max(now.mono_ms, self.soonest_ms())
        due_ms = now.mono_ms + TICK_MS_MAX
        if wall_ms is not None:
            due_ms = min(due_ms, now.mono_ms + wall_ms - now.wall_ms)
        for ms in (mono_ms, None if self.sync is None else self.sync.deadline()):
            if ms is not None and ms < due_ms:
                due_ms = max(ms, now.mono_ms)
        return max(due_ms, self.soonest_ms())

    def soonest_ms(self) -> int:
        """mono_ms before which no deadline can be, whatever happens."""
        assert self.last is not None
        return self.last.mono_ms if self._ticked_ms is None else self._ticked_ms + TICK_MS_MIN

    def admit(self, raw: bytes) -> Admitted | Refused:
        """Admission of this node's network; memoised."""
        if self._admissions is None:
            return Refused(Reason.NO_NETWORK, "")
        return self._admissions.admit(raw)

    # Events

    def _received(self, event: events.Received) -> Iterator[effects.Effect]:
        envelope = event.envelope
        if envelope.id in self.records or self.signing.is_own(envelope.id):
            return
        if envelope.author == self.me:
            yield from self.signing.halt(
                "another machine signs with this node's key, or its journal was lost"
            )
        refusal = self.machines.refusal(envelope, event.at) or (None if self._hold(envelope) else _TOO_MANY)
        if refusal is not None:
            self.refused[refusal.reason.value] = self.refused.get(refusal.reason.value, 0) + 1
            return
        yield effects.Append(effects.Store.STATE, ENVELOPE, envelope.id, envelope.raw)
        outcomes = self.machines.hear(envelope, event.at, gossiped=event.gossiped)
        if outcomes:
            yield from self._carry(outcomes, event.at)

    def _tick(self, event: events.Tick) -> Iterator[effects.Effect]:
        self._ticked_ms = event.at.mono_ms
        yield from self._retire(event.at)
        if self.is_mute:
            return
        synced, may_sign = self.is_synced(event.at), self._may_sign()
        yield from self._carry(self.machines.tick(event.at, synced, may_sign), event.at)
        self.records.release(self.machines.take_agreed())
        if self.sync is not None:
            wall_ms, _ = self.machines.deadlines()
            self.sync.expect(() if wall_ms is None else (wall_ms,))
            for ask in self.sync.tick(event.at):
                yield effects.Compare(ask.peer, ask.wanted)

    def _commanded(self, event: events.Commanded) -> Iterator[effects.Effect]:
        refusal = self._refuse_command(event.command)
        done = refusal or execute(self.machines, event.command, event.at)
        if isinstance(done, Refused):
            yield effects.Report(event.reply, "refused", {"reason": done.reason.value, "detail": done.detail})
            return
        if isinstance(event.command, commands.Forget):
            yield effects.Erase(KEPT)
        emitted = yield from self._carry(done, event.at)
        yield effects.Report(event.reply, "done", {"ids": [item.hex() for item in emitted]})

    def _observed(self, event: events.Observed) -> Iterator[effects.Effect]:
        yield from self._carry(observe(self.machines, event), event.at)

    def _measured(self, event: events.Measured) -> Iterator[effects.Effect]:
        yield from self._carry(self.machines.measure(event.readings, event.at), event.at)

    def _remedied(self, event: events.Remedied) -> Iterator[effects.Effect]:
        done = self.machines.healing.remedied(event.intent, event.ok, event.facts, event.at)
        yield from self._carry(done, event.at)

    def _peer_joined(self, event: events.PeerJoined) -> Iterator[effects.Effect]:
        self.peers.join(event.peer, event.at)
        if self.sync is not None:
            self.sync.peer_joined(event.peer, event.at)
        return iter(())

    def _peer_left(self, event: events.PeerLeft) -> Iterator[effects.Effect]:
        self.peers.leave(event.peer)
        if self.sync is not None:
            self.sync.peer_left(event.peer)
        return iter(())

    def _synced(self, event: events.Synced) -> Iterator[effects.Effect]:
        assert self.sync is not None
        ended = self.sync.close(event.session, event.at)
        if ended.is_caught_up:
            self.peers.caught_up(ended.peer, event.at)
        return iter(())

    def _journal_lost(self, event: events.JournalLost) -> Iterator[effects.Effect]:
        yield from self.signing.halt("the journal was lost: what this key signed before is not known")
        if self.machines.learning is not None:
            yield from self._carry(self.machines.learning.lose_journal(event.at), event.at)

    def _store_failed(self, event: events.StoreFailed) -> Iterator[effects.Effect]:
        if not self.is_mute:
            self.is_mute = True
            if self.sync is not None:
                self.sync.is_mute = True
            yield effects.Report(0, "mute", {"why": event.why})

    def _store_recovered(self, event: events.StoreRecovered) -> Iterator[effects.Effect]:
        self.is_mute = False
        if self.sync is not None:
            self.sync.is_mute = False
            self.sync.woke(event.at)  # what was gossiped meanwhile was not heard
        yield effects.Report(0, "speaking_again", {})
        yield from self._tick(events.Tick(event.at))

    # Reading

    def is_synced(self, at: Instant) -> bool:
        """True when enough peers gave all they have; the only member of a roll has nobody to ask."""
        return self.machines.roll.size <= 1 or self.peers.is_synced(at, self.machines.roll.faulty_max)

    def _may_sign(self) -> bool:
        return not self.halted and not self.is_mute and self.config.membership is not None

    def _refuse_command(self, command: commands.Command) -> Refused | None:
        if self.is_mute:
            return Refused(Reason.MUTE, "the journal cannot be written: nothing is done until it can")
        if not isinstance(command, commands.SIGNED):
            return None
        if self.config.membership is None:
            return Refused(Reason.NO_NETWORK, "this node belongs to no network yet")
        if self.halted:
            return Refused(Reason.EQUIVOCATION, self.halted)
        return None

    # Carrying outcomes out

    def _carry(
        self, outcomes: Iterable[Outcome | Act], at: Instant
    ) -> Generator[effects.Effect, None, list[bytes]]:
        """Turn outcomes into effects; returns the ids of what was emitted."""
        emitted: list[bytes] = []
        waiting = list(outcomes)
        while waiting:
            outcome = waiting.pop(0)
            if isinstance(outcome, Emit):
                if not self._may_sign():
                    continue
                envelope = self._sign(outcome, at)
                emitted.append(envelope.id)
                yield journal_record(envelope, outcome.charge)
                yield effects.Publish(envelope.raw)
                waiting.extend(self.machines.hear(envelope, at))
            elif isinstance(outcome, Keep):
                yield kept_record(outcome)
            elif isinstance(outcome, Tell):
                yield effects.Report(0, outcome.name, outcome.facts)
                waiting.extend(self.machines.told(outcome, at))
            else:
                self.machines.causes.add(f"acted:{outcome.verb}", at)
                yield effects.Apply(outcome.intent_id, outcome.verb, outcome.target)
        return emitted

    def _sign(self, emit: Emit, at: Instant) -> Admitted:
        envelope = self.admit(self.signing.seal(emit, at))
        assert isinstance(envelope, Admitted), f"own envelope refused: {envelope}"
        held = self._hold(envelope)
        assert held, "own envelope not held"
        return envelope

    def _hold(self, envelope: Admitted, *, is_kept: bool = False) -> bool:
        is_own = envelope.author == self.me
        if is_own and not self.halted:
            self.signing.know(envelope)
        return self.records.add(envelope, is_own=is_own or is_kept)

    def _retire(self, at: Instant) -> Iterator[effects.Effect]:
        for identifier in self.machines.retired(self.records, at):
            self.records.drop(identifier)
            yield effects.Erase(ENVELOPE, identifier)


def is_after_sleep(before: Instant, now: Instant) -> bool:
    """True when the wall clock ran ahead of the monotonic one, which stands still in suspend."""
    ahead_ms = (now.wall_ms - now.mono_ms) - (before.wall_ms - before.mono_ms)
    return before.boot_id == now.boot_id and ahead_ms > WOKE_MS_MIN


_TOO_MANY = Refused(Reason.TOO_MANY, "this author's quota of records is used up")
