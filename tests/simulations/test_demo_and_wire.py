"""The demo shows what it promises, and real peers play the scenarios: processes, sockets, minutes."""

import subprocess
import sys

import pytest

from luminous.simulations.bodies import run
from luminous.simulations.scenario import ScenarioError, read_scenario


@pytest.mark.alone
@pytest.mark.slow
def test_the_demo_shows_every_scene() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "luminous.simulations.demo"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for scene in range(1, 7):
        assert f"== {scene}. " in done.stdout
    for promise in (
        "the seventh would try first, with peers: missing_channel.nix_path",
        "452 contributors would be enough",
        "refused: health.interval_s.min: 1 is below 10",
        "final: passed, 5 yes, 2 no, 0 abstain of 7",
        "the state store was repaired",
        "I don't know",
    ):
        assert promise in done.stdout, promise


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize("name", ["calm", "partition", "near_tie"])
def test_eight_real_peers_play_it(name: str) -> None:
    result = run(read_scenario(name, 8), "wire", 1)
    assert result.ok, result.checks


def test_the_wire_says_what_it_cannot_hold() -> None:
    with pytest.raises(ScenarioError, match="at most 25"):
        run(read_scenario("calm", 30), "wire", 1)
    for name, why in (("churn", "churn"), ("lossy", "loss"), ("hostile_members", "adversary")):
        with pytest.raises(ScenarioError, match=f"not in this body: .*{why}"):
            run(read_scenario(name, 8), "wire", 1)
