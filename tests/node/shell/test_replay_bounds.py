"""A replayed run may shout, hang or be interrupted: what is kept is bounded, nothing of it stays behind."""

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import pytest

from luminous.node.shell import replay
from luminous.node.shell.replay import TEXT_SIZE_BYTES_MAX, CannotReplay
from luminous.node.shell.what_if import Replace, what_if

REPO = Path(__file__).resolve().parents[3]
_spec = importlib.util.spec_from_file_location(
    "terminal_driver", Path(__file__).with_name("terminal_driver.py")
)
_driver = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_driver)
EDIT = Replace("default.nix", "old", "new")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A configuration, and a place for copies that can be looked into afterwards."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "default.nix").write_text("old\n")
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))
    return work


def tool_of(folder, script):
    tool = folder.parent / "bin" / "nix-build"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    return os.environ | {"PATH": f"{tool.parent}:{os.environ['PATH']}", "PYTHONPATH": str(REPO / "src")}


def test_a_hundred_megabytes_of_garbage_leave_a_bounded_text(folder):
    env = tool_of(folder, "head -c 100000000 /dev/urandom >&2; echo; echo 'error: the end' >&2; exit 1")
    told = what_if(EDIT, ["nix-build"], folder, env=env)
    assert len(told.before.text) <= TEXT_SIZE_BYTES_MAX
    assert "the end" in told.before.text
    assert len(told.to_text()) < 2000
    assert told.to_text().replace("\n", "").isprintable()


def test_a_run_that_hangs_is_ended(folder, monkeypatch):
    monkeypatch.setattr(replay, "RUN_TIMEOUT_S", 0.2)
    env = tool_of(folder, "exec sleep 600")
    told = what_if(EDIT, ["nix-build"], folder, env=env)
    assert not told.before.ok
    assert list((folder.parent / "copies").iterdir()) == []


def test_ctrl_c_ends_the_run_and_takes_the_copy_away(folder):
    copies = folder.parent / "copies"
    ready = folder.parent / "ready"
    env = tool_of(folder, f"echo $$ > {ready}.part; mv {ready}.part {ready}; exec sleep 600")
    env |= {"TMPDIR": str(copies), "HOME": str(folder.parent)}
    code = (
        "import sys, threading, time, pathlib\n"
        "def tell():\n"
        "    while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.02)\n"
        "    print('run' + 'ning', flush=True)\n"
        "threading.Thread(target=tell, daemon=True).start()\n"
        "from luminous.node.shell.what_if import run\n"
        "run(['--replace', 'default.nix', 'old', 'new', '--', 'nix-build'])\n"
    )
    session = _driver.Terminal([sys.executable, "-c", code, str(ready)], env=env, cwd=str(folder))
    try:
        session.wait_for("running\r\n")
        session.type("\x03")
        assert os.waitstatus_to_exitcode(session.wait()) != 0
        with pytest.raises(ProcessLookupError):
            os.kill(int(ready.read_text()), 0)
        assert list(copies.iterdir()) == []
    finally:
        session.close()


def test_a_folder_too_large_to_copy_is_refused_before_it_is_copied(folder, monkeypatch):
    monkeypatch.setattr(replay, "FILES_MAX", 3)
    for number in range(5):
        (folder / f"{number}.nix").touch()
    with pytest.raises(CannotReplay, match="larger than"):
        what_if(EDIT, ["nix-build"], folder, env=dict(os.environ))
    assert list((folder.parent / "copies").iterdir()) == []
