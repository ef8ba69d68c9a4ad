"""A locked, read-only, damaged, restored or copied data directory: a clear error or a stated degradation."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import ROOT, Daemon

pytestmark = [pytest.mark.slow, pytest.mark.alone]

CHECKED_OFTEN = str(ROOT / "tests/faults/dying_daemon.py")
TRIED = {"class": "hash_mismatch", "fix": "replace_hash", "success": True}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    it = Daemon(tmp_path)
    assert it.type("network", "create", "lab", "--fleet").returncode == 0
    yield it
    it.kill()


def propose(daemon: Daemon, title: str) -> dict[str, object]:
    return daemon.post("/v1/propose", {"kind": "text", "title": title, "closes_in_s": 172_800})


def titles(daemon: Daemon) -> list[str]:
    return sorted(item["title"] for item in daemon.get("/v1/proposals")["proposals"])


def overwrite(path: Path) -> None:
    """Overwrite every page, as a dying disk does."""
    with path.open("r+b") as file:
        for offset in range(0, path.stat().st_size, 4096):
            file.seek(offset + 8)
            file.write(b"\xa5" * 1024)


def refused(daemon: Daemon) -> str:
    daemon.launch()
    assert daemon.died() in (1, 5)
    told = daemon.told()
    assert "Traceback" not in told
    assert "why:" in told
    assert "do:" in told
    return told


def test_a_locked_store_is_told(daemon: Daemon) -> None:
    daemon.start().stop()
    holder = sqlite3.connect(daemon.data / "state.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert "end the program that holds the file open" in refused(daemon)
    holder.execute("ROLLBACK")
    holder.close()
    daemon.start().stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="a read-only mount needs root")
def test_a_read_only_directory_is_told(daemon: Daemon) -> None:
    daemon.start().stop()
    if subprocess.run(["mount", "--bind", daemon.data, daemon.data], check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", daemon.data], check=True)
        assert "read-only file system" in refused(daemon)
    finally:
        subprocess.run(["umount", "-l", daemon.data], check=True)
    daemon.start().stop()


def test_a_damaged_journal_stops_and_is_never_replaced(daemon: Daemon) -> None:
    daemon.start()
    propose(daemon, "mine")
    daemon.stop()
    overwrite(daemon.data / "journal.sqlite")
    damaged = (daemon.data / "journal.sqlite").read_bytes()
    told = refused(daemon)
    assert "journal.sqlite" in told
    assert "without its journal a node stops signing" in told
    assert (daemon.data / "journal.sqlite").read_bytes() == damaged


def test_a_damaged_state_store_is_restored_and_said(daemon: Daemon) -> None:
    daemon.start()
    propose(daemon, "mine")
    daemon.until(lambda: (daemon.data / "backups/state.sqlite").exists())
    daemon.stop()
    overwrite(daemon.data / "state.sqlite")
    daemon.start()
    assert "restored from its backup" in str(daemon.get("/v1/status")["notes"])
    assert titles(daemon) == ["mine"]
    assert propose(daemon, "again")["proposal"]
    daemon.stop()


@pytest.mark.parametrize("how", ["deleted", "another"])
def test_a_lost_journal_halts_signing_for_good_and_says_so(daemon: Daemon, how: str) -> None:
    daemon.start()
    propose(daemon, "mine")
    daemon.post("/v1/consent", {"what": "network", "grant": True})
    daemon.stop()
    for path in daemon.data.glob("journal.sqlite*"):
        path.unlink()
    if how == "another":
        empty = daemon.folder / "other"
        other = Daemon(empty)
        empty.mkdir()
        other.start().stop()
        shutil.copy(other.data / "journal.sqlite", daemon.data / "journal.sqlite")
    for _ in range(2):  # for good: also at the next start
        daemon.start()
        status = daemon.get("/v1/status")
        assert "the journal was lost" in status["halted"]
        assert "journal was lost" in str(propose(daemon, "never"))
        assert titles(daemon) == []
        assert daemon.get("/v1/privacy")["epsilon_milli_spent"] == 1000 or status["privacy"]["left"] == 0.0
        daemon.stop()


def test_a_first_start_is_no_lost_journal(daemon: Daemon) -> None:
    """The opposite demand."""
    for _ in range(2):
        daemon.start()
        assert daemon.get("/v1/status")["halted"] == ""
        assert daemon.get("/v1/status")["privacy"]["left"] == 1.0
        daemon.stop()


def test_a_store_damaged_while_running_is_found_repaired_and_read_back(daemon: Daemon) -> None:
    """Under load; meanwhile the node votes, and what memory holds is in the store again."""
    daemon.start()
    for _ in range(200):
        daemon.post("/v1/observe", {"name": "fix_tried", "facts": TRIED})
    mine = str(propose(daemon, "mine")["proposal"])
    daemon.until(lambda: (daemon.data / "backups/state.sqlite").exists())
    daemon.stop()
    daemon.start("never", "1", module=CHECKED_OFTEN)
    for _ in range(3):
        daemon.post("/v1/observe", {"name": "fix_tried", "facts": TRIED})
    overwrite(daemon.data / "state.sqlite")
    daemon.until(lambda: '"event": "state_damaged"' in daemon.told())
    assert daemon.post("/v1/vote", {"proposal": mine, "choice": "yes"})["voted"] == "yes"
    daemon.post("/v1/observe", {"name": "fix_tried", "facts": TRIED})
    daemon.until(lambda: "state store was repaired" in str(daemon.get("/v1/health")["incidents"]))
    assert "check: sound" in str(daemon.get("/v1/health")["incidents"])
    daemon.until(lambda: "repair" in str(daemon.get("/v1/heal")))
    daemon.stop()
    db = sqlite3.connect(daemon.data / "state.sqlite")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    trials = db.execute("SELECT body FROM record WHERE kind = 'kept'").fetchall()
    db.close()
    assert sum(b"learning.trial" in body for (body,) in trials) == 204, "refilled from memory"
    assert (daemon.data / "state.sqlite.damaged").exists(), "the damaged file is kept to look at"


def test_two_directories_with_one_key_meet_and_signing_halts(daemon: Daemon, tmp_path: Path) -> None:
    """A restored backup of the whole directory beside the machine that went on."""
    loop = ("--listen", "/ip4/127.0.0.1/tcp/0")
    assert daemon.type("consent", "grant", "network").returncode == 0
    (tmp_path / "twin").mkdir()
    twin = Daemon(tmp_path / "twin")
    shutil.copytree(daemon.data, twin.data)
    shutil.rmtree(twin.data / "run", ignore_errors=True)
    try:
        daemon.start(*loop)
        assert propose(daemon, "from the first")["proposal"]
        daemon.until(lambda: bool(daemon.get("/v1/status")["addresses"]))
        address = daemon.get("/v1/status")["addresses"][0]
        # A transport identity of its own: two peers with one author.
        (twin.data / "keys/transport.seed").write_bytes(os.urandom(32))
        twin.env["LUMINOUS_NETWORK__BOOTSTRAP"] = address
        twin.start(*loop)
        twin.until(lambda: bool(twin.get("/v1/status")["halted"]))
        assert "another machine signs with this node's key" in twin.get("/v1/status")["halted"]
        assert "another machine signs" in str(propose(twin, "from the twin"))
        twin.stop()
        daemon.stop()
    finally:
        twin.kill()
