"""The addresses of peers that were reached before, and who is banned and why, in SQLite.

A restart finds the mesh again and forgets no ban. Refuses to be a source of truth: it may be deleted at any
time. A damaged file is replaced by an empty one.
"""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

# Addresses kept. Stops a lying peer list from filling the disk.
ADDRESSES_MAX = 512
ADDRESS_SIZE_BYTES_MAX = 256
# Bans kept, those that end last. Stops throw-away identities from filling the disk with their bans.
BANS_MAX = 1024
REASON_CHARACTERS_MAX = 200
_SCHEMA = """
CREATE TABLE IF NOT EXISTS addresses (
    address TEXT PRIMARY KEY, reached_ms INTEGER NOT NULL, failures INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bans (
    peer TEXT PRIMARY KEY, reason TEXT NOT NULL, until_ms INTEGER) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Ban:
    """Who is refused, why, and until when (wall time; None: until it is lifted)."""

    peer: str
    reason: str
    until_ms: int | None


class PeerBook:
    """Addresses by when they last worked. ``path`` None keeps them in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            return _opened(self._path)
        except sqlite3.DatabaseError:
            if self._path is None:
                raise
            for name in (self._path, Path(f"{self._path}-wal"), Path(f"{self._path}-shm")):
                with contextlib.suppress(FileNotFoundError):
                    name.unlink()
            return _opened(self._path)

    def reached(self, address: str, wall_ms: int) -> None:
        """Remember that ``address`` worked."""
        if len(address) > ADDRESS_SIZE_BYTES_MAX:
            return
        with self._tolerating(), self._db:
            self._db.execute(
                "INSERT INTO addresses VALUES (?, ?, 0) ON CONFLICT(address) "
                "DO UPDATE SET reached_ms = excluded.reached_ms, failures = 0",
                (address, wall_ms),
            )
            self._db.execute(
                "DELETE FROM addresses WHERE address NOT IN "
                "(SELECT address FROM addresses ORDER BY failures, reached_ms DESC LIMIT ?)",
                (ADDRESSES_MAX,),
            )

    def failed(self, address: str) -> None:
        """Count a failure; ten in a row forget the address."""
        with self._tolerating(), self._db:
            self._db.execute("UPDATE addresses SET failures = failures + 1 WHERE address = ?", (address,))
            self._db.execute("DELETE FROM addresses WHERE failures >= 10")

    def addresses(self, limit: int = 64) -> tuple[str, ...]:
        """The most promising addresses first."""
        with self._tolerating():
            rows = self._db.execute(
                "SELECT address FROM addresses ORDER BY failures, reached_ms DESC LIMIT ?", (limit,)
            )
            return tuple(row[0] for row in rows)
        return ()

    def ban(self, ban: Ban) -> None:
        """Remember a ban; a longer one of the same peer stays."""
        with self._tolerating(), self._db:
            self._db.execute(
                "INSERT INTO bans VALUES (?, ?, ?) ON CONFLICT(peer) DO UPDATE SET reason = excluded.reason, "
                "until_ms = excluded.until_ms WHERE until_ms IS NOT NULL AND "
                "(excluded.until_ms IS NULL OR excluded.until_ms >= until_ms)",
                (ban.peer, ban.reason[:REASON_CHARACTERS_MAX], ban.until_ms),
            )
            self._db.execute(
                "DELETE FROM bans WHERE peer NOT IN "
                "(SELECT peer FROM bans ORDER BY until_ms IS NULL DESC, until_ms DESC LIMIT ?)",
                (BANS_MAX,),
            )

    def pardon(self, peer: str) -> bool:
        """Forget a ban; False if there was none."""
        with self._tolerating(), self._db:
            return self._db.execute("DELETE FROM bans WHERE peer = ?", (peer,)).rowcount > 0
        return False

    def bans(self, wall_ms: int) -> tuple[Ban, ...]:
        """The bans in force, by peer; those that ended are forgotten."""
        with self._tolerating(), self._db:
            self._db.execute("DELETE FROM bans WHERE until_ms <= ?", (wall_ms,))
            rows = self._db.execute("SELECT peer, reason, until_ms FROM bans ORDER BY peer")
            return tuple(Ban(*row) for row in rows)
        return ()

    def close(self) -> None:
        """Release the file; never raises."""
        with self._tolerating():
            self._db.close()

    def _tolerating(self) -> contextlib.suppress:
        # A full or locked disk costs a remembered address, nothing else.
        return contextlib.suppress(sqlite3.Error)


def _opened(path: Path | None) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:" if path is None else path, timeout=1.0, isolation_level="DEFERRED")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.executescript(_SCHEMA)
    db.execute("SELECT count(*) FROM addresses").fetchone()
    return db
