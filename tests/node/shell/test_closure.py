"""What differs between two closures: from names alone, and between real generations of a real profile."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from luminous.node.shell import closure, run_memory, what_changed
from luminous.node.shell.closure import CannotCompare, compare_closures, diff, last_two, packages, split_name
from luminous.node.shell.failure import Exit, Failure

needs_nix = pytest.mark.skipif(shutil.which("nix-env") is None, reason="nix is not installed")
HASH = "0c1h6v9w3xkqz0y1v2w3x4y5z6a7b8c9"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("openssl-3.0.2", ("openssl", "3.0.2")),
        ("openssl-3.0.2-bin", ("openssl", "3.0.2")),
        ("openssl-3.0.2.drv", ("openssl", "3.0.2")),
        ("python3.11-requests-2.31.0", ("python3.11-requests", "2.31.0")),
        ("foo-unstable-2024-01-31", ("foo-unstable", "2024-01-31")),
        ("nixos-system-box-24.05.20240131.abc", ("nixos-system-box", "24.05.20240131.abc")),
        ("unit-nginx.service", ("unit-nginx.service", "")),
        ("linux-6.6.1-modules", ("linux", "6.6.1")),
        ("bash-5.2-p15", ("bash", "5.2-p15")),
        ("glibc-locales", ("glibc-locales", "")),
        ("0001-fix.patch", ("0001-fix.patch", "")),
    ],
)
def test_names_are_cut_where_the_version_begins(name, parts):
    assert split_name(name) == parts


def paths(*names):
    return [f"/nix/store/{HASH}-{name}" for name in names]


def test_added_removed_and_changed_are_told_apart():
    before = packages(paths("a-1.0", "a-1.0-bin", "b-2.0", "c-1", "same-1"))
    after = packages(paths("a-1.1", "b-2.0", "b-3.0", "d-1", "same-1"))
    found = diff(before, after)
    assert [(c.name, c.kind, c.before, c.after) for c in found] == [
        ("a", "changed", ("1.0",), ("1.1",)),
        ("b", "changed", ("2.0",), ("2.0", "3.0")),
        ("c", "removed", ("1",), ()),
        ("d", "added", (), ("1",)),
    ]
    assert found[0].to_text() == "a: 1.0 → 1.1"
    assert diff(before, before) == ()


def test_what_is_no_store_path_counts_for_nothing():
    lines = [
        "",
        "/etc/passwd",
        f"/nix/store/{HASH}-",
        "/nix/store/short-a-1",
        f"x/{HASH}-a-1",
        "\x1b]0;a\x07",
    ]
    assert packages(lines) == {}
    assert packages(paths("evil\x1b[2J-1")) == {"evil?[2J": ("1",)}


# --- the real nix ----------------------------------------------------------------------------------

EXPRESSION = """
{ app, lib }:
let d = name: deps: derivation {
  inherit name deps;
  system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo $deps > $out" ];
};
in d "app-${app}" [ (d "lib-${lib}" [ ]) (if app == "1.0" then d "old-tool-7" [ ] else d "new-tool-1" [ ]) ]
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A store of its own with a real profile of two generations, each made by the real nix-env."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "default.nix").write_text(EXPRESSION)
    for name, value in {
        "HOME": str(tmp_path),
        "NIX_REMOTE": "local",
        "NIX_CONFIG": "sandbox = false\nbuild-users-group =\nsubstituters =\n",
        **{f"NIX_{name}_DIR": str(tmp_path / name.lower()) for name in ("STORE", "STATE", "LOG")},
        "NIX_LOCALSTATE_DIR": str(tmp_path / "state"),
        "LUMINOUS_DATA_DIR": str(tmp_path / "data"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(work)
    profile = tmp_path / "profiles" / "system"
    profile.parent.mkdir()
    made = []
    for app, lib in (("1.0", "3.1"), ("2.0", "3.2")):
        words = ["nix-build", "-Q", "--no-out-link", "--argstr", "app", app, "--argstr", "lib", lib]
        made.append(subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip())
        subprocess.run(
            ["nix-env", "--profile", str(profile), "--set", made[-1]], check=True, capture_output=True
        )
    return str(profile), made


@needs_nix
def test_two_real_generations_are_compared(machine, capsys):
    profile, made = machine
    old, new = last_two(profile)
    assert [os.path.realpath(old), os.path.realpath(new)] == made
    found = {(c.name, c.kind, c.before, c.after) for c in compare_closures(old, new).changes}
    assert found == {
        ("app", "changed", ("1.0",), ("2.0",)),
        ("lib", "changed", ("3.1",), ("3.2",)),
        ("old-tool", "removed", ("7",), ()),
        ("new-tool", "added", (), ("1",)),
    }
    assert what_changed.run(["--generations", "--profile", profile]) == 0
    said = capsys.readouterr().out
    assert "2 changed, 1 new, 1 gone" in said
    assert "app: 1.0 → 2.0" in said
    assert "Nothing was sent" in said
    assert what_changed.run(["--json", "--closure", "2", "1", "--profile", profile]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["schema"] == 1
    assert {"name": "app", "kind": "changed", "before": ["2.0"], "after": ["1.0"]} in facts["packages"]
    assert what_changed.run(["--closure", made[0], made[0]]) == 0
    assert "No package was added" in capsys.readouterr().out


@needs_nix
def test_after_a_rollback_the_current_one_is_compared_with_an_older_one_only(machine):
    profile, made = machine
    subprocess.run(["nix-env", "--profile", profile, "--rollback"], check=True, capture_output=True)
    with pytest.raises(CannotCompare, match="no generation before"):
        last_two(profile)
    assert os.path.realpath(profile) == made[0]


@needs_nix
def test_a_command_that_broke_with_a_new_generation_names_its_packages(machine, monkeypatch, capsys):
    profile, _ = machine
    monkeypatch.setattr(closure.generation_path, "__defaults__", (profile,))
    parts = {"schema": 1, "files": {}, "environment": "x"}
    state = {
        "command": "nix-build", "command_class": "nix-build",
        "good": {"wall_ms": 1, "fingerprint": {**parts, "generation": 1}},
        "failed": {"wall_ms": 2, "fingerprint": {**parts, "generation": 2}},
    }  # fmt: skip
    key = run_memory.key_of(["nix-build"], str(Path.cwd()))
    run_memory.save(os.environ["LUMINOUS_DATA_DIR"], key, state)
    assert what_changed.run(["--", "nix-build"]) == 0
    said = capsys.readouterr().out
    assert "generation 1 to 2" in said
    assert "lib: 3.1 → 3.2" in said


@needs_nix
@pytest.mark.parametrize("words", [["--closure", "1", "99"], ["--closure", "/nowhere/a", "/nowhere/b"]])
def test_what_is_gone_is_said(machine, words):
    with pytest.raises(Failure) as raised:
        what_changed.run([*words, "--profile", machine[0]])
    assert raised.value.code == Exit.CHECK_FAILED
    assert "cannot be compared" in str(raised.value)


@pytest.mark.parametrize("words", [["--generations", "--closure", "1", "2"], ["--generations", "--", "nix"]])
def test_contradictory_words_are_a_usage_failure(words):
    with pytest.raises(Failure) as raised:
        what_changed.run(words)
    assert raised.value.code == Exit.USAGE


def test_without_nix_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotCompare, match="not installed"):
        compare_closures("/a", "/b")
