"""``explain`` and what surrounds a failure: preflight, what-changed, bisect, what-if, backfill, hook.

Refuses to know anything about Nix: each hands its words to the module that does.
"""

import os
import sys

import click

from luminous.node.shell.cli.options import entry, json_option, state
from luminous.node.shell.failure import Exit, Failure

PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.command()
@click.argument("path", required=False)
@click.option("--command", "command_line", metavar="TEXT", help="The command that failed.")
@click.option("--exit-code", type=int, metavar="N", help="How it ended.")
@click.option("--root", metavar="DIR", help="Your configuration's directory.")
@click.option("--share", is_flag=True, help="A report to paste elsewhere, with names taken out.")
@json_option
def explain(
    path: str | None, command_line: str | None, exit_code: int | None, root: str | None, share: bool
) -> int:
    """Why a Nix command failed and what fixes it. Reads the text from FILE, or from stdin (-)."""
    run = entry("luminous.node.shell.explain", "run", "explain")
    if path is None and sys.stdin.isatty():
        do = "luminous-node explain FILE, or put | luminous-node explain behind 2>&1"
        raise Failure(
            "there is nothing to explain", "no file was named and nothing is piped in", do, Exit.USAGE
        )
    return int(
        run(
            path or "-",
            command=command_line,
            exit_code=exit_code,
            root=root,
            as_json=state().as_json,
            share=share,
        )
    )


@click.command("exec", context_settings=PASS_ON)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def exec_help(words: tuple[str, ...]) -> int:
    """Run a command unchanged; explain it when it fails: luminous-node exec -- COMMAND."""
    if state().data_dir:
        os.environ["LUMINOUS_DATA_DIR"] = os.path.abspath(str(state().data_dir))  # noqa: PTH100
    return int(entry("luminous.node.shell.exec", "main", "exec")(list(words)))


def _passed_on(name: str, module: str, attribute: str, line: str) -> click.Command:
    """A command whose words another module reads."""

    def call(words: tuple[str, ...]) -> int:
        if words[:1] in (("--help",), ("-h",)):
            click.echo(f"Usage: luminous-node {name} [OPTIONS]\n\n  {line}")
            return 0
        if "--json" in words:
            state().as_json = True
        return int(entry(module, attribute, name)(list(words)))

    params: list[click.Parameter] = [click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)]
    return click.Command(name, callback=call, params=params, context_settings=PASS_ON, help=line)


preflight = _passed_on(
    "preflight", "luminous.node.shell.preflight", "run", "What would make a rebuild fail, before it starts."
)
what_changed = _passed_on(
    "what-changed", "luminous.node.shell.what_changed", "run", "What changed since this command last worked."
)
bisect = _passed_on("bisect", "luminous.node.shell.bisect", "run", "Find the change that broke it.")
backfill = _passed_on(
    "backfill", "luminous.node.shell.backfill", "run", "What broke before, from what this machine remembers."
)
what_if = _passed_on("what-if", "luminous.node.shell.what_if", "run", "Try a fix in a copy.")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--uninstall", is_flag=True, help="Print what takes the hook out of the running shell.")
def hook(shell: str, uninstall: bool) -> None:
    """Print the hook for a shell. It keeps command classes only, and skips what looks secret."""
    name = "uninstall_script" if uninstall else "script"
    click.echo(entry("luminous.node.shell.hook", name, "hook")(shell))
