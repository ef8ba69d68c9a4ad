"""Worlds fail as they say, and only because of the fault: every removal is replayed with the real nix."""

import itertools
from pathlib import Path

import pytest

from luminous.simulations import nix_worlds
from luminous.simulations.nix_faults import FAULTS, lines_for, names_for

needs_nix = pytest.mark.skipif(not nix_worlds.has_nix(), reason="nix is not installed")

# A word of the message that only this fault brings; the class decides nothing here, nix's own text does.
SAYS = {
    "syntax_error": "syntax error",
    "attr_already_defined": "already defined",
    "undefined_variable": "undefined variable",
    "missing_argument": "without required argument",
    "unexpected_argument": "unexpected argument",
    "missing_channel": "search path",
    "missing_file": ".nix",
    "file_not_tracked_by_git": "users.nix",
    "bad_json_toml": "parse",
    "type_error": "cannot coerce",
    "infinite_recursion": "infinite recursion",
    "missing_attribute": "attribute",
    "user_throw": "has been re",
    "unfree_license": "unfree license",
    "insecure_package": "insecure",
    "broken_package": "broken",
    "option_not_found": "does not exist",
    "option_type_error": "is not of type",
    "option_conflict": "conflicting definition",
    "assertion_failed": "Failed assertions",
    "platform_mismatch": "is required to build",
    "builder_not_found": "no-such-shell",
    "hash_mismatch": "hash mismatch",
    "dependency_build_failed": "configure failed",
    "no_output_produced": "failed to produce output",
    "timeout": "timed out",
    "build_failed": "no boot loader found",
    "disk_full": "No space left",
}


@pytest.fixture
def worlds(tmp_path: Path):
    made: list[Path] = []

    def make(faults=(), **options) -> nix_worlds.World:
        path = tmp_path / f"w{len(made)}"
        made.append(path)
        return nix_worlds.make_world(path, faults, **options)

    yield make
    for path in made:
        if path.exists():
            nix_worlds.remove_world(path)


def test_every_fault_has_its_word():
    assert set(SAYS) == set(FAULTS)
    assert len(FAULTS) >= 10


@needs_nix
@pytest.mark.parametrize("flake", [False, True])
def test_a_healthy_world_builds(worlds, flake):
    world = worlds((), flake=flake, seed=3)
    code, text = nix_worlds.run_world(world.root)
    assert (code, "error" in text) == (0, False)


@needs_nix
@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"timeout"}))
def test_one_fault_fails_alone_and_its_removal_heals(worlds, fault):
    if fault == "disk_full" and not nix_worlds.can_mount():
        pytest.skip("this user may not mount a small file system")
    world = worlds([fault], seed=1)
    code, text = nix_worlds.run_world(world.root)
    assert code != 0
    assert SAYS[fault] in text
    healed = nix_worlds.without(world, fault, world.root.parent / "healed")
    assert nix_worlds.run_world(healed.root)[0] == 0
    nix_worlds.remove_world(healed.root)


@needs_nix
@pytest.mark.slow
def test_a_silent_build_times_out(worlds):
    code, text = nix_worlds.run_world(worlds(["timeout"]).root)
    assert code == 101
    assert SAYS["timeout"] in text


@needs_nix
def test_two_faults_hide_one_another(worlds):
    world = worlds(["syntax_error", "hash_mismatch"])
    assert "syntax error" in nix_worlds.run_world(world.root)[1]
    for fault, other in (("syntax_error", "hash mismatch"), ("hash_mismatch", "syntax error")):
        left = nix_worlds.without(world, fault, world.root.parent / fault)
        code, text = nix_worlds.run_world(left.root)
        assert code != 0
        assert other in text
        nix_worlds.remove_world(left.root)


@needs_nix
def test_garbage_is_what_fills_the_disk(worlds):
    if not nix_worlds.can_mount():
        pytest.skip("this user may not mount a small file system")
    import subprocess

    world = worlds(["disk_full"])
    assert nix_worlds.run_world(world.root)[0] != 0
    env = nix_worlds.world_env(world.root)
    subprocess.run(["nix-collect-garbage"], env=env, check=True, capture_output=True)
    assert nix_worlds.run_world(world.root)[0] == 0


def test_faults_change_only_their_own_part():
    names = names_for(5)
    healthy = lines_for((), names, is_flake=False)
    for name, fault in FAULTS.items():
        changed = {p for p, line in lines_for([name], names, is_flake=False).items() if line != healthy[p]}
        assert changed == ({fault.part} if fault.part else set())


def test_two_faults_of_one_part_are_refused():
    clashes = 0
    for one, two in itertools.combinations(sorted(FAULTS), 2):
        if FAULTS[one].part is not None and FAULTS[one].part == FAULTS[two].part:
            clashes += 1
            with pytest.raises(ValueError, match="same line"):
                lines_for([one, two], names_for(0), is_flake=False)
    assert clashes > 0


def test_bad_requests_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no such fault"):
        nix_worlds.make_world(tmp_path / "a", ["gremlins"])
    with pytest.raises(ValueError, match="channels"):
        nix_worlds.make_world(tmp_path / "b", ["missing_channel"], flake=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("x")
    with pytest.raises(FileExistsError):
        nix_worlds.make_world(tmp_path / "full")
    assert (tmp_path / "full" / "precious").read_text() == "x"


def test_seeds_vary_names_and_nothing_else(tmp_path):
    assert len({names_for(seed) for seed in range(20)}) > 10
    assert names_for(7) == names_for(7)
