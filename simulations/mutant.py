"""One change of the product and the checker that must notice it.

Refuses to change a checker: only what a node does is patched, and only while its run lasts.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from luminous.simulations.patching import Patch, patched
from luminous.simulations.running import run_world
from luminous.simulations.scenario import Scenario, read_scenario


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of the product, and who must notice. ``change``: keys of the scenario set otherwise."""

    name: str
    checker: str
    scenario: str
    seed: int
    patches: tuple[Patch, ...]
    nodes: int | None = None
    change: tuple[tuple[str, Any], ...] = ()

    def read(self) -> Scenario:
        """The scenario it runs in."""
        scenario = read_scenario(self.scenario, self.nodes)
        if not self.change:
            return scenario
        raw: dict[str, Any] = msgspec.to_builtins(scenario)
        return msgspec.convert({**raw, **dict(self.change)}, Scenario)

    def caught(self) -> tuple[str, ...]:
        """Names of the checks that fail with the mutant."""
        with patched(self.patches):
            result = run_world(self.read(), self.seed, memoise=False)
        return tuple(name for name, check in result.checks.items() if not check["ok"])

    def spared(self) -> tuple[str, ...]:
        """Names of the checks that fail without it; none should."""
        result = run_world(self.read(), self.seed)
        return tuple(name for name, check in result.checks.items() if not check["ok"])
