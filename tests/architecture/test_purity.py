"""The pure folders import only the allow-list and reach for no clock, chance, file or socket.

The check reads the syntax tree, so code that no test runs is judged too. Each rule meets a planted
violation that it must report and the nearest innocent code that it must not.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = ("crypto", "protocol", "node/core")
# fmt: off
ALLOWED = frozenset({
    "luminous", "dataclasses", "enum", "typing", "types", "abc", "collections", "functools", "itertools",
    "heapq", "bisect", "operator", "math", "fractions", "hashlib", "hmac", "struct", "re", "unicodedata",
    "cbor2", "nacl", "numpy", "networkx",
})
# fmt: on
# Pure functions of the standard library that one file needs: a byte buffer, and the text form of a card.
ALLOWED_ONCE = {
    "protocol/codec.py": frozenset({"io"}),
    "protocol/cards.py": frozenset({"base64", "binascii"}),
}
# Arguments of the local privacy ledger, which no other node recomputes.
FLOATS_ALLOWED = {"protocol/deltas.py": frozenset({"BUDGET_DELTA", "LIFETIME_EPSILON"})}
BANNED_MODULES = ("numpy.random", "nacl.utils.random", "nacl.utils.StringFixer", "nacl.public")
BANNED_ATTRIBUTES = frozenset({"generate", "random_bytes"})
# fmt: off
BANNED_BUILTINS = frozenset({
    "open", "print", "input", "hash", "id", "eval", "exec", "compile", "__import__", "breakpoint", "globals",
    "vars",
})
# fmt: on


def pure_files(root: Path = ROOT) -> Iterator[tuple[str, ast.Module]]:
    """Path relative to ``root`` and syntax tree of every module of the pure folders."""
    for folder in PURE:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a module imports, at any depth of its code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            for alias in node.names:
                yield node.lineno, f"{prefix}.{alias.name}"


def aliases(tree: ast.Module) -> dict[str, str]:
    """What each imported name of a module stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.split(".")[0]
                names[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name of ``a.b.c`` with its alias resolved; empty for other expressions."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([names.get(node.id, node.id), *reversed(parts)])


def is_banned(name: str) -> bool:
    """True for a banned module or anything inside it."""
    return any(name == banned or name.startswith(banned + ".") for banned in BANNED_MODULES)


def bound_names(tree: ast.Module) -> set[str]:
    """Names that a module gives a meaning of its own: arguments, assignments, definitions."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def violations(path: str, tree: ast.Module) -> list[str]:
    """Every breach of purity in one module, as ``path:line: what``."""
    found: list[str] = []
    allowed = ALLOWED | ALLOWED_ONCE.get(path, frozenset())
    for line, name in imported(tree):
        if name.split(".")[0] not in allowed:
            found.append(f"{path}:{line}: imports {name}, which is not on the allow-list")
        elif is_banned(name):
            found.append(f"{path}:{line}: imports {name}: chance arrives as an Entropy argument")
    names, bound = aliases(tree), bound_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if is_banned(dotted(node, names)):
                found.append(f"{path}:{node.lineno}: uses {dotted(node, names)}")
            if node.attr in BANNED_ATTRIBUTES:
                found.append(f"{path}:{node.lineno}: uses .{node.attr}")
        elif isinstance(node, ast.Name) and node.id in BANNED_BUILTINS - bound:
            found.append(f"{path}:{node.lineno}: uses {node.id}()")
    return found


def floats(path: str, tree: ast.Module) -> list[str]:
    """Float literals and conversions: agreed results are integers and rationals."""
    allowed = FLOATS_ALLOWED.get(path, frozenset())
    excused = {
        id(item.value)
        for item in tree.body
        if isinstance(item, ast.Assign)
        and all(isinstance(target, ast.Name) and target.id in allowed for target in item.targets)
    }
    return [
        f"{path}:{node.lineno}: a float in what every node must agree on"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float) and id(node) not in excused)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float")
    ]


def test_the_pure_folders_are_pure() -> None:
    found = [line for path, tree in pure_files() for line in violations(path, tree)]
    assert found == [], "\n".join(found)
    assert len(list(pure_files())) >= 12


def test_the_protocol_holds_no_float() -> None:
    found = [
        line for path, tree in pure_files() if path.startswith("protocol/") for line in floats(path, tree)
    ]
    assert found == [], "\n".join(found)


PLANTED = [
    "import os",
    "import time",
    "import random",
    "import json",
    "import logging",
    "import datetime",
    "import io",
    "from pathlib import Path",
    "from . import digest",
    "def f():\n    import secrets",
    "if False:\n    import socket",
    "import numpy.random",
    "from numpy import random",
    "from numpy.random import default_rng",
    "import numpy as np\nx = np.random.default_rng(1)",
    "def f():\n    import numpy as np\n    return np.random",
    "from nacl.utils import random",
    "import nacl.utils\nx = nacl.utils.random(32)",
    "from nacl.signing import SigningKey\nx = SigningKey.generate()",
    "x = open('f')",
    "print('x')",
    "def f(b):\n    return hash(b)",
    "def f(b):\n    return id(b)",
    "x = sorted([], key=hash)",
    "x = __import__('os')",
    "x = eval('1')",
]
INNOCENT = [
    "import math\nfrom collections import OrderedDict",
    "from luminous.crypto.digest import digest",
    "import numpy as np\nx = np.zeros(3)",
    "from nacl.signing import SigningKey, VerifyKey",
    "class A:\n    id: bytes\n    def f(self):\n        return self.id",
    "def f(id: bytes) -> bytes:\n    return id",
    "def f(store):\n    return store.open()",
    "import hashlib\nx = hashlib.sha256(b'').digest()",
]


@pytest.mark.parametrize("text", PLANTED)
def test_a_planted_impurity_is_reported(text: str) -> None:
    assert violations("protocol/planted.py", ast.parse(text))


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_code_is_not(text: str) -> None:
    assert violations("protocol/planted.py", ast.parse(text)) == []


def test_io_is_allowed_in_the_codec_alone() -> None:
    tree = ast.parse("import io")
    assert violations("protocol/codec.py", tree) == []
    assert violations("crypto/codec.py", tree)


@pytest.mark.parametrize("text", ["x = 0.5", "def f(n):\n    return float(n)"])
def test_a_planted_float_is_reported(text: str) -> None:
    assert floats("protocol/planted.py", ast.parse(text))


def test_refusing_a_float_is_no_float() -> None:
    assert floats("protocol/planted.py", ast.parse("def f(v):\n    return isinstance(v, float)")) == []


def test_a_violation_planted_in_a_copy_of_the_tree_is_found(tmp_path: Path) -> None:
    (tmp_path / "node/core/health").mkdir(parents=True)
    (tmp_path / "node/core/health/clocky.py").write_text(
        "def now():\n    import time\n    return time.time()\n"
    )
    found = [line for path, tree in pure_files(tmp_path) for line in violations(path, tree)]
    assert found == ["node/core/health/clocky.py:2: imports time, which is not on the allow-list"]
