"""Files of results: whole or not at all.

Refuses half a file: text goes beside its place, is synced, and moves there in one step.
"""

import os
from contextlib import suppress
from pathlib import Path


class OutputError(Exception):
    """Results cannot be written; the text says where and why."""


def write_whole(path: Path, text: str) -> None:
    """Replace a file by ``text``. Raises OutputError, and leaves what was there, if the disk is full."""
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):  # where nothing can be written there may be nothing to take away either
            beside.unlink(missing_ok=True)
        raise OutputError(f"{path} was not written: {error.strerror or error}") from error


def append_line(path: Path, line: str) -> None:
    """One more line, whole: what the disk did not take is cut off again. Raises OutputError.

    A last line that a crash cut off stays as it is, and the new one begins after it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what a buffer still holds after a fault would be written behind the cut when it closes.
        with path.open("ab+", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            rest = line.encode() + b"\n"
            if before:
                file.seek(before - 1)
                rest = rest if file.read(1) == b"\n" else b"\n" + rest
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, before)
                raise
    except OSError as error:
        raise OutputError(f"{path} was not written: {error.strerror or error}") from error
