"""The two stores of a data directory: opened, checked, repaired where that is allowed.

Refuses to repair the journal: only the state store is restored from its backup. A journal that is missing
or damaged beside a state store that knew one means that own acts are forgotten, and is said so.
"""

from dataclasses import dataclass
from pathlib import Path

from luminous.node.core.effects import Append, Store
from luminous.node.ports import StoreError, StoreFault
from luminous.node.shell.sqlite_store import SqliteStore

_MARK = "journal_seen"


@dataclass(slots=True)
class Stores:
    """Both stores, and what was found while opening them."""

    journal: SqliteStore
    state: SqliteStore
    is_journal_lost: bool
    incidents: tuple[str, ...]

    def close(self) -> None:
        """Close both."""
        self.journal.close()
        self.state.close()


def open_stores(journal_path: Path, state_path: Path, backups: Path) -> Stores:
    """Open both stores. Raises ``StoreError`` when the journal is damaged or nothing can be written."""
    incidents: list[str] = []
    had_journal = journal_path.exists()
    state = _open_state(state_path, backups, incidents)
    journal = SqliteStore(journal_path, durable=True)
    found = journal.integrity()
    if found:
        journal.close()
        state.close()
        raise StoreError(StoreFault.CORRUPT, f"{journal_path}: {found[0]}")
    knew_one = any(record.kind == _MARK for record in state.records())
    if not knew_one:
        state.commit([Append(Store.STATE, _MARK, b"", b"1")])
    is_lost = knew_one and not had_journal
    if is_lost:
        incidents.append("the journal is gone: the running privacy period counts as spent, signing stops")
    return Stores(journal, state, is_lost, tuple(incidents))


def _open_state(path: Path, backups: Path, incidents: list[str]) -> SqliteStore:
    try:
        store = SqliteStore(path, durable=False)
        found = store.integrity()
        if not found:
            return store
        store.close()
        why = found[0]
    except StoreError as error:
        if error.fault is not StoreFault.CORRUPT or "newer luminous-node" in str(error):
            raise
        why = str(error)
    incidents.append(f"the state store was damaged ({why})")
    return restore_state(path, backups, incidents)


def backup_path(backups: Path) -> Path:
    """Where the newest copy of the state store is."""
    return backups / "state.sqlite"


def restore_state(path: Path, backups: Path, incidents: list[str]) -> SqliteStore:
    """Set the damaged state store aside and take its backup, or an empty one; sync refills it."""
    try:
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.replace(path.with_name(f"{path.name}.damaged{suffix}"))
        copy = backup_path(backups)
        if copy.exists():
            path.write_bytes(copy.read_bytes())
            incidents.append("restored from its backup")
        else:
            incidents.append("there was no backup: started empty, peers refill it")
    except OSError as error:
        raise StoreError(StoreFault.IO, f"{path}: {error}") from error
    try:
        store = SqliteStore(path, durable=False)
        if store.integrity():
            raise StoreError(StoreFault.CORRUPT, "the backup is damaged too")
    except StoreError:
        incidents.append("the backup was damaged too: started empty, peers refill it")
        path.unlink(missing_ok=True)
        store = SqliteStore(path, durable=False)
    return store
