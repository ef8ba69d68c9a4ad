"""The root of the command line: lazy commands, one place where failures become words and exit codes.

Refuses to import a command's module before that command is called.
"""

import importlib
import json
import os
import sys
import traceback
from types import TracebackType

import click

from luminous import __version__
from luminous.node.shell.cli.table import COMMANDS, NOT_YET
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.paths import Paths, locate

JSON_SCHEMA = 1


class State:
    """What the options before and after a command said."""

    def __init__(self) -> None:
        self.as_json = False
        self.debug = False
        self.data_dir: str | None = None
        self.config_file: str | None = None

    def paths(self) -> Paths:
        """Where this node keeps its things."""
        return locate(os.environ, data_dir=self.data_dir, config_file=self.config_file)


class Lazy(click.Group):
    """A group whose commands are imported when called; its help needs the table alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command of the design, in its order; those not built come last."""
        return [*COMMANDS, *NOT_YET]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None if there is none of that name."""
        if cmd_name in NOT_YET:
            return _not_yet(cmd_name)
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name when there is no such command."""
        if args and args[0] not in COMMANDS and args[0] not in NOT_YET and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], [*COMMANDS, *NOT_YET], n=1)
            hint = f" Did you mean {close[0]}?" if close else " luminous-node --help lists them."
            raise click.UsageError(f"there is no command {args[0]}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])
        with formatter.section("Not yet"):
            formatter.write_dl(list(NOT_YET.items()))


def not_yet(name: str) -> Failure:
    """What a command says that the design has and this version has not."""
    return Failure(
        f"{name}: not yet", "this version does not do it", "luminous-node --help lists what it does"
    )


def _not_yet(name: str) -> click.Command:
    def refuse(rest: tuple[str, ...]) -> None:
        if "--json" in rest:
            click.get_current_context().find_object(State).as_json = True  # type: ignore[union-attr]
        raise not_yet(name)

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        help=NOT_YET[name] + " Not yet.",
    )


EPILOG = (
    "Exit codes: 0 ok, 1 check failed or not yet, 2 usage, 3 the node is not running, 4 configuration, "
    "5 permission, 6 time-out, 7 network. Nothing is sent to anyone before 'consent grant'."
)


@click.group(cls=Lazy, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data-dir", metavar="DIR", help="Where this node keeps its things.")
@click.option("--config", "config_file", metavar="FILE", help="The configuration file.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, message="%(version)s")
@click.pass_obj
def root(state: State, data_dir: str | None, config_file: str | None, debug: bool) -> None:
    """A peer for NixOS machines: explains failures, keeps well, learns privately, decides together."""
    state.data_dir, state.config_file, state.debug = data_dir, config_file, debug


def run(words: list[str]) -> int:
    """Run one command; returns its exit code."""
    state = State()
    sys.excepthook = ExceptHook(state)
    try:
        code = root.main(words, prog_name="luminous-node", standalone_mode=False, obj=state)
        sys.stdout.flush()
    except Failure as failure:
        if state.debug:
            traceback.print_exc()
        show(failure, as_json=state.as_json)
        return failure.code
    except click.UsageError as error:
        error.show()
        return int(Exit.USAGE)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:  # the reader went away: `luminous-node peers | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code if isinstance(code, int) else 0


def show(failure: Failure, *, as_json: bool) -> None:
    """Print a failure: words on stderr, or facts on stdout."""
    if as_json:
        click.echo(json.dumps({"schema": JSON_SCHEMA, **failure.facts()}, sort_keys=True))
    else:
        click.echo(f"luminous-node: {failure}", err=True)


class ExceptHook:
    """What a person sees of a defect of ours: one sentence, and how to get the traceback."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __call__(self, kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
        """Print it; Python then exits with 1."""
        if self._state.debug:
            traceback.print_exception(kind, value, trace)
            return
        why = f"{kind.__name__}: {value}"
        failure = Failure(
            "a defect of luminous-node itself", why, "run it again with --debug and report what it prints"
        )
        show(failure, as_json=self._state.as_json)
