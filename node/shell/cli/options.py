"""Options and small helpers that commands share: ``--json``, output, calling what may not exist yet.

Refuses colours off a terminal and decorations in ``--json``.
"""

import importlib
import importlib.util
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from luminous.node.shell.cli.printing import safe
from luminous.node.shell.cli.root import JSON_SCHEMA, State, not_yet
from luminous.node.shell.failure import Exit, Failure

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """``--json`` for a command: facts instead of words."""

    def keep(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        state = ctx.find_object(State)
        assert state is not None
        state.as_json = state.as_json or value

    return click.option(
        "--json", "_as_json", is_flag=True, expose_value=False, callback=keep, help="Facts for programs."
    )(function)


def state() -> State:
    """What the options said."""
    found = click.get_current_context().find_object(State)
    assert found is not None
    return found


def put(facts: Mapping[str, object], words: Callable[[], str]) -> None:
    """Print ``facts`` with the schema number for ``--json``, else what ``words`` says."""
    if state().as_json:
        click.echo(json.dumps({"schema": JSON_SCHEMA, **facts}, sort_keys=True, ensure_ascii=False))
    else:
        click.echo(words())


def key_and_number(word: str) -> tuple[str, int]:
    """A parameter and its value from ``KEY=NUMBER``; features also take off, opt-in and on."""
    key, found, number = word.partition("=")
    named = {"off": "0", "opt-in": "1", "on": "2"}.get(number.strip().lower(), number.strip())
    if not found or not re.fullmatch(r"-?\d{1,18}", named):
        raise Failure(
            "nothing was done",
            f"{safe(word)} is not KEY=NUMBER",
            "for example health.interval_s=60, or feature.x=off",
            Exit.USAGE,
        )
    return key.strip(), int(named)


def entry(module: str, attribute: str, command: str) -> Callable[..., Any]:
    """A function of another module, imported now; "not yet" when this version has none."""
    if importlib.util.find_spec(module) is None:
        raise not_yet(command)
    found = getattr(importlib.import_module(module), attribute, None)
    if found is None:
        raise not_yet(command)
    assert callable(found)
    return found  # type: ignore[no-any-return]
