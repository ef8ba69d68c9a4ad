"""Does a Nix text parse? Asked before an edit is suggested.

Uses ``nix-instantiate --parse`` where it is installed (it evaluates nothing), else tree-sitter where that is.
Refuses to say yes when neither is there.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from functools import lru_cache

PARSE_TIMEOUT_S = 2.0


@lru_cache(maxsize=1)
def find_parser() -> Callable[[str, str], bool] | None:
    """A function (file name, text) -> parses; None when this machine has no parser."""
    program = shutil.which("nix-instantiate")
    if program:
        return lambda name, text: _by_nix(program, name, text)
    tree = _tree_sitter()
    if tree is None:
        return None
    return lambda name, text: _is_json(text) if name.endswith(".json") else tree(text)


def _by_nix(program: str, name: str, text: str) -> bool:
    if name.endswith(".json"):
        return _is_json(text)
    try:
        done = subprocess.run(
            [program, "--parse", "-"],
            input=text.encode(),
            capture_output=True,
            timeout=PARSE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # An undefined variable is found while parsing; the edit for another fault is still well formed.
    return done.returncode == 0 or b"undefined variable" in done.stderr


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _tree_sitter() -> Callable[[str], bool] | None:
    try:
        import tree_sitter
        import tree_sitter_nix
    except ImportError:
        return None
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_nix.language()))
    return lambda text: not parser.parse(text.encode()).root_node.has_error
