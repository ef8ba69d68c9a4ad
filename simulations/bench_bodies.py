"""What a body costs: how much faster than the time it plays, and memory for each node more.

Each run is a process of its own, so its peak of memory is its own. Refuses to divide all of it by the
nodes: what Python and libraries take is subtracted by a smaller run.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from luminous.simulations.scenario import read_scenario

SCENARIO = "calm"
# Body to a small and a large number of nodes.
SIZES = {"world": (12, 48), "mesh": (8, 24), "wire": (4, 12)}
# A run that says at its end how much memory its own program took at most, in KiB. What a parent is told
# counts the parent's own memory too, as it was when the child was made.
_PLAY = """
import sys
from luminous.simulations.cli import main
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(peak.split()[1], file=sys.stderr)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """One run: played time by real time, the peak of memory, and events a second where they are counted."""

    body: str
    nodes: int
    times_faster: float
    peak_mb: float
    events_per_cpu_s: float | None


def run_once(body: str, nodes: int, scenario: str = SCENARIO, seed: int = 1) -> Cost:
    """Play in a child process. Raises RuntimeError if it does not end well."""
    words = [sys.executable, "-c", _PLAY, "run", scenario, "--json"]
    words += ["--body", body, "--nodes", str(nodes), "--seed", str(seed)]
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
        # The mesh plays in this child, not in one of its own, if the hash seed is the fixed one.
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        ended = subprocess.run(words, stdout=printed, stderr=said, env=environ, check=False)
        printed.seek(0)
        said.seek(0)
        told = said.read().decode()
        if ended.returncode:
            raise RuntimeError(f"{' '.join(words[3:])}: {told[-500:]}")
        facts = json.loads(printed.read().decode().splitlines()[-1])
    peak_mb = int(told.splitlines()[-1]) / 1024
    figures = facts["figures"]
    virtual_s = read_scenario(scenario, nodes).duration_ms / 1000
    events = figures.get("events_per_cpu_s")
    return Cost(body, nodes, virtual_s / float(figures["wall_s"]), peak_mb, events)


def compute_node_mb(small: Cost, large: Cost) -> float:
    """Memory for one node more, in MB."""
    return (large.peak_mb - small.peak_mb) / (large.nodes - small.nodes)


def main(words: list[str]) -> None:
    """Print a table: of all bodies, or of one scenario, body and sizes.

    ``python -m luminous.simulations.bench_bodies [SCENARIO BODY NODES NODES ...]``.
    """
    scenario, sizes = SCENARIO, {body: list(pair) for body, pair in SIZES.items()}
    if words:
        scenario, body, *numbers = words
        sizes = {body: sorted(map(int, numbers))}
    print("| body | nodes | played time / real time | events a CPU second | MB a node more |")
    print("|---|---|---|---|---|")
    for body, counts in sizes.items():
        before: Cost | None = None
        for nodes in counts:
            cost = run_once(body, nodes, scenario)
            more = "" if before is None else f"{compute_node_mb(before, cost):.2f}"
            rate = cost.events_per_cpu_s
            events = "" if rate is None else f"{rate:,.0f}".replace(",", " ")
            print(f"| {body} | {cost.nodes} | {cost.times_faster:.1f} | {events} | {more} |", flush=True)
            before = cost


if __name__ == "__main__":
    main(sys.argv[1:])
