"""``doctor``, ``backup``, ``restore``: keeping one installation well.

Refuses to mend by itself, to overwrite, and to bring a journal or keys back in silence.
"""

import os
import time
from pathlib import Path

import click

from luminous.node.shell import backup as copying
from luminous.node.shell import lock
from luminous.node.shell.check import Check, Verdict
from luminous.node.shell.cli.client import NotRunning
from luminous.node.shell.cli.options import json_option, put, state
from luminous.node.shell.cli.printing import pairs, safe
from luminous.node.shell.cli.views import moment
from luminous.node.shell.cli.watching import client
from luminous.node.shell.doctor import examine, is_sound
from luminous.node.shell.doctor_network import Ask
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


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--identity", is_flag=True, help="The keys too. Keep such a file as you keep a password.")
@json_option
def backup(file: Path | None, identity: bool) -> None:
    """Copy the state store, the network and the configuration into one tar FILE, also while the node runs.

    Never copied: the journal, as signing from an old one signs twice, and consent.
    """
    target = file or Path(f"luminous-node-{time.strftime('%Y%m%d-%H%M%S')}.tar")
    facts = copying.backup(state().paths(), target, with_keys=identity)
    facts["notes"] = [copying.IDENTITY_WARNING] if identity else []
    shown = [
        ("backup", f"{facts['file']} ({facts['size']} bytes, only you can read it)"),
        ("holds", ", ".join(sorted(facts["files"])) or "nothing but the manifest"),
        ("never in it", "journal, consent" + ("" if identity else ", keys (--identity)")),
    ]
    put(facts, lambda: "\n".join([pairs(shown), *facts["notes"]]))


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--identity", is_flag=True, help="The keys too, if the backup holds them. Signing stays halted."
)
@json_option
def restore(file: Path, identity: bool) -> None:
    """Bring the backup FILE into an empty data directory. Nothing is overwritten; consent is not restored."""
    places = state().paths()
    with lock.held(places.data):
        facts = copying.restore(places, file, with_keys=identity)
    if identity:
        facts["notes"].append(copying.IDENTITY_WARNING)
    shown = [
        ("restored", ", ".join(facts["restored"]) or "nothing: the backup is empty"),
        ("made", moment(facts["made_at_ms"])),
        ("signing", facts["signing"]),
        ("next", "luminous-node consent status, then luminous-node run"),
    ]
    put(facts, lambda: "\n".join([pairs(shown), *facts["notes"]]))
