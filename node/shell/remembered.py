"""A state store that remembers what was committed since the last good backup.

Refuses to be durable by itself: it is what a restored backup lacks, kept in memory until the next backup.
Envelopes are left out, as the node holds them; of one record only the last change counts, or a snapshot
taken every few seconds would fill the memory until the next backup.
"""

from collections.abc import Iterator, Sequence

from luminous.node.core.effects import Append, Erase
from luminous.node.core.signing import ENVELOPE
from luminous.node.ports import Record, RecordStore

# Records changed between two backups. More means that the oldest are lost with a damaged store.
CHANGES_MAX = 16_384


class Remembered:
    """The contract of a record store around another one, which ``replace`` exchanges."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        # By kind and key (None: the whole kind), oldest first: when it came, and the change.
        self._changes: dict[tuple[str, bytes | None], tuple[int, Append | Erase]] = {}
        self._count = 0

    def commit(self, changes: Sequence[Append | Erase]) -> None:
        """Apply all changes in one transaction. Raises ``StoreError``."""
        self._store.commit(changes)
        for change in changes:
            if change.kind != ENVELOPE:
                self._remember(change)

    def records(self) -> Iterator[Record]:
        """All records, oldest first."""
        return self._store.records()

    def release_ballast(self) -> bool:
        """Make room on a full disk."""
        return self._store.release_ballast()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def mark(self) -> int:
        """A mark of now, for ``forget_before`` once a backup that began now is whole."""
        return self._count

    def forget_before(self, mark: int) -> None:
        """A backup holds what was committed before ``mark``."""
        for slot in [slot for slot, (number, _) in self._changes.items() if number <= mark]:
            del self._changes[slot]

    def clear(self) -> None:
        """The user wants it forgotten."""
        self._changes.clear()

    def replace(self, store: RecordStore) -> None:
        """Go on with a restored store, first given what its backup lacks. Raises ``StoreError``."""
        store.commit([change for _, change in self._changes.values()])
        self._store = store

    def _remember(self, change: Append | Erase) -> None:
        self._count += 1
        if isinstance(change, Erase) and change.key is None:
            for slot in [slot for slot in self._changes if slot[0] == change.kind]:
                del self._changes[slot]
        slot = (change.kind, change.key)
        self._changes.pop(slot, None)  # the last change stands last
        self._changes[slot] = (self._count, change)
        if len(self._changes) > CHANGES_MAX:
            del self._changes[next(iter(self._changes))]
