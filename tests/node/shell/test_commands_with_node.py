"""The commands against a real running node, before any consent: no socket but the control socket."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
DAEMON = "luminous.node.shell.daemon"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec(DAEMON) is None, reason="this version has no daemon"),
]


class Machine:
    """A home directory of its own, and the commands typed there."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "d"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LUMINOUS_", "XDG_", "DO_NOT"))}
        self.env = clean | {
            "HOME": str(folder),
            "LUMINOUS_DATA_DIR": str(self.data),
            "PYTHONPATH": str(ROOT / "src"),
        }

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "luminous.node", "run"],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "luminous.node", *words],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def facts(self, *words: str) -> dict[str, Any]:
        done = self.type(*words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        value = json.loads(done.stdout)
        assert isinstance(value, dict)
        assert value["schema"] == 1
        return value


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    it = Machine(tmp_path_factory.mktemp("node"))
    assert it.type("init").returncode == 0
    assert it.type("network", "create", "lab", "--fleet").returncode == 0
    process = it.start()
    assert process.stdout
    try:
        first = process.stdout.readline()
        assert "ready" in first, first + process.stdout.read()
        yield it
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        code = process.wait(30)
        process.stdout.close()
    assert code == 0, rest
    assert "Traceback" not in rest


LOOKING = [
    "status", "peers", "proposals", "parameters", "verify", "wisdom", "health", "forecast", "logs", "metrics",
    "heal list", "heal history", "privacy status", "privacy preview", "privacy log", "privacy ledger",
    "why did the disk fill up",
]  # fmt: skip


@pytest.mark.parametrize("line", LOOKING)
def test_every_look_answers_in_words_and_in_facts(machine: Machine, line: str) -> None:
    words = machine.type(*line.split())
    assert words.returncode == 0, words.stderr
    assert words.stdout.strip()
    assert "Traceback" not in words.stderr
    machine.facts(*line.split())


def test_status_has_the_fixed_shape(machine: Machine) -> None:
    facts = machine.facts("status")
    wanted = json.loads((ROOT / "docs/schemas/status.json").read_text())
    assert set(wanted["required"]) <= set(facts)
    for part in ("health", "privacy"):
        assert set(wanted["properties"][part]["required"]) <= set(facts[part])
    assert facts["peer_id"] is None
    assert facts["author"] == machine.facts("id")["author"]


def test_nothing_is_open_to_a_network_before_consent(machine: Machine) -> None:
    pid = int((machine.data / "lock").read_text())
    inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            assert f"socket:[{line.split()[9]}]" not in inodes
    assert any(name.startswith("socket:") for name in inodes)  # the control socket: the probe sees sockets


def test_the_control_socket_is_for_its_user_alone(machine: Machine) -> None:
    place = Path(machine.facts("config", "path")["socket"])
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_node_on_one_identity_is_told(machine: Machine) -> None:
    second = machine.start()
    told, _ = second.communicate(timeout=120)
    assert second.returncode == 1
    assert "another luminous-node uses this directory, pid" in told
    assert "Traceback" not in told


def test_a_change_of_network_beside_a_running_node_is_refused(machine: Machine) -> None:
    done = machine.type("network", "create", "other")
    assert done.returncode == 1
    assert "another luminous-node uses this directory" in done.stderr


def test_a_fleet_of_one_decides_and_can_be_recounted(machine: Machine) -> None:
    made = machine.facts("propose", "text", "Hello", "--closes-in", "1d")
    assert machine.type("vote", made["proposal"][:12], "yes").returncode == 0
    shown = machine.type("decision", made["proposal"][:12])
    assert "Hello" in shown.stdout
    assert machine.type("verify").returncode == 0
    refused = machine.type("vote", "ffffffff", "yes")
    assert refused.returncode not in (0, 3)
    assert refused.stderr.startswith("luminous-node: ")


def test_consent_given_to_a_running_node_is_kept(machine: Machine) -> None:
    assert (
        machine.facts("consent", "grant", "learning", "differential")["learning"]["granted"] == "DIFFERENTIAL"
    )
    assert machine.facts("status")["privacy"]["level"] == "LOCAL_ONLY"  # the network is not agreed to
    assert machine.facts("privacy", "off")["learning"] == "LOCAL_ONLY"
    assert machine.facts("consent", "status")["learning"]["granted"] is None
