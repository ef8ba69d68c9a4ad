"""Counterfactuals are replayed exactly, in worlds whose faults are known; the original is not touched."""

import hashlib
import itertools
import json
from pathlib import Path

import pytest

from luminous.node.shell.replay import CannotReplay, harmless
from luminous.node.shell.what_if import GitAdd, HadNot, Replace, parse, what_if
from luminous.simulations import nix_worlds
from luminous.simulations.nix_faults import FAULTS, PARTS, lines_for, names_for

needs_nix = pytest.mark.skipif(not nix_worlds.has_nix(), reason="nix is not installed")


def state_of(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file() and ".state" not in p.parts)
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def removal_of(world, fault):
    """The single edit that takes one fault out of a world."""
    part, names = FAULTS[fault].part, names_for(world.seed)
    if fault == "file_not_tracked_by_git":
        return GitAdd("users.nix")
    bad, good = FAULTS[fault].line(names), PARTS[part](names)
    for path in sorted(world.root.rglob("*")):
        if path.is_file() and ".state" not in path.parts and ".git" not in path.parts:
            text = path.read_text()
            if bad and text.count(f"{bad}\n") == 1:
                return Replace(path.name, f"{bad}\n", f"{good}\n" if good else "")
    raise AssertionError(f"no single place of {fault}")


PAIRS = [
    ("syntax_error", "hash_mismatch"),
    ("undefined_variable", "option_not_found"),
    ("missing_file", "dependency_build_failed"),
    ("option_type_error", "assertion_failed"),
    ("missing_attribute", "unfree_license"),
    ("type_error", "build_failed"),
]


@needs_nix
@pytest.mark.parametrize(
    "faults",
    [("missing_attribute",), ("option_type_error",), ("file_not_tracked_by_git",), *PAIRS],
    ids="+".join,
)
def test_every_counterfactual_is_the_truth(tmp_path, faults):
    world = nix_worlds.make_world(tmp_path / "w", faults, seed=2)
    before = state_of(world.root)
    for fault in faults:
        told = what_if(
            removal_of(world, fault), nix_worlds.world_argv(world.root), world.root,
            env=nix_worlds.world_env(world.root),
        )  # fmt: skip
        truth = nix_worlds.without(world, fault, tmp_path / f"without-{fault}")
        code, _ = nix_worlds.run_world(truth.root)
        assert (told.after.exit_code == 0) == (code == 0)
        assert told.verdict == ("fixed" if code == 0 else told.verdict)
        assert told.verdict in ("fixed", "same", "other_failure")
        assert told.to_json()["tier"] == "replayed"
        assert "replayed" in told.to_text()
        nix_worlds.remove_world(truth.root)
    assert state_of(world.root) == before
    nix_worlds.remove_world(world.root)


SCM = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "nix" / "scm.jsonl"


def recorded_worlds():
    """Each combination of faults in the recorded worlds once, with what the recorded re-runs said; without
    the full disk, which is no edit of a file.
    """
    if not SCM.is_file():
        return {}
    rows = [json.loads(line) for line in SCM.read_text("utf-8").splitlines()]
    return {
        tuple(row["flags"]): {name: run["success"] for name, run in row["counterfactual"].items()}
        for row in rows
        if "disk_full" not in row["flags"]
    }


@needs_nix
@pytest.mark.slow
@pytest.mark.skipif(not SCM.is_file(), reason="the development data (../shared/data) is not here")
def test_the_recorded_counterfactuals_are_met_exactly(tmp_path):
    """What the recorded worlds' own re-runs said, our replay of the same faults says too."""
    asked = 0
    for number, (faults, truth) in enumerate(recorded_worlds().items()):
        world = nix_worlds.make_world(tmp_path / f"w{number}", faults, seed=number)
        for fault in faults:
            told = what_if(
                removal_of(world, fault), nix_worlds.world_argv(world.root), world.root,
                env=nix_worlds.world_env(world.root),
            )  # fmt: skip
            assert not told.before.ok
            assert told.after.ok == truth[f"had_not_{fault}"], (faults, fault)
            asked += 1
        nix_worlds.remove_world(world.root)
    assert asked > 20


@needs_nix
def test_masking_is_seen(tmp_path):
    world = nix_worlds.make_world(tmp_path / "w", ["syntax_error", "hash_mismatch"])
    argv, env = nix_worlds.world_argv(world.root), nix_worlds.world_env(world.root)
    first = what_if(removal_of(world, "syntax_error"), argv, world.root, env=env)
    assert first.verdict == "other_failure"
    assert "hash mismatch" in first.to_text()
    second = what_if(removal_of(world, "hash_mismatch"), argv, world.root, env=env)
    assert second.verdict == "same"
    nix_worlds.remove_world(world.root)


@needs_nix
def test_had_not_takes_out_one_line_and_a_harmful_edit_is_seen(tmp_path):
    world = nix_worlds.make_world(tmp_path / "w", ["user_throw"])
    argv, env = nix_worlds.world_argv(world.root), nix_worlds.world_env(world.root)
    lines = (world.root / "configuration.nix").read_text().split("\n")
    line = lines.index(FAULTS["user_throw"].line(names_for(0))) + 1
    assert what_if(HadNot("configuration.nix", line), argv, world.root, env=env).verdict == "fixed"
    assert what_if(HadNot("configuration.nix", 1), argv, world.root, env=env).verdict != "fixed"
    healthy = nix_worlds.make_world(tmp_path / "h")
    env = nix_worlds.world_env(healthy.root)
    assert what_if(HadNot("configuration.nix", 1), argv, healthy.root, env=env).verdict == "broken"
    nix_worlds.remove_world(world.root)
    nix_worlds.remove_world(healthy.root)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("sudo nixos-rebuild switch --flake .#box", "nixos-rebuild build --flake .#box"),
        ("nixos-rebuild boot", "nixos-rebuild build"),
        ("home-manager switch", "home-manager build"),
        ("nix-build default.nix", "nix-build default.nix --no-out-link"),
        ("nix build .#x", "nix build .#x --no-link"),
        ("nix eval .#x", "nix eval .#x"),
    ],
)
def test_what_activates_is_only_built(argv, expected):
    assert harmless(argv.split()) == expected.split()


@pytest.mark.parametrize(
    "argv",
    [
        "",
        "rm -rf x",
        "nix run .#x",
        "nix flake update",
        "nix profile install x",
        "nix-collect-garbage -d",
        "nix-env -iA x",
        "nixos-rebuild --rollback",
        "sudo sh -c x",
        "systemctl restart x",
    ],
)
def test_other_commands_are_refused(argv):
    with pytest.raises(CannotReplay):
        harmless(argv.split())


def test_edits_stay_inside_the_copy(tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "outside.nix").write_text("1\n")
    (tmp_path / "w" / "link.nix").symlink_to(tmp_path / "outside.nix")
    (tmp_path / "w" / "default.nix").write_text("1\n")
    for file in ("../outside.nix", str(tmp_path / "outside.nix"), "link.nix", "absent.nix"):
        with pytest.raises(CannotReplay):
            what_if(
                HadNot(file, 1), ["nix-build", "default.nix"], tmp_path / "w", env={"PATH": "/nonexistent"}
            )
    assert (tmp_path / "outside.nix").read_text() == "1\n"


def test_edits_are_read_from_words():
    assert parse(["--had-not", "a:b.nix:12"]) == HadNot("a:b.nix", 12)
    assert parse(["--replace", "f", "a", "b"]) == Replace("f", "a", "b")
    assert parse(["--git-add", "f"]) == GitAdd("f")
    for bad in ([], ["--had-not"], ["--had-not", "x"], ["--lock", "a"], ["--nope", "x"], ["--had-not", ":3"]):
        with pytest.raises(ValueError, match="--"):
            parse(bad)


def test_every_pair_here_changes_different_parts():
    for one, two in itertools.chain(PAIRS):
        lines_for([one, two], names_for(0), is_flake=False)
