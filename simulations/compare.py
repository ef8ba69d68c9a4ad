"""Two parameter sets or two commits, the same seeds: figures and checks side by side.

Refuses to say "better" from one seed: each figure has both means, and whether all seeds agree.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luminous.simulations.bodies import run
from luminous.simulations.scenario import ScenarioError, read_scenario

RUN_S_MAX = 3600


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both sides. ``agree``: every seed moved it the same way (or not at all)."""

    figure: str
    one: float
    other: float
    agree: bool


def run_side(side: str, scenario: str, body: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """All seeds of one side: a scenario (an id or a TOML file), or a commit of this repository."""
    if _is_scenario(side):
        return [run(read_scenario(side), body, seed).as_json() for seed in seeds]
    return _run_commit(side, scenario, body, seeds)


def _is_scenario(side: str) -> bool:
    if side.endswith(".toml"):
        return True
    try:
        read_scenario(side)
    except ScenarioError:
        return False
    return True


def _run_commit(reference: str, scenario: str, body: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory(prefix="luminous-compare-") as folder:
        tree = Path(folder) / "tree"
        _git(root, "worktree", "add", "--detach", str(tree), reference)
        try:
            environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
            found = []
            for seed in seeds:
                command = [sys.executable, "-m", "luminous.simulations.cli", "run", scenario]
                command += ["--body", body, "--seed", str(seed), "--json"]
                done = subprocess.run(
                    command,
                    cwd=tree,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=RUN_S_MAX,
                    check=False,
                )
                if done.returncode not in (0, 1) or not done.stdout:
                    raise ScenarioError(f"{reference} cannot play {scenario}: {done.stderr.strip()[-300:]}")
                found.append(json.loads(done.stdout.splitlines()[-1]))
            return found
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _git(root: Path, *arguments: str) -> None:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ScenarioError(f"git {arguments[0]} {arguments[1]} failed: {done.stderr.strip()[-200:]}")


def compare(ones: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[Row]:
    """Every figure that both sides have, and how many checks failed."""
    rows = []
    names = [name for name in ones[0]["figures"] if name in others[0]["figures"]]
    for name in names:
        pairs = [(float(a["figures"][name]), float(b["figures"][name])) for a, b in _pairs(ones, others)]
        rows.append(_row(name, pairs))
    rows.append(_row("checks failed", [(_failed(a), _failed(b)) for a, b in _pairs(ones, others)]))
    same = [float(a["digest"] == b["digest"]) for a, b in _pairs(ones, others)]
    rows.append(_row("same history", [(value, value) for value in same]))
    return rows


def _pairs(
    ones: list[dict[str, Any]], others: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return list(zip(ones, others, strict=True))


def _failed(result: dict[str, Any]) -> float:
    return float(sum(not check["ok"] for check in result["checks"].values()))


def _row(name: str, pairs: list[tuple[float, float]]) -> Row:
    ups, downs = sum(b > a for a, b in pairs), sum(b < a for a, b in pairs)
    size = len(pairs)
    return Row(name, sum(a for a, _ in pairs) / size, sum(b for _, b in pairs) / size, not (ups and downs))
