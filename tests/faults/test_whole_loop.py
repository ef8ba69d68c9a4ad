"""The whole loop with real Nix: fail, mend, succeed; the node learns; the next explanation says so."""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon

from luminous.node.shell import experience

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(not shutil.which("nix-build"), reason="nix is not installed"),
]

# Two packages whose hash is wrong in the same way: the first is mended, the second is explained.
PACKAGE = """derivation {
  name = "%s";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" "echo hi > $out" ];
  outputHashMode = "flat";
  outputHashAlgo = "sha256";
  outputHash = "0000000000000000000000000000000000000000000000000000";
}
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    it = Daemon(tmp_path, **nix_environment(tmp_path))
    assert it.type("network", "create", "lab", "--fleet").returncode == 0
    yield it
    it.stop()


def nix_environment(folder: Path) -> dict[str, str]:
    return {
        "NIX_PATH": "",
        "NIX_REMOTE": "local",
        "NIX_STORE_DIR": str(folder / "store"),
        "NIX_STATE_DIR": str(folder / "var"),
        "NIX_LOG_DIR": str(folder / "log"),
        "NIX_CONFIG": "build-users-group =\nsandbox = false\nsubstituters =",
        "LC_ALL": "C.UTF-8",
    }


def build(daemon: Daemon, world: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """What a person types."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "luminous.node",
            "exec",
            "--explain",
            "--",
            "nix-build",
            "--no-out-link",
            "x.nix",
        ],
        cwd=world,
        env=daemon.env | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def fail_and_mend(daemon: Daemon, world: Path, **environ: str) -> None:
    (world / "x.nix").write_text(PACKAGE % "first")
    failed = build(daemon, world, **environ)
    assert failed.returncode != 0
    assert "hash_mismatch" in failed.stderr, failed.stderr
    assert "worked here" not in failed.stderr, "nothing was learnt yet"
    got = re.search(r"got: +(\S+)", failed.stderr)
    assert got, failed.stderr
    text = (world / "x.nix").read_text()
    (world / "x.nix").write_text(text.replace("0" * 52, got[1].removeprefix("sha256:")))
    mended = build(daemon, world, **environ)
    assert mended.returncode == 0, mended.stderr


def kinds_waiting(daemon: Daemon) -> list[str]:
    """What `exec` left, oldest first."""
    files = sorted((daemon.data / "spool").glob("*.json"))
    return [json.loads(path.read_text())["kind"] for path in files]


def test_what_worked_here_is_said_the_next_time(daemon: Daemon, tmp_path: Path) -> None:
    world = tmp_path / "w"
    world.mkdir()
    fail_and_mend(daemon, world)  # with no daemon running: the spool keeps it
    assert kinds_waiting(daemon) == ["failure", "fix", "attempt"]
    daemon.start()
    daemon.until(lambda: experience.read(daemon.data)[0] != {})
    local, _ = experience.read(daemon.data)
    assert set(local.values()) == {(1.0, 1.0)}, "one pair, under the names of each of its fixes"
    assert {error_class for error_class, _ in local} == {"hash_mismatch"}
    assert list((daemon.data / "spool").glob("*.json")) == []
    (world / "x.nix").write_text(PACKAGE % "second")
    again = build(daemon, world)
    assert again.returncode != 0
    assert "worked here 1 of 1 times" in again.stderr, again.stderr
    asked = daemon_explains(daemon, again.stderr.partition("What broke")[0])
    assert asked["class"] == "hash_mismatch"
    known = [fix for fix in asked["fixes"] if "worked here 1 of 1" in fix["evidence"]]
    assert known
    assert {("hash_mismatch", fix["id"]) for fix in known} <= set(local)


def daemon_explains(daemon: Daemon, text: str) -> dict[str, list[dict[str, str]]]:
    run = subprocess.run(
        [sys.executable, "-m", "luminous.node", "explain", "-", "--json"],
        input=text, env=daemon.env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    value = json.loads(run.stdout)
    assert isinstance(value, dict)
    return value


def test_without_the_experience_nothing_is_claimed(daemon: Daemon, tmp_path: Path) -> None:
    """The opposite demand: no file, no such words."""
    world = tmp_path / "w"
    world.mkdir()
    fail_and_mend(daemon, world)
    (daemon.data / experience.BOOK_NAME).unlink()
    (world / "x.nix").write_text(PACKAGE % "second")
    assert "worked here" not in build(daemon, world).stderr
    daemon.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stand behind sudo")
def test_under_sudo_it_is_the_callers_node_that_learns() -> None:
    """Typed as ``sudo luminous-node exec -- …``: the spool and what is learnt belong to the person."""
    try:
        person = pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("no second user on this machine")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        os.chown(folder, person.pw_uid, person.pw_gid)
        world = folder / "w"
        world.mkdir()
        daemon = Daemon(folder, **nix_environment(folder / "root"))
        (folder / "root").mkdir()
        daemon.data.mkdir(mode=0o700)
        os.chown(daemon.data, person.pw_uid, person.pw_gid)
        behind_sudo = {"SUDO_UID": str(person.pw_uid), "SUDO_GID": str(person.pw_gid), "SUDO_USER": "nobody"}
        fail_and_mend(daemon, world, **behind_sudo)
        waiting = sorted((daemon.data / "spool").glob("*.json"))
        assert kinds_waiting(daemon) == ["failure", "fix", "attempt"]
        assert {path.stat().st_uid for path in waiting} == {person.pw_uid}
        assert json.loads(waiting[1].read_text())["fix_observed"] == "hash_changed"
        # What the person's node left for them is read with their rights, not with root's.
        learnt = experience_of(daemon_explains(daemon, HASH_TEXT))
        experience.write(daemon.data, {("hash_mismatch", learnt): (1.0, 1.0)}, {})
        os.chown(daemon.data / experience.NAME, person.pw_uid, person.pw_gid)
        (world / "x.nix").write_text(PACKAGE % "second")
        assert "worked here 1 of 1 times" in build(daemon, world, **behind_sudo).stderr


HASH_TEXT = """error: hash mismatch in fixed-output derivation '/nix/store/x-f.drv':
         specified: sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
            got:    sha256-mOpsCKHdKJ5cAj98RXAu8mU5gvpcSFGFFB2r3OqVrTM=
"""


def experience_of(answer: dict[str, list[dict[str, str]]]) -> str:
    return answer["fixes"][0]["id"]
