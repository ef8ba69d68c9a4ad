"""The import contracts hold, and each would notice: a planted violation breaks exactly it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("crypto", "protocol", "node", "simulations")
LINTER = Path(sys.executable).with_name("lint-imports")

pytestmark = pytest.mark.skipif(
    not LINTER.exists(), reason="import-linter is not installed beside this Python"
)


def lint(root: Path) -> tuple[int, str]:
    """Exit code and text of import-linter over the tree at ``root``."""
    run = subprocess.run(
        [str(LINTER), "--no-cache", "--no-logo"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": "src", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def broken(text: str) -> set[str]:
    """Names of the contracts that a run reports as broken."""
    return {line.removesuffix(" BROKEN").strip() for line in text.splitlines() if line.endswith(" BROKEN")}


def write(path: Path, text: str) -> None:
    """A module, with the ``__init__.py`` files above it that are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent
    while not (folder / "__init__.py").exists() and folder.name not in FOLDERS:
        (folder / "__init__.py").write_text('"""Planted."""\n')
        folder = folder.parent
    path.write_text(text)


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of the real shape with nothing in it: what is planted is then the only thing to find."""
    root = tmp_path_factory.mktemp("skeleton")
    shutil.copytree(ROOT / "src", root / "src", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", root / ".importlinter")
    for folder in ("crypto", "protocol", "node", "node/core", "node/shell", "simulations"):
        write(root / folder / "__init__.py", '"""Planted."""\n')
    for module in ("crypto/a", "protocol/a", "node/driver", "node/ports", "node/shell/a", "simulations/a"):
        write(root / f"{module}.py", '"""Planted."""\n')
    for package in ("governance", "learning", "peers", "health", "healing", "causes"):
        write(root / f"node/core/{package}/a.py", '"""Planted."""\n')
    return root


LAYERS = "layers"
INDEPENDENT = "core packages do not import one another"
WORLD = "only mesh, wire, cli, demo and what measures or attacks a real node use the shell"
LIBP2P = "the transport and its guards own every libp2p import"
CYCLES = "no cycles"

PLANTED = [
    ("crypto/bad.py", "import luminous.protocol.a", {LAYERS}),
    ("protocol/bad.py", "import luminous.node.core.peers.a", {LAYERS}),
    ("node/core/bad.py", "import luminous.node.ports", {LAYERS}),
    ("node/core/bad.py", "import luminous.node.shell.a", {LAYERS}),
    ("node/driver.py", "import luminous.node.shell.a", {LAYERS}),
    ("node/ports.py", "import luminous.node.driver", {LAYERS}),
    ("node/shell/bad.py", "import luminous.simulations.a", {LAYERS}),
    ("node/core/governance/bad.py", "import luminous.node.core.learning.a", {INDEPENDENT}),
    ("node/core/causes/bad.py", "def f():\n    from luminous.node.core.health import a", {INDEPENDENT}),
    ("simulations/bad.py", "import luminous.node.shell.a", {WORLD}),
    ("node/shell/bad.py", "import libp2p", {LIBP2P}),
    ("node/driver.py", "from multiaddr import Multiaddr", {LIBP2P}),
    ("protocol/bad.py", "from luminous.protocol import worse", {CYCLES}),
]
ALLOWED = [
    ("simulations/mesh.py", "import luminous.node.shell.a"),
    ("simulations/wire/run.py", "import luminous.node.shell.a"),
    ("node/shell/libp2p_transport.py", "import libp2p"),
    ("node/shell/bad.py", "import luminous.crypto.a"),
    ("node/core/node.py", "import luminous.node.core.peers.a"),
]


def test_the_contracts_hold_in_this_tree() -> None:
    code, text = lint(ROOT)
    assert code == 0, text
    assert "5 kept, 0 broken" in text


def test_an_empty_tree_keeps_every_contract(skeleton: Path, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    shutil.copytree(skeleton, root, symlinks=True)
    code, text = lint(root)
    assert code == 0, text


@pytest.mark.parametrize(("path", "text", "expected"), PLANTED)
def test_a_planted_violation_breaks_its_contract(
    skeleton: Path, tmp_path: Path, path: str, text: str, expected: set[str]
) -> None:
    root = tmp_path / "tree"
    shutil.copytree(skeleton, root, symlinks=True)
    write(root / path, f'"""Planted."""\n{text}\n')
    if expected == {CYCLES}:
        write(root / "protocol/worse.py", '"""Planted."""\nfrom luminous.protocol import bad\n')
    code, report = lint(root)
    assert code == 1, report
    assert broken(report) >= expected, report
    assert broken(report) - {CYCLES} == expected - {CYCLES}, report


@pytest.mark.parametrize(("path", "text"), ALLOWED)
def test_what_the_design_allows_breaks_nothing(skeleton: Path, tmp_path: Path, path: str, text: str) -> None:
    root = tmp_path / "tree"
    shutil.copytree(skeleton, root, symlinks=True)
    write(root / path, f'"""Planted."""\n{text}\n')
    code, report = lint(root)
    assert code == 0, report
