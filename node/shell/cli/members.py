"""``member``: who decides in this network, and the words that change it.

Refuses to admit anybody by itself: an invitation is a proposal, and above fifty members five must vouch.
"""

import time
from pathlib import Path

import click

from luminous.crypto.keys import Signer, signer_from_seed
from luminous.node.shell import keyfile, networks
from luminous.node.shell.cli import deciding_views
from luminous.node.shell.cli.deciding import PERIOD_DEFAULT, period_s
from luminous.node.shell.cli.options import json_option, put, state
from luminous.node.shell.cli.printing import outline, safe
from luminous.node.shell.cli.watching import client
from luminous.node.shell.failure import Exit, Failure
from luminous.protocol.cards import Card, read_card
from luminous.protocol.envelope import seal
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.operations import OPERATION, Operation, Verb, consent_of, wish_of
from luminous.protocol.reasons import Refused


@click.group()
def member() -> None:
    """Who decides in this network: list, invite, vouch, leave, move to a new key."""


@member.command("list")
@json_option
def show() -> None:
    """The members, those who wait for their turn, and those not seen for long."""
    facts = client().get("/v1/members")
    put(facts, lambda: deciding_views.members(facts))


@member.command()
@click.argument("card")
@click.option("--name", help="Who it is, for those who vote; else the name on the card.")
@click.option("--text", default="", help="Why, for those who vote.")
@click.option("--closes-in", metavar="TIME", default=PERIOD_DEFAULT, show_default=True)
@json_option
def invite(card: str, name: str | None, text: str, closes_in: str) -> None:
    """Ask the members to admit the holder of CARD (it comes from 'network card' on that machine)."""
    found = _read(card, "nobody was invited")
    who = name or found.name or found.author.hex()[:8]
    body: dict[str, object] = {
        "author": found.author.hex(),
        "title": f"Admit {safe(who)}",
        "text": text,
        "closes_in_s": period_s(closes_in),
    }
    facts = client().post("/v1/member/invite", body)
    put(facts, lambda: deciding_views.proposed(facts) + "\nMore than 66 % must say yes, a third at least.")


@member.command()
@json_option
def ask() -> None:
    """Print a card that says that you want to be a member: for members who know you and vouch.

    Needs no running node, only a network that this machine joined.
    """
    signer, network = _own_key("no card was made")
    facts = networks.card(state().paths().data, wish_of(signer, network))
    put(facts, lambda: outline(facts) + "\nFive members who know you type: luminous-node member vouch CARD")


@member.command()
@click.argument("card")
@json_option
def vouch(card: str) -> None:
    """Say that you know the holder of CARD (it comes from 'member ask' on that machine).

    Above fifty members, five who vouch admit without a vote, after two days in which others may object. You
    may vouch once in five days, and you answer for it: if that member is convicted of a lie within 30 days,
    you vouch for nobody for 30 days.
    """
    found = _read(card, "you did not vouch")
    if not found.wish:
        why = "this card does not say that its holder wants to be a member"
        raise Failure("you did not vouch", why, "ask for the one of: luminous-node member ask", Exit.USAGE)
    body: dict[str, object] = {"author": found.author.hex(), "wish": found.wish.hex()}
    facts = client().post("/v1/member/vouch", body)
    put(facts, lambda: outline(facts))


@member.command("object")
@click.argument("author")
@json_option
def object_to(author: str) -> None:
    """Ask for a vote before AUTHOR joins ('member list' shows who waits). Five objections are enough."""
    waiting = [str(row["author"]) for row in client().get("/v1/members").get("waiting") or ()]
    found = [key for key in waiting if author and key.startswith(author.lower())]
    if len(found) != 1:
        why = f"{len(found)} of those who wait have a key that begins so"
        raise Failure("nothing was done", why, "luminous-node member list", Exit.USAGE)
    facts = client().post("/v1/member/object", {"author": found[0]})
    put(facts, lambda: outline(facts))


@member.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def revocation(file: Path) -> None:
    """Write FILE, with which anybody can take this key off the roll for good. Keep it away from this machine.

    It is for the day on which the machine or its keys are lost or stolen. Needs no running node.
    """
    signer, network = _own_key("no revocation was written")
    record = seal(
        signer,
        network,
        Kind.OPERATION,
        0,
        time.time_ns() // 1_000_000,
        OPERATION.pack(Operation(Verb.REVOKE)),
    )
    try:
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(record.hex() + "\n", encoding="ascii")
    except OSError as error:
        why = "the file is there already" if isinstance(error, FileExistsError) else str(error)
        raise Failure("no revocation was written", why, "name another file", Exit.USAGE) from error
    facts = {"file": str(file), "author": signer.public.hex(), "use": f"luminous-node member revoke {file}"}
    put(facts, lambda: outline(facts))


@member.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--yes", "is_sure", is_flag=True, help="Needed: the key that is revoked never returns.")
@json_option
def revoke(file: Path, is_sure: bool) -> None:
    """Take the key that signed FILE ('member revocation') off the roll. Any node of the network sends it."""
    try:
        record = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure("nothing was revoked", "the file cannot be read", "give another", Exit.USAGE) from error
    if not is_sure:
        why = "the key that is revoked never returns"
        raise Failure("nothing was revoked", why, f"luminous-node member revoke {file} --yes", Exit.USAGE)
    facts = client().post("/v1/receive", {"bytes": record})
    put(facts, lambda: outline(facts) + "\nThe key is off the roll with the next Minutes.")


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


def _read(line: str, what: str) -> Card:
    found = read_card(line)
    if isinstance(found, Refused):
        raise Failure(what, found.detail, "ask for the card again", Exit.USAGE)
    return found


def _own_key(what: str) -> tuple[Signer, NetworkId]:
    """This machine's signer and the network it joined."""
    seeds = keyfile.load(state().paths().keys)
    if seeds is None:
        raise Failure(what, "this machine has no keys", "luminous-node init", Exit.USAGE)
    network = networks.network_of(state().paths().data)
    if network is None:
        why = "this machine belongs to no network"
        raise Failure(what, why, "luminous-node network join CARD", Exit.NETWORK)
    return signer_from_seed(seeds.author), network
