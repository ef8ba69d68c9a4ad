"""``doctor``, ``backup``, ``restore``: keeping one installation well.

Refuses to mend by itself, to overwrite, and to bring a journal or keys back in silence.
"""

import os

import click

from luminous.node.shell.cli.client import NotRunning
from luminous.node.shell.cli.options import json_option, put, state
from luminous.node.shell.cli.printing import safe
from luminous.node.shell.cli.watching import client
from luminous.node.shell.doctor import Ask, Check, Verdict, examine, is_sound
from luminous.node.shell.failure import Exit


@click.command()
@json_option
def doctor() -> int:
    """Look at this installation and say what to mend; exit 1 when something failed. It changes nothing."""
    checks = examine(state().paths(), os.environ, _ask())
    counts = {word.value: sum(check.verdict is word for check in checks) for word in Verdict}
    facts = {"ok": is_sound(checks), "checks": [check.facts() for check in checks], "counts": counts}
    put(facts, lambda: _words(checks, counts))
    return int(Exit.OK if is_sound(checks) else Exit.CHECK_FAILED)


def _ask() -> Ask:
    """How to ask the running node; None when there is none."""
    node = client()
    try:
        node.get("/v1/status")
    except NotRunning:
        return None
    return lambda path: node.get(path)


def _words(checks: tuple[Check, ...], counts: dict[str, int]) -> str:
    width = max(len(check.name) for check in checks)
    lines: list[str] = []
    for check in checks:
        lines.append(f"{check.verdict}  {check.name:<{width}}  {safe(check.text)}")
        if check.do:
            lines.append(f"      {'':<{width}}  → {safe(check.do)}")
    told = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    return "\n".join([*lines, told])
