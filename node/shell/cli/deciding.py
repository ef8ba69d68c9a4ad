"""Deciding together: propose, vote, proposals, decision, verify, parameters, override.

Refuses to call an outcome final: the node says which it is, final or provisional.
"""

import re
import time
from datetime import datetime

import click

from luminous.node.shell.cli import deciding_views, views
from luminous.node.shell.cli.options import json_option, key_and_number, put
from luminous.node.shell.cli.printing import outline, safe
from luminous.node.shell.cli.watching import client
from luminous.node.shell.failure import Exit, Failure

UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
PERIOD_DEFAULT = "3d"


@click.command()
@click.argument("kind", type=click.Choice(["parameter", "feature", "text", "amendment"]))
@click.argument("title")
@click.option("--text", default="", help="What it is about, for those who vote.")
@click.option(
    "--set", "effects", multiple=True, metavar="KEY=NUMBER", help="What it changes; may be repeated."
)
@click.option(
    "--threshold", type=click.Choice(["simple", "super", "consensus"]), default="simple", show_default=True
)
@click.option("--closes-in", metavar="TIME", help=f"For example 30min, 12h, 3d. Default {PERIOD_DEFAULT}.")
@click.option("--closes-at", metavar="TIME", help="A moment, for example 2031-05-01T12:00+00:00.")
@click.option(
    "--unknown", "unknowns", multiple=True, metavar="TEXT", help="What you do not know; may be repeated."
)
@click.option(
    "--confidence", type=click.IntRange(0, 100), metavar="PERCENT", help="How sure you are that it helps."
)
@json_option
def propose(
    kind: str,
    title: str,
    text: str,
    effects: tuple[str, ...],
    threshold: str,
    closes_in: str | None,
    closes_at: str | None,
    unknowns: tuple[str, ...],
    confidence: int | None,
) -> None:
    """Put TITLE to the vote: a change of parameters, of features, or a text. No vote can carry code."""
    if closes_in and closes_at:
        raise _usage("--closes-in and --closes-at say the same", "give one of them")
    body: dict[str, object] = {
        "kind": kind,
        "title": title,
        "text": text,
        "effects": [list(key_and_number(word)) for word in effects],
        "threshold": threshold,
        "closes_in_s": None if closes_at else period_s(closes_in or PERIOD_DEFAULT),
        "closes_at_ms": moment_ms(closes_at) if closes_at else None,
        "unknowns": list(unknowns),
        "confidence_milli": None if confidence is None else confidence * 10,
    }
    facts = client().post("/v1/propose", body)
    put(facts, lambda: deciding_views.proposed(facts))


@click.command()
@click.argument("proposal")
@click.argument("choice", type=click.Choice(["yes", "no", "abstain"]))
@json_option
def vote(proposal: str, choice: str) -> None:
    """Vote on PROPOSAL (its id or the beginning of it). You may change your vote until it closes."""
    facts = client().post("/v1/vote", {"proposal": proposal, "choice": choice})
    put(facts, lambda: outline(facts) or "voted")


@click.command()
@json_option
def proposals() -> None:
    """What is being decided. Counts are provisional until an outcome is final."""
    facts = client().get("/v1/proposals")
    put(facts, lambda: deciding_views.proposals(facts))


@click.command()
@click.argument("proposal")
@json_option
def decision(proposal: str) -> None:
    """One proposal: its ballots and its outcome."""
    facts = client().get(f"/v1/decision/{proposal}")
    put(facts, lambda: deciding_views.decision(facts))


@click.command()
@click.argument("what", nargs=-1, metavar="[aggregate WINDOW]")
@click.option("--file", "path", metavar="FILE", help="Audit an exported election; needs no node.")
@json_option
def verify(what: tuple[str, ...], path: str | None) -> int:
    """Recount every decision from the records; exit 1 when one does not come out the same.

    'verify aggregate WINDOW' recomputes what was learnt in one window from the deltas that members agreed on.
    """
    if path is not None and not what:
        from luminous.node.shell.verify_file import run

        return run(path)
    if what:
        if len(what) != 2 or what[0] != "aggregate" or not what[1].isdecimal() or path is not None:
            raise _usage(
                f"{safe(' '.join(what))} cannot be verified", "luminous-node verify aggregate WINDOW"
            )
        found = client().get("/v1/verify/aggregate", window=int(what[1]))
        put(found, lambda: outline(found))
        return int(Exit.OK if found.get("holds") is True else Exit.CHECK_FAILED)
    facts = client().get("/v1/verify", timeout_s=120.0)
    put(facts, lambda: views.verify(facts))
    return int(Exit.OK if facts.get("holds") is True else Exit.CHECK_FAILED)


@click.command()
@json_option
def parameters() -> None:
    """What is in force here: decided, overridden or default, with its bounds."""
    facts = client().get("/v1/parameters")
    put(facts, lambda: deciding_views.parameters(facts))


@click.command()
@click.argument("key")
@click.argument("value", type=int, required=False)
@click.option("--clear", is_flag=True, help="Follow the decision again.")
@json_option
def override(key: str, value: int | None, clear: bool) -> None:
    """Keep VALUE for KEY on this machine whatever is decided. Needs no reason and costs nothing."""
    if (value is None) != clear:
        raise _usage("give a value, or --clear to follow the decision again", "luminous-node parameters")
    facts = client().post("/v1/override", {"key": key, "value": value})
    put(facts, lambda: outline(facts) or f"{safe(key)}: {'follows the decision' if clear else value}")


def period_s(text: str) -> int:
    """Seconds of a period such as ``30min``, ``12h`` or ``3d``."""
    match = re.fullmatch(r"(\d{1,9})\s*(s|m|min|h|d|w)", text.strip())
    if match is None:
        raise _usage(f"{safe(text)} is not a period", "a number and s, min, h, d or w, for example 3d")
    return int(match[1]) * UNITS_S[match[2]]


def moment_ms(text: str) -> int:
    """Wall-clock milliseconds of an ISO 8601 moment; local time where no zone is named."""
    try:
        found = datetime.fromisoformat(text.strip())
        at_ms = round(found.timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise _usage(f"{safe(text)} is not a moment", "for example 2031-05-01T12:00+00:00") from error
    if at_ms <= time.time_ns() // 1_000_000:
        raise _usage(f"{safe(text)} is past", "name a moment that is still to come")
    return at_ms


def _usage(why: str, do: str) -> Failure:
    return Failure("nothing was sent to the node", why, do, Exit.USAGE)
