"""``forget`` leaves no byte of what was seen; charges and signed acts stay."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon

from luminous.node.shell import experience, spool

pytestmark = [pytest.mark.slow, pytest.mark.alone]

# A class nobody else uses (a name), and a text that only the evidence may hold.
CLASS = "canary-class-77b1"
TEXT = "Canary text 9c2e in /home/alice/secret-project"
ATTEMPT: dict[str, object] = {
    "kind": "attempt",
    "error_class": "hash_mismatch",
    "fix_observed": "replace_hash",
    "success": True,
    "place": 1,
    "propensity_milli": 900,
}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    it = Daemon(tmp_path)
    assert it.type("network", "create", "lab", "--fleet").returncode == 0
    it.start()
    yield it
    it.stop()


def drop(daemon: Daemon, **more: object) -> None:
    record = {**spool.now(), "schema": 1, "command_class": "nix-build", **more}
    spool.write(str(daemon.data), record)


def holding(daemon: Daemon, word: str) -> list[str]:
    """Files under the data directory that hold these bytes."""
    found = [path for path in daemon.data.rglob("*") if path.is_file() and not path.is_symlink()]
    return sorted(path.name for path in found if word.encode() in path.read_bytes())


def test_forgotten_is_gone_from_every_file(daemon: Daemon) -> None:
    drop(daemon, kind="failure", error_class=CLASS, evidence=TEXT)
    drop(daemon, **ATTEMPT | {"error_class": CLASS})
    drop(daemon, **ATTEMPT)
    daemon.until(lambda: experience.read(daemon.data)[0] != {})
    (daemon.data / "exec").mkdir()
    (daemon.data / "exec/x.json").write_text(json.dumps({"command": TEXT}))
    for name in ("state.sqlite.damaged", "state.sqlite.repaired"):
        (daemon.data / name).write_text(CLASS)
    own = daemon.post("/v1/propose", {"kind": "text", "title": "kept", "closes_in_s": 172_800})
    daemon.post("/v1/override", {"key": "feature.command_prediction", "value": 0})
    assert "evidence.sqlite" in holding(daemon, TEXT), "the probe sees it"
    assert any(name.startswith("state.sqlite") for name in holding(daemon, CLASS))
    assert daemon.post("/v1/forget", {})["forgotten"] is True
    assert holding(daemon, TEXT) == []
    assert holding(daemon, CLASS) == []
    assert experience.read(daemon.data) == ({}, {})
    assert daemon.get("/v1/wisdom").get("patterns", []) == []
    daemon.stop()
    daemon.start()
    assert holding(daemon, CLASS) == []
    assert [item["id"] for item in daemon.get("/v1/proposals")["proposals"]] == [own["proposal"]]
    found = {row["key"]: row for row in daemon.get("/v1/parameters")["parameters"]}
    assert found["feature.command_prediction"]["value"] == 0, "own acts stay"
    assert CLASS not in daemon.told()
    assert TEXT not in daemon.told()


def test_forgetting_is_not_forgetting_to_learn(daemon: Daemon) -> None:
    """The opposite demand: what comes afterwards is kept again."""
    daemon.post("/v1/forget", {})
    drop(daemon, kind="failure", error_class=CLASS, evidence=TEXT)
    drop(daemon, **ATTEMPT)
    daemon.until(lambda: experience.read(daemon.data)[0] != {})
    assert "evidence.sqlite" in holding(daemon, TEXT)
