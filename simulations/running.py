"""One run of a scenario in the world: what was found, as plain values.

Refuses to print, and to know the other bodies (``bodies`` does).
"""

import time
from collections.abc import Callable

from luminous.simulations.checkers import Evidence, check_all
from luminous.simulations.memory import remembered
from luminous.simulations.naive import count_naively
from luminous.simulations.patching import patched
from luminous.simulations.result import SCHEMA, Result
from luminous.simulations.scenario import Scenario
from luminous.simulations.snapshots import Snapshots
from luminous.simulations.workload import schedule
from luminous.simulations.world import World

__all__ = ["SCHEMA", "Result", "play", "run_world"]


def run_world(
    scenario: Scenario,
    seed: int,
    *,
    memoise: bool = True,
    prepare: Callable[[World], None] | None = None,
) -> Result:
    """The deterministic world. ``prepare`` may attach watchers before the first event.

    ``memoise``: admission by bytes and aggregates by their set are computed once for all machines.
    """
    return play(scenario, seed, memoise=memoise, prepare=prepare)[0]


def play(
    scenario: Scenario,
    seed: int,
    *,
    memoise: bool = True,
    prepare: Callable[[World], None] | None = None,
) -> tuple[Result, World]:
    """As ``run_world``, with the world as it stands at the end."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    world = World(scenario, seed, memoise=memoise)
    schedule(world)
    Snapshots(world)
    if prepare is not None:
        prepare(world)
    with patched(remembered() if memoise else ()):
        world.run()
        cpu_s = time.process_time() - began_cpu_s
        evidence = evidence_of(world)
        checks = check_all(evidence)
        naive = count_naively(evidence)
    result = Result(
        scenario=scenario.id,
        body="world",
        seed=seed,
        nodes=scenario.nodes,
        ok=all(check.ok for check in checks),
        digest=world.digest(),
        checks={check.name: {"ok": check.ok, "detail": check.detail} for check in checks},
        figures={
            "events": world.handled,
            "deliveries": world.deliveries,
            "cpu_s": round(cpu_s, 3),
            "wall_s": round(time.perf_counter() - began_s, 3),
            "events_per_cpu_s": round(world.handled / max(cpu_s, 1e-9)),
            "virtual_s": scenario.duration_ms / 1000,
            **naive,
        },
    )
    return result, world


def evidence_of(world: World) -> Evidence:
    """What the checkers may see of a world."""
    honest = tuple(place for place in world.places if not place.role)
    doubled = tuple(place for place in world.places if place.role == "copy")
    return Evidence(world.scenario, honest, doubled)
