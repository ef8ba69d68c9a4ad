"""Where a node keeps its things, from the environment alone.

Refuses to read the configuration file: ``status`` and ``exec`` must find the node without a YAML parser,
so directories are named by variables or a flag and never by a key in the file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from luminous.node.shell.failure import Exit, Failure, of_os_error

# sockaddr_un holds 108 bytes with the closing zero.
SOCKET_PATH_SIZE_BYTES_MAX = 107


@dataclass(frozen=True, slots=True)
class Paths:
    """The three places of one node: its configuration file, its data, its runtime files."""

    config: Path
    data: Path
    runtime: Path

    @property
    def keys(self) -> Path:
        """Directory of the three seeds."""
        return self.data / "keys"

    @property
    def journal(self) -> Path:
        """Own acts; never restored from a backup."""
        return self.data / "journal.sqlite"

    @property
    def state(self) -> Path:
        """What others sent and what was learnt; restorable."""
        return self.data / "state.sqlite"

    @property
    def backups(self) -> Path:
        """Hourly copies of the state store."""
        return self.data / "backups"

    @property
    def spool(self) -> Path:
        """Outcomes that ``exec`` leaves for the daemon."""
        return self.data / "spool"

    @property
    def consent(self) -> Path:
        """The record of what its user agreed to."""
        return self.data / "consent.json"

    @property
    def lock(self) -> Path:
        """Held by whoever uses the data directory."""
        return self.data / "lock"

    @property
    def socket(self) -> Path:
        """The control socket of the daemon."""
        return self.runtime / "control.sock"


def locate(
    environ: Mapping[str, str], *, data_dir: str | None = None, config_file: str | None = None
) -> Paths:
    """The paths that flags, then ``LUMINOUS_*`` variables, then the XDG directories name."""
    home = Path(environ.get("HOME") or "/")
    data_named = data_dir or environ.get("LUMINOUS_DATA_DIR")
    data = _absolute(data_named) if data_named else _xdg(environ, "XDG_DATA_HOME", home / ".local/share")
    data = data if data_named else data / "luminous-node"
    runtime_named = environ.get("LUMINOUS_RUNTIME_DIR") if not data_dir else None
    if runtime_named:
        runtime = _absolute(runtime_named)
    elif environ.get("XDG_RUNTIME_DIR") and not data_named:
        runtime = Path(environ["XDG_RUNTIME_DIR"]) / "luminous-node"
    else:
        runtime = data / "run"  # a node with a directory of its own has a socket of its own
    config_named = config_file or environ.get("LUMINOUS_CONFIG")
    config = _xdg(environ, "XDG_CONFIG_HOME", home / ".config") / "luminous-nix/phase4.yaml"
    return Paths(_absolute(config_named) if config_named else config, data, runtime)


def _absolute(name: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(name)))  # noqa: PTH100, PTH111  (a link stays a link)


def _xdg(environ: Mapping[str, str], variable: str, default: Path) -> Path:
    named = environ.get(variable, "")
    return Path(named) if named.startswith("/") else default  # the specification ignores relative ones


def make_private(directory: Path, what: str) -> None:
    """Make ``directory`` with mode 0700; refuses one that others could change."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise of_os_error(what, directory, error) from error
    if found.st_uid != os.geteuid():
        raise Failure(
            what,
            f"{directory} belongs to user number {found.st_uid}, and this is number {os.geteuid()}",
            "run it as its owner, or name another directory with LUMINOUS_DATA_DIR",
            Exit.PERMISSION,
        )
    if found.st_mode & 0o022:
        raise Failure(
            what,
            f"others may write to {directory}",
            f"close it to them: chmod 700 {directory}",
            Exit.PERMISSION,
        )


def check_socket_length(socket: Path) -> None:
    """A unix socket's path has a fixed length in the kernel; say so before ``bind`` does."""
    size = len(os.fsencode(socket))
    if size > SOCKET_PATH_SIZE_BYTES_MAX:
        raise Failure(
            "the control socket cannot be opened",
            f"its path is {size} bytes long and the system allows {SOCKET_PATH_SIZE_BYTES_MAX}: {socket}",
            "name a shorter directory with LUMINOUS_RUNTIME_DIR",
            Exit.CONFIGURATION,
        )
