"""Scenario files: impossible ones are refused with a sentence, possible ones say what they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from luminous.simulations.scenario import SCENARIO_FOLDER, ScenarioError, list_scenarios, read_scenario

GOOD = 'id = "x"\nsummary = "y"\nnodes = 4\nduration_ms = 60_000\n'
BAD = {
    "loss of 2": "[link]\nloss = 2",
    "loss of 1": "[link]\nloss = 1.0",
    "negative delay": "[link]\ndelay_ms_mean = -5",
    "mean below minimum": "[link]\ndelay_ms_mean = 1",
    "unknown key": "spead = 3",
    "unknown table": "[weather]\nrain = true",
    "too many voters": '[[vote]]\ntitle = "t"\nyes = 5',
    "closes before it opens": '[[vote]]\ntitle = "t"\nopens_ms = 200_000',
    "no such threshold": '[[vote]]\ntitle = "t"\nthreshold = "most"',
    "no such boundary": '[[vote]]\ntitle = "t"\nboundary = "near"',
    "crash of nobody": "[[crash]]\nnode = 9\nat_ms = 5",
    "clock of nobody": "[[clock_jump]]\nnode = 9\nat_ms = 5\nby_ms = 1",
    "partition that ends first": "[[partition]]\nfrom_ms = 9\nuntil_ms = 5",
    "partition that never heals": "[[partition]]\nfrom_ms = 9\nuntil_ms = 90_000",
    "clog that ends first": "[[clog]]\nfrom_ms = 9\nuntil_ms = 5",
    "no such sickness": '[[sickness]]\nnode = 1\nkind = "plague"\nfrom_ms = 1\nuntil_ms = 2',
    "no such adversary": '[[adversary]]\nkind = "moriarty"',
    "nobody honest": '[[adversary]]\nkind = "flood"\ncount = 4',
    "not TOML": "nodes = = 4",
    "wrong type": 'late_joiners = "two"',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_an_impossible_scenario_is_refused_with_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    # Keys of the top come before any table.
    path.write_text(f"{text}\n{GOOD}" if not text.startswith("[") else f"{GOOD}{text}\n")
    with pytest.raises(ScenarioError) as caught:
        read_scenario(str(path))
    assert "bad.toml" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_possible_scenario_is_read(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    assert read_scenario(str(path)).nodes == 4


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match="calm"):
        read_scenario("calmness")


def test_shipped_scenarios_are_named_as_their_files() -> None:
    shipped = list_scenarios()
    assert [item.id for item in shipped] == sorted(path.stem for path in SCENARIO_FOLDER.glob("*.toml"))
    assert len(shipped) >= 17


@pytest.mark.parametrize("nodes", [12, 50, 100])
def test_scenarios_scale_with_their_nodes(nodes: int) -> None:
    for item in list_scenarios():
        assert read_scenario(item.id, nodes).nodes == nodes


def test_the_command_line_exits_2_with_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(GOOD + BAD["loss of 2"])
    command = [sys.executable, "-m", "luminous.simulations.cli", "run", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("luminous-sim: bad.toml") and len(run.stderr.splitlines()) == 1
