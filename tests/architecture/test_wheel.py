"""The wheel holds our package and nothing else, and works without the checkout; so does ``-e``."""

import importlib.util
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("node", "protocol", "crypto", "simulations")
NEEDED = ("hatchling", "build", "click", "nacl")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in NEEDED),
        reason=f"needs {', '.join(NEEDED)}",
    ),
]


def call(*words: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program; its output in the failure."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "LUMINOUS"))}
    run = subprocess.run(
        words,
        cwd=cwd,
        env={**clean, **(env or {})},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert run.returncode == 0, f"{words}\n{run.stdout}\n{run.stderr}"
    return run


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built as a user would but with the build tools at hand."""
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(out), str(ROOT), cwd=out)
    (built,) = out.glob("*.whl")
    return built


def environment(folder: Path) -> Path:
    """An empty environment that sees this one's packages, but not its luminous; returns its Python."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    (here,) = {Path(str(importlib.util.find_spec(name).origin)).parents[1] for name in ("click",)}  # type: ignore[union-attr]
    # Plain paths in a .pth are not searched for further .pth files, so an editable luminous stays behind.
    (site / "borrowed.pth").write_text(f"{here}\n")
    return folder / "bin/python"


def install(python: Path, *words: str) -> None:
    """pip of this Python installs into the other environment, without dependencies and without a network."""
    call(
        sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index",
        "--no-build-isolation", "--force-reinstall", "--disable-pip-version-check", *words, cwd=python.parent,
    )  # fmt: skip


def test_the_wheel_holds_luminous_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"luminous"}
    assert {"luminous/__init__.py", "luminous/py.typed", "luminous/node/shell/cli/__init__.py"} <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_holds_every_module_and_data_file_of_the_folders(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = call("git", "ls-files", *FOLDERS, cwd=ROOT).stdout.splitlines()
    kept = [name for name in listed if (ROOT / name).exists() and not Path(name).name.startswith(".")]
    assert {f"luminous/{name}" for name in kept} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_an_installed_node_runs_without_the_checkout(wheel: Path, tmp_path: Path, kind: str) -> None:
    python = environment(tmp_path / "venv")
    install(python, str(wheel)) if kind == "wheel" else install(python, "-e", str(ROOT))
    env = {"HOME": str(tmp_path), "LUMINOUS_DATA_DIR": str(tmp_path / "data")}
    script = python.with_name("luminous-node")
    assert call(str(script), "version", cwd=tmp_path, env=env).stdout.startswith("luminous-node ")
    assert "sharing" in call(str(script), "init", cwd=tmp_path, env=env).stdout
    assert call(str(python), "-m", "luminous.node", "version", cwd=tmp_path, env=env).stdout
    probe = (
        "import sys, luminous.node.shell.cli.root, luminous.protocol.codec\n"
        f"print(luminous.__file__, *sorted({set(FOLDERS)} & set(sys.modules)), sep='|')"
    )
    where, *bare = call(str(python), "-c", probe, cwd=tmp_path, env=env).stdout.strip().split("|")
    assert bare == []
    home = ROOT / "src" if kind == "editable" else tmp_path / "venv"
    assert Path(where).is_relative_to(home)
    leaked = subprocess.run(
        [str(python), "-c", "import node"], cwd=tmp_path, capture_output=True, check=False
    )
    assert leaked.returncode != 0


def test_no_bare_name_is_loaded_in_this_process() -> None:
    import luminous.node.shell.cli.root
    import luminous.protocol.codec

    assert luminous.protocol.codec
    assert not set(FOLDERS) & set(sys.modules)
