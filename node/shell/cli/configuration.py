"""``config show | check | path``: the settings in force and where each comes from.

Refuses to write.
"""

import os
from pathlib import Path

import click

from luminous.node.shell.cli.options import json_option, put, state
from luminous.node.shell.cli.printing import pairs, table
from luminous.node.shell.settings_file import Loaded, flat, load


@click.group()
def config() -> None:
    """Show or check the settings and where each comes from."""


@config.command()
@json_option
def show() -> None:
    """Every setting, its value and its origin."""
    loaded = load(state().paths().config, os.environ)
    rows = _rows(loaded)
    facts = {
        "file": str(state().paths().config),
        "settings": {str(row["key"]): {"value": row["value"], "origin": row["origin"]} for row in rows},
        "warnings": list(loaded.warnings),
        "without_effect": list(loaded.idle),
    }
    put(facts, lambda: "\n".join([table(rows, ("key", "value", "origin")), *loaded.warnings, *loaded.idle]))


@config.command()
@click.argument("file", required=False)
@json_option
def check(file: str | None) -> None:
    """Read the configuration (or FILE) and say whether it is right; exit 4 when it is not."""
    path = Path(file) if file else state().paths().config
    loaded = load(path, os.environ)
    changed = sum(origin != "default" for origin in loaded.origins.values())
    facts = {
        "ok": True,
        "file": str(path),
        "exists": path.exists(),
        "warnings": list(loaded.warnings),
        "without_effect": list(loaded.idle),
    }
    first = f"ok: {path}" if path.exists() else f"ok: no file at {path}, all defaults"
    lines = [f"{first} ({changed} settings differ from defaults)", *loaded.warnings, *loaded.idle]
    put(facts, lambda: "\n".join(lines))


@config.command()
@json_option
def path() -> None:
    """Where this node looks for its files."""
    places = state().paths()
    facts: dict[str, object] = {
        "config": str(places.config),
        "data_dir": str(places.data),
        "runtime_dir": str(places.runtime),
        "socket": str(places.socket),
    }
    put(facts, lambda: pairs(facts.items()))


def _rows(loaded: Loaded) -> list[dict[str, object]]:
    return [
        {
            "key": key,
            "value": list(value) if isinstance(value, tuple) else value,
            "origin": loaded.origins[key],
        }
        for key, value in flat(loaded.settings).items()
    ]
