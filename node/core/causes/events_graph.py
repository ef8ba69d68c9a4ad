"""The events machine: what happened on this computer in, links, wisdom and answers to "why" out.

Refuses raw texts (names of kinds only), times of another boot, and to conclude from fewer than eight cases.
"""

from collections import deque

from luminous.node.core.causes.counts_record import pack_counts, pack_table, unpack_counts, unpack_table
from luminous.node.core.causes.crossover import CONTEXTS_MAX, WINDOWS_MS, Crossover
from luminous.node.core.causes.edge_wisdom import Claim, Trials, Wisdom, is_evolution, is_pattern
from luminous.node.core.causes.graph import Graph, Names, edges_view, node_id
from luminous.node.core.causes.past import Covered, count_past, read_past, tell_unseen
from luminous.node.core.causes.relations import CAUSAL, Link, Relation, describe, discover
from luminous.node.core.causes.why import MECHANISM_BLAME, Arrow, WhyAnswer, arrows_of, tell, trace
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Keep, Outcome
from luminous.protocol.codec import Value

SNAPSHOT_NAME = "snapshot.causes"
SNAPSHOT_SIZE_BYTES_MAX = 48 * 1024
SNAPSHOT_EVERY_MS = 3_600_000
REDISCOVER_EVERY_MS = 300_000
HALVE_EVERY_MS = 30 * 86_400_000
# Occurrences remembered for "why": the latest of each kind, and the latest of all.
LATEST_PER_KIND = 8
LATEST_MAX = 512
TRIALS_MAX = 1024

# What is known to lead to what: (start of the cause's name, of the effect's, within). Never learnt.
MECHANISMS: tuple[tuple[str, str, int], ...] = (
    ("symptom:disk_full", "failed:disk_full", 3_600_000),
    ("symptom:disk_full", "symptom:store_damaged", 3_600_000),
    ("symptom:inodes_full", "failed:inode_exhausted", 3_600_000),
    ("symptom:memory_pressure", "failed:out_of_memory", 300_000),
    ("symptom:root_read_only", "failed:", 3_600_000),
    ("symptom:store_damaged", "crashed:", 300_000),
    ("changed:", "unit_failed:", 300_000),
    ("crashed:", "healed:restart", 60_000),
    ("symptom:store_damaged", "acted:repair", 600_000),
    ("acted:repair", "healed:repair", 600_000),
)


class Causes:
    """What happened here and what that says. ``deadline`` is in mono_ms.

    ``is_learning``: False takes nothing in, by its user's wish.
    """

    def __init__(self, *, is_learning: bool = True) -> None:
        self.is_learning = is_learning
        self.names = Names()
        self.counts = Crossover()
        self.links: tuple[Link, ...] = ()
        self._trials: dict[tuple[int, int], Trials] = {}
        self._old: dict[tuple[int, int], tuple[int, int]] = {}
        self._latest: dict[int, deque[int]] = {}
        self._recent: deque[tuple[int, int, int]] = deque(maxlen=LATEST_MAX)
        self._present: dict[str, None] = {}
        self._boot_id = ""
        self._events = 0
        self._fresh = 0
        self._discovered_ms = self._kept_ms = 0
        self._halved_wall_ms: int | None = None
        self._covered = Covered()

    def observe(self, name: str, facts: dict[str, Value], at: Instant) -> tuple[Outcome, ...]:
        """Something was seen: ``command_ended``, ``unit_failed``, ``fix_tried`` … with its facts."""
        for kind in kinds_of(name, facts):
            self.add(kind, at)
        return ()

    def symptom(self, facts: dict[str, Value], at: Instant) -> tuple[Outcome, ...]:
        """A symptom of health began or ended. Only a beginning is an event; told again, it is none."""
        if at.boot_id != self._boot_id:
            self._new_boot(at)
        name = _joined("symptom", facts.get("name"), facts.get("target"))
        if facts.get("present") is not True:
            self._present.pop(name, None)
        elif name not in self._present:
            self._present[name] = None
            self.add(name, at)
        return ()

    def add(self, name: str, at: Instant, context: int = 0) -> None:
        """An event of kind ``name`` (such as ``failed:hash_mismatch``). ``context``: 0 to 3."""
        if at.boot_id != self._boot_id:
            self._new_boot(at)
        kind = self.names.intern(name) if self.is_learning else None
        if kind is None:
            return
        self.counts.add(kind, at.mono_ms, context % CONTEXTS_MAX)
        self._latest.setdefault(kind, deque(maxlen=LATEST_PER_KIND)).append(at.mono_ms)
        self._recent.append((kind, at.mono_ms, at.wall_ms))
        self._events += 1
        self._fresh += 1

    def trial(self, cause: str, effect: str, was_set: bool, seen: bool) -> None:
        """An intervention: ``cause`` was set or removed on purpose, and ``effect`` was then seen or not."""
        pair = (self.names.intern(cause), self.names.intern(effect))
        if pair[0] is None or pair[1] is None:
            return
        key = (pair[0], pair[1])
        if key in self._trials or len(self._trials) < TRIALS_MAX:
            self._trials.setdefault(key, Trials()).add(was_set, seen)

    def past(self, facts: dict[str, Value]) -> tuple[Outcome, ...]:
        """What happened before this node watched, read with consent: counted once, never a trial."""
        events, read = read_past(facts)
        if not self.is_learning:
            return ()
        counted = count_past(self.counts, self.names, self._covered.fresh(events, read))
        self._events += counted
        self._fresh += counted
        return (Keep(SNAPSHOT_NAME, self.snapshot(), durable=False),)

    def tick(self, at: Instant) -> tuple[Outcome, ...]:
        """Close windows, look again at most every five minutes, keep the counts every hour."""
        if at.boot_id != self._boot_id:
            self._new_boot(at)
        self.counts.advance(at.mono_ms)
        if self._halved_wall_ms is None:
            self._halved_wall_ms = at.wall_ms
        if at.wall_ms - self._halved_wall_ms >= HALVE_EVERY_MS:
            self._halved_wall_ms = at.wall_ms
            self._remember_old()
            self.counts.halve()
        if self._fresh and at.mono_ms - self._discovered_ms >= REDISCOVER_EVERY_MS:
            self.rediscover()
            self._discovered_ms = at.mono_ms
            self._fresh = 0
        if self._events and at.mono_ms - self._kept_ms >= SNAPSHOT_EVERY_MS:
            self._kept_ms = at.mono_ms
            return (Keep(SNAPSHOT_NAME, self.snapshot(), durable=False),)
        return ()

    def deadline(self) -> int | None:
        """mono_ms of the next look, when anything new was seen."""
        return self._discovered_ms + REDISCOVER_EVERY_MS if self._fresh else None

    def recall(self, name: str, body: Value) -> None:
        """Take back a snapshot after a restart; anything that is not one is ignored."""
        if name == SNAPSHOT_NAME and isinstance(body, dict):
            self.restore(body)  # type: ignore[arg-type]

    def rediscover(self) -> None:
        """Judge all pairs anew."""
        self.links = discover(self.counts)

    def why(self, question: str) -> WhyAnswer:
        """The answer to "why" about a kind of event, given by its name or in words."""
        node = self.names.find(question)
        if node is None:
            node = self._find_in_words(question)
        if node is None or node not in self._latest:
            return tell_unseen(question, node, self.names, self.counts, self.links)
        at_ms = self._latest[node][-1]
        granted = {pair: trials.granted for pair, trials in self._trials.items()}
        arrows = [*arrows_of(self.links, granted), *self._mechanisms()]
        because = trace(node, at_ms, arrows, self._latest, self.names.names)
        roots = [reason.root for reason in because]
        before = [
            self.names.names[kind]
            for kind, ms, _ in reversed(self._recent)
            if kind != node and 0 < at_ms - ms <= WINDOWS_MS[1]
        ]
        seen_before = tuple(dict.fromkeys(name for name in before if name not in roots))[:3]
        return tell(question, self.names.names[node], because, seen_before)

    def claims(self) -> tuple[Claim, ...]:
        """The wisdom that this machine's own events justify, most certain first."""
        found: list[Claim] = []
        for link in self.links:
            pair = (link.cause, link.effect)
            trials = self._trials.get(pair)
            kind = Wisdom.CAUSATION if trials is not None and trials.granted else Wisdom.CORRELATION
            evidence: dict[str, Value] = {
                "relation": link.relation.value,
                "followed": [link.counts.cases, link.counts.n],
                "away": [link.counts.controls, 2 * link.counts.n],
                "window_s": link.window_ms // 1000,
            }
            if trials is not None:
                evidence.update(trials.facts())
            if link.relation in CAUSAL or link.relation is Relation.TEMPORAL:
                found.append(Claim(kind, describe(link, self._name), evidence))
            old = self._old.get(pair)
            if old and is_evolution(old[1], old[0], link.counts.cases, link.counts.n):
                drift: dict[str, Value] = {
                    "before": [old[1], old[0]],
                    "now": [link.counts.cases, link.counts.n],
                }
                text = f"How often {self._name(link.effect)} follows {self._name(link.cause)} has changed."
                found.append(Claim(Wisdom.EVOLUTION, text, drift))
            if link.relation is Relation.INDIRECT and self._is_pattern(link):
                text = f"{self._name(link.cause)} and {self._name(link.effect)} come together."
                found.append(Claim(Wisdom.PATTERN, text, evidence))
        found.sort(key=lambda claim: (claim.kind is not Wisdom.CAUSATION, claim.kind.value, claim.statement))
        return tuple(found)

    def graph(self, causal_only: bool = True) -> Graph:
        """The links as a graph over kind indices."""
        graph = Graph()
        for link in self.links:
            if link.relation in CAUSAL or not causal_only:
                graph.add_edge(link.cause, link.effect, link.relation.value)
        return graph

    def forget(self) -> None:
        """Delete everything seen and counted; trials too."""
        self.names, self.counts, self.links = Names(), Crossover(), ()
        self._trials.clear()
        self._old.clear()
        self._latest.clear()
        self._recent.clear()
        self._events = self._fresh = 0
        self._covered = Covered()

    def view(self) -> dict[str, Value]:
        """For people and the dashboard: how much was seen, links, cycles, wisdom."""
        graph = self.graph()
        by_kind: dict[str, Value] = {}
        for claim in self.claims():
            count = by_kind.get(claim.kind.value, 0)
            by_kind[claim.kind.value] = 1 + (count if isinstance(count, int) else 0)
        cycles: list[Value] = []
        for cycle in graph.find_cycles():
            cycles.append([self._name(kind) for kind in cycle])
        recent: list[Value] = []
        for kind, _, wall_ms in list(self._recent)[-20:]:
            name = self._name(kind)
            event: dict[str, Value] = {"name": name, "id": node_id(name), "wall_ms": wall_ms}
            recent.append(event)
        return {
            "events": self._events,
            "kinds": len(self.names),
            "refused_kinds": self.names.refused,
            "pairs": len(self.counts.pairs),
            "links": edges_view(self.graph(causal_only=False), dict(enumerate(self.names.names))),
            "cycles": cycles,
            "wisdom": by_kind,
            "recent": recent,
        }

    def snapshot(self) -> dict[str, Value]:
        """The counts as plain values; past a record's size the pairs that say least are left out."""
        body = pack_counts(self.counts, 0)
        for least in (1, 2, 4, 8, 16):
            if sum(len(blob) for blob in body.values()) <= SNAPSHOT_SIZE_BYTES_MAX:
                break
            body = pack_counts(self.counts, least)
        trials = {pair: _trial_row(self._trials[pair]) for pair in self._trials}
        return {
            "version": 1,
            "names": "\n".join(self.names.names),
            "events": self._events,
            "trials": pack_table(trials),
            "covered": self._covered.facts(),
            **body,
        }

    def restore(self, body: dict[str, Value]) -> None:
        """Take back a snapshot. One of another version is left alone: counting starts anew."""
        names, events, trials = body.get("names"), body.get("events"), body.get("trials")
        if body.get("version") != 1 or not isinstance(names, str) or not isinstance(trials, bytes):
            return
        self.names = Names()
        for name in names.split("\n") if names else ():
            self.names.intern(name)
        self._events = events if isinstance(events, int) else 0
        self.counts = unpack_counts(body)
        self._covered.restore(body.get("covered"))
        for pair, row in unpack_table(trials, 2, 5).items():
            self._trials[pair[0], pair[1]] = Trials(row[0], row[1], row[2], row[3], bool(row[4]))
        self.rediscover()

    def _new_boot(self, at: Instant) -> None:
        if self._boot_id:
            self.counts.new_boot()
        self._boot_id = at.boot_id
        self._present.clear()
        self._latest.clear()
        self._recent.clear()
        self._discovered_ms = self._kept_ms = at.mono_ms

    def _remember_old(self) -> None:
        self._old = {(link.cause, link.effect): (link.counts.n, link.counts.cases) for link in self.links}

    def _mechanisms(self) -> list[Arrow]:
        """Known mechanisms between kinds that were really seen since the start."""
        seen = sorted(self._latest)
        return [
            Arrow(cause, effect, within_ms, MECHANISM_BLAME, "known mechanism", None)
            for cause_start, effect_start, within_ms in MECHANISMS
            for cause in seen
            if self._name(cause).startswith(cause_start)
            for effect in seen
            if effect != cause and self._name(effect).startswith(effect_start)
        ]

    def _find_in_words(self, question: str) -> int | None:
        """The latest event whose name shares the most words with the question; None when it shares none."""
        asked = _words(question)
        best: tuple[int, int, int] | None = None
        for kind, ms, _ in self._recent:
            shared = sum(1 for word in _words(self._name(kind)) if word in asked)
            if shared and (best is None or (shared, ms) >= best[:2]):
                best = (shared, ms, kind)
        return None if best is None else best[2]

    def _is_pattern(self, link: Link) -> bool:
        effects = self.counts.occurrences.get(link.effect, [0] * len(WINDOWS_MS))[1]
        total = sum(row[1] for row in self.counts.occurrences.values())
        return is_pattern(link.counts.cases, link.counts.n, effects, total)

    def _name(self, kind: int) -> str:
        return self.names.names[kind]


def kinds_of(name: str, facts: dict[str, Value]) -> tuple[str, ...]:
    """The kinds of events that an observation stands for. Texts and paths never become names."""
    if name == "command_ended":
        if facts.get("success") is True:
            return (_joined("ran", facts.get("command")),) if facts.get("command") else ()
        return (_joined("failed", facts.get("class") or facts.get("signature") or "unknown"),)
    if name == "unit_failed":
        return (_joined("unit_failed", facts.get("unit")),)
    if name == "fix_tried":
        return (_joined("fixed", facts.get("fix")),) if facts.get("success") is True else ()
    return (_joined(name, facts.get("component") or facts.get("target") or facts.get("what")),)


def _joined(*parts: Value) -> str:
    words = [part.hex() if isinstance(part, bytes) else str(part) for part in parts if part]
    return ":".join(words)


def _trial_row(trials: Trials) -> tuple[int, ...]:
    return (trials.set_n, trials.set_seen, trials.removed_n, trials.removed_seen, int(trials.granted))


def _words(text: str) -> list[str]:
    cleaned = "".join(char if char.isalnum() else " " for char in text.lower())
    return [word for word in cleaned.split() if len(word) > 2 and word not in ("why", "did", "the", "was")]
