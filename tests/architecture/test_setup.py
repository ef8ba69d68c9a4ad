"""``setup.sh`` on machines that lack something: it says what and how, before anything is downloaded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD = "#!/bin/sh\ncase $1 in --version) echo Python 3.9.1;; *) exit 1;; esac\n"
RECORD = '#!/bin/sh\necho "$0 $*" >> "$CALLS"\n'


class Machine:
    """A copy of ``setup.sh`` in a directory of its own, on a machine with only the named programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "calls"
        for name in ("setup.sh", "requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, folder / name)
        for name in ("sh", "dirname", "cat"):
            self.link(name, str(shutil.which(name)))

    def link(self, name: str, target: str) -> None:
        (self.bin / name).symlink_to(target)

    def script(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "sh"), "setup.sh", "run"],
            cwd=self.folder,
            env={"PATH": str(self.bin), "CALLS": str(self.calls), "HOME": str(self.folder), **env},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def called(self) -> str:
        return self.calls.read_text() if self.calls.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def with_python(machine: Machine) -> None:
    machine.script("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')


def nothing_was_made(machine: Machine) -> bool:
    return not (machine.folder / ".venv").exists()


def test_python_too_old_or_absent_is_told(machine: Machine) -> None:
    for found in ("no python3", "Python 3.9.1"):
        done = machine.run()
        assert done.returncode == 1
        assert f"needs Python 3.11 or newer; found: {found}" in done.stderr
        assert nothing_was_made(machine)
        if not (machine.bin / "python3").exists():
            machine.script("python3", OLD)


def test_a_newer_python_beside_an_old_python3_is_found(machine: Machine) -> None:
    machine.script("python3", OLD)
    machine.script("python3.12", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    done = machine.run()
    assert "needs Python" not in done.stderr
    assert "compiler" in done.stderr


def test_without_root_apt_is_named_and_not_run(machine: Machine) -> None:
    with_python(machine)
    machine.script("apt-get", RECORD)
    machine.script("id", "#!/bin/sh\necho 1000\n")
    done = machine.run()
    assert done.returncode == 1
    assert "lacks: compiler gmp headers" in done.stderr
    assert "sudo apt-get install -y gcc libc6-dev libgmp-dev python3-dev python3-venv" in done.stderr
    assert machine.called() == ""
    assert nothing_was_made(machine)


def test_as_root_apt_is_run_and_says_so(machine: Machine) -> None:
    with_python(machine)
    machine.script("apt-get", RECORD)
    machine.script("id", "#!/bin/sh\necho 0\n")
    done = machine.run()
    assert "installing with apt: gcc" in done.stderr
    assert "apt-get install -y -qq --no-install-recommends gcc libc6-dev libgmp-dev" in machine.called()
    assert done.returncode == 1  # this apt installs nothing, and that is noticed before pip runs
    assert "still lacking" in done.stderr
    assert nothing_was_made(machine)


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("dnf", "sudo dnf install -y gcc gmp-devel python3-devel"),
        ("pacman", "sudo pacman -S --needed gcc gmp python"),
        ("nix-shell", "nix-shell -p gcc gmp"),
        ("brew", "brew install gmp"),
        ("nothing", "Install a C compiler, the GMP headers"),
    ],
)
def test_other_machines_get_the_one_command(machine: Machine, manager: str, line: str) -> None:
    with_python(machine)
    machine.script("id", "#!/bin/sh\necho 0\n")
    machine.script(manager, RECORD)
    done = machine.run()
    assert done.returncode == 1
    assert line in done.stderr
    assert machine.called() == ""
    assert nothing_was_made(machine)


def test_an_unknown_set_is_refused(machine: Machine) -> None:
    done = subprocess.run(
        ["sh", "setup.sh", "all"], cwd=machine.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "usage: sh setup.sh [run|test|dev]" in done.stderr


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "long"])
def test_every_target_sets_up_first(machine: Machine, target: str) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copy(ROOT / "Makefile", machine.folder / "Makefile")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    shown = subprocess.run(
        ["make", "-n", target], cwd=machine.folder, env=clean, capture_output=True, text=True, check=True
    )
    lines = [line for line in shown.stdout.splitlines() if line.strip()]
    assert lines[0].startswith("sh setup.sh ")
    assert ".venv/bin/" in lines[1]


def test_the_gate_is_a_valid_script() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_the_lock_names_versions_and_no_place() -> None:
    lines = (ROOT / "requirements.lock").read_text().split()
    assert "libp2p==0.8.1" in lines
    assert all("==" in line and "/" not in line and "@" not in line for line in lines)
