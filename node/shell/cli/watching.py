"""Commands that look at the running node: status, wisdom, health, why, heal, forecast.

Refuses to change anything.
"""

import os
from functools import partial

import click

from luminous.node.shell.cli import views
from luminous.node.shell.cli.client import Client, NotRunning
from luminous.node.shell.cli.options import json_option, put, state
from luminous.node.shell.cli.printing import outline, safe
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
    put(facts, partial(views.status, facts))
    while watch:
        time.sleep(2)
        facts = client().get("/v1/status")
        if not state().as_json:
            click.clear()
        put(facts, partial(views.status, facts))


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
    put(facts, lambda: views.health(facts))


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
    """What is wrong now and what the node waits for."""
    facts = client().get("/v1/heal")
    put(facts, lambda: views.heal_open(facts))


@heal.command("history")
@json_option
def heal_history() -> None:
    """What was done, how it ended, and how to undo it."""
    facts = client().get("/v1/heal")
    put(facts, lambda: views.heal_past(facts))


@heal.command("why")
@click.argument("act")
@json_option
def heal_why(act: str) -> None:
    """Why something was done or proposed: ACT is an id from list or history, or its beginning."""
    facts = client().get("/v1/heal")
    known = [
        row for name in ("open", "intents", "closed") for row in facts.get(name, []) if isinstance(row, dict)
    ]
    named = [row for row in known if str(row.get("id", "")).startswith(act)]
    if not named:
        raise Failure(f"there is no act {safe(act)}", "neither open nor done", "luminous-node heal history")
    found = named[-1]
    about = [row for row in known if row.get("id") == found.get("incident")]
    put(
        {"act": found, "incident": about[0] if about else None},
        lambda: outline({"act": found, "about": about}),
    )


@heal.command("apply")
@click.argument("act")
@json_option
def heal_apply(act: str) -> None:
    """Agree to a proposed act."""
    facts = client().post("/v1/heal", {"intent": act, "undo": False})
    put(facts, lambda: outline(facts) or "agreed")


@heal.command("undo")
@click.argument("act")
@json_option
def heal_undo(act: str) -> None:
    """Undo what was done."""
    facts = client().post("/v1/heal", {"intent": act, "undo": True})
    put(facts, lambda: outline(facts) or "undone")


@heal.command("plan")
@click.argument("rest", nargs=-1)
@json_option
def heal_plan(rest: tuple[str, ...]) -> None:
    """What would be done for a symptom. Not yet."""
    raise Failure("heal plan: not yet", "this version does not do it", "luminous-node heal list")


@click.command()
@json_option
def logs() -> None:
    """What the node told since it started. Its full log is where its service manager keeps it."""
    facts = client().get("/v1/history")
    put(facts, lambda: views.events(facts))


@click.command()
@json_option
def metrics() -> None:
    """Measurements in Prometheus text."""
    facts = client().get("/v1/metrics")
    put(facts, lambda: str(facts.get("text", "")).rstrip())
