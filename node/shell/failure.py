"""What a person is told when the world does not allow something: what happened, why, what to do.

Refuses to hide a defect of our own: only faults of the world that were caught by name become a Failure.
Imports the standard library only, as every command loads it.
"""

import errno
import os
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command; they never change their meaning."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    NO_DAEMON = 3
    CONFIGURATION = 4
    PERMISSION = 5
    TIMEOUT = 6
    NETWORK = 7


class Failure(Exception):
    """A refusal of the world, in words. ``code`` is the exit code."""

    def __init__(self, what: str, why: str, do: str, code: Exit | int = Exit.CHECK_FAILED) -> None:
        super().__init__(what)
        self.what, self.why, self.do, self.code = what, why, do, int(code)

    def __str__(self) -> str:
        lines = [self.what, f"  why: {self.why}", f"  do:  {self.do}"]
        return "\n".join(line for line in lines if not line.endswith(": ") and not line.endswith(":  "))

    def facts(self) -> dict[str, object]:
        """The same as plain values, for ``--json``."""
        return {"error": {"what": self.what, "why": self.why, "do": self.do}, "code": self.code}


def of_os_error(what: str, path: str | os.PathLike[str], error: OSError) -> Failure:
    """Name an operating-system fault at ``path`` as a person would."""
    place = os.fspath(path)
    match error.errno:
        case errno.EACCES | errno.EPERM:
            why = f"permission denied: {place}"
            return Failure(what, why, f"check who owns it: ls -ld {place}", Exit.PERMISSION)
        case errno.EROFS:
            why = f"{place} is on a read-only file system"
            return Failure(what, why, "name a writable directory with LUMINOUS_DATA_DIR", Exit.PERMISSION)
        case errno.ENOSPC | errno.EDQUOT:
            why = f"no space is left for {place}"
            return Failure(what, why, "free some space (df -h; nix-collect-garbage --delete-older-than 30d)")
        case errno.ENOTDIR | errno.EISDIR | errno.EEXIST:
            why = f"{place} is not what it should be ({error.strerror})"
            return Failure(
                what, why, "move it out of the way, or name another directory with LUMINOUS_DATA_DIR"
            )
        case errno.ELOOP:
            why = f"{place} is a symbolic link, which is not followed here"
            return Failure(what, why, "replace the link by a real file or directory", Exit.PERMISSION)
        case _:
            return Failure(
                what, f"{place}: {error.strerror or error}", "see whether the disk is well: dmesg | tail"
            )
