"""Records in SQLite: the journal (synchronous=FULL) and the state store (synchronous=NORMAL).

Refuses to interpret records. Every fault of the world leaves as a ``StoreError``.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from luminous.node.core.effects import Append, Erase
from luminous.node.ports import Record, StoreError, StoreFault
from luminous.node.shell.durable_file import sync_directory

# Pages that SQLite keeps in memory: its default of 2 MiB would fill slowly, and is read at starts only.
CACHE_SIZE_KIB = 128
SCHEMA_VERSION = 1
BALLAST_SIZE_BYTES = 2 * 1024 * 1024

# A file system with less than this is full, whatever the error is called (no room for the shared index).
FULL_BELOW_BYTES = 64 * 1024

_FAULTS = (
    ("full", StoreFault.FULL),
    ("no space", StoreFault.FULL),
    ("readonly", StoreFault.READ_ONLY),
    ("read-only", StoreFault.READ_ONLY),
    ("unable to open", StoreFault.READ_ONLY),
    ("locked", StoreFault.LOCKED),
    ("busy", StoreFault.LOCKED),
    ("malformed", StoreFault.CORRUPT),
    ("not a database", StoreFault.CORRUPT),
    ("corrupt", StoreFault.CORRUPT),
)


def store_fault(error: BaseException) -> StoreFault:
    """Which fault of the world an error of SQLite or the file system is."""
    text = str(error).lower()
    return next((fault for word, fault in _FAULTS if word in text), StoreFault.IO)


def fault_at(path: Path, error: BaseException) -> StoreError:
    """The fault as it is raised; an unnamed one on a full file system is that it is full."""
    fault = store_fault(error)
    if fault is StoreFault.IO and _free_bytes(path.parent) < FULL_BELOW_BYTES:
        fault = StoreFault.FULL
    return StoreError(fault, f"{path}: {error}")


def _free_bytes(folder: Path) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return FULL_BELOW_BYTES
    return found.f_bavail * found.f_frsize


class SqliteStore:
    """One file of records. ``durable``: every commit survives a power cut (synchronous=FULL).

    A durable store (the journal) treats an append with a known key and another body as a fault of ours;
    the state store replaces the body.
    """

    def __init__(self, path: Path, *, durable: bool) -> None:
        self.path = path
        self._durable = durable
        self._ballast = path.with_suffix(".ballast")
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            fault = fault_at(path, error)
            if fault.fault is not StoreFault.FULL or not self.release_ballast():
                raise fault from error
            self._open_in_the_room_made()
        else:
            self.keep_ballast()

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=0.5)
        self._prepare()

    def _open_in_the_room_made(self) -> None:
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise fault_at(self.path, error) from error

    def _prepare(self) -> None:
        db = self._db
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(
                StoreFault.CORRUPT,
                f"{self.path} was written by a newer luminous-node (schema {version}, this one knows "
                f"{SCHEMA_VERSION}); upgrade luminous-node",
            )
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA secure_delete=ON")  # what is forgotten leaves the file's free pages too
        db.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'NORMAL'}")
        db.execute(f"PRAGMA cache_size=-{CACHE_SIZE_KIB}")
        db.execute(
            "CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
            " key BLOB NOT NULL, body BLOB NOT NULL, UNIQUE (kind, key))"
        )
        if version != SCHEMA_VERSION:
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        db.execute("BEGIN IMMEDIATE")  # a file that another program holds is told now, not at the first act
        db.execute("ROLLBACK")

    def commit(self, changes: Sequence[Append | Erase]) -> None:
        """Apply all changes in one transaction."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for change in changes:
                    self._apply(change)
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise fault_at(self.path, error) from error

    def _apply(self, change: Append | Erase) -> None:
        if isinstance(change, Erase):
            if change.key is None:
                self._db.execute("DELETE FROM record WHERE kind = ?", (change.kind,))
            else:
                self._db.execute("DELETE FROM record WHERE kind = ? AND key = ?", (change.kind, change.key))
            return
        known = self._db.execute(
            "SELECT body FROM record WHERE kind = ? AND key = ?", (change.kind, change.key)
        ).fetchone()
        if known is None:
            self._db.execute(
                "INSERT INTO record (kind, key, body) VALUES (?, ?, ?)",
                (change.kind, change.key, change.body),
            )
        elif known[0] != change.body:
            assert not self._durable, f"the journal already holds another {change.kind} of this key"
            self._db.execute(
                "UPDATE record SET body = ? WHERE kind = ? AND key = ?",
                (change.body, change.kind, change.key),
            )

    def records(self) -> Iterator[Record]:
        """All records, oldest first."""
        try:
            for kind, key, body in self._db.execute("SELECT kind, key, body FROM record ORDER BY seq"):
                yield Record(kind, bytes(key), bytes(body))
        except sqlite3.Error as error:
            raise fault_at(self.path, error) from error

    def checkpoint(self) -> None:
        """Write what waits in the log into the file. Raises ``StoreError``."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise fault_at(self.path, error) from error

    def integrity(self) -> tuple[str, ...]:
        """What SQLite's own check finds wrong on the disk; empty when sound.

        Looks through a connection of its own: this one would answer from pages it remembers. Raises
        ``StoreError`` when it cannot look: a locked file is no damaged file.
        """
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=2.0)) as fresh:
                rows = [str(row[0]) for row in fresh.execute("PRAGMA integrity_check(8)")]
        except sqlite3.Error as error:
            fault = fault_at(self.path, error)
            if fault.fault is not StoreFault.CORRUPT:
                raise fault from error
            return (str(error),)
        return () if rows == ["ok"] else tuple(rows)

    def backup(self, target: Path) -> None:
        """A consistent copy at ``target``, written aside and renamed. Raises ``StoreError``."""
        aside = target.with_suffix(".part")
        try:
            aside.unlink(missing_ok=True)
            # A connection of its own sees whole commits only, whatever this one is in the middle of.
            with (
                contextlib.closing(sqlite3.connect(self.path, timeout=2.0)) as source,
                contextlib.closing(sqlite3.connect(aside)) as copy,
            ):
                source.backup(copy)
            aside.replace(target)
            sync_directory(target.parent)
        except (sqlite3.Error, OSError) as error:
            raise fault_at(target, error) from error

    def scrub(self) -> None:
        """Rewrite the file without its free pages and empty the log: what was deleted is gone from both.

        Raises ``StoreError``.
        """
        try:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise fault_at(self.path, error) from error

    def keep_ballast(self) -> None:
        """Set room aside for a full disk; on a disk without that room there is none."""
        try:
            if not self._ballast.exists() and _free_bytes(self.path.parent) > 2 * BALLAST_SIZE_BYTES:
                self._ballast.write_bytes(b"\0" * BALLAST_SIZE_BYTES)
        except OSError:
            self.release_ballast()

    def release_ballast(self) -> bool:
        """Delete the ballast file; True if it was there."""
        try:
            self._ballast.unlink()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        self._db.close()
