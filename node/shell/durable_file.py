"""Small files that are either the old one or the new one, never half of either.

Refuses to follow links and to leave a file that others can read.
"""

import os
from pathlib import Path

from luminous.node.shell.failure import Exit, Failure, of_os_error


def write_private(path: Path, content: bytes, what: str) -> None:
    """Replace ``path`` (mode 0600) at once and durably; ``what`` begins the sentence of a failure."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write_new(draft, content)
        draft.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise of_os_error(what, path, error) from error


def read_private(path: Path, size_bytes_max: int, what: str) -> bytes | None:
    """The content of ``path``; None if it is not there. Refuses links, strangers' files and open modes."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise of_os_error(what, path, error) from error
    try:
        found = os.fstat(handle)
        if found.st_mode & 0o077:
            mode = oct(found.st_mode & 0o777)[2:].zfill(4)
            raise Failure(
                what, f"{path} is open to other users (mode {mode})", f"chmod 600 {path}", Exit.PERMISSION
            )
        if found.st_uid != os.geteuid():
            raise Failure(
                what,
                f"{path} belongs to user number {found.st_uid}, and this is number {os.geteuid()}",
                "run it as its owner",
                Exit.PERMISSION,
            )
        return os.read(handle, size_bytes_max + 1)
    except OSError as error:
        raise of_os_error(what, path, error) from error
    finally:
        os.close(handle)


def sync_directory(directory: Path) -> None:
    """Make the names in ``directory`` durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_new(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        written = 0
        while written < len(content):
            written += os.write(handle, content[written:])
        os.fsync(handle)
    finally:
        os.close(handle)


def write_new_private(path: Path, content: bytes) -> None:
    """Create ``path`` (mode 0600) durably; it must not exist. Raises OSError."""
    _write_new(path, content)
