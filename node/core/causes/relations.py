"""What two kinds of events have to do with each other: seven relations, each with the test that grants it.

Refuses the word CAUSATION (trials grant that, see ``edge_wisdom``) and refuses DIRECT where a common cause
or a mediator explains the pair: by observation alone a rival can be ruled out only when it was seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import comb, erfc, exp, lgamma, log, log1p, sqrt

from luminous.node.core.causes.crossover import CLOSE_WINDOWS, CONTEXTS_MAX, WINDOWS_MS, Counts, Crossover

OCCURRENCES_MIN = 8
RISK_DIFFERENCE_MIN = 0.03
INHIBITION_MIN = 0.05
FALSE_DISCOVERY_RATE = 0.01
RETENTION_MIN = 0.6
WITHOUT_MIN = 8
# A minute first: shorter and longer windows are looked at only for what it does not show.
WINDOW_ORDER: tuple[int, ...] = (1, 0, 2, 3)
TEMPORAL_WINDOW = 3


class Relation(StrEnum):
    """The seven relations. Values are stable: they appear in snapshots and --json."""

    DIRECT = "direct"  # significant, and no rival explains 40 % or more of it
    INDIRECT = "indirect"  # significant, but a mediator or a common cause explains it
    BIDIRECTIONAL = "bidirectional"  # direct both ways
    CONDITIONAL = "conditional"  # there in one context and not in another
    TEMPORAL = "temporal"  # comes before, and no causal claim is made
    PROBABILISTIC = "probabilistic"  # direct, but follows only sometimes
    INHIBITORY = "inhibitory"  # makes the effect rarer


@dataclass(frozen=True, slots=True)
class Link:
    """A relation of ``cause`` to ``effect`` with all that justifies it.

    ``counts`` in the window at ``window_ms``; ``p_value`` adjusted for repeated looks; ``via`` the rivals
    that explain it (INDIRECT) or could (TEMPORAL); ``retention`` the share of the effect left without the
    strongest rival; ``contexts`` counts by context for CONDITIONAL.
    """

    cause: int
    effect: int
    relation: Relation
    counts: Counts
    window_ms: int
    p_value: float
    retention: float
    via: tuple[int, ...] = ()
    contexts: tuple[tuple[int, Counts], ...] = ()


@dataclass(frozen=True, slots=True)
class _Finding:
    counts: Counts
    window: int
    p_value: float
    raises: bool


def tail_probability(hits: int, total: int, upper: bool) -> float:
    """P(X >= hits), or P(X <= hits), for X of Binomial(total, 1/3): the chance of such counts by luck."""
    if total <= 0:
        return 1.0
    if total <= 400:
        return min(1.0, _exact_tail(hits, total, upper))
    mean, deviation = total / 3, sqrt(2 * total) / 3
    edge = (hits - 0.5 - mean) / deviation if upper else (mean - hits - 0.5) / deviation
    return 0.5 * erfc(edge / sqrt(2))


def _exact_tail(hits: int, total: int, upper: bool) -> float:
    span = range(hits, total + 1) if upper else range(hits + 1)
    if total < 60:
        ways = sum(comb(total, k) << (total - k) for k in span)
        share: float = ways / 3**total
        return share
    base = lgamma(total + 1) - total * log(3)
    return sum(exp(base - lgamma(k + 1) - lgamma(total - k + 1) + (total - k) * log(2)) for k in span)


def looks(n: int) -> int:
    """Which look this is: pairs are tested at 8, 16, 32 … occurrences, not at every event."""
    return 0 if n < OCCURRENCES_MIN else (n // OCCURRENCES_MIN).bit_length()


def spend(p_value: float, look: int) -> float:
    """The p-value after paying for the looks before it: shares 1/2, 1/6, 1/12 … of alpha sum to one."""
    return min(1.0, p_value * look * (look + 1))


def find_significant(values: Mapping[tuple[int, int], float], hypotheses: int) -> dict[tuple[int, int], None]:
    """Benjamini and Hochberg (1995): the pairs to believe so that one in a hundred of them is luck."""
    ranked = sorted(values, key=lambda pair: (values[pair], pair))
    kept = 0
    for rank, pair in enumerate(ranked, start=1):
        if values[pair] <= FALSE_DISCOVERY_RATE * rank / max(1, hypotheses):
            kept = rank
    return dict.fromkeys(ranked[:kept])


def discover(crossover: Crossover) -> tuple[Link, ...]:
    """Every link that the counts justify, in a fixed order."""
    raising = _find(crossover, upper=True)
    lowering = _find(crossover, upper=False)
    links = [_judge(crossover, pair, raising) for pair in sorted(raising)]
    for pair in sorted(lowering):
        finding = lowering[pair]
        # What follows at a fixed lag is rare just before and after it: a shadow of excitation, no brake.
        shadow = pair in raising or (pair[1], pair[0]) in raising
        if not shadow and finding.counts.risk_difference <= -INHIBITION_MIN:
            links.append(
                Link(
                    *pair,
                    Relation.INHIBITORY,
                    finding.counts,
                    WINDOWS_MS[finding.window],
                    finding.p_value,
                    1.0,
                )
            )
    return _pair_up(links)


def _find(crossover: Crossover, upper: bool) -> dict[tuple[int, int], _Finding]:
    """Significant pairs with the first window (a minute before all others) that shows them."""
    kinds = [kind for kind, row in crossover.occurrences.items() if row[1] >= OCCURRENCES_MIN]
    hypotheses = len(WINDOWS_MS) * len(kinds) * max(1, len(kinds) - 1)
    found: dict[tuple[int, int], _Finding] = {}
    for window in WINDOW_ORDER:
        values: dict[tuple[int, int], float] = {}
        counts: dict[tuple[int, int], Counts] = {}
        for pair in crossover.pairs:
            seen = crossover.counts(*pair, window)
            if pair in found or seen.n < OCCURRENCES_MIN:
                continue
            p_value = tail_probability(seen.cases, seen.cases + seen.controls, upper)
            values[pair], counts[pair] = spend(p_value, looks(seen.n)), seen
        for pair in find_significant(values, hypotheses):
            difference = counts[pair].risk_difference
            if (difference >= RISK_DIFFERENCE_MIN) if upper else (difference <= -RISK_DIFFERENCE_MIN):
                found[pair] = _Finding(counts[pair], window, values[pair], upper)
    return found


def _judge(crossover: Crossover, pair: tuple[int, int], raising: Mapping[tuple[int, int], _Finding]) -> Link:
    finding = raising[pair]
    window_ms = WINDOWS_MS[finding.window]

    def link(relation: Relation, retention: float, via: tuple[int, ...] = ()) -> Link:
        return Link(*pair, relation, finding.counts, window_ms, finding.p_value, retention, via)

    if finding.window >= CLOSE_WINDOWS:
        return link(Relation.TEMPORAL, 1.0)
    explained: list[tuple[float, int]] = []
    open_rivals: list[int] = []
    for rival in _rivals(pair, raising):
        retention = _retention(crossover, pair, rival, finding)
        if retention is None:
            if _explains(crossover, (rival, pair[1]), pair[0], raising) is not True:
                open_rivals.append(rival)
        elif retention < RETENTION_MIN:
            explained.append((retention, rival))
    if explained:
        explained.sort()
        return link(Relation.INDIRECT, explained[0][0], tuple(rival for _, rival in explained))
    if open_rivals or pair not in crossover.lags:
        return link(Relation.TEMPORAL, 1.0, tuple(open_rivals))
    contexts = _conditional(crossover, pair)
    if contexts:
        return Link(
            *pair, Relation.CONDITIONAL, finding.counts, window_ms, finding.p_value, 1.0, contexts=contexts
        )
    share = finding.counts.cases / finding.counts.n
    return link(Relation.PROBABILISTIC if share < PROBABLE_BELOW else Relation.DIRECT, 1.0)


# Follows in fewer than so many of its occasions: a cause, but not a reliable one.
PROBABLE_BELOW = 0.5


def _rivals(pair: tuple[int, int], raising: Mapping[tuple[int, int], _Finding]) -> list[int]:
    """Kinds that could stand behind or between: they lead to the effect and are joined to the cause."""
    cause, effect = pair
    return sorted(
        rival
        for rival, target in raising
        if target == effect
        and rival != cause
        and ((rival, cause) in raising or (cause, rival) in raising)
        and raising[(rival, effect)].window < CLOSE_WINDOWS
    )


def _retention(crossover: Crossover, pair: tuple[int, int], rival: int, finding: _Finding) -> float | None:
    """The share of the effect that is left where the rival is absent; None when that was seen too seldom."""
    without = crossover.counts_without(*pair, rival, finding.window)
    if without.n < WITHOUT_MIN:
        return None
    total = finding.counts.risk_difference
    return max(0.0, without.risk_difference) / total if total > 0 else 0.0


def _explains(
    crossover: Crossover, pair: tuple[int, int], rival: int, raising: Mapping[tuple[int, int], _Finding]
) -> bool | None:
    """Whether ``rival`` explains ``pair`` away; None when it cannot be told."""
    if pair not in raising:
        return True
    retention = _retention(crossover, pair, rival, raising[pair])
    return None if retention is None else retention < RETENTION_MIN


def _conditional(crossover: Crossover, pair: tuple[int, int]) -> tuple[tuple[int, Counts], ...]:
    """Contexts that differ: at least 0.2 in one, at most 0.05 in the other, and not by luck (p < .01)."""
    seen = [(context, crossover.counts_in(*pair, context)) for context in range(CONTEXTS_MAX)]
    seen = [(context, counts) for context, counts in seen if counts.n >= OCCURRENCES_MIN]
    for context, high in seen:
        for other, low in seen:
            if high.risk_difference >= 0.2 and low.risk_difference <= 0.05 and _differ(high, low):
                return ((context, high), (other, low))
    return ()


def _differ(one: Counts, two: Counts) -> bool:
    pooled = (one.cases + two.cases) / (one.n + two.n)
    spread = pooled * (1 - pooled) * (1 / one.n + 1 / two.n)
    return spread > 0 and (one.cases / one.n - two.cases / two.n) ** 2 / spread > 6.635


def _pair_up(links: list[Link]) -> tuple[Link, ...]:
    """Direct both ways is one relation with two arrows."""
    causal = (Relation.DIRECT, Relation.PROBABILISTIC)
    held = {(link.cause, link.effect) for link in links if link.relation in causal}
    joined = []
    for link in links:
        both = (link.cause, link.effect) in held and (link.effect, link.cause) in held
        joined.append(_as(link, Relation.BIDIRECTIONAL) if both else link)
    joined.sort(key=lambda link: (link.cause, link.effect, link.relation.value))
    return tuple(joined)


def _as(link: Link, relation: Relation) -> Link:
    return Link(
        link.cause, link.effect, relation, link.counts, link.window_ms, link.p_value, link.retention, link.via
    )


CAUSAL: tuple[Relation, ...] = (
    Relation.DIRECT,
    Relation.PROBABILISTIC,
    Relation.BIDIRECTIONAL,
    Relation.CONDITIONAL,
    Relation.INHIBITORY,
)


def describe(link: Link, name: Callable[[int], str]) -> str:
    """One sentence for people, with the counts."""
    seconds = link.window_ms // 1000
    window = f"{seconds} s" if seconds < 3600 else "an hour"
    after = f"{link.counts.cases} of {link.counts.n} times within {window} after {name(link.cause)}"
    away = f"{link.counts.controls} of {2 * link.counts.n} times away from it"
    told = f"{name(link.effect)} was seen {after}, and {away}"
    if link.relation is Relation.INDIRECT:
        return f"{told}; {', '.join(name(kind) for kind in link.via)} explains that."
    if link.relation is Relation.TEMPORAL:
        if link.via:
            rivals = ", ".join(name(kind) for kind in link.via)
            return f"{told}; I cannot yet tell it from the part of {rivals}."
        return f"{told}; that is an order of events, not a cause."
    return f"{told}."


def risk_log(counts: Counts) -> float:
    """log(1 - how far the effect goes beyond its controls): what noisy-OR adds up."""
    return log1p(-min(0.99, max(0.0, counts.risk_difference)))
