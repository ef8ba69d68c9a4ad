"""One user of a data directory at a time.

Refuses to guess from a pid: the kernel's lock decides, the number in the file is only for the message.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from luminous.node.shell.failure import Exit, Failure, of_os_error
from luminous.node.shell.paths import make_private


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Hold the lock of ``data_dir`` (made if missing) for the body; raises Failure if another holds it."""
    what = f"the data directory {data_dir} cannot be used"
    make_private(data_dir, what)
    path = data_dir / "lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise of_os_error(what, path, error) from error
    try:
        _take(handle, path, what)
        yield
    finally:
        os.close(handle)  # releases the lock; the file stays, as removing it would race


def _take(handle: int, path: Path, what: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise Failure(
            what,
            f"another luminous-node uses this directory, pid {holder}",
            "stop it first, talk to it (luminous-node status), or name another directory with --data-dir",
            Exit.CHECK_FAILED,
        ) from error
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise of_os_error(what, path, error) from error
