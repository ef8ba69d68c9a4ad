"""One contract for every record store: the simulated disk and SQLite, durable or not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from luminous.node.core.effects import Append, Erase, Store
from luminous.node.ports import Record, RecordStore, StoreError, StoreFault
from luminous.node.shell.sqlite_store import SqliteStore
from luminous.simulations.disk import MemoryStore


def append(kind: str, key: bytes, body: bytes) -> Append:
    return Append(Store.STATE, kind, key, body)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RecordStore]:
    made: RecordStore
    if request.param == "memory":
        made = MemoryStore(durable=False)
    else:
        made = SqliteStore(tmp_path / "records.db", durable=False)
    yield made
    made.close()


def test_records_come_back_in_order_and_once(store: RecordStore) -> None:
    store.commit([append("a", b"1", b"x"), append("b", b"1", b"y")])
    store.commit([append("a", b"2", b"z"), append("a", b"1", b"x")])
    assert list(store.records()) == [
        Record("a", b"1", b"x"),
        Record("b", b"1", b"y"),
        Record("a", b"2", b"z"),
    ]


def test_a_state_record_is_replaced_and_erased(store: RecordStore) -> None:
    store.commit([append("a", b"1", b"x"), append("a", b"2", b"x"), append("b", b"1", b"x")])
    store.commit([append("a", b"1", b"new"), Erase("a", b"2"), Erase("b")])
    assert list(store.records()) == [Record("a", b"1", b"new")]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_journal_never_replaces(kind: str, tmp_path: Path) -> None:
    journal: RecordStore
    journal = MemoryStore(durable=True) if kind == "memory" else SqliteStore(tmp_path / "j.db", durable=True)
    journal.commit([append("a", b"1", b"x")])
    with pytest.raises(AssertionError):
        journal.commit([append("a", b"1", b"y")])


class SqliteLikeMemory(RuleBasedStateMachine):
    """SQLite behaves as the dict does, through reopening."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "records.db"
        self._real = SqliteStore(self._path, durable=False)
        self._model = MemoryStore(durable=False)

    changes = st.lists(
        st.builds(
            append, st.sampled_from(["a", "b"]), st.binary(min_size=1, max_size=1), st.binary(max_size=3)
        )
        | st.builds(Erase, st.sampled_from(["a", "b"]), st.none() | st.binary(min_size=1, max_size=1)),
        max_size=5,
    )

    @rule(batch=changes)
    def commit(self, batch: list[Append | Erase]) -> None:
        self._real.commit(batch)
        self._model.commit(batch)

    @rule()
    def reopen(self) -> None:
        self._real.close()
        self._real = SqliteStore(self._path, durable=False)

    @invariant()
    def same_records(self) -> None:
        assert sorted(map(repr, self._real.records())) == sorted(map(repr, self._model.records()))

    def teardown(self) -> None:
        self._real.close()
        self._folder.cleanup()


SqliteLikeMemory.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
TestSqliteLikeMemory = SqliteLikeMemory.TestCase


def test_half_a_batch_is_never_kept(tmp_path: Path) -> None:
    """All or nothing: the second change of the batch breaks the journal's rule, the first is undone."""
    journal = SqliteStore(tmp_path / "j.db", durable=True)
    journal.commit([append("a", b"1", b"x")])
    with pytest.raises(AssertionError):
        journal.commit([append("a", b"2", b"x"), append("a", b"1", b"y")])
    journal.close()
    again = SqliteStore(tmp_path / "j.db", durable=True)
    assert [record.key for record in again.records()] == [b"1"]


def test_the_worlds_faults_have_names(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as not_sqlite:
        path = tmp_path / "j.db"
        path.write_bytes(b"this is not a database, it only looks like one" * 100)
        SqliteStore(path, durable=True)
    assert not_sqlite.value.fault is StoreFault.CORRUPT
    with pytest.raises(StoreError) as missing:
        SqliteStore(tmp_path / "nowhere" / "j.db", durable=True)
    assert missing.value.fault is StoreFault.READ_ONLY
    first = SqliteStore(tmp_path / "l.db", durable=True)
    first._db.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as locked:
        SqliteStore(tmp_path / "l.db", durable=True)
    assert locked.value.fault is StoreFault.LOCKED


def test_a_full_disk_fails_and_recovers(tmp_path: Path) -> None:
    """SQLite's own limit stands in for the disk: the same error text, the same code path."""
    store = SqliteStore(tmp_path / "f.db", durable=True)
    store.commit([append("a", b"0", b"x")])
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages + 1}")
    with pytest.raises(StoreError) as full:
        store.commit([append("a", b"big", b"x" * 100_000)])
    assert full.value.fault is StoreFault.FULL
    store._db.execute("PRAGMA max_page_count=100000")
    store.commit([append("a", b"big", b"x" * 100_000)])
    assert len(list(store.records())) == 2
    assert store.release_ballast()
    assert not store.release_ballast()


def test_a_newer_schema_is_refused_with_a_sentence(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "n.db", durable=True)
    store._db.execute("PRAGMA user_version=99")
    store.close()
    with pytest.raises(StoreError, match="newer luminous-node"):
        SqliteStore(tmp_path / "n.db", durable=True)


def test_damage_is_found_and_a_backup_brings_it_back(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", durable=False)
    store.commit([append("a", bytes([i]), bytes(2000)) for i in range(50)])
    assert store.integrity() == ()
    store.backup(tmp_path / "backup.db")
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    data = bytearray((tmp_path / "s.db").read_bytes())
    data[4096 : 4096 * 8] = b"\xff" * (4096 * 7)
    (tmp_path / "s.db").write_bytes(bytes(data))
    damaged = True
    try:
        damaged = SqliteStore(tmp_path / "s.db", durable=False).integrity() != ()
    except StoreError as error:
        assert error.fault is StoreFault.CORRUPT
    assert damaged
    assert len(list(SqliteStore(tmp_path / "backup.db", durable=False).records())) == 50


def test_damage_under_an_open_store_is_found_although_its_pages_are_remembered(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", durable=False)
    store.commit([append("a", bytes([i]), bytes(500)) for i in range(50)])
    store.checkpoint()
    size = store.path.stat().st_size
    with store.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    assert len(list(store.records())) == 50, "the connection itself still answers from memory"
    assert store.integrity() != ()
