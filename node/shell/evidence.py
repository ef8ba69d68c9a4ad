"""The end of failed commands' texts, secrets masked: kept for a while so that a person can look again.

Refuses to keep more than a few days and megabytes, to leave what it deletes in the file's free pages, and
to give anything to the node: evidence never reaches the core or a peer.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from luminous.node.ports import StoreError
from luminous.node.shell.sqlite_store import store_fault

DAY_MS = 86_400_000
MB = 1_000_000
TEXT_SIZE_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class Failed:
    """One failed command: when, of which class and signature, and the masked end of its text."""

    wall_ms: int
    error_class: str
    signature: str
    text: str


class Evidence:
    """One file. ``days``, ``size_bytes_max``: what is older or more gives way. Raises ``StoreError``."""

    def __init__(self, path: Path, *, days: int, size_bytes_max: int) -> None:
        self.path = path
        self._age_ms_max = days * DAY_MS
        self._size_bytes_max = size_bytes_max
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            if store_fault(error) is not store_fault(sqlite3.DatabaseError("malformed")):
                raise StoreError(store_fault(error), f"{path}: {error}") from error
            # A memory aid, and nothing is promised by it: a damaged one starts anew.
            path.unlink(missing_ok=True)
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=0.5)
        db.execute("PRAGMA secure_delete=ON")
        db.execute("PRAGMA auto_vacuum=FULL")
        db.execute("PRAGMA synchronous=OFF")  # nothing is promised by it: a power cut may cost the newest
        db.execute(
            "CREATE TABLE IF NOT EXISTS failed (seq INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL,"
            " class TEXT NOT NULL, signature TEXT NOT NULL, text TEXT NOT NULL)"
        )
        self.path.chmod(0o600)
        return db

    def add(self, failed: Failed) -> None:
        """Keep one failure; the oldest give way. A text too long keeps its end."""
        text = failed.text.encode("utf-8", "replace")[-TEXT_SIZE_BYTES_MAX:].decode("utf-8", "ignore")
        row = (failed.wall_ms, failed.error_class[:64], failed.signature[:64], text)
        self._write("INSERT INTO failed (wall_ms, class, signature, text) VALUES (?, ?, ?, ?)", row)
        self.trim(failed.wall_ms)

    def trim(self, wall_ms: int) -> None:
        """Delete what is too old at ``wall_ms``, then the oldest until the rest fits."""
        self._write("DELETE FROM failed WHERE wall_ms < ?", (wall_ms - self._age_ms_max,))
        self._write(
            "DELETE FROM failed WHERE seq IN (SELECT seq FROM (SELECT seq, SUM(LENGTH(CAST(text AS BLOB))"
            " + 256) OVER (ORDER BY seq DESC) AS size FROM failed) WHERE size > ?)",
            (self._size_bytes_max,),
        )

    def newest(self, count: int = 20) -> tuple[Failed, ...]:
        """The newest failures, newest first."""
        try:
            rows = self._db.execute(
                "SELECT wall_ms, class, signature, text FROM failed ORDER BY seq DESC LIMIT ?", (count,)
            ).fetchall()
        except sqlite3.Error as error:
            raise StoreError(store_fault(error), f"{self.path}: {error}") from error
        return tuple(Failed(*row) for row in rows)

    def clear(self) -> None:
        """Delete everything, from the file's free pages too."""
        self._write("DELETE FROM failed", ())
        self._write("VACUUM", ())

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise StoreError(store_fault(error), f"{self.path}: {error}") from error
