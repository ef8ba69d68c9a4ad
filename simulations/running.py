"""One run of a scenario in one body: what was found, as plain values.

Refuses to print.
"""

import time
from dataclasses import dataclass
from typing import Any

from luminous.simulations.checkers import Evidence, check_all
from luminous.simulations.scenario import Scenario, ScenarioError
from luminous.simulations.workload import schedule
from luminous.simulations.world import World

SCHEMA = 1
BODIES = ("world", "mesh", "wire", "scale")


@dataclass(frozen=True, slots=True)
class Result:
    """What one run came to; ``as_json`` is its public form."""

    scenario: str
    body: str
    seed: int
    nodes: int
    ok: bool
    digest: str
    checks: dict[str, dict[str, Any]]
    figures: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Schema 1; fields may be added."""
        return {
            "schema": SCHEMA,
            "scenario": self.scenario,
            "body": self.body,
            "seed": self.seed,
            "nodes": self.nodes,
            "ok": self.ok,
            "digest": self.digest,
            "checks": self.checks,
            "figures": self.figures,
        }


def run(scenario: Scenario, body: str, seed: int) -> Result:
    """Play a scenario. Raises ScenarioError if the body cannot."""
    if scenario.waits_for:
        raise ScenarioError(f"{scenario.id} waits for a feature that is not there yet: {scenario.waits_for}")
    if body == "world":
        return run_world(scenario, seed)
    if body == "wire":
        from luminous.simulations.wire import run_wire

        return run_wire(scenario, seed)
    if body == "mesh":
        from luminous.simulations.mesh import run_mesh

        return run_mesh(scenario, seed)
    raise ScenarioError(f"there is no body {body!r}; there are {', '.join(BODIES)} (scale: not yet)")


def run_world(scenario: Scenario, seed: int, *, memoise: bool = True) -> Result:
    """The deterministic world."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    world = World(scenario, seed, memoise=memoise)
    hostile = schedule(world)
    world.run()
    cpu_s = time.process_time() - began_cpu_s
    honest = tuple(place for place in world.places if place.index not in hostile)
    checks = check_all(Evidence(scenario, honest))
    return Result(
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
        },
    )
