"""Why did this happen? The path back through what really occurred, with counts, or "I don't know".

A cause is offered only if a link leads from it to the symptom AND it occurred in time before it; several are
weighed against each other and against "something that left no event" (the leak). Refuses to call a link a
cause because it is strong: without trials the answer says that it was only watched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luminous.node.core.causes.crossover import Counts
from luminous.node.core.causes.graph import PATH_LENGTH_MAX
from luminous.node.core.causes.relations import CAUSAL, Link, Relation
from luminous.protocol.codec import Value

# A path must carry at least this share of the blame, else the leak wins and the answer is "I don't know".
BLAME_MIN = 0.5
ANSWERS_MAX = 3
MECHANISM_BLAME = 0.8


@dataclass(frozen=True, slots=True)
class Step:
    """One arrow of a path: from ``cause`` to ``effect``, the seconds between them, and what supports it."""

    cause: str
    effect: str
    lag_ms: int
    basis: str
    counts: Counts | None


@dataclass(frozen=True, slots=True)
class Because:
    """One explanation: the root, the path from it to the symptom, its blame from 0 to 1, and its tier."""

    root: str
    path: tuple[Step, ...]
    blame: float
    tier: str


@dataclass(frozen=True, slots=True)
class WhyAnswer:
    """The answer: ``known`` False means "I don't know". ``seen_before`` preceded it but is no known cause."""

    question: str
    node: str
    known: bool
    text: str
    because: tuple[Because, ...]
    seen_before: tuple[str, ...]

    def facts(self) -> dict[str, Value]:
        """Plain values for the control API."""
        because: list[Value] = []
        for reason in self.because:
            path: list[Value] = []
            for step in reason.path:
                counts = step.counts
                arrow: dict[str, Value] = {
                    "cause": step.cause,
                    "effect": step.effect,
                    "lag_ms": step.lag_ms,
                    "basis": step.basis,
                    "followed": None if counts is None else [counts.cases, counts.n],
                    "away": None if counts is None else [counts.controls, 2 * counts.n],
                }
                path.append(arrow)
            percent = round(100 * reason.blame)
            told: dict[str, Value] = {"root": reason.root, "tier": reason.tier, "percent": percent}
            because.append({**told, "path": path})
        return {
            "question": self.question,
            "node": self.node,
            "known": self.known,
            "text": self.text,
            "because": because,
            "seen_before": list(self.seen_before),
        }


@dataclass(frozen=True, slots=True)
class Arrow:
    """A link or a known mechanism, as ``why`` walks it backwards."""

    cause: int
    effect: int
    window_ms: int
    blame: float
    basis: str
    counts: Counts | None


def arrows_of(links: Sequence[Link], granted: Mapping[tuple[int, int], bool]) -> list[Arrow]:
    """Links that may carry blame, with the share of cases that the cause answers for: 1 - p0/p1."""
    found = []
    for link in links:
        if link.relation not in CAUSAL or link.relation is Relation.INHIBITORY:
            continue
        likely = (link.counts.cases + 0.5) / (link.counts.n + 1)
        away = (link.counts.controls + 0.5) / (2 * link.counts.n + 1)
        blame = max(0.0, min(0.99, 1 - away / likely))
        basis = "trials" if granted.get((link.cause, link.effect)) else f"watched, {link.relation.value}"
        found.append(Arrow(link.cause, link.effect, link.window_ms, blame, basis, link.counts))
    return found


def trace(
    symptom: int,
    at_ms: int,
    arrows: Sequence[Arrow],
    occurred: Mapping[int, Sequence[int]],
    names: Sequence[str],
) -> tuple[Because, ...]:
    """Every explanation of ``symptom`` at ``at_ms`` that events bear out, best first.

    Goes back from the symptom to causes that occurred within their window before it, until none is left:
    the frontier. Competing roots share the blame as in a noisy-OR with a leak.
    """
    into: dict[int, list[Arrow]] = {}
    for arrow in arrows:
        into.setdefault(arrow.effect, []).append(arrow)
    found: list[Because] = []
    stack: list[tuple[int, int, tuple[Step, ...], float, bool]] = [(symptom, at_ms, (), 1.0, True)]
    while stack:
        node, node_ms, path, blame, tried = stack.pop()
        on_path = [step.effect for step in path]
        deeper = False
        for arrow in into.get(node, ()):
            if len(path) >= PATH_LENGTH_MAX or names[arrow.cause] in on_path:
                continue
            before = [ms for ms in occurred.get(arrow.cause, ()) if 0 <= node_ms - ms <= arrow.window_ms]
            if not before or arrow.cause == node:
                continue
            deeper = True
            step = Step(names[arrow.cause], names[node], node_ms - max(before), arrow.basis, arrow.counts)
            trials = tried and arrow.basis == "trials"
            stack.append((arrow.cause, max(before), (step, *path), blame * arrow.blame, trials))
        if path and not deeper:
            mechanism = all(step.basis == "known mechanism" for step in path)
            tier = "causation" if tried else "mechanism" if mechanism else "correlation"
            found.append(Because(path[0].cause, path, blame, tier))
    return _share(found)


def _share(found: list[Because]) -> tuple[Because, ...]:
    """Several causes can each account for it: scale odds so that all and the leak make one."""
    best: dict[str, Because] = {}
    for reason in found:
        if reason.root not in best or reason.blame > best[reason.root].blame:
            best[reason.root] = reason
    odds = {root: best[root].blame / max(0.01, 1 - best[root].blame) for root in best}
    total = 1.0 + sum(odds.values())
    shared = [Because(root, best[root].path, odds[root] / total, best[root].tier) for root in sorted(best)]
    shared.sort(key=lambda reason: (-reason.blame, reason.root))
    return tuple(shared[:ANSWERS_MAX])


def tell(question: str, node: str, because: tuple[Because, ...], seen_before: tuple[str, ...]) -> WhyAnswer:
    """Put it into words. Says "I don't know" when the leak is likelier than every path together."""
    carried = sum(reason.blame for reason in because)
    if not because or carried < BLAME_MIN:
        text = f"I don't know why {node} happened: no event that is known to lead to it came before it."
        if because:
            text = f"I don't know why {node} happened: what came before it explains too little of it."
        if seen_before:
            text += f" Before it I saw {', '.join(seen_before)}, which I cannot tell from chance."
        return WhyAnswer(question, node, False, text, because, seen_before)
    best = because[0]
    chain = " -> ".join([best.path[0].cause, *(step.effect for step in best.path)])
    text = f"{node} happened most likely because of {best.root} ({best.blame:.0%}): {chain}."
    for step in best.path:
        if step.counts is not None:
            text += (
                f" {step.effect} followed {step.cause} in {step.counts.cases} of {step.counts.n} cases"
                f" and came in {step.counts.controls} of {2 * step.counts.n} other moments."
            )
        else:
            text += f" That {step.cause} leads to {step.effect} is known, not counted here."
    text += _TIERS[best.tier]
    return WhyAnswer(question, node, True, text, because, seen_before)


_TIERS = {
    "causation": " Trials confirmed it.",
    "mechanism": " This rests on a known mechanism and on the order of these events.",
    "correlation": " This was watched, never tried: something that leaves no events could stand behind both.",
}
