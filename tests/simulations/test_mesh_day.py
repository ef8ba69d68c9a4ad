"""Machines that come and go lose no record and leave nothing behind; planted faults are seen."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from luminous.node.shell import libp2p_patches
from luminous.node.shell.link import Link
from luminous.simulations.mesh.body import Mesh
from luminous.simulations.mesh.day import play_day

pytestmark = pytest.mark.slow
# An hour of three machines, each of which leaves three times.
HOUR: dict[str, Any] = {"nodes": 3, "hours": 1, "churn": 3.0, "seed": 1, "every_ms": 60_000}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Play in this process; what is asserted then may not depend on the hash seed."""
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    yield
    libp2p_patches.uninstall()


def test_after_an_hour_of_coming_and_going_every_record_is_everywhere_and_nothing_is_left_behind() -> None:
    found = play_day("retiring", **HOUR)
    # An hour is all warm-up for memory; what else is judged must be right.
    assert [reason for reason in found["why"] if not reason.startswith("memory")] == []
    assert found["times_away"] >= 5 and found["boots"] == found["times_away"] + 3
    assert found["sets"] == 1 and found["judged"]["records"]["due"] > 30


def test_who_was_away_never_learns_without_sync_and_a_task_left_behind_is_a_leak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Mesh.boot

    def boot(self: Mesh, place: Any) -> None:
        real(self, place)
        if self._nursery is not None:
            for _ in range(12):
                self._nursery.start_soon(trio.sleep_forever)

    monkeypatch.setattr(Mesh, "boot", boot)
    monkeypatch.setattr(Link, "compare", lambda self, compare: None)
    found = play_day("retiring", **HOUR)
    assert [reason for reason in found["why"] if reason.startswith("tasks leak")], found
    assert [reason for reason in found["why"] if reason.endswith("records arrived")], found


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize("kind", ["kept", "retiring"])
def test_a_day_with_thirty_percent_churn_an_hour(kind: str) -> None:
    command = [sys.executable, "-m", "luminous.simulations.mesh.day", "--kind", kind, "--nodes", "10"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=4 * 3600)
    found = json.loads(done.stdout)
    assert found["why"] == [] and done.returncode == 0, found
