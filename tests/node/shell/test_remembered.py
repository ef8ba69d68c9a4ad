"""What a state store was given since its last backup: enough to catch up, and no more than the records."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from luminous.node.core.effects import Append, Erase, Store
from luminous.node.core.signing import ENVELOPE, KEPT
from luminous.node.shell import remembered
from luminous.node.shell.remembered import Remembered
from luminous.simulations.disk import MemoryStore

KINDS = st.sampled_from([KEPT, "other"])
KEYS = st.sampled_from([b"a", b"b", b"c"])
CHANGES = st.one_of(
    st.builds(Append, st.just(Store.STATE), KINDS, KEYS, st.binary(max_size=2)),
    st.builds(Erase, KINDS, KEYS),
    st.builds(Erase, KINDS),
)


def held(store: MemoryStore) -> dict[tuple[str, bytes], bytes]:
    return {(record.kind, record.key): record.body for record in store.records()}


@given(st.lists(CHANGES, max_size=12), st.lists(CHANGES, max_size=12), st.lists(CHANGES, max_size=12))
def test_a_backup_and_what_is_remembered_are_the_store(
    before: list[Append | Erase], during: list[Append | Erase], after: list[Append | Erase]
) -> None:
    """``during``: committed while the backup was being taken, so it may or may not hold them."""
    live = MemoryStore(durable=False)
    store = Remembered(live)
    store.commit(before)
    mark = store.mark()
    backups = [copy.deepcopy(live)]
    store.commit(during)
    backups.append(copy.deepcopy(live))
    store.forget_before(mark)
    store.commit(after)
    for backup in backups:
        store.replace(backup)
        assert held(backup) == held(live)


def snapshot(number: int) -> Append:
    return Append(Store.STATE, KEPT, b"snapshot.x", number.to_bytes(4, "big"))


def test_a_snapshot_taken_ten_thousand_times_is_remembered_once() -> None:
    store, restored = Remembered(MemoryStore(durable=False)), MemoryStore(durable=False)
    given_to: list[Append | Erase] = []
    restored.commit = given_to.extend  # type: ignore[method-assign]
    for number in range(10_000):
        store.commit([snapshot(number)])
    store.replace(restored)
    assert given_to == [snapshot(9_999)]


def test_envelopes_are_not_remembered_and_the_rest_is_bounded() -> None:
    store = Remembered(MemoryStore(durable=False))
    store.commit([Append(Store.STATE, ENVELOPE, b"e", b"raw")])
    assert store.mark() == 0
    for number in range(remembered.CHANGES_MAX + 5):
        store.commit([Append(Store.STATE, KEPT, number.to_bytes(4, "big"), b"")])
    given_to: list[Append | Erase] = []
    restored = MemoryStore(durable=False)
    restored.commit = given_to.extend  # type: ignore[method-assign]
    store.replace(restored)
    assert len(given_to) == remembered.CHANGES_MAX
    assert given_to[0].key == (5).to_bytes(4, "big"), "the oldest give way"


def test_what_is_forgotten_is_not_remembered() -> None:
    store, restored = Remembered(MemoryStore(durable=False)), MemoryStore(durable=False)
    store.commit([snapshot(1)])
    store.clear()
    store.replace(restored)
    assert held(restored) == {}
