"""What will be built here is what Nix itself announces, in its old and new words, and really is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from luminous.node.shell import preflight
from luminous.node.shell.local_builds import Expected, Unknown, dry, expect, parse_dry_run
from luminous.node.shell.replay import CannotReplay

needs_nix = pytest.mark.skipif(shutil.which("nix-build") is None, reason="nix is not installed")

HASH = "0c1h6v9w3xkqz0y1v2w3x4y5z6a7b8c9"
STORE = f"/nix/store/{HASH}"
OLD = f"""these derivations will be built:
  {STORE}-firefox-unwrapped-120.0.drv
  {STORE}-unit-nginx.service.drv
these paths will be fetched (12.50 MiB download, 80.10 MiB unpacked):
  {STORE}-hello-2.12
  {STORE}-glibc-2.37
"""
NEW = f"""warning: Git tree '/etc/nixos' is dirty
these 2 derivations will be built:
  {STORE}-firefox-unwrapped-120.0.drv
  {STORE}-unit-nginx.service.drv
these 2 paths will be fetched (12.50 MiB download, 80.10 MiB unpacked):
  {STORE}-hello-2.12
  {STORE}-glibc-2.37
"""
ONE = f"""this derivation will be built:
  {STORE}-linux-6.6.1.drv
this path will be fetched (0.50 GiB download, 1.10 GiB unpacked):
  {STORE}-texlive-2023
don't know how to build these paths (may be caused by read-only store access):
  {STORE}-gone-1
"""


@pytest.mark.parametrize("text", [OLD, NEW], ids=["nix 2.3", "nix 2.4 and later"])
def test_old_and_new_words_say_the_same(text):
    found = parse_dry_run(text)
    assert found == Expected(("firefox-unwrapped-120.0", "unit-nginx.service"), 2, 12)
    assert found.large == ("firefox-unwrapped-120.0",)
    assert found.to_text() == (
        "2 will be built here: firefox-unwrapped-120.0, unit-nginx.service; 2 will be fetched (12 MB)."
    )


def test_one_of_each_and_what_nobody_can_build():
    assert parse_dry_run(ONE) == Expected(("linux-6.6.1",), 1, 512)


def test_silence_means_that_nothing_is_to_be_done():
    assert parse_dry_run("") == Expected((), 0, None)
    assert "Nothing has to be built here" in parse_dry_run("").to_text()
    # paths that stand under no announcement count for nothing
    assert parse_dry_run(f"evaluating\n  {STORE}-x-1.drv\n").built == ()


def test_hostile_announcements_are_bounded_and_printed_safely():
    many = "these 99999 derivations will be built:\n" + "".join(
        f"  {STORE}-p{n}\x1b]0;owned\x07.drv\n" for n in range(60_000)
    )
    found = parse_dry_run(many)
    assert len(found.built) <= 50_000
    assert "\x1b" not in found.to_text()
    assert len(found.to_text()) < 1000


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("sudo nixos-rebuild switch --flake .", "nixos-rebuild dry-build --flake ."),
        ("nix build .#x", "nix build .#x --no-link --dry-run"),
        ("nix-build -A x", "nix-build -A x --no-out-link --dry-run"),
        ("home-manager switch", "home-manager build --dry-run"),
    ],
)
def test_a_dry_run_builds_and_activates_nothing(argv, words):
    assert dry(argv.split()) == words.split()


@pytest.mark.parametrize("argv", ["nix flake update", "nix-env -i x", "rm -rf x", "nix eval .#x"])
def test_what_has_no_dry_run_is_not_run(argv):
    with pytest.raises(CannotReplay):
        dry(argv.split())


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("sleep 60", "more than"),
        ("exec yes", "more than"),
        ("echo 'error: no such thing' >&2; exit 1", "no such thing"),
        ("exit 3", "exit code 3"),
    ],
)
def test_a_dry_run_that_hangs_shouts_or_fails_is_unknown(tmp_path, script, why):
    tool = tmp_path / "nix-build"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = expect(["nix-build"], str(tmp_path), env=env, time_limit_s=1 if "sleep" in script else 120)
    assert isinstance(found, Unknown)
    assert why in found.why


# --- the real nix ----------------------------------------------------------------------------------

EXPRESSION = """
let d = name: deps: derivation {
  inherit name deps;
  system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo hi > $out" ];
};
in d "chromium-120.0.1" [ (d "foo-1.2" [ ]) (d "bar-2.0" [ ]) ]
"""


@pytest.fixture
def nix(tmp_path):
    """A folder with three derivations, and the environment of a store of its own."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "default.nix").write_text(EXPRESSION)
    settings = "sandbox = false\nbuild-users-group =\nrequire-sigs = false\n"
    env = os.environ | {
        "HOME": str(tmp_path),
        "NIX_REMOTE": "local",
        "NIX_CONFIG": f"{settings}experimental-features = nix-command flakes\nsubstituters =\n",
        **{f"NIX_{name}_DIR": str(tmp_path / name.lower()) for name in ("STORE", "STATE", "LOG")},
        "NIX_LOCALSTATE_DIR": str(tmp_path / "state"),
    }
    return work, env


@needs_nix
@pytest.mark.parametrize("argv", [["nix-build"], ["nix", "build", "-f", "default.nix"]], ids="-".join)
def test_the_real_nix_announces_and_then_has_nothing_left(nix, argv):
    work, env = nix
    assert expect(argv, str(work), env=env) == Expected(("bar-2.0", "chromium-120.0.1", "foo-1.2"), 0, None)
    assert not list(work.glob("result*"))
    subprocess.run(["nix-build", "-Q", "--no-out-link"], cwd=work, env=env, check=True, capture_output=True)
    assert expect(argv, str(work), env=env) == Expected((), 0, None)


@needs_nix
def test_what_a_real_cache_has_is_fetched_and_not_built(nix, tmp_path):
    work, env = nix
    made = subprocess.run(
        ["nix-build", "-Q", "--no-out-link"], cwd=work, env=env, check=True, capture_output=True, text=True
    ).stdout.strip()
    cache = f"file://{tmp_path / 'cache'}"
    subprocess.run(["nix", "copy", "--to", cache, made], env=env, check=True, capture_output=True)
    subprocess.run(["nix-store", "--delete", made], env=env, check=True, capture_output=True)
    env["NIX_CONFIG"] += f"substituters = {cache}\n"
    found = expect(["nix-build"], str(work), env=env)
    assert isinstance(found, Expected)
    assert (found.built, found.fetched) == ((), 1)


@needs_nix
def test_preflight_tells_a_large_build_and_a_failing_evaluation(nix, capsys, monkeypatch):
    work, env = nix
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(work)
    assert preflight.run(["--", "nix-build"]) == 1
    said = capsys.readouterr().out
    assert "chromium-120.0.1 would be built here" in said
    assert "3 will be built here: chromium-120.0.1, bar-2.0, foo-1.2" in said
    preflight.run(["--no-builds", "--", "nix-build"])
    assert "built here" not in capsys.readouterr().out
    (work / "default.nix").write_text("{ x }: x y")
    assert preflight.run(["--", "nix-build"]) == 1
    said = capsys.readouterr().out
    assert "As it stands it fails, before anything is built: undefined variable 'y'" in said
    assert "Nothing stands in the way" not in said


@needs_nix
def test_a_strict_exec_does_not_start_a_large_local_build(nix):
    work, env = nix
    env["PYTHONPATH"] = str(Path(__file__).resolve().parents[3] / "src")
    env["LUMINOUS_DATA_DIR"] = str(work.parent / "data")
    words = [sys.executable, "-m", "luminous.node.shell.exec"]
    stopped = subprocess.run(
        [*words, "--preflight", "--", "nix-build", "--no-out-link"],
        cwd=work, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert stopped.returncode == 1
    assert "would be built here" in stopped.stderr
    assert "not started" in stopped.stderr
    free = subprocess.run(
        [*words, "--", "nix-build", "--no-out-link"], cwd=work, env=env, capture_output=True, text=True
    )
    assert free.returncode == 0
    assert "chromium-120.0.1" in free.stdout
