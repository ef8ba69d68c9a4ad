"""``privacy``: what left this machine, what would leave next, what it costs, and how to stop.

Refuses to depend on a running node for stopping: ``off`` always works.
"""

import sys

import click

from luminous.node.shell.cli import views
from luminous.node.shell.cli.consenting import take_back
from luminous.node.shell.cli.options import json_option, put
from luminous.node.shell.cli.printing import outline
from luminous.node.shell.cli.watching import client
from luminous.node.shell.failure import Exit, Failure


@click.group()
def privacy() -> None:
    """What left this machine, what would leave next, what it costs."""


@privacy.command()
@json_option
def status() -> None:
    """Level, consent, budget spent and left."""
    facts = client().get("/v1/privacy")
    put(facts, lambda: views.budget(facts))


@privacy.command()
@json_option
def preview() -> None:
    """The exact next message: its bytes, who could read it, what it would cost."""
    facts = client().get("/v1/privacy/preview")
    put(facts, lambda: outline(facts))


@privacy.command()
@json_option
def log() -> None:
    """Everything this node signed and sent."""
    facts = client().get("/v1/privacy/log")
    put(facts, lambda: views.released(facts))


@privacy.command()
@json_option
def ledger() -> None:
    """Every charge against the budget."""
    facts = client().get("/v1/privacy/ledger")
    put(facts, lambda: views.budget(facts))


@privacy.command()
@json_option
def off() -> None:
    """Release nothing from now on: takes back the consent to learning. Works without a running node."""
    take_back("learning")
    put({"learning": "LOCAL_ONLY"}, lambda: "off: nothing of this machine is released. Voting goes on.")


@privacy.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def forget(yes: bool) -> None:
    """Delete what was learnt here: evidence, statistics, counts. Own signed acts and charges stay."""
    if not yes and not sys.stdin.isatty():
        raise Failure(
            "nothing was deleted", "this cannot be undone and nobody can be asked", "--yes", Exit.USAGE
        )
    if not yes:
        click.confirm("Delete evidence, statistics and counts of this machine?", abort=True)
    facts = client().post("/v1/forget", {})
    put(facts, lambda: outline(facts) or "forgotten")
