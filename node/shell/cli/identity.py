"""``init``, ``id``, ``version``: who this node is.

Refuses to open a socket, to agree to anything, and to replace an identity or a file that is there.
"""

import os
import platform
from pathlib import Path

import click

from luminous import __version__
from luminous.node.shell import keyfile, lock
from luminous.node.shell.cli.options import json_option, put, state
from luminous.node.shell.cli.printing import pairs
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.identity import Identity, identity_of


@click.command()
@json_option
def version() -> None:
    """The version."""
    facts = {"version": __version__, "python": platform.python_version(), "system": platform.system()}
    put(facts, lambda: f"luminous-node {__version__}")


@click.command("id")
@json_option
def show_id() -> None:
    """Who this node is."""
    seeds = keyfile.load(state().paths().keys)
    if seeds is None:
        why = f"there are no keys in {state().paths().keys}"
        raise Failure("this node has no identity yet", why, "luminous-node init", Exit.CHECK_FAILED)
    found = identity_of(seeds)
    put(_facts(found), lambda: pairs(_facts(found).items()))


@click.command()
@json_option
def init() -> None:
    """Make this node's identity and a commented configuration file. Run again, it changes nothing."""
    from luminous.node.shell.settings_template import write_template

    places = state().paths()
    with lock.held(places.data):
        is_new = keyfile.load(places.keys) is None
        seeds = keyfile.load_or_create(places.keys)
    identity = identity_of(seeds)
    configuration = write_template(places.config)
    sharing = _sharing(places.consent)
    facts = {
        **_facts(identity),
        "created": is_new,
        "data_dir": str(places.data),
        "config": str(places.config),
        "config_state": configuration,
        "sharing": sharing,
        "next": "luminous-node run",
    }
    lines = [
        ("identity", f"{identity.words} ({'new' if is_new else 'kept'}; author {identity.author.hex()[:8]})"),
        ("keys", f"{places.keys} (only you can read them; back them up)"),
        ("configuration", f"{places.config} ({configuration})"),
        ("sharing", f"{sharing}. Nothing was sent." if is_new else sharing),
        ("next", "luminous-node explain, or luminous-node run"),
    ]
    put(facts, lambda: pairs(lines))


def _facts(identity: Identity) -> dict[str, object]:
    return {"author": identity.author.hex(), "words": identity.words, "peer_id": identity.peer_id}


def _sharing(path: Path) -> str:
    from luminous.node.shell import consent

    force = consent.in_force(consent.read(path), os.environ)
    return f"on ({force.level})" if force.network else "off"
