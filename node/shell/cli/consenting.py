"""``consent status | grant | revoke``: two consents, said in so many words or not given.

Refuses to ask, to nag and to assume a level.
"""

import os
import time

import click

from luminous.node.shell import consent as consents
from luminous.node.shell import lock
from luminous.node.shell.cli.client import Client, NotRunning
from luminous.node.shell.cli.options import json_option, put, state
from luminous.node.shell.cli.printing import pairs
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.paths import Paths

VISIBLE = (
    "Other peers will see your IP address and that you take part. Your commands, paths, host and user names "
    "and configuration never leave this machine."
)
WHAT = click.Choice(["network", "learning"])


@click.group()
def consent() -> None:
    """What you agreed to; agree or take it back."""


@consent.command()
@json_option
def status() -> None:
    """What you agreed to and what is in force."""
    _put(state().paths(), ())


@consent.command()
@click.argument("what", type=WHAT)
@click.argument("level", required=False)
@click.option("--models", help=f"Only these, with commas: {', '.join(consents.MODELS)}.")
@json_option
def grant(what: str, level: str | None, models: str | None) -> None:
    """Agree to WHAT: network (listen, dial, relay, sync, vote), or learning at a LEVEL.

    Levels: LOCAL_ONLY (nothing of this machine leaves), DIFFERENTIAL (noised statistics), PUBLIC (statistics
    as they are, meant for machines of one owner). There is no default.
    """
    if what == "learning" and level is None:
        why = "consent to learning needs a level, and none is assumed"
        raise Failure("nothing was granted", why, "one of: LOCAL_ONLY, DIFFERENTIAL, PUBLIC", Exit.USAGE)
    if what == "network" and (level or models):
        why = "consent to the network has no level and no models"
        raise Failure("nothing was granted", why, "luminous-node consent grant network", Exit.USAGE)
    chosen = tuple(name.strip() for name in (models or "").split(",") if name.strip())
    notes = [VISIBLE] if what == "network" else []
    if (level or "").upper() == "PUBLIC":
        notes.append(
            "PUBLIC releases exact counts of a closed vocabulary, without noise: no privacy bound holds."
        )
    _change(state().paths(), what, level, chosen, granted=True)
    _put(state().paths(), tuple(notes))


@consent.command()
@click.argument("what", type=WHAT)
@json_option
def revoke(what: str) -> None:
    """Take consent to WHAT back, at once and lastingly. What was sent cannot be called back."""
    take_back(what)
    _put(state().paths(), ("What was sent before cannot be called back.",))


def take_back(what: str) -> None:
    """Revoke one consent, with or without a running node."""
    _change(state().paths(), what, None, (), granted=False)


def _change(places: Paths, what: str, level: str | None, models: tuple[str, ...], *, granted: bool) -> None:
    at_ms = time.time_ns() // 1_000_000
    if granted and what == "learning":  # judge it before anybody is asked
        consents.grant_learning(consents.Record(), level or "", models, at_ms)
    asked: dict[str, object] = {"what": what, "level": level, "models": list(models), "grant": granted}
    try:
        Client(places.socket).post("/v1/consent", asked)
        return
    except NotRunning:
        pass
    with lock.held(places.data):
        record = consents.read(places.consent)
        if not granted:
            record = consents.revoke(record, what)
        elif what == "network":
            record = consents.grant_network(record, at_ms)
        else:
            record = consents.grant_learning(record, level or "", models, at_ms)
        consents.write(places.consent, record)


def _put(places: Paths, notes: tuple[str, ...]) -> None:
    record = consents.read(places.consent)
    force = consents.in_force(record, os.environ)
    facts = {
        "consent_schema": consents.SCHEMA,
        "network": {"granted": record.network is not None, "in_force": force.network},
        "learning": {
            "granted": record.learning.level if record.learning else None,
            "in_force": force.level,
            "models": list(force.models),
        },
        "why": list(force.why),
        "notes": list(notes),
    }
    learning = f"{force.level} ({', '.join(force.models)})" if force.models else force.level
    lines = [("network", "on" if force.network else "off"), ("learning", learning)]
    put(facts, lambda: "\n".join([pairs(lines), *force.why, *notes]))
