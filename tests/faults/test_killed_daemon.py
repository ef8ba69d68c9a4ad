"""SIGKILL of a real daemon at the worst points: nothing doubled, released twice or lost."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_process import ROOT, Daemon

from luminous.protocol.admission import admit
from luminous.protocol.codec import decode
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.kinds import Kind

pytestmark = [pytest.mark.slow, pytest.mark.alone]

DYING = str(ROOT / "tests/faults/dying_daemon.py")
KILLED = -9


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    it = Daemon(tmp_path)
    assert it.type("network", "create", "lab", "--fleet").returncode == 0
    yield it
    it.kill()


def journalled(daemon: Daemon) -> list[Admitted]:
    """Every signed act of the journal, read when nobody has it open."""
    network = NetworkId(bytes.fromhex(daemon.get("/v1/status")["network"]["id"]))
    daemon.stop()
    db = sqlite3.connect(daemon.data / "journal.sqlite")
    rows = db.execute("SELECT kind, body FROM record ORDER BY seq").fetchall()
    db.close()
    found = []
    for kind, body in rows:
        if kind in ("envelope", "released"):
            value = decode(body, 1 << 20) if kind == "released" else body
            admitted = admit(value[0] if isinstance(value, list) else value, network)  # type: ignore[arg-type]
            assert isinstance(admitted, Admitted)
            found.append(admitted)
    return found


def check_promises(acts: list[Admitted]) -> None:
    sequences = [act.sequence for act in acts]
    assert len(sequences) == len(set(sequences)), "one sequence number, two records"
    ballots = [(a.payload.proposal, a.payload.sequence) for a in acts if a.kind is Kind.BALLOT]
    assert len(ballots) == len(set(ballots)), "two ballots of one sequence"
    windows = [act.payload.window for act in acts if act.kind is Kind.DELTA]
    assert len(windows) == len(set(windows)), "two releases of one window"


def propose(daemon: Daemon, title: str) -> str:
    return str(
        daemon.post("/v1/propose", {"kind": "text", "title": title, "closes_in_s": 86_400})["proposal"]
    )


def ask_and_die(daemon: Daemon, path: str, body: dict[str, Any]) -> None:
    try:
        answer = daemon.post(path, body)
    except (OSError, json.JSONDecodeError):
        assert daemon.died() == KILLED
    else:
        pytest.fail(f"it lived on and answered {answer}; {daemon.told()[-2000:]}")


def test_killed_between_journal_and_publish(daemon: Daemon) -> None:
    """A proposal, then a ballot, then its change: each killed when durable and not yet published."""
    daemon.start("publish", "1", module=DYING)
    ask_and_die(daemon, "/v1/propose", {"kind": "text", "title": "first", "closes_in_s": 86_400})
    daemon.start("publish", "1", module=DYING)
    (proposal,) = daemon.get("/v1/proposals")["proposals"]
    assert proposal["title"] == "first"
    ask_and_die(daemon, "/v1/vote", {"proposal": proposal["id"], "choice": "no"})
    daemon.start("publish", "2", module=DYING)
    assert daemon.post("/v1/vote", {"proposal": proposal["id"], "choice": "yes"})["voted"] == "yes"
    ask_and_die(daemon, "/v1/vote", {"proposal": proposal["id"], "choice": "abstain"})
    daemon.start()
    assert propose(daemon, "second")
    acts = journalled(daemon)
    check_promises(acts)
    votes = [act.payload.choice.name for act in acts if act.kind is Kind.BALLOT]
    assert votes == ["NO", "YES", "ABSTAIN"], "no ballot was lost"
    assert [a.payload.title for a in acts if a.kind is Kind.PROPOSAL] == ["first", "second"]


def test_killed_during_the_backup(daemon: Daemon) -> None:
    daemon.start()
    propose(daemon, "kept")
    daemon.until(lambda: (daemon.data / "backups/state.sqlite").exists())
    before = (daemon.data / "backups/state.sqlite").read_bytes()
    daemon.stop()
    daemon.launch("backup", "1", module=DYING)
    assert daemon.died() == KILLED
    assert (daemon.data / "backups/state.part").exists()
    assert (daemon.data / "backups/state.sqlite").read_bytes() == before, "the old copy is whole"
    daemon.start()
    assert [item["title"] for item in daemon.get("/v1/proposals")["proposals"]] == ["kept"]
    daemon.until(lambda: not (daemon.data / "backups/state.part").exists())
    check_promises(journalled(daemon))


def damage(daemon: Daemon) -> None:
    """Overwrite pages of the state store, as a dying disk does."""
    path = daemon.data / "state.sqlite"
    size = path.stat().st_size
    with path.open("r+b") as file:
        for offset in range(0, size, 4096):
            file.seek(offset + 8)
            file.write(b"\xa5" * 1024)


@pytest.mark.parametrize("point", ["repair", "repair-late"])
def test_killed_in_the_middle_of_a_repair(daemon: Daemon, point: str) -> None:
    daemon.start()
    proposal = propose(daemon, "kept")
    daemon.post("/v1/vote", {"proposal": proposal, "choice": "yes"})
    for _ in range(4):
        daemon.post("/v1/observe", {"name": "fix_tried", "facts": TRIED})
    daemon.stop()  # and its backup is whole:
    daemon.start()
    daemon.until(lambda: (daemon.data / "backups/state.sqlite").exists())
    daemon.stop()
    if point == "repair":
        damage(daemon)
        daemon.launch(point, "1", module=DYING)
        assert daemon.died() == KILLED
        assert not (daemon.data / "state.sqlite").exists(), "set aside, and nothing in its place"
    else:
        daemon.start(point, "1", module=DYING)
        damage(daemon)
        assert daemon.died() == KILLED
    daemon.start()
    notes = " ".join(daemon.get("/v1/status")["notes"])
    if point == "repair":
        assert "restored from its backup" in notes
    assert "signing stops" not in notes
    assert [item["title"] for item in daemon.get("/v1/proposals")["proposals"]] == ["kept"]
    found = daemon.get("/v1/privacy")
    assert found["level"] == "LOCAL_ONLY"
    check_promises(journalled(daemon))


TRIED = {"class": "hash_mismatch", "fix": "replace_hash", "success": True}
