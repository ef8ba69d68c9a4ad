"""The healing machine: symptoms in, at most one act at a time out, and never an act that was not kept first.

detect -> diagnose -> plan -> guards -> consent -> keep the intent -> act -> soak -> verified, or not.
Refuses to act on anything but this node's own components, to act twice for one intent whatever crashed
between, and to call a repair done that nobody checked.
"""

from collections.abc import Iterator
from dataclasses import replace

from luminous.node.core.healing.casebook import Casebook, Key
from luminous.node.core.healing.guards import (
    JUMP_MS,
    SETTLE_MS,
    Breaker,
    Surroundings,
    freeze_reason,
)
from luminous.node.core.healing.lifecycle import OPEN, Phase, Step, move
from luminous.node.core.healing.outcomes import Act
from luminous.node.core.healing.records import Incident, Intent
from luminous.node.core.healing.strategies import Plan, Strategy, Verb, find_plan
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Outcome, Tell
from luminous.protocol.codec import Value
from luminous.protocol.reasons import Reason, Refused

ACT_TIMEOUT_MS = 120_000
ASK_TIMEOUT_MS = 600_000
# After its soak an act waits so long for a clean probe, then it counts as not verified.
PROOF_MS = 300_000
RETRY_MS = 10_000
# One notification for the same symptom of the same target in four hours, whatever flaps.
ESCALATE_EVERY_MS = 4 * 3_600_000

Outcomes = tuple[Outcome | Act, ...]


class Healing:
    """This node's healer. ``deadline`` is in mono_ms.

    ``consent``: 0 nothing, not even advice; 1 and more advise about the system. ``own_consent`` for this
    node's own components: 0 observe, 1 suggest, 2 ask, 3 automatic if reversible, 4 automatic in budget.
    """

    def __init__(self, consent: int = 1, own_consent: int = 4) -> None:
        self.consent = consent
        self.own_consent = own_consent if consent > 0 else 0
        self.surroundings = Surroundings()
        self.book = Casebook()
        self._due: dict[str, int] = {}
        self._proof: dict[str, bool] = {}
        self._soaked: dict[str, None] = {}
        self._held: dict[str, str] = {}
        self._next_ms: int | None = None
        self._clock: Instant | None = None
        self._settled_at_ms = -SETTLE_MS

    # What comes in

    def symptom(self, facts: dict[str, Value], at: Instant) -> Outcomes:
        """A symptom began or ended: ``name``, ``target``, ``present`` and, if it is known, ``cause``."""
        self._see(at)
        name, target = str(facts.get("name", "")), str(facts.get("target", ""))
        key = (name, target)
        if facts.get("present") is not True:
            return tuple(self._cleared(key, at))
        soaking = self.book.acting()
        if soaking and (soaking.symptom, soaking.target) == key and soaking.phase is Phase.SOAKING:
            return tuple(self._end(soaking, Step.DIRTY, at))
        if key in self.book.present or self.book.is_full:
            return tuple(self._plan(at))
        advice = find_plan(name, target).advice
        cause = str(facts.get("cause") or (advice.cause.format(target=target) if advice else name))
        return (self.book.open(key, cause, at), *self._plan(at))

    def remedied(self, intent_id: str, ok: bool, facts: dict[str, Value], at: Instant) -> Outcomes:
        """The shell finished an act. ``facts["verified"]`` True: it checked the outcome itself."""
        self._see(at)
        intent = self.book.intents.get(intent_id)
        if intent is None or intent.phase not in (Phase.INTENDED, Phase.UNDOING):
            return ()
        intent = replace(intent, steps=str(facts.get("steps", ""))[:400])
        if intent.phase is Phase.UNDOING:
            return tuple(self._end(intent, Step.DONE if ok else Step.BROKE, at))
        if not ok:
            return tuple(self._end(intent, Step.BROKE, at))
        self._proof[intent_id] = self._proof.get(intent_id, False) or facts.get("verified") is True
        self._due[intent_id] = at.mono_ms + self._strategy(intent).soak_ms
        return (self.book.store(replace(intent, phase=move(intent.phase, Step.DONE))), *self._plan(at))

    def agree(self, intent_id: str, at: Instant) -> Outcomes | Refused:
        """A person says yes."""
        self._see(at)
        intent = self.book.find(intent_id)
        if intent is None or intent.phase is not Phase.ASKED:
            return Refused(Reason.CLOSED, "there is no open question of that name")
        if (intent.symptom, intent.target) not in self.book.present:
            return tuple(self._end(intent, Step.CLEARED, at))
        if self.book.acting() is not None:
            return Refused(Reason.TOO_MANY, "another act is under way: one at a time")
        return tuple(self._start(intent, Step.AGREE, at))

    def undo(self, intent_id: str, at: Instant) -> Outcomes | Refused:
        """A person wants an act undone."""
        self._see(at)
        intent = self.book.find(intent_id)
        if intent is None or intent.phase not in (Phase.VERIFIED, Phase.UNVERIFIED):
            return Refused(Reason.CLOSED, "there is no finished act of that name")
        if not intent.undo:
            return Refused(Reason.OUT_OF_BOUNDS, "this act leaves nothing to undo")
        if self.book.acting() is not None:
            return Refused(Reason.TOO_MANY, "another act is under way: one at a time")
        return tuple(self._start_undo(intent, at))

    def recall(self, name: str, body: Value) -> None:
        """A kept record after a restart."""
        self.book.recall(name, body)

    def surround(self, surroundings: Surroundings) -> None:
        """What goes on around: builds, battery, quiet time."""
        self.surroundings = surroundings

    def tick(self, at: Instant) -> Outcomes:
        """Resolve what a crash left, end soaks and questions, plan what waits."""
        self._see(at)
        done = list(self._resolve(at))
        for intent_id in sorted(self._due):
            if at.mono_ms >= self._due.get(intent_id, at.mono_ms + 1):
                done.extend(self._overdue(self.book.intents[intent_id], at))
        done.extend(self._plan(at))
        return tuple(done)

    def deadline(self) -> int | None:
        """mono_ms of the next soak, question or retry that ends."""
        waits = [*self._due.values(), *([] if self._next_ms is None else [self._next_ms])]
        if self.book.unresolved:
            waits.append(0)
        return min(waits, default=None)

    def view(self) -> dict[str, Value]:
        """Open incidents, what is held back and why, and the history, for people."""
        return {"consent": self.consent, "own_consent": self.own_consent, **self.book.view(self._held)}

    # Deciding

    def _plan(self, at: Instant) -> Iterator[Outcome | Act]:
        self._next_ms = None
        self._held.clear()
        for key in sorted(self.book.present):
            incident = self.book.present[key]
            if incident.is_escalated and (self.own_consent == 0 or self.book.is_exhausted(incident)):
                continue
            if any(intent.phase in OPEN for intent in self.book.of(incident)):
                continue
            yield from self._next_act(incident, at)

    def _next_act(self, incident: Incident, at: Instant) -> Iterator[Outcome | Act]:
        plan = find_plan(incident.symptom, incident.target)
        tried = self.book.tried(incident)
        for strategy in self.book.arms.order(incident.symptom, plan.acts):
            if strategy.verb.value in tried or self.own_consent == 0:
                continue
            on = strategy.target.format(target=incident.target)
            breaker = self.book.breaker(strategy.verb.value, on)
            if breaker.is_open(at.wall_ms):
                continue
            held = self._hold(strategy, on, at)
            if held:
                self._held[incident.id] = held
                self._next_ms = at.mono_ms + RETRY_MS
                return
            self.book.try_verb(incident, strategy.verb.value)
            intent = Intent(
                self.book.new_id("intent", (incident.id, strategy.verb.value), at),
                incident.id,
                incident.symptom,
                incident.target,
                strategy.verb.value,
                on,
                Phase.PLANNED,
                at.wall_ms,
                strategy.undo,
            )
            yield from self._consent(intent, strategy, breaker, at)
            return
        yield from self._escalate(incident, plan, at)

    def _hold(self, strategy: Strategy, on: str, at: Instant) -> str:
        if self.book.acting() is not None:
            return "another act is under way: one at a time"
        present = dict.fromkeys(name for name, _ in self.book.present)
        settled_ms = at.mono_ms - self._settled_at_ms
        return freeze_reason(
            strategy.verb.value, self.surroundings, present, settled_ms
        ) or self.book.budget.refusal(strategy.verb.value, on, at.wall_ms, strategy.cool_down_ms)

    def _consent(
        self, intent: Intent, strategy: Strategy, breaker: Breaker, at: Instant
    ) -> Iterator[Outcome | Act]:
        """A tripped breaker lowers automatic to asking; level 3 is automatic only where nothing is lost."""
        is_reversible = strategy.undoable or not strategy.undo
        automatic = self.own_consent >= (3 if is_reversible else 4) and not breaker.is_tripped
        if automatic:
            yield from self._start(intent, Step.ALLOW, at)
            return
        facts: dict[str, Value] = {
            "intent": intent.id,
            "cause": self.book.present[(intent.symptom, intent.target)].cause,
            "text": f"{strategy.text} ({intent.verb} {intent.on})",
            "undo": strategy.undo or "nothing to undo",
        }
        if self.own_consent <= 1:
            yield Tell("heal_suggested", facts)
            return
        intent = replace(intent, phase=move(intent.phase, Step.ASK))
        self._due[intent.id] = at.mono_ms + ASK_TIMEOUT_MS
        yield self.book.store(intent)
        yield Tell("heal_asked", facts)

    def _start(self, intent: Intent, step: Step, at: Instant) -> Iterator[Outcome | Act]:
        intent = replace(intent, phase=move(intent.phase, step), at_wall_ms=at.wall_ms)
        self.book.budget.add(intent.verb, intent.on, at.wall_ms)
        self._due[intent.id] = at.mono_ms + ACT_TIMEOUT_MS
        yield self.book.store(intent)
        yield Act(intent.id, intent.verb, intent.on)

    def _start_undo(self, intent: Intent, at: Instant) -> Iterator[Outcome | Act]:
        self._due[intent.id] = at.mono_ms + ACT_TIMEOUT_MS
        yield self.book.store(replace(intent, phase=move(intent.phase, Step.UNDO)))
        yield Act(intent.id, f"undo_{intent.verb}", intent.on)

    def _escalate(self, incident: Incident, plan: Plan, at: Instant) -> Iterator[Outcome]:
        """One notification an incident: cause, exact command, undo."""
        key = (incident.symptom, incident.target)
        if plan.advice is None or incident.is_escalated or self.consent == 0:
            return
        patience_ms = plan.patience_ms - (at.mono_ms - self.book.since.get(key, at.mono_ms))
        if patience_ms > 0:
            self._next_ms = at.mono_ms + patience_ms
            return
        told_before = self.book.escalated.get(key)
        is_news = told_before is None or at.wall_ms - told_before >= ESCALATE_EVERY_MS
        incident = replace(incident, is_escalated=True)
        yield self.book.update(incident)
        if not is_news:
            return
        self.book.escalated[key] = at.wall_ms
        yield Tell(
            "escalated",
            {
                "incident": incident.id,
                "symptom": incident.symptom,
                "target": incident.target,
                "cause": incident.cause,
                "command": plan.advice.command,
                "undo": plan.advice.undo,
                "tried": list(self.book.tried(incident)),
            },
        )

    # Ending

    def _cleared(self, key: Key, at: Instant) -> Iterator[Outcome | Act]:
        incident = self.book.present.get(key)
        if incident is None:
            return
        own = self.book.of(incident)
        acting = [intent for intent in own if intent.phase in (Phase.INTENDED, Phase.SOAKING)]
        if acting:
            self._proof[acting[0].id] = True  # clean now; it must stay clean until the soak ends
            if acting[0].id in self._soaked:
                yield from self._end(acting[0], Step.CLEAN, at)
            return
        for intent in own:
            if intent.phase is Phase.ASKED:
                yield from self._end(intent, Step.CLEARED, at)
        if not any(intent.phase in (Phase.VERIFIED, Phase.UNVERIFIED) for intent in own):
            self.book.arms.add(incident.symptom, Verb.WAIT, True)
        yield from self._close(incident, "went away", at)
        yield from self._plan(at)

    def _overdue(self, intent: Intent, at: Instant) -> Iterator[Outcome | Act]:
        if intent.phase is Phase.SOAKING:
            if self._proof.get(intent.id):
                yield from self._end(intent, Step.CLEAN, at)
                return
            if intent.id not in self._soaked:
                self._soaked[intent.id] = None
                self._due[intent.id] = at.mono_ms + PROOF_MS
                return
        yield from self._end(intent, Step.TIMEOUT, at)

    def _end(self, intent: Intent, step: Step, at: Instant) -> Iterator[Outcome | Act]:
        """An intent reaches the end of its way; what it taught is kept with it."""
        before = intent.phase
        intent = replace(intent, phase=move(intent.phase, step))
        self._due.pop(intent.id, None)
        self._proof.pop(intent.id, None)
        self._soaked.pop(intent.id, None)
        yield self.book.store(intent)
        incident = self.book.present.get((intent.symptom, intent.target))
        facts: dict[str, Value] = {
            "intent": intent.id,
            "verb": intent.verb,
            "target": intent.on,
            "symptom": intent.symptom,
            "result": intent.phase.value,
            "steps": intent.steps,
            "undo": intent.undo,
        }
        if intent.phase is Phase.VERIFIED:
            self.book.learn(intent, at.wall_ms)
            yield Tell("healed", facts)
            if incident is not None:
                yield from self._close(incident, f"{intent.verb} {intent.on}: verified", at)
        elif intent.phase is Phase.UNVERIFIED:
            self.book.learn(intent, at.wall_ms)
            yield Tell("heal_failed", facts)
            if intent.undo and before is Phase.SOAKING and step is Step.DIRTY:
                yield from self._start_undo(intent, at)
                return
        elif intent.phase in (Phase.UNDONE, Phase.STUCK):
            yield Tell(f"heal_{intent.phase.value}", facts)
        yield from self._plan(at)

    def _close(self, incident: Incident, result: str, at: Instant) -> Iterator[Outcome]:
        yield self.book.close(incident, result, at)
        if incident.is_escalated:
            yield Tell("resolved", {"incident": incident.id, "symptom": incident.symptom, "result": result})

    def _resolve(self, at: Instant) -> Iterator[Outcome | Act]:
        """Intents that a crash left open are resolved once, without acting again."""
        left, self.book.unresolved = self.book.unresolved, []
        for key in [key for key in sorted(self.book.present) if key not in self.book.since]:
            self.book.since[key] = at.mono_ms
            incident = self.book.present[key]
            restarted = key[0].startswith("component_")
            if restarted and not any(self.book.intents[i].incident == incident.id for i in left):
                yield from self._close(incident, "the node was restarted", at)
        for intent_id in left:
            intent = self.book.intents[intent_id]
            if intent.phase is Phase.PLANNED:
                continue
            after = move(intent.phase, Step.CRASHED)
            if after is not Phase.SOAKING:
                yield from self._end(intent, Step.CRASHED, at)
                continue
            # Only a probe can tell now; a component was started anew with the whole node.
            self._proof[intent_id] = intent.verb == Verb.RESTART
            self._due[intent_id] = at.mono_ms + self._strategy(intent).soak_ms
            yield self.book.store(replace(intent, phase=after))

    # Small parts

    def _see(self, at: Instant) -> None:
        """Notice a resume or a jump of the clock: everything looks late then, and nothing is broken."""
        before, self._clock = self._clock, at
        if before is None or before.boot_id != at.boot_id:
            return
        drift_ms = (at.wall_ms - before.wall_ms) - (at.mono_ms - before.mono_ms)
        if abs(drift_ms) > JUMP_MS:
            self._settled_at_ms = at.mono_ms

    def _strategy(self, intent: Intent) -> Strategy:
        acts = find_plan(intent.symptom, intent.target).acts
        return next(act for act in acts if act.verb.value == intent.verb)
