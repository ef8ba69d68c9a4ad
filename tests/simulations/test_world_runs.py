"""The world's results: their shape, their exit codes, and that one seed is one history."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from luminous.simulations.running import run_world
from luminous.simulations.scenario import SCENARIO_FOLDER, list_scenarios, read_scenario

ROOT = Path(__file__).resolve().parents[2]
# Scenarios that take more than a few seconds at their full size.
LONG = ("siege", "thousand")
SLOW = ("thresholds", "byzantine_third", "sybil_flood", "poisoned", "partition", "sleeping_laptops", "calm")


def _mark(name: str) -> pytest.MarkDecorator | tuple[()]:
    return pytest.mark.long if name in LONG else pytest.mark.slow if name in SLOW else ()


def sim(*arguments: str, hash_seed: str = "random") -> subprocess.CompletedProcess[str]:
    """``luminous-sim`` in a child process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "luminous.simulations.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def last_line(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON of the last line."""
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def test_one_seed_is_one_history_under_two_hash_seeds() -> None:
    digests = [
        last_line(sim("run", name, "--nodes", "7", "--seed", "3", "--json", hash_seed=hash_seed))["digest"]
        for name in ("churn", "hostile_members")
        for hash_seed in ("1", "2")
    ]
    assert digests[0] == digests[1] and digests[2] == digests[3] != digests[0]


def test_another_seed_is_another_history() -> None:
    scenario = read_scenario("churn", 6)
    assert run_world(scenario, 1).digest != run_world(scenario, 2).digest


def test_remembered_admission_changes_nothing() -> None:
    scenario = read_scenario("churn", 6)
    assert run_world(scenario, 1).digest == run_world(scenario, 1, memoise=False).digest


@pytest.mark.parametrize("name", ["calm", "partition"])
def test_the_result_has_the_public_shape(name: str) -> None:
    run = sim("run", name, "--body", "world", "--nodes", "8", "--seed", "7", "--json")
    assert run.returncode == 0, run.stderr
    facts = last_line(run)
    assert list(facts) == [
        "schema",
        "scenario",
        "body",
        "seed",
        "nodes",
        "ok",
        "digest",
        "checks",
        "figures",
    ]
    assert (facts["schema"], facts["scenario"], facts["body"]) == (1, name, "world")
    assert (facts["seed"], facts["nodes"], facts["ok"]) == (7, 8, True)
    assert all(set(check) == {"ok", "detail"} for check in facts["checks"].values())
    assert facts["figures"]["events"] > 0


def test_a_broken_check_exits_1_and_says_how_to_replay() -> None:
    run = sim("run", "byzantine_third_plus_one", "--seed", "1", "--json")
    assert run.returncode == 1
    facts = last_line(run)
    assert not facts["ok"] and not facts["checks"]["agreement"]["ok"]
    assert "luminous-sim run byzantine_third_plus_one --body world --seed 1" in run.stderr


def test_what_waits_for_a_feature_says_for_which(tmp_path: Path) -> None:
    path = tmp_path / "later.toml"
    path.write_text('waits_for = "paper ballots"\n' + (SCENARIO_FOLDER / "calm.toml").read_text())
    for body in ("world", "mesh", "wire", "hosts"):
        run = sim("run", str(path), "--body", body)
        assert run.returncode == 2 and "not there yet: paper ballots" in run.stderr


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(item.id, marks=_mark(item.id))
        for item in list_scenarios()
        if not item.waits_for and not item.expect_failure
    ],
)
def test_everything_holds_in_every_scenario(name: str) -> None:
    result = run_world(read_scenario(name), 1)
    assert {key: check for key, check in result.checks.items() if not check["ok"]} == {}
