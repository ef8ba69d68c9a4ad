"""``run``, ``bootstrap``, ``demo``: become another program, so that nothing heavy is imported here.

Refuses to start a node whose configuration is wrong: better told here than in a log.
"""

import importlib.util
import os
import sys

import click

from luminous.node.shell.cli.options import state
from luminous.node.shell.cli.root import not_yet
from luminous.node.shell.failure import of_os_error

ANY = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False}


@click.command(context_settings=ANY)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def run(words: tuple[str, ...]) -> None:
    """Run the node in the foreground. Nothing listens or dials before 'consent grant network'."""
    _check()
    become("luminous.node.shell.daemon", [*_places(), *words], "run")


@click.command(context_settings=ANY)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def bootstrap(words: tuple[str, ...]) -> None:
    """Run a node that only helps others to find each other: no learning, no voting.

    Typed by its operator, this is consent to the network for itself.
    """
    _check()
    become("luminous.node.shell.daemon", ["--bootstrap", *_places(), *words], "bootstrap")


@click.command(context_settings=ANY)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def demo(words: tuple[str, ...]) -> None:
    """Show what the node does, about a minute."""
    become("luminous.simulations.demo", list(words), "demo")


def become(module: str, words: list[str], command: str) -> None:
    """Replace this process by ``python -m module``; "not yet" when this version has no such module."""
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise not_yet(command)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(sys.executable, [sys.executable, "-m", module, *words])
    except OSError as error:
        raise of_os_error(f"{command} cannot be started", sys.executable, error) from error


def _check() -> None:
    from luminous.node.shell.settings_file import load

    for warning in load(state().paths().config, os.environ).warnings:
        click.echo(f"luminous-node: {warning}", err=True)


def _places() -> list[str]:
    given = state()
    words = ["--data-dir", given.data_dir] if given.data_dir else []
    return [*words, "--config", given.config_file] if given.config_file else words
