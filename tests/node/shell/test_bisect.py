"""The breaking commit is found by running, and the user's repository stays as it was."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from luminous.node.shell.bisect import bisect
from luminous.node.shell.replay import CannotReplay

ENV = {
    **os.environ,
    "GIT_AUTHOR_NAME": "n",
    "GIT_AUTHOR_EMAIL": "n@x",
    "GIT_COMMITTER_NAME": "n",
    "GIT_COMMITTER_EMAIL": "n@x",
}


def git(folder, *words):
    return subprocess.run(
        ["git", *words], cwd=folder, env=ENV, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def tool(tmp_path):
    """A nix-build that fails when the tree holds a line `broken`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nix-build").write_text(
        '#!/bin/sh\nif grep -q broken default.nix; then echo "error: it is broken" >&2; exit 1; fi\n'
    )
    (folder / "nix-build").chmod(0o755)
    return ENV | {"PATH": f"{folder}:{ENV['PATH']}"}


def history(folder: Path, count: int, broken_at: int | None) -> list[str]:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commits = []
    for number in range(count):
        body = f"{number}\n" + ("broken\n" if broken_at is not None and number >= broken_at else "")
        (folder / "default.nix").write_text(body)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"change {number}")
        commits.append(git(folder, "rev-parse", "HEAD").strip())
    return commits


def everything(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(("count", "broken_at"), [(2, 1), (9, 4), (20, 1), (20, 19)])
@pytest.mark.parametrize("good_is_known", [True, False])
def test_the_breaking_commit_is_found(tmp_path, tool, count, broken_at, good_is_known):
    commits = history(tmp_path / "repo", count, broken_at)
    (tmp_path / "repo" / "work-in-progress.nix").write_text("mine")
    before = everything(tmp_path / "repo")
    heard: list[str] = []
    found = bisect(
        ["nix-build"],
        tmp_path / "repo",
        good=commits[0] if good_is_known else None,
        env=tool,
        tell=heard.append,
    )
    assert (found.bad, found.good) == (commits[broken_at], commits[broken_at - 1])
    assert found.files == ("default.nix",)
    assert len(heard) == len(found.steps) <= 2 * count.bit_length() + 2
    assert "it is broken" in found.to_text()
    assert f"change {broken_at}" in found.to_text()
    assert everything(tmp_path / "repo") == before


def test_nothing_broken_and_everything_broken_are_said(tmp_path, tool):
    history(tmp_path / "a", 4, None)
    fine = bisect(["nix-build"], tmp_path / "a", env=tool)
    assert fine.bad is None
    assert "works at every commit" in fine.to_text()
    history(tmp_path / "b", 4, 0)
    never = bisect(["nix-build"], tmp_path / "b", env=tool)
    assert never.good is None
    assert "Every commit" in never.to_text()


def test_what_cannot_be_bisected_is_refused(tmp_path, tool):
    (tmp_path / "plain").mkdir()
    with pytest.raises(CannotReplay, match="git repository"):
        bisect(["nix-build"], tmp_path / "plain", env=tool)
    commits = history(tmp_path / "repo", 3, 1)
    with pytest.raises(CannotReplay):
        bisect(["rm", "-rf", "x"], tmp_path / "repo", env=tool)
    for name in ("--output=x", "no-such-commit"):
        with pytest.raises(CannotReplay):
            bisect(["nix-build"], tmp_path / "repo", good=name, env=tool)
    with pytest.raises(CannotReplay, match="before"):
        bisect(["nix-build"], tmp_path / "repo", good=commits[2], bad=commits[0], env=tool)


# --- the real nix, one commit a system generation --------------------------------------------------

SYSTEM = """let lib = import ./lib.nix; in derivation {{
  name = "system-${{lib.version}}-{number}";
  system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "{build}" ];
}}
"""


@pytest.fixture
def machine(tmp_path):
    """A store of its own for the person, beside the one that the replay makes."""
    if shutil.which("nix-build") is None:
        pytest.skip("nix is not installed")
    return ENV | {
        "HOME": str(tmp_path),
        "NIX_REMOTE": "local",
        "NIX_CONFIG": "sandbox = false\nbuild-users-group =\nsubstituters =\n",
        **{f"NIX_{name}_DIR": str(tmp_path / name.lower()) for name in ("STORE", "STATE", "LOG")},
        "NIX_LOCALSTATE_DIR": str(tmp_path / "state"),
    }


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("lib.nix", "{ }", "attribute 'version' missing"),
        ("lib.nix", "{ version = 1; }", "cannot coerce"),
        ("default.nix", None, "builder for"),  # it evaluates; only building it shows the fault
    ],
)
def test_the_generation_that_broke_it_is_found_by_the_real_nix(tmp_path, machine, file, text, said):
    """Generations 1 to 6 of a system, each a commit that was built into a profile; the fourth cannot be."""
    repo, profile = tmp_path / "repo", tmp_path / "profiles" / "system"
    repo.mkdir()
    profile.parent.mkdir()
    git(repo, "init", "-q", "-b", "main")
    commits = []
    for number in range(1, 7):
        is_broken = number >= 4
        build = "exit 3" if is_broken and text is None else "echo hi > $out"
        (repo / "default.nix").write_text(SYSTEM.format(number=number, build=build))
        (repo / "lib.nix").write_text(text if is_broken and text else '{ version = "1"; }')
        git(repo, "add", ".")
        git(repo, "commit", "-q", "-m", f"generation {number}")
        commits.append(git(repo, "rev-parse", "HEAD").strip())
        built = subprocess.run(
            ["nix-build", "--no-out-link"], cwd=repo, env=machine, capture_output=True, text=True
        )
        assert (built.returncode == 0) == (not is_broken)
        if not is_broken:
            words = ["nix-env", "--profile", str(profile), "--set", built.stdout.strip()]
            subprocess.run(words, env=machine, check=True, capture_output=True)
    before, generation = everything(repo), profile.readlink()
    found = bisect(["nix-build"], repo, env=machine)
    assert (found.good, found.bad) == (commits[2], commits[3])
    assert file in found.files
    assert said in next(step.said for step in found.steps if step.commit == commits[3])
    assert len(found.steps) <= 5
    assert everything(repo) == before
    assert profile.readlink() == generation  # nothing was activated


def test_planted_fault_a_command_that_never_fails_finds_nothing(tmp_path, tool):
    """Doing nothing is not finding: with a tool that always works no commit is named."""
    history(tmp_path / "repo", 6, 3)
    (tmp_path / "bin" / "nix-build").write_text("#!/bin/sh\n")
    assert bisect(["nix-build"], tmp_path / "repo", env=tool).bad is None
