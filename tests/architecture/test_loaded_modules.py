"""What each process loads. A prompt hook must not pay for a peer-to-peer stack."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
import json, sys
from luminous.node.shell.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
finally:
    sys.stdout.flush()
    names = sorted({name.split(".")[0] for name in sys.modules})
    whole = sorted(name for name in sys.modules if name.startswith("luminous"))
    sys.stderr.write("\\nLOADED " + json.dumps([names, whole]) + "\\n")
"""
OURS = {"luminous", "click", "__main__", "__mp_main__"}
HEAVY = {"libp2p", "numpy", "networkx", "trio", "multiaddr", "grpc"}
BARE = {"node", "protocol", "crypto", "simulations"}


def loaded(tmp_path: Path, *words: str, text: str = "", first: str = "") -> tuple[set[str], set[str]]:
    """Top-level names, and our own modules, that one command leaves loaded."""
    run = subprocess.run(
        [sys.executable, "-c", first + PROBE, *words],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(tmp_path),
            "LUMINOUS_DATA_DIR": str(tmp_path / "data"),
        },
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = [line for line in run.stderr.splitlines() if line.startswith("LOADED ")]
    assert lines, run.stderr
    names, whole = json.loads(lines[-1].removeprefix("LOADED "))
    return set(names), set(whole)


def foreign(names: set[str]) -> set[str]:
    """What is neither the standard library nor ours nor put there by the interpreter's own start."""
    start = subprocess.run(
        [sys.executable, "-c", "import sys; print(*{n.split('.')[0] for n in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    )
    return names - set(sys.stdlib_module_names) - OURS - set(start.stdout.split())


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["status", "--json"],
        ["peers"],
        ["consent", "status"],
        ["proposals"],
        ["--help"],
        ["health"],
    ],
)
def test_asking_the_node_loads_the_standard_library_and_click(tmp_path: Path, words: list[str]) -> None:
    names, _ = loaded(tmp_path, *words)
    assert foreign(names) == set()
    assert not names & BARE


def test_the_hook_loads_the_standard_library_and_click(tmp_path: Path) -> None:
    names, _ = loaded(tmp_path, "hook", "bash")
    assert foreign(names) == set()


def test_exec_loads_the_standard_library_alone(tmp_path: Path) -> None:
    names, whole = loaded(tmp_path, "exec", "--", "true")
    assert foreign(names) == set()
    assert "click" not in names
    assert "luminous.node.shell.cli.root" not in whole


def test_explain_loads_nothing_heavy(tmp_path: Path) -> None:
    names, whole = loaded(tmp_path, "explain", "-", text="error: undefined variable 'pkg'\n")
    assert not names & HEAVY
    assert not names & BARE
    assert "luminous.node.shell.libp2p_transport" not in whole


@pytest.mark.parametrize("words", [["init"], ["id"], ["config", "show"], ["version"]])
def test_setting_up_loads_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    names, _ = loaded(tmp_path, *words)
    assert not names & HEAVY
    assert not names & BARE


def test_the_probe_would_notice(tmp_path: Path) -> None:
    """The opposite demand: a process that does load numpy is seen to."""
    names, _ = loaded(tmp_path, "version", first="import numpy\n")
    assert "numpy" in names & HEAVY
    assert "numpy" in foreign(names)
