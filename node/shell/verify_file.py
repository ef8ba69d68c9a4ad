"""``luminous-node verify --file``: audit an election file on a machine that never joined the network.

Refuses to open a store or a socket: the file is all it reads.
"""

import gc
from pathlib import Path

import click

from luminous.node.core.governance.audit import FILE_SIZE_BYTES_MAX, Audit, audit
from luminous.protocol.reasons import Refused


def check(path: Path) -> Audit | Refused | str:
    """The audit of a file, its refusal, or why it could not be read."""
    try:
        if path.stat().st_size > FILE_SIZE_BYTES_MAX:
            return f"{path} is larger than an election file can be"
        data = path.read_bytes()
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    gc.disable()  # an audit only builds: walking its objects again and again costs a tenth
    try:
        return audit(data)
    finally:
        gc.enable()


def run(path: str | Path) -> int:
    """Print what was checked and every outcome. 0: all holds; 1: it does not; 2: the file cannot be read."""
    found = check(Path(path))
    if isinstance(found, str):
        click.echo(found, err=True)
        return 2
    if isinstance(found, Refused):
        click.echo(f"This election does not hold: {found.reason.value}; {found.detail}.", err=True)
        click.echo("Do not rely on it. Ask several members for their file and compare.", err=True)
        return 1
    for line in found.lines():
        click.echo(line)
    return 0
