"""The generated pages of docs/ are what the code says: limits, commands, configuration, parameters, kinds.

To write them anew: ``make docs``. Only standing text is written here; every row of a table comes from the
code.
"""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import click
import msgspec
import pytest

from luminous.node.shell.cli.table import COMMANDS, NOT_YET
from luminous.node.shell.settings import OTHER_VARIABLES, VARIABLES, WITHOUT_EFFECT
from luminous.node.shell.settings_file import KEYS, SECTIONS
from luminous.protocol.constitution_table import BOUNDARIES, TABLE
from luminous.protocol.kinds import Kind
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.parameters import PARAMETERS, FeatureState, is_feature

ROOT = Path(__file__).resolve().parents[2]
AGAIN = "make docs"
MARK = f"<!-- Written by `{AGAIN}`; a test compares. -->\n"
SAYS = {
    Kind.PROPOSAL: "puts something to the vote",
    Kind.BALLOT: "one member's answer, changeable until the close",
    Kind.CLOSE: "what one member counted (first closing)",
    Kind.DELTA: "one author's statistics of one window",
    Kind.BINDING: "which transport identity is the author's, until when",
    Kind.REPORT: "which ballots a member held when it froze",
    Kind.HEADS: "the held ballots of up to 256 voters",
    Kind.LEAD: "which Reports a leader proposes as the Minutes",
    Kind.VOTE: "a vote for a set of Reports, or to skip an iteration",
    Kind.FINAL: "this member never skipped that iteration",
    Kind.OPERATION: "something about the roll: leaving, another key, proof of a lie, a word on a candidate",
}
OTHER_MEANINGS = {
    "LUMINOUS_CONFIG": "the configuration file",
    "LUMINOUS_DATA_DIR": "where the node keeps its keys, journal and state",
    "LUMINOUS_RUNTIME_DIR": "where the control socket is",
    "LUMINOUS_OFFLINE": "any value but 0: no listener and no dial, whatever was agreed",
    "LUMINOUS_VENV": "where `make` puts its Python environment; the node ignores it",
}
SEEDS_VARIABLES = ("DO_NOT_TRACK", "any value but 0: nothing is released, whatever was agreed")

LIMITS = """
Every collection that a peer can fill is bounded. What all nodes must agree on, or what a peer can make this
node hold, is bounded in `protocol/limits.py`, each bound with the abuse that it stops. A message outside a
bound of the wire is refused with `oversized`, `malformed` or `out_of_bounds`; what is over a quota, with
`too_many`.

"""
COMMANDS_HEAD = """
`luminous-node`, or `python -m luminous.node`. Options before the command: `--data-dir DIR`, `--config FILE`,
`--debug`. With `--json` a command prints one object with a `schema` number that only grows
([schemas](schemas)); text for people may change at any time. Exit codes: 0 ok, 1 check failed or not yet,
2 usage, 3 the node is not running, 4 configuration, 5 permission, 6 time-out, 7 network.

"""
CONFIGURATION = """
No file is needed. The file is `~/.config/luminous-nix/phase4.yaml` (or `--config`, or `LUMINOUS_CONFIG`); a
flag beats a variable, a variable beats the file, the file beats the default. `luminous-node config show`
names the origin of each value, `config check` reads a file. An unknown key is an error with the nearest name
and exit code 4; an unknown `LUMINOUS_*` variable is a warning.

**A setting shares nothing by itself.** `federated.enabled: true` is a wish; consent is
`luminous-node consent grant` ([privacy](privacy.md)).
"""
PARAMETERS_HEAD = """
What a network may decide by vote, and the rules that no vote can pass ([deciding](governance.md)). A machine
uses its owner's override, else the network's final value if it is legal, else the default. The table's digest
is part of a network's identity: another table is another network.

"""
OTHERS = """
## What is not a parameter

Procedure, what no vote may ever set, and what a model update may be.

"""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("``", "`").split())


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


# Limits


def bounds(text: str, *, shared: bool = True) -> Iterator[tuple[str, str, str]]:
    """(name, expression, comment above it) of every constant. ``shared``: one comment may stand above
    several; else it belongs to the first."""
    comment: list[str] = []
    is_open = False
    for line in text.splitlines():
        if line.startswith("#"):
            comment = [*comment, line.lstrip("# ")] if is_open else [line.lstrip("# ")]
            is_open = True
            continue
        is_open = False
        found = re.match(r"^([A-Z][A-Z0-9_]*)(?:: [^=]+)? = ([^#]+?)(?:  # (.*))?$", line)
        if found:
            yield found[1], found[2], found[3] or " ".join(comment)
            comment = comment if shared else []
        elif line.strip():
            comment = []


def limits_page() -> str:
    """docs/limits.md"""
    rows = [
        (f"`{name}`", f"`{value}`", why)
        for name, value, why in bounds((ROOT / "protocol/limits.py").read_text(encoding="utf-8"))
    ]
    own: list[tuple[str, ...]] = []
    for path in sorted((ROOT / "protocol").glob("*.py")):
        if path.name != "limits.py":
            for name, value, why in bounds(path.read_text(encoding="utf-8"), shared=False):
                if name.endswith("_MAX") and not name.startswith("_") and why:
                    own.append((f"`{name}`", f"`{value}`", why, f"`protocol/{path.name}`"))
    return (
        "# Limits\n\n"
        + MARK
        + LIMITS
        + table(("bound", "value", "what it is and what it stops"), rows)
        + "\n## Bounds of one part\n\nEach stands in its module beside the reason for its value.\n\n"
        + table(("bound", "value", "why", "where"), own)
    )


# Commands


def commands_page() -> str:
    """docs/commands.md"""
    parts = [
        "# Commands\n\n",
        MARK,
        COMMANDS_HEAD,
        table(("command", "what it does"), [(f"[{n}](#{n})", line) for n, (_, _, line) in COMMANDS.items()]),
    ]
    for name, (module, attribute, _) in COMMANDS.items():
        command = getattr(importlib.import_module(module), attribute)
        parts.append(f"\n## {name}\n\n" + "".join(_describe(command, (name,))))
    parts.append("\n## Not yet\n\nThese say so and exit with 1.\n\n")
    parts.append(table(("command", "what it will do"), [(f"`{n}`", line) for n, line in NOT_YET.items()]))
    return "".join(parts)


def _describe(command: click.Command, words: tuple[str, ...]) -> Iterator[str]:
    usage = [f"luminous-node {' '.join(words)}"]
    options = [item for item in command.params if isinstance(item, click.Option) and not item.hidden]
    usage += ["[OPTIONS]"] if options else []
    for item in command.params:
        if isinstance(item, click.Argument):
            shown = item.metavar or (item.name or "").upper()
            shown += "..." if item.nargs != 1 and "..." not in shown else ""
            usage.append(shown if item.required else f"[{shown}]")
    is_group = isinstance(command, click.Group)
    usage += ["COMMAND"] if is_group else []
    text = re.sub(r"\x08\n", "", (command.help or "").strip())
    yield f"`{' '.join(usage)}`\n\n{re.sub(r'(?m)^ +', '', text)}\n"
    if options:
        yield "\n" + table(("option", "meaning"), [(_option(item), item.help or "") for item in options])
    if is_group:
        assert isinstance(command, click.Group)
        for name, inner in command.commands.items():
            yield f"\n### {' '.join((*words, name))}\n\n"
            yield from _describe(inner, (*words, name))


def _option(item: click.Option) -> str:
    names = ", ".join((*item.opts, *item.secondary_opts))
    if item.is_flag:
        return f"`{names}`"
    kind = (
        "|".join(map(str, item.type.choices))
        if isinstance(item.type, click.Choice)
        else item.type.name.upper().removesuffix(" RANGE")
    )
    return f"`{names} {item.metavar or kind}`"


# Configuration


def configuration_page() -> str:
    """docs/configuration.md"""
    by_key = {key: variable for variable, key in VARIABLES.items()}
    parts = [
        "# Configuration\n\n",
        MARK,
        CONFIGURATION,
    ]
    for section, struct in SECTIONS.items():
        doc = " ".join((struct.__doc__ or "").split())
        hints = get_type_hints(struct, include_extras=True)
        rows = []
        for key, field in KEYS.items():
            if key.split(".")[0] == section:
                variable = by_key.get(key) or "LUMINOUS_" + key.replace(".", "__").upper()
                default = msgspec.json.encode(field.default).decode()
                note = " (changes nothing in this version)" if key in WITHOUT_EFFECT else ""
                rows.append((f"`{key}`{note}", _type(hints[field.name]), f"`{default}`", f"`{variable}`"))
        parts.append(f"\n## {section}\n\n{doc}\n\n{table(('key', 'type', 'default', 'variable'), rows)}")
    parts.append("\n## Other variables\n\n")
    others = [(f"`{name}`", OTHER_MEANINGS[name]) for name in OTHER_VARIABLES]
    parts.append(table(("variable", "meaning"), [*others, (f"`{SEEDS_VARIABLES[0]}`", SEEDS_VARIABLES[1])]))
    return "".join(parts)


def _type(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        base, *metas = get_args(kind)
        low = next((m.ge if m.ge is not None else m.gt for m in metas), None)
        high = next((m.le for m in metas if m.le is not None), None)
        above = "above " if any(m.gt is not None for m in metas) else ""
        return f"{_type(base)}, {above}{low} to {high}"
    if get_origin(kind) is Literal:
        return " or ".join(f"`{item}`" for item in get_args(kind))
    if get_origin(kind) is tuple:
        return "list of text"
    if isinstance(kind, UnionType):
        return " or ".join(_type(item) for item in get_args(kind))
    names = {bool: "true or false", int: "integer", float: "number", str: "text", type(None): "nothing"}
    return names[kind]


# Parameters


def parameters_page() -> str:
    """docs/parameters.md"""
    rows = []
    for key, item in PARAMETERS.items():
        default = (
            FeatureState(item.default).name.lower() if is_feature(key) else f"{item.default} {item.unit}"
        )
        rows.append((f"`{key}`", item.meaning, default, _rule(TABLE[key])))
    others = [(f"`{key}`", _rule(row)) for key, row in TABLE.items() if key not in PARAMETERS]
    bounds_rows = [(name, ", ".join(f"`{rule}`" for rule in rules)) for name, rules in BOUNDARIES.items()]
    return (
        "# Parameters and the constitution\n\n"
        + MARK
        + PARAMETERS_HEAD
        + table(("parameter", "meaning", "default", "rule"), rows)
        + OTHERS
        + table(("row", "rule"), others)
        + "\n## The five boundaries\n\nEach is held by these rules.\n\n"
        + table(("boundary", "rules"), bounds_rows)
    )


def _rule(row: Any) -> str:
    def one(value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{key}: {item}" for key, item in value.items())
        return ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower()

    return "; ".join(f"{name} {one(value)}" for name, value in row.items())


# Kinds


def kinds_table() -> str:
    """The table of envelope kinds in docs/protocol.md."""
    rows = []
    for kind in Kind:
        schema = SCHEMAS.get(kind)
        if schema is None:
            rows.append((str(int(kind)), kind.name, "no payload in this version: `unknown_kind`", "", ""))
            continue
        record: Any = schema.record
        extras = tuple((key, name) for key, name, *_ in getattr(schema, "extras", ()))
        fields = ", ".join(f"{key} {name}" for key, name, _ in schema.fields)
        fields += "".join(f", {key} {name} (may be absent)" for key, name in extras)
        where = record.__module__.removeprefix("luminous.").replace(".", "/") + ".py"
        rows.append((str(int(kind)), kind.name, SAYS[kind], fields, f"`{where}`"))
    return table(("number", "kind", "what it says", "keys of the payload", "where"), rows)


def with_kinds(page: str) -> str:
    """docs/protocol.md with the present table."""
    start, end = "<!-- kinds -->\n", "<!-- /kinds -->"
    head, _, rest = page.partition(start)
    _, _, tail = rest.partition(end)
    assert tail, "docs/protocol.md has lost its marks"
    return head + start + kinds_table() + end + tail


PAGES: dict[str, Callable[[], str]] = {
    "limits": limits_page,
    "commands": commands_page,
    "configuration": configuration_page,
    "parameters": parameters_page,
}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_current(name: str) -> None:
    page = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    assert page == PAGES[name](), f"docs/{name}.md is not what the code says: run {AGAIN}"


def test_the_table_of_kinds_is_current() -> None:
    page = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    assert page == with_kinds(page), f"docs/protocol.md is not what the code says: run {AGAIN}"


def test_every_limit_says_what_it_stops() -> None:
    text = (ROOT / "protocol/limits.py").read_text(encoding="utf-8")
    silent = [name for name, _, why in bounds(text) if len(why) < 12]
    assert silent == []
    assert len(list(bounds(text))) == len(re.findall(r"(?m)^[A-Z][A-Z_0-9]* = ", text))


def test_a_planted_bound_without_a_word_is_seen() -> None:
    assert list(bounds("# Why.\nA_MAX = 1\nB_MAX = 2\n\ndef f():\n    pass\nC_MAX = 3\n")) == [
        ("A_MAX", "1", "Why."),
        ("B_MAX", "2", "Why."),
        ("C_MAX", "3", ""),
    ]


def test_every_variable_is_explained() -> None:
    assert set(OTHER_MEANINGS) == set(OTHER_VARIABLES)


def main() -> None:
    """Write every generated page."""
    for name, page in PAGES.items():
        (ROOT / f"docs/{name}.md").write_text(page(), encoding="utf-8")
    path = ROOT / "docs/protocol.md"
    path.write_text(with_kinds(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
