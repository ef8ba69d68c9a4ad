"""The two stores of a data directory: opened, checked, repaired where that is allowed.

Refuses to repair the journal: only the state store is restored from its backup. A journal that is missing,
or another one, beside a state store that knew it means that own acts are forgotten, and is said so.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from luminous.node.core.effects import Append, Erase, Store
from luminous.node.core.signing import HALTED
from luminous.node.ports import StoreError, StoreFault
from luminous.node.shell.durable_file import sync_directory
from luminous.node.shell.sqlite_store import SqliteStore

# The journal's own number, held by both stores: tells this journal from a new one.
_MARK = "journal_seen"
_MARK_SIZE_BYTES = 16
_PARTS = ("", "-wal", "-shm")


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
    journal = _open_journal(journal_path)
    try:
        state = _open_state(state_path, backups, incidents)
    except StoreError:
        journal.close()
        raise
    try:
        is_lost = _is_journal_lost(journal, state)
    except StoreError:
        journal.close()
        state.close()
        raise
    if is_lost:
        incidents.append("the journal is gone: the running privacy period counts as spent, signing stops")
    return Stores(journal, state, is_lost, tuple(incidents))


def _open_journal(path: Path) -> SqliteStore:
    journal = SqliteStore(path, durable=True)
    try:
        found = journal.integrity()
        if found:
            raise StoreError(StoreFault.CORRUPT, f"{path}: {found[0]}")
    except StoreError:
        journal.close()
        raise
    return journal


def _is_journal_lost(journal: SqliteStore, state: SqliteStore) -> bool:
    """Whether the state store knew another journal. Its mark follows only when the halt is on record."""
    held, known = _mark(journal), _mark(state)
    if held is None:
        held = os.urandom(_MARK_SIZE_BYTES)
        journal.commit([Append(Store.JOURNAL, _MARK, b"", held)])
    if known is not None and known != held and not any(r.kind == HALTED for r in journal.records()):
        return True
    if known != held:
        state.commit([Append(Store.STATE, _MARK, b"", held)])
    return False


def _mark(store: SqliteStore) -> bytes | None:
    return next((record.body for record in store.records() if record.kind == _MARK), None)


def mark_restored(state_path: Path, *, is_same_key: bool) -> None:
    """Prepare a state store that was restored from a backup file. Raises ``StoreError``.

    With the same key no journal fits it any more, so signing stops: what the key signed since is not known.
    Another key starts anew.
    """
    store = SqliteStore(state_path, durable=False)
    try:
        body = os.urandom(_MARK_SIZE_BYTES)
        store.commit([Append(Store.STATE, _MARK, b"", body) if is_same_key else Erase(_MARK)])
        store.checkpoint()
    finally:
        store.close()


def _open_state(path: Path, backups: Path, incidents: list[str]) -> SqliteStore:
    if not path.exists() and backup_path(backups).exists():
        incidents.append("the state store was missing")
        return restore_state(path, backups, incidents)
    try:
        store = SqliteStore(path, durable=False)
        try:
            found = store.integrity()
        except StoreError:
            store.close()
            raise
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
    """Set the damaged state store aside and take its backup, or an empty one; sync refills it.

    A power cut at any point leaves a state that the next start goes on from. Raises ``StoreError``.
    """
    try:
        set_aside(path)
        if take_backup(path, backup_path(backups)):
            incidents.append("restored from its backup")
        else:
            incidents.append("there was no backup: started empty, peers refill it")
    except OSError as error:
        raise StoreError(StoreFault.IO, f"{path}: {error}") from error
    store: SqliteStore | None = None
    try:
        store = SqliteStore(path, durable=False)
        if store.integrity():
            raise StoreError(StoreFault.CORRUPT, "the backup is damaged too")
    except StoreError as error:
        if store is not None:
            store.close()
        if error.fault is not StoreFault.CORRUPT:
            raise
        incidents.append("the backup was damaged too: started empty, peers refill it")
        for suffix in _PARTS:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        store = SqliteStore(path, durable=False)
    return store


def set_aside(path: Path) -> None:
    """Rename a damaged store, its log with it; the file itself last, so that its absence means all moved."""
    for suffix in reversed(_PARTS):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(path.with_name(f"{path.name}.damaged{suffix}"))


def take_backup(path: Path, copy: Path) -> bool:
    """Put the backup in the place of the store, whole or not at all; False if there is none."""
    if not copy.exists():
        return False
    draft = path.with_name(f"{path.name}.part")
    with draft.open("wb") as file:
        file.write(copy.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)
    return True


def leftovers(path: Path) -> list[Path]:
    """Set-aside copies of a state store: what a repair or its undoing left for a person to look at."""
    return [
        found
        for word in ("damaged", "repaired")
        for suffix in _PARTS
        if (found := path.with_name(f"{path.name}.{word}{suffix}")).exists()
    ]
