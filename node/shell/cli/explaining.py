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


def _passed_on(
    name: str, module: str, words: str, line: str, options: tuple[tuple[str, str], ...]
) -> click.Command:
    """A command whose words another module reads. ``options``: each with its meaning, for help and pages."""
    usage = f"luminous-node {name} {words}"
    known = (*options, ("--json", "one object for programs"))

    def call(words: tuple[str, ...]) -> int:
        before = _own(words, known)
        if "--help" in before or "-h" in before:
            wide = max(len(option) for option, _ in known)
            shown = "\n".join(f"  {option:{wide}}  {meaning}" for option, meaning in known)
            click.echo(f"Usage: {usage}\n\n{line}\n\n{shown}")
            return 0
        if "--json" in before:
            state().as_json = True
        return int(entry(module, "run", name)(list(words)))

    bullets = "\n".join(f"- `{option}`: {meaning}" for option, meaning in known)
    text = f"{line}\n\n`{usage}`\n\n{bullets}"
    params: list[click.Parameter] = [click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)]
    return click.Command(name, callback=call, params=params, context_settings=PASS_ON, help=text)


def _own(words: tuple[str, ...], known: tuple[tuple[str, str], ...]) -> list[str]:
    """The options before the command line that they are about; click has taken the `--` between them."""
    values = {option.split()[0]: len(option.split()) - 1 for option, _ in known}
    found, place = [], 0
    while place < len(words) and words[place].startswith("-") and words[place] != "--":
        found.append(words[place])
        place += 1 + values.get(words[place], 0)
    return found


preflight = _passed_on(
    "preflight",
    "luminous.node.shell.preflight",
    "[--no-builds] [-- COMMAND…]",
    "What would make a command fail, or take hours, before it starts; without one: nixos-rebuild switch. "
    "Reads room, memory and files, and evaluates the configuration in a dry run. 1 when there is trouble.",
    (("--no-builds", "no dry run: says nothing of what would be built here, and takes no time"),),
)
what_changed = _passed_on(
    "what-changed",
    "luminous.node.shell.what_changed",
    "[--generations | --closure OLD NEW] [-- COMMAND…]",
    "What changed since a command last worked, as exec saw it; without a command: the one that failed last.",
    (
        ("--generations", "packages of the current system generation against the one before"),
        ("--closure OLD NEW", "packages of two generations (numbers) or store paths"),
        ("--profile PATH", "of this profile instead of the system's"),
    ),
)
bisect = _passed_on(
    "bisect",
    "luminous.node.shell.bisect",
    "[--good REV] [--bad REV] -- COMMAND…",
    "Which commit of your configuration broke a command, found by running it in a clone of its own. What "
    "would activate a system is only built.",
    (
        ("--good REV", "a commit where it worked; without one, older commits are tried"),
        ("--bad REV", "a commit where it fails (HEAD)"),
    ),
)
backfill = _passed_on(
    "backfill",
    "luminous.node.shell.backfill",
    "[--days N] [--yes]",
    "What broke before this node watched: failed units, generations, Nix commands with exit codes in atuin's "
    "history. Asks first. Kinds, unit names and times go to your own node; nothing is sent.",
    (("--days N", "how far back (31, at most 366)"), ("--yes", "read without asking")),
)
what_if = _passed_on(
    "what-if",
    "luminous.node.shell.what_if",
    "EDIT -- COMMAND…",
    "What would happen if one thing were different: the command is really run twice, in copies on a store of "
    "their own. 0 when it would succeed.",
    (
        ("--had-not FILE:LINE", "if that line had not been written"),
        ("--replace FILE OLD NEW", "if the file had said NEW instead of OLD, which must occur once"),
        ("--lock INPUT REF", "if that flake input had been locked to REF"),
        ("--git-add FILE", "if git had tracked that file"),
    ),
)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--uninstall", is_flag=True, help="Print what takes the hook out of the running shell.")
def hook(shell: str, uninstall: bool) -> None:
    """Print the hook for a shell. It keeps command classes only, and skips what looks secret."""
    name = "uninstall_script" if uninstall else "script"
    click.echo(entry("luminous.node.shell.hook", name, "hook")(shell))
