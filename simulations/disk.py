"""A simulated disk: records in memory that can crash, fill up, tear and lose what was not synced.

Refuses to be durable: it is the world's. A durable store (the journal) has nothing unsynced, ever; another
(the state store) loses a tail of whole commits when the power is cut, as a write-ahead log does whose last
frames were torn or fail their checksum.
"""

import random
from collections import deque
from collections.abc import Iterator, Sequence

from luminous.node.core.effects import Append, Erase
from luminous.node.ports import Record, StoreError, StoreFault

# Commits of a store that is not durable reach the disk at the latest after this many more.
UNSYNCED_MAX = 32

Undo = list[tuple[tuple[str, bytes], bytes | None]]


class Crash(Exception):
    """The simulated power cut: the process is gone at this very point."""


class MemoryStore:
    """The contract of a record store over a dict. ``full``: every commit fails until set to False."""

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._records: dict[tuple[str, bytes], bytes] = {}
        self._unsynced: deque[Undo] = deque(maxlen=UNSYNCED_MAX)
        self._ballast = True
        self.full = False
        self.corrupt = False
        self.commits = 0

    def commit(self, changes: Sequence[Append | Erase]) -> None:
        """Apply all changes or none."""
        if self.full:
            raise StoreError(StoreFault.FULL, "the simulated disk is full")
        if self.corrupt:
            raise StoreError(StoreFault.CORRUPT, "the simulated pages are overwritten")
        self.commits += 1
        undo: Undo = []
        for change in changes:
            if isinstance(change, Append):
                slot = (change.kind, change.key)
                known = self._records.get(slot)
                assert known is None or known == change.body or not self._durable, change.kind
                undo.append((slot, known))
                self._records[slot] = change.body
            elif change.key is not None:
                self._remove((change.kind, change.key), undo)
            else:
                for slot in [slot for slot in self._records if slot[0] == change.kind]:
                    self._remove(slot, undo)
        if not self._durable:
            self._unsynced.append(undo)

    def _remove(self, slot: tuple[str, bytes], undo: Undo) -> None:
        known = self._records.pop(slot, None)
        if known is not None:
            undo.append((slot, known))

    def tear(self, chance: random.Random) -> int:
        """The power is cut: a random number of the newest unsynced commits is gone. Returns how many."""
        lost = chance.randint(0, len(self._unsynced))
        for _ in range(lost):
            undo = self._unsynced.pop()
            for slot, known in reversed(undo):
                if known is None:
                    self._records.pop(slot, None)
                else:
                    self._records[slot] = known
        self._unsynced.clear()
        return lost

    def records(self) -> Iterator[Record]:
        """All records, oldest first."""
        for (kind, key), body in list(self._records.items()):
            yield Record(kind, key, body)

    def wipe(self) -> None:
        """Lose everything: a destroyed disk."""
        self._records.clear()
        self._unsynced.clear()

    def copy(self) -> "MemoryStore":
        """The same records on another disk: a backup, restored somewhere."""
        other = MemoryStore(durable=self._durable)
        other._records = dict(self._records)
        return other

    def release_ballast(self) -> bool:
        """The simulated ballast helps nothing while the disk is full."""
        had, self._ballast = self._ballast, False
        return had

    def close(self) -> None:
        """Nothing to release."""
