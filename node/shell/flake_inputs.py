"""The inputs of a flake as its lock file names them, and references to put in their place.

Refuses to guess: an input that the lock does not have, a reference that cannot be fetched and a Nix without
flakes are named, because a run with them would say nothing about the question.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from luminous.node.shell import replay
from luminous.node.shell.changes import printable
from luminous.node.shell.command_class import bare, command_class
from luminous.node.shell.replay import CannotReplay, Scratch

LOCK_SIZE_BYTES_MAX = 4 * 1024 * 1024
INPUTS_SHOWN_MAX = 12
PATH_LENGTH_MAX = 16
_TAKES_INPUTS = frozenset({"nix", "nixos-rebuild", "darwin-rebuild", "home-manager"})


def overriding(
    argv: Sequence[str],
    scratch: Scratch,
    cwd: str | Path,
    name: str,
    reference: str,
    env: Mapping[str, str] | None = None,
) -> list[str]:
    """`argv` with the input `name` locked to `reference`. Raises CannotReplay."""
    words = bare(list(argv))
    if command_class(list(argv)) not in _TAKES_INPUTS:
        raise CannotReplay(f"`{printable(words[0])}` works without flake inputs; --lock needs one with them")
    if not reference or reference.startswith("-"):
        raise CannotReplay(f"{printable(reference)!r} is no flake reference")
    _demand_input(scratch.root, name)
    reference = absolute(reference, cwd)
    asked = ["nix", "flake", "prefetch", reference]  # fetches, evaluates nothing
    found = replay.run(asked, scratch, cwd, env=env)
    if not found.ok:
        raise CannotReplay(_why(found.text, reference))
    return [*argv, "--override-input", name, reference]


def absolute(reference: str, cwd: str | Path) -> str:
    """A reference to a folder, from where the person stands; any other as it is."""
    start, _, rest = reference.partition(":")
    place = rest if start == "path" else reference
    if place.startswith(("./", "../")) or place in (".", ".."):
        bare_place, mark, query = place.partition("?")
        return f"path:{Path(cwd, bare_place).resolve()}{mark}{query}"
    return reference


def input_names(folder: Path) -> tuple[str, ...]:
    """The direct inputs in the lock file of a folder, sorted. Raises CannotReplay."""
    nodes, root = _read_lock(folder)
    return tuple(sorted(_inputs(nodes, root)))


def _demand_input(folder: Path, name: str) -> None:
    """Nothing when the flake has that input; `a/b` is input b of input a. Raises CannotReplay."""
    nodes, node = _read_lock(folder)
    for step in name.split("/")[:PATH_LENGTH_MAX]:
        target = _inputs(nodes, node).get(step)
        if target is None:
            known = ", ".join(map(printable, input_names(folder)[:INPUTS_SHOWN_MAX])) or "none"
            raise CannotReplay(f"this flake has no input {printable(name)}; its inputs are: {known}")
        if not isinstance(target, str):
            return  # it follows another input: Nix knows which
        node = target


def _read_lock(folder: Path) -> tuple[Mapping[str, object], str]:
    path = folder / "flake.lock"
    try:
        if path.stat().st_size > LOCK_SIZE_BYTES_MAX:
            raise CannotReplay(f"flake.lock is larger than {LOCK_SIZE_BYTES_MAX // 2**20} MB")
        facts = json.loads(path.read_text("utf-8"))
        nodes, root = facts["nodes"], facts["root"]
    except FileNotFoundError:
        raise CannotReplay("there is no flake.lock beside it: run nix flake lock first") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CannotReplay(f"flake.lock cannot be read ({type(error).__name__})") from error
    if not isinstance(nodes, dict) or not isinstance(root, str):
        raise CannotReplay("flake.lock is not of the form that I know")
    return nodes, root


def _inputs(nodes: Mapping[str, object], node: str) -> Mapping[str, object]:
    entry = nodes.get(node)
    found = entry.get("inputs") if isinstance(entry, dict) else None
    return found if isinstance(found, dict) else {}


def _why(text: str, reference: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("error:")]
    said = lines[0].removeprefix("error:").strip() if lines else ""
    if "is not a recognised command" in said or "no such command" in said or "unknown command" in said:
        return "this Nix has no flakes (2.4 and later do)"
    return f"{printable(reference)} cannot be fetched: {printable(said, 300) or 'nix says no more'}"
