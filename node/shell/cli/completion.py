"""``completion``: the script that a shell loads to complete commands.

Refuses to change a shell's files: it prints, the person decides.
"""

import click
from click.shell_completion import get_completion_class

from luminous.node.shell.cli.root import root


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script: for bash, eval "$(luminous-node completion bash)"."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(root, {}, "luminous-node", "_LUMINOUS_NODE_COMPLETE").source())
