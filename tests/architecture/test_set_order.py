"""The pure folders never let the order of a set decide anything: it differs from process to process.

What is a set is inferred from literals, calls, operators, annotations and return types within one file;
a set that arrives from another file unannotated is not seen, which the determinism gate covers.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = ("crypto", "protocol", "node/core")
SET_TYPES = frozenset({"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"})
SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference"})
# Builtins whose result does not depend on the order they are fed in.
ORDER_FREE = frozenset({"sorted", "len", "any", "all", "set", "frozenset", "sum"})
ORDERED = frozenset(
    {"list", "tuple", "enumerate", "iter", "map", "filter", "zip", "reversed", "next", "deque"}
)
OPERATORS = (ast.BitOr, ast.BitAnd, ast.BitXor, ast.Sub)


def is_set_type(annotation: ast.expr | None) -> bool:
    """True for an annotation such as ``set[bytes]``, ``frozenset`` or ``Set[str] | None``."""
    if isinstance(annotation, ast.Subscript):
        return is_set_type(annotation.value)
    if isinstance(annotation, ast.BinOp):
        return is_set_type(annotation.left) or is_set_type(annotation.right)
    if isinstance(annotation, ast.Attribute):
        return annotation.attr in SET_TYPES
    return isinstance(annotation, ast.Name) and annotation.id in SET_TYPES


class Sets:
    """What is known to be a set in one module: functions, attributes, and names per function."""

    def __init__(self, tree: ast.Module) -> None:
        self.functions = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and is_set_type(node.returns)
        }
        self.attributes: set[str] = set()
        self.names: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
                self.attributes |= {node.target.attr} if is_set_type(node.annotation) else set()
            if isinstance(node, ast.ClassDef):
                self.attributes |= {
                    item.target.id
                    for item in node.body
                    if isinstance(item, ast.AnnAssign)
                    and isinstance(item.target, ast.Name)
                    and is_set_type(item.annotation)
                }
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and self.is_set(node.value):
                self.attributes |= {t.attr for t in node.targets if isinstance(t, ast.Attribute)}

    def within(self, scope: ast.AST) -> None:
        """Learn the names of one function (or of the module)."""
        self.names = set()
        if isinstance(scope, ast.FunctionDef | ast.Lambda):
            arguments = [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]
            self.names |= {arg.arg for arg in arguments if is_set_type(arg.annotation)}
        for _ in range(2):  # a name may be a set because of a name assigned further down
            for node in own_nodes(scope):
                if isinstance(node, ast.Assign) and self.is_set(node.value):
                    self.names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
                elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    self.names |= {node.target.id} if is_set_type(node.annotation) else set()

    def is_set(self, node: ast.expr) -> bool:
        """True if ``node`` is known to be a set."""
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return name in self.names
            case ast.Attribute(attr=name):
                return name in self.attributes
            case ast.Call(func=ast.Name(id=name)):
                return name in {"set", "frozenset"} or name in self.functions
            case ast.Call(func=ast.Attribute(value=owner, attr=name)):
                return (
                    name in SET_METHODS or name in self.functions or (name == "copy" and self.is_set(owner))
                )
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, OPERATORS):
                return self.is_set(left) or self.is_set(right) or (is_keys(left) and is_keys(right))
            case ast.IfExp(body=body, orelse=orelse):
                return self.is_set(body) or self.is_set(orelse)
            case ast.BoolOp(values=values):
                return any(self.is_set(value) for value in values)
            case ast.NamedExpr(value=value):
                return self.is_set(value)
            case _:
                return False


def is_keys(node: ast.expr) -> bool:
    """True for ``something.keys()``: two of them combine to a set."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys"


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function or module without those of functions inside it."""
    for child in ast.iter_child_nodes(scope):
        if isinstance(child, ast.FunctionDef):
            continue
        yield child
        yield from own_nodes(child)


def order_free_generators(scope: ast.AST) -> set[int]:
    """Line-independent marks of comprehensions whose consumer ignores order."""
    marks: set[int] = set()
    for node in own_nodes(scope):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ORDER_FREE:
            marks |= {id(arg) for arg in node.args}
        if isinstance(node, ast.SetComp):
            marks.add(id(node))
    return marks


def uses_of_order(sets: Sets, scope: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and description of every place in one scope where a set's order could matter."""
    free = order_free_generators(scope)
    for node in own_nodes(scope):
        match node:
            case ast.For(iter=source) if sets.is_set(source):
                yield node.lineno, "a for loop over a set"
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
                if id(node) not in free and any(sets.is_set(part.iter) for part in node.generators):
                    yield node.lineno, "a comprehension over a set"
            case ast.Call(func=ast.Name(id=name), args=args) if name in ORDERED and any(
                map(sets.is_set, args)
            ):
                yield node.lineno, f"{name}() of a set"
            case ast.Call(func=ast.Name(id="min" | "max" as name), args=[one], keywords=[_, *_]) if (
                sets.is_set(one)
            ):
                yield node.lineno, f"{name}() of a set by a key"
            case ast.Call(func=ast.Attribute(attr="pop", value=owner), args=[]) if sets.is_set(owner):
                yield node.lineno, "pop() from a set"
            case ast.Call(func=ast.Attribute(attr="join" | "fromkeys" | "extend" as name), args=[one, *_]):
                if sets.is_set(one):
                    yield node.lineno, f"{name}() of a set"
            case ast.Starred(value=value) if sets.is_set(value):
                yield node.lineno, "a set unpacked"


def violations(path: str, tree: ast.Module) -> list[str]:
    """Every use of a set's order in one module, as ``path:line: what``."""
    sets = Sets(tree)
    scopes: list[ast.AST] = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]
    found: list[str] = []
    for scope in scopes:
        sets.within(scope)
        found += [f"{path}:{line}: {what}; sort first" for line, what in uses_of_order(sets, scope)]
    return found


def test_no_order_of_a_set_decides_anything() -> None:
    found: list[str] = []
    for folder in PURE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            found += violations(
                path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
            )
    assert found == [], "\n".join(found)


PLANTED = [
    "for x in {1, 2}:\n    pass",
    "def f(s: set[bytes]):\n    return [x for x in s]",
    "def f(s: frozenset[bytes]):\n    for x in s:\n        pass",
    "def f(a):\n    s = set(a)\n    return list(s)",
    "def f(a, b):\n    return tuple(set(a) - b)",
    "def f(a, b):\n    for k in a.keys() & b.keys():\n        pass",
    "def f(a, b):\n    return b','.join(set(a))",
    "class A:\n    seen: set[bytes]\n    def f(self):\n        return {x: 1 for x in self.seen}",
    "class A:\n    def __init__(self):\n        self.s = set()\n    def f(self):\n        self.s.pop()",
    "class A:\n    def f(self):\n        self.s: set[int] = set()\n        return next(iter(self.s))",
    "def g() -> set[int]: ...\ndef f():\n    for x in g():\n        pass",
    "def f(a):\n    return max(set(a), key=len)",
    "def f(a):\n    return [*set(a)]",
    "def f(a):\n    s: set[int] = a\n    return dict.fromkeys(s)",
    "def f(a, b):\n    return any([x for x in a.union(b)][:1])",
]
INNOCENT = [
    "def f(s: set[bytes]):\n    for x in sorted(s):\n        pass",
    "def f(s: set[bytes]):\n    return len(s), 1 in s, s <= s",
    "def f(s: set[bytes]):\n    return sorted(x for x in s if x)",
    "def f(s: set[bytes]):\n    return any(x for x in s), {x for x in s}",
    "def f(s: dict[bytes, int]):\n    for x in s:\n        pass",
    "def f(s: list[bytes]):\n    return s.pop()",
    "def f(a, b):\n    for x in a - b:\n        pass",
    "def f(s: set[bytes]):\n    return max(s)",
]


@pytest.mark.parametrize("text", PLANTED)
def test_a_planted_use_of_order_is_reported(text: str) -> None:
    assert violations("protocol/planted.py", ast.parse(text))


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_code_is_not(text: str) -> None:
    assert violations("protocol/planted.py", ast.parse(text)) == []
