"""Small Nix machines that really fail: one "system build" with fault switches, run by the real nix.

A world is a folder with a configuration, a tiny package set and module system, and a store of its own.
Faults are edits of single lines (or, for the disk, of the machine), so removing one is exact and every
counterfactual can be replayed. Refuses to touch the machine's own store, its channels or its configuration,
and to pretend: without nix it raises, without the right to mount `disk_full` is not offered.

The method follows the recorded worlds in the development data (`scm.jsonl`); names vary with the seed.
"""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from luminous.simulations.nix_faults import FAULTS, PARTS, STATE_FAULTS, Names, lines_for, names_for

__all__ = [
    "FAULTS",
    "Names",
    "World",
    "has_nix",
    "make_world",
    "names_for",
    "remove_world",
    "run_world",
    "without",
    "world_argv",
    "world_env",
]

TEMPLATES = Path(__file__).parent / "nix_world"
STATE = ".state"
STORE_SMALL_BYTES = 24 * 1024 * 1024
STORE_LEFT_BYTES = 3 * 1024 * 1024 // 2
RUN_TIMEOUT_S = 60
STDERR_SIZE_BYTES_MAX = 256 * 1024
_FLAKE_MARK = "flake.nix"


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """A made world: where it is, what is wrong with it, and whether it is a flake in git."""

    root: Path
    faults: frozenset[str]
    seed: int
    is_flake: bool


def has_nix() -> bool:
    """Whether nix is installed; worlds cannot be run without it."""
    return shutil.which("nix-build") is not None


def can_mount() -> bool:
    """Whether this process may mount a small file system, which `disk_full` needs."""
    return os.geteuid() == 0 and sys.platform == "linux" and shutil.which("mount") is not None


def make_world(
    directory: Path | str, faults: Collection[str] = (), *, seed: int = 0, flake: bool = False
) -> World:
    """Write a fresh world with exactly `faults` (names of `FAULTS`) into an empty or absent `directory`.

    `file_not_tracked_by_git` makes it a flake. Raises ValueError for an unknown fault or two faults that want
    the same line, and FileExistsError when the directory holds anything.
    """
    root, wanted = Path(directory).resolve(), frozenset(faults)
    unknown = sorted(wanted - set(FAULTS))
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}")
    is_flake = flake or "file_not_tracked_by_git" in wanted
    if is_flake and "missing_channel" in wanted:
        raise ValueError("a flake has no channels: missing_channel needs a world without flake")
    if root.exists() and any(root.iterdir()):
        raise FileExistsError(str(root))
    root.mkdir(parents=True, exist_ok=True)
    names = names_for(seed)
    lines = lines_for(wanted, names, is_flake=is_flake)
    for source in sorted(TEMPLATES.rglob("*")):
        entry = "default.nix" if is_flake else _FLAKE_MARK
        if source.is_dir() or source == TEMPLATES / entry:
            continue
        target = root / source.relative_to(TEMPLATES)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(source.read_text("utf-8"), lines), "utf-8")
    world = World(root, wanted, seed, is_flake)
    (root / STATE).mkdir()
    if is_flake:
        _make_repository(world)
    if "disk_full" in wanted:
        _fill_disk(world)
    return world


def without(world: World, fault: str, directory: Path | str) -> World:
    """The same world in another folder, had `fault` not been: the exact counterfactual."""
    return make_world(directory, world.faults - {fault}, seed=world.seed, flake=world.is_flake)


def world_argv(directory: Path | str) -> list[str]:
    """The command a user would run in this world."""
    if (Path(directory) / _FLAKE_MARK).exists():
        return ["nix", "build", "--no-link", "--print-build-logs", ".#system"]
    return ["nix-build", "--no-out-link", "default.nix"]


def world_env(directory: Path | str) -> dict[str, str]:
    """The whole environment of a run: own store, no network, no user configuration."""
    root = Path(directory).resolve()
    state = root / STATE
    settings = (
        "sandbox = false",
        "build-users-group =",
        "substituters =",
        "experimental-features = nix-command flakes",
        "max-silent-time = 2",
        "max-jobs = 1",
        "flake-registry =",
    )
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(state / "home"),
        "LC_ALL": "C.UTF-8",
        "NIX_CONFIG": "\n".join(settings) + "\n",
        "NIX_CONF_DIR": str(state / "conf"),
        "NIX_STORE_DIR": str(state / "store"),
        "NIX_STATE_DIR": str(state / "var"),
        "NIX_LOG_DIR": str(state / "log"),
        "NIX_LOCALSTATE_DIR": str(state / "var"),
        "NIX_PATH": f"nixpkgs={root / 'nixpkgs'}",
        "NIX_REMOTE": "local",
    }


def run_world(
    directory: Path | str, *, extra_argv: Sequence[str] = (), extra_env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Build the world with the real nix; `(exit_code, stderr)`, stderr bounded to its last 256 KiB.

    `extra_argv` and `extra_env` let a fix speak for one run (`-I name=path`, `NIXPKGS_ALLOW_UNFREE=1`).
    """
    root = Path(directory).resolve()
    for name in ("home", "conf"):
        (root / STATE / name).mkdir(parents=True, exist_ok=True)
    env = world_env(root) | dict(extra_env or {})
    argv = [*world_argv(root), *extra_argv]
    ran = subprocess.run(
        argv,
        cwd=root,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    return ran.returncode, ran.stderr[-STDERR_SIZE_BYTES_MAX:].decode("utf-8", "replace")


def remove_world(directory: Path | str) -> None:
    """Unmount and delete a world; store paths are read-only, so they are made writable first."""
    root = Path(directory).resolve()
    state = root / STATE
    if state.is_mount():
        subprocess.run(["umount", str(state)], check=True)
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o700)
    shutil.rmtree(root)


def _filled(text: str, lines: Mapping[str, str]) -> str:
    for part in PARTS:
        text = text.replace(f"@{part}@\n", lines[part] and lines[part] + "\n").replace(
            f"@{part}@", lines[part]
        )
    return text


def _make_repository(world: World) -> None:
    root = world.root
    (root / ".gitignore").write_text(f"/{STATE}\n", "utf-8")
    tracked = [".", ":!users.nix"] if "file_not_tracked_by_git" in world.faults else ["."]
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(root / STATE)}
    for argv in (
        ["git", "init", "-q", "-b", "main"],
        ["git", "add", *tracked],
        ["git", *who, "commit", "-q", "-m", "first"],
    ):
        subprocess.run(argv, cwd=root, env=env, check=True, capture_output=True)


def _fill_disk(world: World) -> None:
    """A store on a small file system, full of garbage that `nix-collect-garbage` (or a person) can remove."""
    if not can_mount():
        raise PermissionError("disk_full needs the right to mount a small file system")
    state = world.root / STATE
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={STORE_SMALL_BYTES},mode=0755", "tmpfs", str(state)], check=True
    )
    for name in ("home", "conf"):
        (state / name).mkdir()
    with tempfile.TemporaryDirectory() as elsewhere:
        garbage = Path(elsewhere) / "old-generation.bin"
        garbage.write_bytes(b"")
        _add_to_store(world, garbage)  # creates the store's database before the room is measured
        garbage.write_bytes(b"\0" * (shutil.disk_usage(state).free - STORE_LEFT_BYTES))
        _add_to_store(world, garbage)


def _add_to_store(world: World, path: Path) -> None:
    argv = ["nix-store", "--add", str(path)]
    subprocess.run(argv, env=world_env(world.root), check=True, capture_output=True)


def describe(world: World) -> str:
    """One line of canonical JSON about a world, for records and reports."""
    fields = {"faults": sorted(world.faults), "flake": world.is_flake, "seed": world.seed}
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


assert set(STATE_FAULTS) <= set(FAULTS)
