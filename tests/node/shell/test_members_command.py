"""``member`` against a real running node: a founder alone admits a second member by one vote."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow
SETTINGS = ("--set", "voting.window_ms_min=1000", "--set", "voting.grace_ms=0")


class Home:
    """A data directory and the commands typed there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.data = folder / "d"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LUMINOUS_", "XDG_", "DO_NOT"))}
        source = str(ROOT / "src")
        self.env = {**clean, "HOME": str(folder), "LUMINOUS_DATA_DIR": str(self.data), "PYTHONPATH": source}

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "luminous.node", *words]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120, check=False)

    def facts(self, *words: str) -> dict[str, Any]:
        done = self.type(*words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def revoked_by_its_own_word(founder: Home, friend: Home, file: Path) -> None:
    """What a candidate and a careful owner write, on a machine whose node does not run."""
    assert friend.type("member", "ask").returncode == 7
    card = founder.facts("network", "card")["card"]
    assert friend.type("network", "join", card).returncode == 0
    wish = friend.facts("member", "ask")["card"]
    few = founder.type("member", "vouch", wish)
    assert few.returncode == 1 and "everybody votes" in few.stderr
    silent = founder.type("member", "vouch", friend.facts("network", "card")["card"])
    assert silent.returncode == 2 and "member ask" in silent.stderr
    assert founder.type("member", "object", "ff").returncode == 2
    assert friend.facts("member", "revocation", str(file))["author"] == friend.facts("id")["author"]
    assert file.stat().st_mode & 0o077 == 0
    assert friend.type("member", "revocation", str(file)).returncode == 2
    assert founder.type("member", "revoke", str(file)).returncode == 2
    assert founder.facts("member", "revoke", str(file), "--yes")["held"] is True


def test_one_command_each_side_and_one_vote(tmp_path: Path) -> None:
    founder, friend = Home(tmp_path / "a"), Home(tmp_path / "b")
    for home in (founder, friend):
        assert home.type("init").returncode == 0
    assert founder.type("network", "create", "lab", *SETTINGS).returncode == 0
    card = friend.facts("network", "card")["card"]
    process = subprocess.Popen(
        [sys.executable, "-m", "luminous.node", "run"],
        env=founder.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    try:
        assert "ready" in process.stdout.readline()
        assert len(founder.facts("member", "list")["members"]) == 1
        broken = founder.type("member", "invite", card[:-3] + "aaa")
        assert broken.returncode == 2 and "changed" in broken.stderr
        proposal = founder.facts("member", "invite", card, "--closes-in", "4s")["proposal"]
        assert founder.type("vote", proposal, "yes").returncode == 0
        deadline = time.monotonic() + 40
        while len(founder.facts("member", "list")["members"]) < 2 and time.monotonic() < deadline:
            time.sleep(0.5)
        authors = [row["author"] for row in founder.facts("member", "list")["members"]]
        assert authors == [founder.facts("id")["author"], friend.facts("id")["author"]]
        again = founder.type("member", "invite", card)
        assert again.returncode == 1 and "already" in again.stderr
        assert founder.type("member", "leave").returncode == 2
        assert founder.type("verify").returncode == 0
        unknown = founder.type("verify", "aggregate", "3")
        assert unknown.returncode == 1 and "no Minutes list this window" in unknown.stdout
        assert founder.type("verify", "nonsense").returncode == 2
        assert founder.type("member", "rotate", str(friend.data / "keys")).returncode == 1
        shown = founder.type("member", "list").stdout
        assert "2 members; 2 of them make an outcome final" in shown and "(this machine)" in shown
        revoked_by_its_own_word(founder, friend, tmp_path / "revocation")
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        process.wait(30)
