"""A look ahead finds each trouble when it is there, none when it is not, and stops nothing unless asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from luminous.node.shell import preflight
from luminous.node.shell.command_class import COMMAND_CLASSES, bare, command_class, is_build
from luminous.node.shell.preflight import look

REPO = Path(__file__).resolve().parents[3]
REBUILD = ["nixos-rebuild", "switch"]
ROOMY = "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\nSwapFree: 0 kB\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without trouble, of which tests take pieces away."""
    root = tmp_path / "machine"
    for name in ("nix/store", "boot", "proc", "run/current-system", "home"):
        (root / name).mkdir(parents=True)
    (root / "proc/meminfo").write_text(ROOMY)
    free = {"nix/store": (50_000, 10**6), "boot": (500, 10**6)}

    class Seen:
        def __init__(self, free_mb, inodes):
            self.f_bavail, self.f_frsize, self.f_files, self.f_favail = free_mb, 2**20, 10**7, inodes

    def statvfs(path):
        return Seen(*free[str(Path(path).relative_to(root))])

    monkeypatch.setattr(preflight.os, "statvfs", statvfs)
    return root, free


def ids(machine, argv=REBUILD):
    return [t.id for t in look(argv, str(machine[0] / "home"), root_dir=str(machine[0]))]


def test_a_healthy_machine_has_no_trouble(machine):
    assert ids(machine) == []


@pytest.mark.parametrize(
    ("place", "room", "found"),
    [
        ("nix/store", (100, 10**6), "store_space"),
        ("nix/store", (50_000, 5), "store_inodes"),
        ("boot", (5, 10**6), "boot_space"),
    ],
)
def test_missing_room_is_found(machine, place, room, found):
    machine[1][place] = room
    assert ids(machine) == [found]


def test_boot_matters_only_where_it_is_written(machine):
    machine[1]["boot"] = (5, 10**6)
    assert ids(machine, ["nix-build"]) == []


def test_little_memory_is_found_and_swap_counts(machine):
    (machine[0] / "proc/meminfo").write_text("MemAvailable: 300000 kB\nSwapFree: 100000 kB\n")
    assert ids(machine) == ["memory"]
    (machine[0] / "proc/meminfo").write_text("MemAvailable: 300000 kB\nSwapFree: 9000000 kB\n")
    assert ids(machine) == []


def test_switch_inhibitors_are_found(machine):
    path = machine[0] / "run/current-system/switch-inhibitors"
    path.write_text("{}\n")
    assert ids(machine) == []
    path.write_text("dbus: dbus-broker to dbus\n")
    assert ids(machine) == ["switch_inhibitors"]


def test_files_that_a_flake_cannot_see_are_found(machine):
    home = machine[0] / "home"
    (home / "flake.nix").write_text("{ }")
    subprocess.run(["git", "init", "-q"], cwd=home, check=True)
    (home / "new file\x1b[2J.nix").write_text("{ }")
    found = look(["nix", "build", ".#x"], str(home), root_dir=str(machine[0]))
    assert [t.id for t in found] == ["untracked_files"]
    assert "git add -N" in found[0].to_text()
    assert "\x1b" not in found[0].to_text()
    subprocess.run(["git", "add", "-A"], cwd=home, check=True)
    assert ids(machine, ["nix", "build", ".#x"]) == []
    assert ids(machine, ["nix-build"]) == []


def test_a_machine_that_cannot_be_read_has_no_trouble(tmp_path):
    assert look(REBUILD, str(tmp_path), root_dir=str(tmp_path / "nothing")) == ()


def test_only_strict_stops_a_command(tmp_path):
    (tmp_path / "flake.nix").write_text("{ }")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "nix"
    tool.write_text("#!/bin/sh\necho ran\n")
    tool.chmod(0o755)
    env = os.environ | {
        "PYTHONPATH": str(REPO / "src"),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "LUMINOUS_DATA_DIR": str(tmp_path / "data"),
    }

    def run(*options):
        argv = [sys.executable, "-m", "luminous.node.shell.exec", *options, "--", "nix", "build", ".#x"]
        return subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True)

    warned = run()
    assert (warned.returncode, warned.stdout) == (0, "ran\n")
    assert "flake.nix" in warned.stderr
    assert warned.stderr.count("untracked") + warned.stderr.count("does not track") == 1
    assert "does not track" not in run("--no-preflight").stderr
    stopped = run("--preflight")
    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert "not started" in stopped.stderr


@pytest.mark.parametrize(
    ("line", "kind", "build"),
    [
        ("sudo -E nixos-rebuild switch", "nixos-rebuild", True),
        ("sudo -u alice nix build", "nix", True),
        ("sudo -n nix-build", "nix-build", True),
        ("sudo -n -u alice -- nixos-rebuild switch", "nixos-rebuild", True),
        ("nice -n 10 ionice -c 3 nix-build", "nix-build", True),
        ("env -u X A=b time -f %e nix build", "nix", True),
        ("FOO=bar /run/current-system/sw/bin/nix-build x", "nix-build", True),
        ("nixos-rebuild list-generations", "nixos-rebuild", False),
        ("nix flake show", "nix", False),
        ("nh os switch", "nh", True),
        ("grep nix-build file", "other", False),
        ("", "other", False),
        ("sudo", "other", False),
    ],
)
def test_commands_are_classed(line, kind, build):
    assert command_class(line.split()) == kind
    assert is_build(line.split()) is build
    assert kind in COMMAND_CLASSES
    assert bare(line.split()) == [] or not bare(line.split())[0].startswith("sudo")
