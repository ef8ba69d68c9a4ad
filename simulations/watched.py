"""A world run that is looked at: samples for the report, a trace for replays.

Refuses to leave half a trace: it moves to its place when the run is over.
"""

import io
import json
from pathlib import Path

from luminous.simulations.output import write_whole
from luminous.simulations.probe import Probe
from luminous.simulations.result import Result
from luminous.simulations.running import run_world
from luminous.simulations.scenario import Scenario
from luminous.simulations.trace import record
from luminous.simulations.world import World


def run_watched(scenario: Scenario, seed: int, out: Path | None, trace: Path | None) -> Result:
    """As ``run_world``; ``samples.json`` into ``out``, every event into ``trace``."""
    probes: list[Probe] = []
    lines = io.StringIO()

    def prepare(world: World) -> None:
        if trace is not None:
            record(world, scenario, lines)
        if out is not None:
            probes.append(Probe(world))

    result = run_world(scenario, seed, prepare=prepare)
    if trace is not None:
        write_whole(trace, lines.getvalue())
    if out is not None:
        write_whole(out / "samples.json", json.dumps(probes[0].as_json()) + "\n")
    return result
