"""A simulated disk: records in memory that can crash, fill up and lose what was not committed.

Refuses to be durable: it is the world's.
"""

from collections.abc import Iterator, Sequence

from luminous.node.core.effects import Append, Erase
from luminous.node.ports import Record, StoreError, StoreFault


class Crash(Exception):
    """The simulated power cut: the process is gone at this very point."""


class MemoryStore:
    """The contract of a record store over a dict. ``full``: every commit fails until set to False."""

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._records: dict[tuple[str, bytes], bytes] = {}
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
        for change in changes:
            if isinstance(change, Append):
                known = self._records.get((change.kind, change.key))
                assert known is None or known == change.body or not self._durable, change.kind
                self._records[(change.kind, change.key)] = change.body
            elif change.key is not None:
                self._records.pop((change.kind, change.key), None)
            else:
                for key in [key for key in self._records if key[0] == change.kind]:
                    del self._records[key]

    def records(self) -> Iterator[Record]:
        """All records, oldest first."""
        for (kind, key), body in list(self._records.items()):
            yield Record(kind, key, body)

    def wipe(self) -> None:
        """Lose everything: a destroyed disk."""
        self._records.clear()

    def release_ballast(self) -> bool:
        """The simulated ballast helps nothing while the disk is full."""
        had, self._ballast = self._ballast, False
        return had

    def close(self) -> None:
        """Nothing to release."""
