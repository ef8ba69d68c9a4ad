"""How files look: their length, their docstring, what they catch, how they are named."""

import ast
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("crypto", "protocol", "node", "simulations")
LINES_WISHED = 300
LINES_MAX = 400
# The only places that may catch whatever comes.
CATCH_ALL = frozenset(
    {
        # The supervisor, and the guards around libp2p, whose faults have no closed list.
        "node/shell/supervisor.py",
        "node/shell/guards.py",
        "node/shell/libp2p_transport.py",
        "node/shell/libp2p_patches.py",
        "node/shell/gossip.py",
        "node/shell/yamux_session.py",
        "node/shell/connections.py",
        "node/shell/requests.py",
        "node/shell/circuit_client.py",
        "node/shell/circuit_relay.py",
        # An explanation that breaks must not change how the user's command ended.
        "node/shell/aftermath.py",
        # A hostile peer goes on whatever its victim does.
        "simulations/attacks.py",
        "simulations/hostile_peer.py",
        # A fuzzer reports whatever its target raises, with the input.
        "simulations/fuzz_decoders.py",
    }
)
NO_NOUN = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "stuff", "manager", "base"})
LINKS = {name: f"../../{name}" for name in PRODUCT}


def product_files(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Relative path and text of every module of the product."""
    for folder in PRODUCT:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def catches_everything(path: str, text: str) -> list[str]:
    """Handlers that catch ``Exception``, ``BaseException`` or nothing in particular."""
    if path in CATCH_ALL:
        return []
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {part.id for part in caught if isinstance(part, ast.Name)}
            if node.type is None or names & {"Exception", "BaseException"}:
                found.append(f"{path}:{node.lineno}: catches everything; name what the world may do")
    return found


def misnamed(path: str) -> bool:
    """True for a module or package whose name says nothing."""
    return bool(NO_NOUN & {part.removesuffix(".py") for part in path.split("/")})


def length(text: str) -> int:
    """Lines of a file."""
    return len(text.splitlines())


def test_no_file_is_too_long() -> None:
    over = {path: length(text) for path, text in product_files() if length(text) > LINES_WISHED}
    if over:
        warnings.warn(
            f"past {LINES_WISHED} lines, split by noun: {', '.join(f'{p} ({n})' for p, n in over.items())}",
            stacklevel=1,
        )
    assert {path: lines for path, lines in over.items() if lines > LINES_MAX} == {}


def test_every_module_says_what_it_is() -> None:
    silent = [path for path, text in product_files() if not ast.get_docstring(ast.parse(text))]
    assert silent == []


def test_only_the_supervisor_and_the_guards_catch_everything() -> None:
    found = [line for path, text in product_files() for line in catches_everything(path, text)]
    assert found == [], "\n".join(found)


def test_every_file_is_named_after_a_noun() -> None:
    assert [path for path, _ in product_files() if misnamed(path)] == []


@pytest.mark.parametrize(
    "caught", ["", " Exception", " BaseException", " (OSError, Exception)", " Exception as e"]
)
def test_a_planted_catch_all_is_reported(caught: str) -> None:
    text = f"try:\n    pass\nexcept{caught}:\n    pass\n"
    assert catches_everything("node/shell/planted.py", text)
    assert catches_everything("node/shell/supervisor.py", text) == []


def test_catching_by_name_is_not_reported() -> None:
    assert (
        catches_everything(
            "node/shell/planted.py", "try:\n    pass\nexcept (OSError, ValueError):\n    pass\n"
        )
        == []
    )


def test_planted_names_and_lengths_are_reported(tmp_path: Path) -> None:
    (tmp_path / "crypto").mkdir()
    (tmp_path / "crypto/utils.py").write_text("x = 1\n" * (LINES_MAX + 1))
    ((path, text),) = product_files(tmp_path)
    assert misnamed(path)
    assert length(text) > LINES_MAX
    assert ast.get_docstring(ast.parse(text)) is None


def test_src_holds_four_relative_links_and_nothing_else() -> None:
    folder = ROOT / "src/luminous"
    links = {path.name: str(path.readlink()) for path in folder.iterdir() if path.is_symlink()}
    assert links == LINKS
    others = {path.name for path in folder.iterdir() if not path.is_symlink()} - {"__pycache__"}
    assert others == {"__init__.py", "py.typed"}


def test_git_tracks_the_links_as_links() -> None:
    run = subprocess.run(
        ["git", "ls-files", "-s", "src/luminous"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        pytest.skip("not a git checkout")
    modes = {line.split("\t")[1]: line.split()[0] for line in run.stdout.splitlines()}
    assert {path for path, mode in modes.items() if mode == "120000"} == {
        f"src/luminous/{n}" for n in PRODUCT
    }
    assert len(modes) == 6
