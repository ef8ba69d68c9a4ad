"""Convergence: with dozens of nodes, models reach the pooled optimum within the stated noise.

Refuses to mix: the study is the product's arithmetic for many windows, the world is whole nodes for one.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from luminous.protocol.aggregation import Aggregate
from luminous.protocol.deltas import Level
from luminous.simulations.learning_study import alone_vs_noised_vs_cohort, convergence
from luminous.simulations.running import play
from luminous.simulations.scenario import Learning, read_scenario


def world_fleet(nodes: int, seed: int) -> dict[str, Any]:
    """A fleet of whole nodes: is the aggregate on each the exact sum of what happened on all?"""
    calm = read_scenario("calm", nodes)
    learning = Learning(level="PUBLIC", window_ms=60_000, outcomes=20, fleet=True)
    scenario = msgspec.structs.replace(calm, vote=(), learning=learning, duration_ms=240_000)
    result, world = play(scenario, seed)
    layout = world.places[0].config.layout
    pooled = [0] * (2 * len(layout.pairs))
    for place in world.places:
        for error_class, fix, success, _ in place.truth:
            pooled[2 * layout.index[(error_class, fix)] + (not success)] += 1
    exact = 0
    for place in world.places:
        machine = place.node.machines.learning
        assert machine is not None
        # The newest window may still be on its way: the newest with everybody in it is meant.
        whole = [window for window in machine.pool.windows() if machine.pool.count(window) == nodes]
        found = machine.pool.compute_aggregate(whole[0]) if whole else None
        exact += isinstance(found, Aggregate) and list(found.vector[: len(pooled)]) == pooled
    return {"nodes": nodes, "seed": seed, "exact_on": exact, "ok": result.ok and exact == nodes}


def converge(nodes: Sequence[int], seed: int, windows: int) -> dict[str, Any]:
    """Both levels of the study, the world's fleets, and utility against the number of nodes."""
    points = []
    for level in (Level.PUBLIC, Level.DIFFERENTIAL):
        points += convergence(nodes, level, (seed,), windows)
    utility = [
        {"nodes": count, "arm": arm.name, "success": arm.success}
        for count in (100, 300, 1000)
        for arm in alone_vs_noised_vs_cohort(nodes=count, seed=seed, judged=60)
    ]
    worlds = [world_fleet(count, seed) for count in nodes]
    rows = [{**asdict(point), "is_within": point.is_within} for point in points]
    is_ok = all(one["ok"] for one in worlds) and all(
        point.error == 0.0 for point in points if point.level == "PUBLIC"
    )
    within = [point.is_within for point in points if point.level == "DIFFERENTIAL"]
    # Three standard deviations: one window in a hundred may fall outside.
    is_ok = is_ok and sum(within) >= 0.95 * len(within)
    return {"schema": 1, "ok": is_ok, "points": rows, "worlds": worlds, "utility": utility}
