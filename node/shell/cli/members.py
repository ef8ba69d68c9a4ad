"""``member list | invite | leave | rotate``: who decides in this network.

Refuses to admit anybody by itself: an invitation is a proposal, and the members vote on it.
"""

from pathlib import Path

import click

from luminous.node.shell.cli.deciding import PERIOD_DEFAULT, period_s
from luminous.node.shell.cli.options import json_option, put, state
from luminous.node.shell.cli.printing import outline, safe
from luminous.node.shell.cli.watching import client
from luminous.node.shell.failure import Exit, Failure


@click.group()
def member() -> None:
    """Who decides in this network: list, invite, leave, move to a new key."""


@member.command("list")
@json_option
def show() -> None:
    """The members, those who wait for their turn, and those not seen for long."""
    facts = client().get("/v1/members")
    put(facts, lambda: outline(facts))


@member.command()
@click.argument("card")
@click.option("--name", help="Who it is, for those who vote; else the name on the card.")
@click.option("--text", default="", help="Why, for those who vote.")
@click.option("--closes-in", metavar="TIME", default=PERIOD_DEFAULT, show_default=True)
@json_option
def invite(card: str, name: str | None, text: str, closes_in: str) -> None:
    """Ask the members to admit the holder of CARD (it comes from 'network card' on that machine)."""
    from luminous.protocol.cards import read_card
    from luminous.protocol.reasons import Refused

    found = read_card(card)
    if isinstance(found, Refused):
        raise Failure("nobody was invited", found.detail, "ask for the card again", Exit.USAGE)
    who = name or found.name or found.author.hex()[:8]
    body: dict[str, object] = {
        "author": found.author.hex(),
        "title": f"Admit {safe(who)}",
        "text": text,
        "closes_in_s": period_s(closes_in),
    }
    facts = client().post("/v1/member/invite", body)
    put(facts, lambda: outline(facts) + "\nMore than two thirds must say yes: luminous-node vote ID yes")


@member.command()
@click.option("--yes", "is_sure", is_flag=True, help="Needed: a key that left never returns.")
@json_option
def leave(is_sure: bool) -> None:
    """Leave the roll. Your node may stay in the network; this key can never be a member again."""
    if not is_sure:
        why = "a key that left can never be a member again"
        raise Failure("nothing was done", why, "luminous-node member leave --yes", Exit.USAGE)
    facts = client().post("/v1/member/leave", {})
    put(facts, lambda: outline(facts))


@member.command()
@click.argument("keys", type=click.Path(path_type=Path))
@json_option
def rotate(keys: Path) -> None:
    """Give your place to a new key: KEYS is the keys directory of a second 'init' (another data directory).

    Both keys sign. When 'member list' shows the new key, stop this node and run the one with the new keys.
    """
    from luminous.crypto.keys import signer_from_seed
    from luminous.node.shell import keyfile
    from luminous.protocol.identifiers import AuthorId, NetworkId
    from luminous.protocol.operations import consent_of

    new, old = keyfile.load(keys), keyfile.load(state().paths().keys)
    if new is None or old is None:
        why = f"there are no keys in {keys if new is None else state().paths().keys}"
        raise Failure("nothing was rotated", why, "luminous-node --data-dir NEW init", Exit.USAGE)
    network = client().get("/v1/status").get("network")
    if not isinstance(network, dict):
        why = "this node belongs to no network"
        raise Failure("nothing was rotated", why, "luminous-node network join CARD", Exit.NETWORK)
    signer = signer_from_seed(new.author)
    before = AuthorId(signer_from_seed(old.author).public)
    consent = consent_of(signer, NetworkId(bytes.fromhex(str(network["id"]))), before)
    facts = client().post("/v1/member/rotate", {"successor": signer.public.hex(), "consent": consent.hex()})
    put(facts, lambda: outline(facts))
