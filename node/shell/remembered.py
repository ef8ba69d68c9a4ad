"""A state store that remembers what was committed since the last good backup.

Refuses to be durable by itself: it is what a restored backup lacks, kept in memory until the next backup.
Envelopes are left out, as the node holds them.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from luminous.node.core.effects import Append, Erase
from luminous.node.core.signing import ENVELOPE
from luminous.node.ports import Record, RecordStore

# Changes between two backups. More means that the oldest are lost with a damaged store.
CHANGES_MAX = 16_384


class Remembered:
    """The contract of a record store around another one, which ``replace`` exchanges."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._changes: deque[Append | Erase] = deque(maxlen=CHANGES_MAX)

    def commit(self, changes: Sequence[Append | Erase]) -> None:
        """Apply all changes in one transaction. Raises ``StoreError``."""
        self._store.commit(changes)
        self._changes.extend(change for change in changes if change.kind != ENVELOPE)

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
        return len(self._changes)

    def forget_before(self, mark: int) -> None:
        """A backup holds what was committed before ``mark``."""
        for _ in range(min(mark, len(self._changes))):
            self._changes.popleft()

    def clear(self) -> None:
        """The user wants it forgotten."""
        self._changes.clear()

    def replace(self, store: RecordStore) -> None:
        """Go on with a restored store, first given what its backup lacks. Raises ``StoreError``."""
        store.commit(list(self._changes))
        self._store = store
