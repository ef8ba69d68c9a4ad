"""The command line ``luminous-node``. Nothing is imported before it is known which command is meant.

Refuses a traceback unless ``--debug``: a fault of the world is a sentence, a defect of ours says so.
"""

import sys


def main(words: list[str] | None = None) -> None:
    """Run one command and exit with its code."""
    given = sys.argv[1:] if words is None else words
    if given[:1] == ["exec"]:  # stands before every command a person types: not even click is loaded
        try:
            from luminous.node.shell.exec import main as run_command
        except ModuleNotFoundError as error:
            if error.name != "luminous.node.shell.exec":
                raise
            sys.stderr.write("luminous-node exec: not yet: this version does not do it\n")
            sys.exit(1)
        sys.exit(run_command(given[1:]))
    from luminous.node.shell.cli.root import run

    sys.exit(run(given))
