"""A real full disk (a small tmpfs): the node is mute, looks on, uses its ballast and speaks again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root"),
]
DISK_MB = 16


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    it = Daemon(tmp_path)
    it.data.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "none", str(it.data)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount")
    try:
        assert it.type("network", "create", "lab", "--fleet").returncode == 0
        yield it
    finally:
        it.kill()
        subprocess.run(["umount", "-l", str(it.data)], check=True)


def fill(daemon: Daemon) -> Path:
    """Take every byte that is left."""
    path = daemon.data / "hog"
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"h" * size)
            except OSError:
                continue
    return path


def propose(daemon: Daemon, title: str) -> dict[str, object]:
    return daemon.post("/v1/propose", {"kind": "text", "title": title, "closes_in_s": 172_800})


def titles(daemon: Daemon) -> list[str]:
    return sorted(item["title"] for item in daemon.get("/v1/proposals")["proposals"])


def fill_until_mute(daemon: Daemon) -> None:
    """Fill the disk again and again until even the ballast is used up."""
    tried = {"class": "hash_mismatch", "fix": "replace_hash", "success": True}
    for _ in range(2000):
        fill(daemon)
        daemon.post("/v1/observe", {"name": "fix_tried", "facts": tried})
        if daemon.get("/v1/status")["mute"]:
            return
    raise AssertionError("the disk never became full")


def test_mute_on_a_full_disk_and_speaking_again(daemon: Daemon) -> None:
    daemon.start()
    assert propose(daemon, "before")["proposal"]
    ballasts = [daemon.data / f"{name}.ballast" for name in ("journal", "state")]
    assert [path.stat().st_size for path in ballasts] == [2 << 20, 2 << 20]
    daemon.until(lambda: (daemon.data / "backups/state.sqlite").exists())
    fill_until_mute(daemon)
    assert not all(path.exists() for path in ballasts), "a ballast was spent before falling silent"
    daemon.until(lambda: daemon.get("/v1/status")["mute"] is True)
    known = titles(daemon)
    refused = propose(daemon, "while mute")
    assert "nothing is done until it can" in str(refused)
    assert "error" in daemon.post("/v1/override", {"key": "feature.command_prediction", "value": 0})
    assert "error" in daemon.post("/v1/forget", {})
    assert titles(daemon) == known, "nothing is signed"
    assert daemon.get("/v1/health")["samples"] >= 1, "health goes on"
    explained = subprocess.run(
        daemon_words("explain", "-"), env=daemon.env, input="error: undefined variable 'pkg'\n",
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert explained.returncode == 0, explained.stderr
    assert "undefined" in explained.stdout
    assert daemon.told().count('"event": "mute"') == 1, "said once"
    (daemon.data / "hog").unlink()
    daemon.until(lambda: daemon.get("/v1/status")["mute"] is False)
    assert daemon.told().count('"event": "speaking_again"') == 1
    assert propose(daemon, "after")["proposal"]
    assert "while mute" not in titles(daemon)
    assert {"before", "after"} <= set(titles(daemon))
    held = titles(daemon)
    daemon.stop()
    daemon.start()
    assert titles(daemon) == held, "what was promised is durable, what was refused never happened"
    assert all(path.exists() for path in ballasts), "the ballast is set aside again"
    daemon.stop()


def test_a_node_starts_on_a_full_disk_in_the_room_of_its_ballast(daemon: Daemon) -> None:
    daemon.start()
    assert propose(daemon, "before")["proposal"]
    daemon.stop()
    fill(daemon)
    daemon.start()
    assert titles(daemon) == ["before"]
    daemon.stop()


def test_a_first_start_on_a_full_disk_says_what_to_do(daemon: Daemon) -> None:
    fill(daemon)
    daemon.launch()
    assert daemon.died() == 1
    told = daemon.told()
    assert "Traceback" not in told
    assert "no space" in told or "full" in told
    assert "free some space" in told


def daemon_words(*words: str) -> list[str]:
    return [sys.executable, "-m", "luminous.node", *words]
