"""Files of results: whole or not at all.

Refuses half a file: text goes beside its place, is synced, and moves there in one step.
"""

import os
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
        beside.unlink(missing_ok=True)
        raise OutputError(f"{path} was not written: {error.strerror or error}") from error


def append_line(path: Path, line: str) -> None:
    """One more line, whole: a line that the disk did not take is cut off again. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            before = file.tell()
            try:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, before)
                raise
    except OSError as error:
        raise OutputError(f"{path} was not written: {error.strerror or error}") from error
