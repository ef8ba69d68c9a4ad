"""``network create | join | card``: which network this node belongs to. No socket is opened by any of them.

Refuses to run beside a node that uses the same data directory: the lock decides.
"""

from collections.abc import Mapping

import click

from luminous.node.shell import lock
from luminous.node.shell.cli.options import entry, json_option, key_and_number, put, state
from luminous.node.shell.cli.printing import outline

MODULE = "luminous.node.shell.networks"


@click.group()
def network() -> None:
    """Create or join a network of nodes."""


@network.command()
@click.argument("name")
@click.option("--fleet", is_flag=True, help="All machines of one owner: they share as they are, by consent.")
@click.option("--founder", "founders", multiple=True, metavar="CARD", help="Card of a founding member.")
@click.option(
    "--set", "values", multiple=True, metavar="KEY=NUMBER", help="A parameter's first value; may be repeated."
)
@json_option
def create(name: str, fleet: bool, founders: tuple[str, ...], values: tuple[str, ...]) -> None:
    """Found a network called NAME; prints the card that others join with.

    A value set here is part of the network's founding record: every member starts with it.
    """
    function = entry(MODULE, "create", "network create")
    law = dict(key_and_number(word) for word in values)
    places = state().paths()
    with lock.held(places.data):
        _put(function(places.data, name, fleet, list(founders), law))


@network.command()
@click.argument("card")
@json_option
def join(card: str) -> None:
    """Belong to the network of CARD. Nothing is dialled before 'consent grant network'."""
    function = entry(MODULE, "join", "network join")
    places = state().paths()
    with lock.held(places.data):
        _put(function(places.data, card))


@network.command("card")
@click.option("--qr", "as_qr", is_flag=True, help="As a QR code too, to be read off this screen.")
@json_option
def show_card(as_qr: bool) -> None:
    """The card that others join or found with."""
    found = entry(MODULE, "card", "network card")(state().paths().data)
    assert isinstance(found, Mapping)
    if as_qr and not state().as_json:
        from luminous.node.shell.cli.qr import drawn

        click.echo(drawn(str(found["card"])))
    _put(found)


def _put(found: object) -> None:
    if isinstance(found, Mapping):
        put(found, lambda: outline(found))
    else:
        put({"card": str(found)}, lambda: str(found))
