"""From a cleaned text to classes with confidences: rules first, then neighbours, then nothing.

Refuses to guess: below the abstention threshold the answer is "I do not know this one".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from luminous.node.core.causes.catalogue import Catalogue, Rule
from luminous.node.core.causes.neighbours import Corpus
from luminous.node.core.causes.text import FailureText
from luminous.node.core.causes.warned import ended_well, is_warning

# Below this the answer abstains: on the tuning rows nothing under it was right more often than not.
ABSTAIN_BELOW = 0.30
CANDIDATES_MAX = 5
# A failure that is told with at least this belief makes warnings before it by-play.
FIRM_FROM = 0.6
WARNED_LESS = 60
WARNED_AT_MOST = 0.4
WARNED_ALONE_AT_MOST = 0.75
_NEVER_WARNED = ("user_throw", "abort", "assertion_failed")
# Similarities this close do not tell two classes apart.
TIE_WITHIN = 0.03
# Places of one rule that are looked at: a log may repeat a message a million times.
MATCHES_MAX = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class that may be the cause; ``confidence`` in 0..1; ``why`` for the reader."""

    class_id: str
    confidence: float
    why: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that holds, what its named groups caught, and where."""

    rule: Rule
    facts: Mapping[str, str]
    position: int
    warned: bool = False  # it holds in warnings only, and Nix went on after them


def find_hits(catalogue: Catalogue, failure: FailureText) -> tuple[Hit, ...]:
    """Every rule that holds, best first: by rank, then belief, then the later position."""
    views = {
        "said": failure.said,
        "outside": failure.outside,
        "trace": failure.trace,
        "excerpt": failure.excerpt,
        "all": "\n".join(line.text for line in failure.lines),
    }
    lowered = {name: text.lower() for name, text in views.items()}
    hits = []
    for rule in catalogue.rules:
        lower = lowered[rule.view]
        if not all(needle in lower for needle in rule.has):
            continue
        found = _first_place(rule, views[rule.view], lower)
        if found is not None:
            position, facts, warned = found
            hits.append(Hit(rule, facts, position, warned))
    return tuple(
        sorted(_temper(hits, failure), key=lambda hit: (-hit.rule.rank, -hit.rule.belief, -hit.position))
    )


def _first_place(rule: Rule, view: str, lower: str) -> tuple[int, dict[str, str], bool] | None:
    """Where the rule holds, outside warnings if it does; what its groups caught; whether in warnings only."""
    if not rule.pattern:
        start = place = lower.find(rule.has[0])
        while place >= 0 and is_warning(view, place):
            place = lower.find(rule.has[0], place + 1)
        return (start, {}, True) if place < 0 else (place, {}, False)
    first = None
    for match in islice(rule.compile().finditer(view), MATCHES_MAX):
        facts = {k: v.strip() for k, v in match.groupdict().items() if v and v.strip()}
        if not is_warning(view, _said_at(view, match)):
            return match.start(), facts, False
        first = first or (match.start(), facts, True)
    return first


def _said_at(view: str, match: re.Match[str]) -> int:
    """The first printed character of a match: a pattern may begin with the line break before it."""
    return match.start() + len(match[0]) - len(match[0].lstrip())


def _temper(hits: list[Hit], failure: FailureText) -> list[Hit]:
    """What stands in warnings only counts for little beside a failure, and for nothing before a good end."""
    # An expression that refuses does not do so in a warning: there it only tells of an old name.
    hits = [hit for hit in hits if not (hit.warned and hit.rule.class_id in _NEVER_WARNED)]
    failed = any(not hit.warned and hit.rule.belief >= FIRM_FROM and hit.rule.rank >= 30 for hit in hits)
    if not failed and hits and all(hit.warned for hit in hits) and ended_well(failure):
        return []
    most = WARNED_AT_MOST if failed else WARNED_ALONE_AT_MOST
    return [_less(hit, WARNED_LESS if failed else 0, most) if hit.warned else hit for hit in hits]


def _less(hit: Hit, rank: int, belief: float) -> Hit:
    rule = replace(hit.rule, rank=max(1, hit.rule.rank - rank), belief=min(hit.rule.belief, belief))
    return replace(hit, rule=rule)


def weigh(hits: tuple[Hit, ...]) -> tuple[Candidate, ...]:
    """One candidate a class. The best hit keeps its belief, less when a close rival class holds."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.rule.class_id, hit)
    ordered = sorted(best.values(), key=lambda hit: (-hit.rule.rank, -hit.rule.belief))
    if not ordered:
        return ()
    top = ordered[0]
    left = 1.0
    candidates = []
    for place, hit in enumerate(ordered[:CANDIDATES_MAX]):
        confidence = hit.rule.belief
        if place == 0:
            rivals = [h for h in ordered[1:] if top.rule.rank - h.rule.rank <= 4 and h.rule.belief >= 0.6]
            confidence *= 0.80 if rivals and confidence > 0.6 else 1.0
        else:
            confidence = min(hit.rule.belief * left, left * 0.9)
        left = max(0.0, left - confidence)
        candidates.append(Candidate(hit.rule.class_id, round(confidence, 4), _why(hit.rule)))
    return tuple(candidates)


def weigh_with(hits: tuple[Hit, ...], corpus: Corpus | None, failure: FailureText) -> tuple[Candidate, ...]:
    """Candidates from rules, and from neighbours where the rules are not sure; best first, may be empty."""
    candidates = weigh(hits)
    if corpus is None or (candidates and candidates[0].confidence >= 0.8):
        return candidates
    return _with_neighbours(candidates, corpus, failure)


def classify(catalogue: Catalogue, corpus: Corpus | None, failure: FailureText) -> tuple[Candidate, ...]:
    """As ``weigh_with``, from the catalogue. The caller abstains below ``ABSTAIN_BELOW``."""
    return weigh_with(find_hits(catalogue, failure), corpus, failure)


def _with_neighbours(
    candidates: tuple[Candidate, ...], corpus: Corpus, failure: FailureText
) -> tuple[Candidate, ...]:
    """Add what similar known texts say; they raise a weak candidate and never a confident one."""
    near = corpus.nearest(failure, count=CANDIDATES_MAX)
    # Two classes equally near, and no rule: that is ignorance, not two halves of knowledge.
    tie = not candidates and len(near) > 1 and near[0][1] - near[1][1] < TIE_WITHIN
    merged = {candidate.class_id: candidate for candidate in candidates}
    for class_id, similarity in near:
        confidence = neighbour_confidence(similarity) * (0.5 if tie else 1.0)
        if confidence < 0.05:
            continue
        known = merged.get(class_id)
        if known is None:
            room = 1.0 - sum(c.confidence for c in candidates)
            limit = max(0.0, room) if candidates else 1.0
            merged[class_id] = Candidate(
                class_id, round(min(confidence, limit), 4), f"{round(similarity * 100)} % like a known case"
            )
        else:
            raised = 1.0 - (1.0 - known.confidence) * (1.0 - 0.4 * confidence)
            merged[class_id] = replace(known, confidence=round(min(max(0.79, known.confidence), raised), 4))
    ordered = sorted(merged.values(), key=lambda c: (-c.confidence, c.class_id))
    return tuple(c for c in ordered if c.confidence > 0.0)[:CANDIDATES_MAX]


def neighbour_confidence(similarity: float) -> float:
    """How often the class of the nearest known text is right at this similarity (measured, kept low)."""
    steps = ((0.30, 0.0), (0.40, 0.15), (0.50, 0.35), (0.65, 0.6), (0.80, 0.78), (1.01, 0.85))
    before = (0.0, 0.0)
    for step in steps:
        if similarity <= step[0]:
            span = step[0] - before[0]
            return before[1] + (step[1] - before[1]) * (similarity - before[0]) / span
        before = step
    return 0.85


def _why(rule: Rule) -> str:
    return "the text says “" + " … ".join(rule.has[:2]) + "”"
