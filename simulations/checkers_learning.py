"""Checkers of what was learnt: equal aggregates, budgets, honest counts, and what poison cannot do.

Refuses floats except in one place: the direction of an aggregate beside that of the honest alone.
"""

from math import sqrt

from luminous.node.core.observing import FIX_TRIED
from luminous.protocol.aggregation import aggregate, select
from luminous.protocol.deltas import BUDGET_PERIOD_MS, Level
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.kinds import Kind
from luminous.protocol.reasons import Refused
from luminous.simulations.evidence import Check, Evidence

# How near the aggregate's direction stays to that of the honest members' own, with a fifth poisoned.
COSINE_MIN = 0.9
# Below this the honest alone differ so much that one of them more or less turns the direction.
INPUTS_MIN = 15


def check_aggregates(evidence: Evidence) -> Check:
    """Equal sets of deltas give equal aggregate digests."""
    by_set: dict[tuple[int, tuple[bytes, ...]], bytes] = {}
    compared = 0
    for place in evidence.up:
        learning = place.node.machines.learning
        assert learning is not None
        for window in learning.pool.windows():
            found = learning.aggregate_digest(window)
            if isinstance(found, Refused):
                continue
            held = tuple(
                item.id
                for item in place.node.records.envelopes()
                if item.kind is Kind.DELTA and item.payload.window == window
            )
            compared += 1
            if by_set.setdefault((window, tuple(sorted(held))), found) != found:
                return Check(
                    "aggregates", False, f"window {window}: one set, two digests (node {place.index})"
                )
    return Check("aggregates", True, f"{compared} aggregates over {len(by_set)} sets")


def check_budget(evidence: Evidence) -> Check:
    """No author released twice for a window or spent more than the law allows, crashes or not."""
    for place in evidence.honest:
        windows: dict[int, bytes] = {}
        levels: dict[int, Level] = {}
        for raw in place.published:
            envelope = evidence.admit(raw, place.network)
            if isinstance(envelope, Admitted) and envelope.kind is Kind.DELTA:
                window = envelope.payload.window
                if windows.setdefault(window, raw) != raw:
                    return Check("budget", False, f"node {place.index} released window {window} twice")
                levels[window] = envelope.payload.level
        charged = sum(1 for record in place.journal.records() if record.kind == "released")
        was_lost = any(crash.lose_journal and crash.node == place.index for crash in evidence.scenario.crash)
        if len(windows) > charged and not was_lost:
            why = f"node {place.index}: {len(windows)} releases, {charged} charges"
            return Check("budget", False, why)
        learning = evidence.scenario.learning
        noised = [window for window, level in levels.items() if level is Level.DIFFERENTIAL]
        if learning is not None and len(noised) * learning.window_ms > BUDGET_PERIOD_MS + learning.window_ms:
            return Check("budget", False, f"node {place.index} released more often than windows end")
        if place.is_up and place.node.machines.learning is not None and place.node.last is not None:
            status = place.node.machines.learning.status(place.node.last)
            if int(str(status["epsilon_milli_spent"])) > int(str(status["epsilon_milli_allowed"])):
                return Check("budget", False, f"node {place.index} spent more than it may")
    return Check("budget", True, "no window twice, no release without its charge, no overspending")


def check_consent(evidence: Evidence) -> Check:
    """Nothing learnt left a machine whose owner did not agree to it."""
    has_learning = evidence.scenario.learning is not None
    for place in evidence.honest:
        for raw in place.published:
            envelope = evidence.admit(raw, place.network)
            if isinstance(envelope, Admitted) and envelope.kind is Kind.DELTA and not has_learning:
                return Check("consent", False, f"node {place.index} released without consent")
    return Check("consent", True, "nothing released without consent")


def check_statistics(evidence: Evidence) -> Check:
    """What a node counted is what happened on it while it could write."""
    scenario = evidence.scenario
    hurt = {item.node for item in scenario.crash}
    hurt |= {item.node for item in scenario.disk_full} | {item.node for item in scenario.disk_corrupt}
    for place in evidence.up:
        learning = place.node.machines.learning
        if learning is None or scenario.churn.every_ms or place.index in hurt:
            continue
        seen = sum(1 for *_, at_ms in place.truth if at_ms <= scenario.duration_ms)
        counted = learning.statistics.total
        if counted != seen:
            return Check("statistics", False, f"node {place.index}: {seen} {FIX_TRIED}, {counted} counted")
    return Check("statistics", True, "every outcome counted once")


def check_robustness(evidence: Evidence) -> Check:
    """With at most a fifth of the inputs hostile, the aggregate points where the honest inputs point."""
    honest = {AuthorId(place.config.signer.public) for place in evidence.honest}
    lowest, seen = 1.0, 0
    for place in evidence.up:
        machines = place.node.machines
        learning, law = machines.learning, machines.law
        if learning is None or law.is_fleet:
            continue
        deltas = [item for item in place.node.records.envelopes() if item.kind is Kind.DELTA]
        for window in learning.pool.windows():
            layout = place.config.layout.id
            inputs = select(deltas, window, law, layout, machines.roll.members)
            ours = tuple(item for item in inputs if item.author in honest)
            hostile = len(inputs) - len(ours)
            if not hostile or 5 * hostile > len(inputs) or len(inputs) < INPUTS_MIN:
                continue
            whole = learning.pool.compute_aggregate(window)
            alone = aggregate(ours, window, law, place.network)
            if isinstance(whole, Refused) or isinstance(alone, Refused):
                continue
            seen += 1
            lowest = min(lowest, _cosine(whole.vector, alone.vector))
    detail = f"{seen} poisoned aggregates, least cosine with the honest alone {lowest:.3f}"
    return Check("robustness", lowest >= COSINE_MIN, detail)


def _cosine(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / max(1e-9, sqrt(sum(a * a for a in one) * sum(b * b for b in other)))
