"""Learning rounds beside gossipy-dfl: the same outcomes of the same nodes, turn by turn in one run.

Refuses a figure from memory: where gossipy-dfl is not installed there is none, and how to install it is said.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from luminous.simulations.learning_population import draw_population
from luminous.simulations.learning_rounds import measure_speed

# gossipy-dfl needs torch: an environment of its own, made by `make gossipy`.
PYTHON = Path(__file__).resolve().parents[1] / ".venv-gossipy" / "bin" / "python"
PROGRAM = Path(__file__).resolve().parent / "gossipy_rounds.py"
MISSING = "gossipy-dfl is not here, so nothing is compared with it: make gossipy installs it (torch, 6 GB)"
NODES, TRIALS, ROUNDS, THEIR_ROUNDS, TURNS = 1000, 5, 50, 5, 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians in node-rounds a second. ``theirs``: None where gossipy-dfl is not installed."""

    ours: float
    theirs: float | None


def draw_trials(path: Path, nodes: int, trials: int, seed: int) -> None:
    """One window's outcomes of every node, as arrays for the other program."""
    population = draw_population(seed)
    counts = population.observe(nodes, trials)
    pairs = counts.shape[1] // 2
    columns = np.array([np.repeat(np.arange(2 * pairs), row) for row in counts])
    np.savez(path, pair=columns // 2, worked=1 - columns % 2, pairs=np.int64(pairs))


def run_theirs(python: Path, trials: Path, rounds: int) -> float:
    """Node-rounds a second of gossipy-dfl. Raises CalledProcessError with what it said."""
    words = [str(python), str(PROGRAM), str(trials), str(rounds)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout.splitlines()[-1])
    return float(facts["node_rounds"]) / float(facts["seconds"])


def compare(nodes: int = NODES, turns: int = TURNS, python: Path = PYTHON) -> Comparison:
    """Ours and theirs by turns; the median of each."""
    is_here = python.exists()
    if not is_here:
        print(f"  {MISSING}", file=sys.stderr)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="luminous-gossipy-") as folder:
        trials = Path(folder) / "trials.npz"
        draw_trials(trials, nodes, TRIALS, seed=1)
        for turn in range(turns):
            ours.append(measure_speed(nodes, ROUNDS, seed=turn + 1).node_rounds_per_second)
            if is_here:
                theirs.append(run_theirs(python, trials, THEIR_ROUNDS))
    return Comparison(statistics.median(ours), statistics.median(theirs) if theirs else None)
