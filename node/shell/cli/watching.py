"""Commands that look at the running node: status, peers, wisdom, health, why, heal, forecast.

Refuses to change anything.
"""

import os
from functools import partial
from typing import Any

import click

from luminous.node.shell.cli.client import Client, NotRunning
from luminous.node.shell.cli.options import json_option, put, state
from luminous.node.shell.cli.printing import duration, outline, pairs, safe, table
from luminous.node.shell.failure import Failure


def client() -> Client:
    """The node of this data directory."""
    return Client(state().paths().socket)


@click.command()
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@json_option
def status(watch: bool) -> None:
    """What the running node is doing."""
    import time

    try:
        facts = client().get("/v1/status")
    except NotRunning as error:
        raise _offline(error) from error
    put(facts, partial(status_words, facts))
    while watch:
        time.sleep(2)
        facts = client().get("/v1/status")
        if not state().as_json:
            click.clear()
        put(facts, partial(status_words, facts))


def status_words(facts: dict[str, Any]) -> str:
    """The status as a few lines."""
    health, privacy = facts.get("health") or {}, facts.get("privacy") or {}
    network = facts.get("network")
    name = network.get("name") if isinstance(network, dict) else network
    score = health.get("score")
    peers = facts.get("peers")
    shown = [
        ("node", f"{safe(facts.get('version'))}, up {duration(facts.get('uptime_s'))}"),
        ("author", safe(facts.get("words") or facts.get("author"))),
        ("network", safe(name) if name else "none: alone (luminous-node network create | join)"),
        (
            "peers",
            f"{len(peers) if isinstance(peers, list) else safe(peers)}, mesh {_count(facts.get('mesh'))}",
        ),
        ("health", f"{safe(health.get('status'))} {safe(score)}, coverage {safe(health.get('coverage'))}"),
        ("sharing", _sharing(privacy)),
        ("proposals", _count(facts.get("proposals"))),
    ]
    notes = facts.get("notes") or []
    return "\n".join([pairs(shown), *map(safe, notes if isinstance(notes, list) else [])])


def _sharing(privacy: dict[str, Any]) -> str:
    consent = privacy.get("consent")
    agreed = consent.get("network") if isinstance(consent, dict) else consent
    if not agreed:
        return "off"
    level = safe(privacy.get("level"))
    return f"{level}; budget spent {safe(privacy.get('spent'))}, left {safe(privacy.get('left'))}"


def _count(value: object) -> str:
    return str(len(value)) if isinstance(value, list | dict) else safe(value)


def _offline(error: NotRunning) -> Failure:
    """What can be said without a node, with what to do next."""
    from luminous.node.shell import consent

    places = state().paths()
    has_identity = places.keys.is_dir()
    force = consent.in_force(consent.read(places.consent), os.environ)
    sharing = f"{force.level} once it runs" if force.network else "off"
    error.why += (
        f"; data in {places.data}; identity {'made' if has_identity else 'not made'}; sharing {sharing}"
    )
    error.do = "luminous-node run" if has_identity else "luminous-node init, then luminous-node run"
    return error


@click.command()
@json_option
def peers() -> None:
    """Who it is connected to."""
    facts = client().get("/v1/peers")
    put(facts, lambda: _listed(facts, "peers", "nobody is connected"))


@click.command()
@click.option("--kind", help="fixes, intents, commands, complexity, paths or persona.")
@json_option
def wisdom(kind: str | None) -> None:
    """What was learnt together, and from how many."""
    facts = client().get("/v1/wisdom", kind=kind)
    put(facts, lambda: outline(facts) or "nothing learnt yet")


@click.command()
@json_option
def health() -> None:
    """How well this machine is, with the three worst signals."""
    facts = client().get("/v1/health")
    put(facts, lambda: outline(facts))


@click.command()
@json_option
def forecast() -> None:
    """The next half hour of this machine, with uncertainty. It advises and never acts."""
    facts = client().get("/v1/forecast")
    put(facts, lambda: outline(facts) or "too little is known yet")


@click.command()
@click.argument("question", nargs=-1, required=True)
@json_option
def why(question: tuple[str, ...]) -> None:
    """Why something happened, from this machine's own events, or that it is not known."""
    facts = client().get("/v1/why", question=" ".join(question))
    put(facts, lambda: safe(facts["text"]) if isinstance(facts.get("text"), str) else outline(facts))


@click.group()
def heal() -> None:
    """What was healed, what is proposed, and why."""


@heal.command("list")
@json_option
def heal_list() -> None:
    """What is proposed or under way."""
    facts = client().get("/v1/heal")
    open_ones = facts.get("proposed", facts.get("open", []))
    put({"open": open_ones}, lambda: _listed({"open": open_ones}, "open", "nothing is proposed"))


@heal.command("history")
@json_option
def heal_history() -> None:
    """What was done, how it ended, and how to undo it."""
    facts = client().get("/v1/heal")
    past = facts.get("history", [])
    put({"history": past}, lambda: _listed({"history": past}, "history", "nothing was done"))


@heal.command("why")
@click.argument("act")
@json_option
def heal_why(act: str) -> None:
    """Why an act was done or proposed."""
    facts = client().get("/v1/heal")
    acts = [*facts.get("proposed", facts.get("open", [])), *facts.get("history", [])]
    named = [item for item in acts if isinstance(item, dict) and str(item.get("id", "")).startswith(act)]
    if not named:
        raise Failure(f"there is no act {act}", "neither proposed nor done", "luminous-node heal history")
    put({"act": named[0]}, lambda: outline(named[0]))


@heal.command("plan")
@click.argument("rest", nargs=-1)
def heal_plan(rest: tuple[str, ...]) -> None:
    """What would be done for a symptom. Not yet."""
    raise Failure("heal plan: not yet", "this version does not do it", "luminous-node heal list")


@heal.command("apply")
@click.argument("rest", nargs=-1)
def heal_apply(rest: tuple[str, ...]) -> None:
    """Do what is proposed. Not yet."""
    raise Failure("heal apply: not yet", "this version does not do it", "luminous-node heal list")


@heal.command("undo")
@click.argument("rest", nargs=-1)
def heal_undo(rest: tuple[str, ...]) -> None:
    """Undo what was done. Not yet."""
    raise Failure("heal undo: not yet", "this version does not do it", "luminous-node heal history")


def _listed(facts: dict[str, Any], name: str, nothing: str) -> str:
    rows = facts.get(name)
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        rest = {key: value for key, value in facts.items() if key != name}
        return "\n".join(part for part in (table(rows) if rows else nothing, outline(rest)) if part)
    return outline(facts) or nothing
