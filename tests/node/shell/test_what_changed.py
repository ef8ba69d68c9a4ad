"""The commands around a failure, from their words to their answers."""

import json
import os
import subprocess

import pytest

from luminous.node.shell import backfill, bisect, preflight, run_memory, what_changed, what_if
from luminous.node.shell.aftermath import Run, _after_failure, _after_success
from luminous.node.shell.caller import Caller, find_caller
from luminous.node.shell.failure import Exit, Failure

ARGV = ["nix-build", "default.nix"]


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """Runs of one command, as `exec` remembers them."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "default.nix").write_text("{\n  a = 1;\n}\n")
    data = str(tmp_path / "data")
    monkeypatch.setenv("LUMINOUS_DATA_DIR", data)
    monkeypatch.chdir(work)
    caller = Caller(os.geteuid(), os.getegid(), str(tmp_path), "me", data, is_sudo=False)

    def run(code):
        made = Run(ARGV, str(work), code, 5, b"error: no\n")
        if code:
            _after_failure(made, caller, None, show=False, as_json=False)
        else:
            _after_success(made, caller)

    return work, run


def test_the_good_run_is_compared_with_the_failing_one(seen, capsys):
    work, run = seen
    run(0)
    (work / "default.nix").write_text("{\n  a = 2;\n}\n")
    run(1)
    for argv in ([], ARGV):
        answer = what_changed.compare(argv, str(work))
        assert [(c.kind, c.what, c.lines) for c in answer.found] == [("option_changed", "default.nix", (2,))]
    assert what_changed.run(["--json", "--", *ARGV]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["schema"], facts["kind"], facts["compared"]) == (1, "option_changed", True)
    assert what_changed.run([]) == 0
    assert "default.nix, new lines 2" in capsys.readouterr().out


def test_what_was_not_seen_is_said(seen, capsys):
    _, run = seen
    assert what_changed.run([]) == 1
    assert "not seen" in capsys.readouterr().out
    run(1)
    assert what_changed.run(ARGV) == 1
    assert "never worked" in capsys.readouterr().out
    run(0)
    assert what_changed.run(ARGV) == 1
    assert "worked the last time" in capsys.readouterr().out


def test_memory_is_bounded_and_garbage_is_no_memory(seen, tmp_path):
    work, _ = seen
    data = str(tmp_path / "data")
    for number in range(run_memory.FILES_MAX + 10):
        run_memory.save(data, f"{number:032x}", {"cwd": "x"})
    folder = tmp_path / "data" / "exec"
    assert len(list(folder.iterdir())) == run_memory.FILES_MAX
    key = run_memory.key_of(ARGV, str(work))
    for junk in (b"", b"[]", b"\xff", b'{"schema":2}', b"[" * 9000):
        (folder / f"{key}.json").write_bytes(junk)
        assert run_memory.load(data, key) == {}
    (folder / f"{key}.json").unlink()
    (folder / f"{key}.json").mkdir()
    assert run_memory.load(data, key) == {}


def test_a_secret_in_a_command_is_not_remembered():
    assert "hunter2" not in run_memory.shown(["nix", "build", "https://me:hunter2-hunter2@example.org/x"])


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (what_if.run, []),
        (what_if.run, ["--had-not", "a.nix:1"]),
        (what_if.run, ["--had-not", "a.nix", "--", "nix-build"]),
        (what_if.run, ["--had-not"]),
        (what_if.run, ["--had-not", "a:1", "--git-add", "b", "--", "nix-build"]),
        (bisect.run, []),
        (bisect.run, ["--nope", "x"]),
        (preflight.run, ["--nope"]),
        (what_changed.run, ["--nope"]),
        (backfill.run, ["--days", "many", "--yes"]),
        (backfill.run, ["--days", "9999", "--yes"]),
    ],
)
def test_wrong_words_are_a_usage_failure(run, words):
    with pytest.raises(Failure) as raised:
        run(words)
    assert raised.value.code == Exit.USAGE


def test_what_cannot_be_replayed_fails_kindly(seen):
    with pytest.raises(Failure, match="cannot be replayed"):
        what_if.run(["--had-not", "default.nix:1", "--", "rm", "-rf", "x"])
    with pytest.raises(Failure, match="could not be searched"):
        bisect.run(["--", "nix-build"])


def test_backfill_without_a_yes_reads_nothing(monkeypatch):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: PTH123, SIM115
    with pytest.raises(Failure) as raised:
        backfill.run([])
    assert raised.value.code == Exit.PERMISSION


def test_preflight_speaks_json(seen, capsys):
    code = preflight.run(["--json", "--", "nix-build"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["ok"] is (code == 0)
    assert facts["schema"] == 1


def test_bisect_and_what_if_answer_from_words(seen, capsys, monkeypatch, tmp_path):
    work, _ = seen
    tool = tmp_path / "bin" / "nix-build"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\ngrep -q "a = 1" default.nix || { echo "error: a is wrong" >&2; exit 1; }\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    who = ["git", "-c", "user.name=n", "-c", "user.email=n@x"]
    for text in ("{\n  a = 1;\n}\n", "{\n  a = 7;\n}\n"):
        (work / "default.nix").write_text(text)
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", text[4:9]]):
            subprocess.run([*who, *words], cwd=work, check=True)
    assert bisect.run(["--json", "--", *ARGV]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["schema"], facts["tier"], facts["files"]) == (1, "replayed", ["default.nix"])
    assert what_if.run(["--replace", "default.nix", "a = 7", "a = 1", "--json", "--", *ARGV]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "fixed"
    assert what_if.run(["--had-not", "default.nix:1", "--", *ARGV]) == 1
    assert "nothing would be different" in capsys.readouterr().out


def test_the_caller_is_the_person_behind_sudo():
    plain = find_caller({"HOME": "/home/a", "XDG_DATA_HOME": "/x"})
    assert (plain.data_dir, plain.is_sudo) == ("/x/luminous-node", False)
    assert find_caller({"HOME": "/home/a"}).data_dir == "/home/a/.local/share/luminous-node"
    assert find_caller({"HOME": "/h", "LUMINOUS_DATA_DIR": "/d"}).data_dir == "/d"
    if os.geteuid() == 0:
        import pwd

        person = pwd.getpwnam("nobody")
        behind = find_caller({"HOME": "/root", "XDG_DATA_HOME": "/root/x", "SUDO_UID": str(person.pw_uid)})
        assert (behind.uid, behind.is_sudo) == (person.pw_uid, True)
        assert not behind.data_dir.startswith("/root")
        for junk in ("0", "-1", "x", "", "99999999999999"):
            assert find_caller({"HOME": "/root", "SUDO_UID": junk}).is_sudo is False
