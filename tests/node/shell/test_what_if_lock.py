"""What if an input had been locked to another revision: really run, with inputs from git repositories."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from luminous.node.shell import what_if as command
from luminous.node.shell.failure import Failure
from luminous.node.shell.flake_inputs import absolute, input_names
from luminous.node.shell.replay import CannotReplay, scratch_copy
from luminous.node.shell.what_if import Lock, what_if

WHO = {
    "GIT_AUTHOR_NAME": "n",
    "GIT_AUTHOR_EMAIL": "n@x",
    "GIT_COMMITTER_NAME": "n",
    "GIT_COMMITTER_EMAIL": "n@x",
}
FEATURES = "experimental-features = nix-command flakes\nsubstituters =\nflake-registry = {registry}\n"


def has_flakes() -> bool:
    """Whether this machine's nix knows flakes (2.4 and later, behind a switch)."""
    if shutil.which("nix") is None:
        return False
    words = ["nix", "--extra-experimental-features", "nix-command flakes", "flake", "metadata", "--help"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


needs_flakes = pytest.mark.skipif(not has_flakes(), reason="no nix with flakes is installed")

SYSTEM = """{{
  inputs.lib.url = "git+file://{lib}";
  outputs = {{ self, lib }}: {{
    packages.${{lib.system}}.default = derivation {{
      name = "box-${{lib.value}}";
      inherit (lib) system;
      builder = "/bin/sh"; args = [ "-c" "echo hi > $out" ];
    }};
  }};
}}
"""
LIB = '{{ outputs = _: {{ system = "{system}"; {name} = "v"; }}; }}\n'


def git(folder: Path, *words: str) -> str:
    env = {**os.environ, **WHO}
    done = subprocess.run(["git", *words], cwd=folder, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def flake(tmp_path):
    """A flake whose input `lib` is locked to a commit that broke it; the commit before was good."""
    system = subprocess.run(
        ["nix-instantiate", "--eval", "-E", "builtins.currentSystem"],
        check=True, capture_output=True, text=True,
    ).stdout.strip().strip('"')  # fmt: skip
    lib, box = tmp_path / "lib", tmp_path / "box"
    revisions = []
    lib.mkdir()
    git(lib, "init", "-q", "-b", "main")
    for name in ("value", "valve"):
        (lib / "flake.nix").write_text(LIB.format(system=system, name=name))
        git(lib, "add", ".")
        git(lib, "commit", "-q", "-m", name)
        revisions.append(git(lib, "rev-parse", "HEAD"))
    (tmp_path / "registry.json").write_text('{"flakes":[],"version":2}')
    settings = FEATURES.format(registry=tmp_path / "registry.json")
    env = os.environ | {
        "HOME": str(tmp_path),
        "NIX_REMOTE": "local",
        "NIX_CONFIG": f"sandbox = false\nbuild-users-group =\n{settings}",
        **{f"NIX_{name}_DIR": str(tmp_path / name.lower()) for name in ("STORE", "STATE", "LOG")},
        "NIX_LOCALSTATE_DIR": str(tmp_path / "state"),
    }
    box.mkdir()
    (box / "flake.nix").write_text(SYSTEM.format(lib=lib))
    git(box, "init", "-q", "-b", "main")
    git(box, "add", ".")
    subprocess.run(["nix", "flake", "lock"], cwd=box, env=env, check=True, capture_output=True)
    git(box, "add", ".")
    git(box, "commit", "-q", "-m", "box")
    return box, lib, revisions, env


@needs_flakes
def test_the_good_revision_fixes_and_the_locked_one_changes_nothing(flake):
    box, lib, (good, bad), env = flake
    before = (box / "flake.lock").read_bytes()
    told = what_if(Lock("lib", f"git+file://{lib}?rev={good}"), ["nix", "build"], box, env=env)
    assert told.verdict == "fixed"
    assert not told.before.ok
    assert told.to_json()["tier"] == "replayed"
    same = what_if(Lock("lib", f"git+file://{lib}?rev={bad}"), ["nix", "build"], box, env=env)
    assert same.verdict == "same"
    assert "missing" in same.to_text()
    assert (box / "flake.lock").read_bytes() == before
    assert git(box, "status", "--porcelain") == ""


@needs_flakes
def test_a_folder_is_taken_from_where_the_person_stands_and_can_break(flake):
    box, lib, (good, _), env = flake
    git(lib, "checkout", "-q", good)
    told = what_if(Lock("lib", "../lib"), ["nix", "eval", ".#packages"], box, env=env)
    assert told.after.ok
    (lib / "flake.nix").write_text("{ outputs = _: syntax error; }\n")
    broken = what_if(Lock("lib", "path:../lib"), ["nix", "flake", "metadata"], box, env=env)
    assert broken.verdict == "broken"


@needs_flakes
@pytest.mark.parametrize(
    ("name", "reference", "argv", "why"),
    [
        ("nolib", "path:../lib", ["nix", "build"], "no input nolib; its inputs are: lib"),
        ("lib/deeper", "path:../lib", ["nix", "build"], "no input lib/deeper"),
        ("lib", "path:../lib", ["nix-build"], "works without flake inputs"),
        ("lib", "path:../nowhere", ["nix", "build"], "cannot be fetched"),
        ("lib", "--refresh", ["nix", "build"], "no flake reference"),
    ],
)
def test_what_would_answer_another_question_is_refused(flake, name, reference, argv, why):
    box, _, _, env = flake
    with pytest.raises(CannotReplay, match=why):
        what_if(Lock(name, reference), argv, box, env=env)


@needs_flakes
def test_a_flake_without_a_lock_says_how_to_get_one(flake, monkeypatch, capsys):
    box, lib, (good, _), env = flake
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(box)
    words = ["--lock", "lib", f"git+file://{lib}?rev={good}", "--", "nix", "build"]
    assert command.run(words) == 0
    assert "the command would have succeeded" in capsys.readouterr().out
    (box / "flake.lock").unlink()
    with pytest.raises(Failure) as raised:
        command.run(words)
    assert "nix flake lock" in str(raised.value)


def test_a_nix_without_flakes_is_named(tmp_path):
    """Nix 2.3 knows no `nix flake`."""
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "nix"
    tool.write_text("#!/bin/sh\necho \"error: 'flake' is not a recognised command\" >&2\nexit 1\n")
    tool.chmod(0o755)
    box = tmp_path / "box"
    box.mkdir()
    (box / "flake.lock").write_text('{"nodes":{"root":{"inputs":{"lib":"lib"}}},"root":"root"}')
    env = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    with pytest.raises(CannotReplay, match="this Nix has no flakes"):
        what_if(Lock("lib", "path:/x"), ["nix", "build"], box, env=env)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("github:nixos/nixpkgs", "github:nixos/nixpkgs"),
        ("../b?dir=x", "path:/a/b?dir=x"),
        ("path:./b", "path:/a/c/b"),
        ("/abs", "/abs"),
        ("nixpkgs", "nixpkgs"),
    ],
)
def test_references_to_folders_become_absolute(reference, expected):
    assert absolute(reference, "/a/c") == expected


@pytest.mark.parametrize("text", ["", "[]", '{"nodes":1,"root":"r"}', '{"root":"r"}', "[" * 9000, '"x"'])
def test_a_damaged_lock_is_said(tmp_path, text):
    (tmp_path / "flake.lock").write_text(text)
    with scratch_copy(tmp_path) as scratch, pytest.raises(CannotReplay):
        input_names(scratch.root)
