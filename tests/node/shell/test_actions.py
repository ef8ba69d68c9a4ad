"""The hands: real files, real damage, and never "verified" without a look."""

import pytest

from luminous.node.core.effects import Append, Store
from luminous.node.ports import StoreError, StoreFault
from luminous.node.shell.actions import Actions, integrity_reading
from luminous.node.shell.sqlite_store import SqliteStore
from luminous.node.shell.stores import backup_path

pytestmark = pytest.mark.trio


class Parts:
    """Components that come up again, or do not."""

    def __init__(self, comes_up=True):
        self.started, self.comes_up = {"sync": 1}, comes_up

    def restart(self, component):
        if component not in self.started:
            return False
        self.started[component] += self.comes_up
        return True

    def generation(self, component):
        return self.started.get(component, 0)


def fill(store, count):
    for start in range(0, count, 100):
        store.commit(
            [
                Append(Store.STATE, "envelope", index.to_bytes(4, "big"), bytes(400))
                for index in range(start, min(count, start + 100))
            ]
        )


def damage(path):
    """Overwrite pages in the middle, as a failing disk would."""
    with path.open("r+b") as stream:
        stream.seek(4096 * 6)
        stream.write(b"\xff" * 4096 * 12)


@pytest.fixture
def house(tmp_path):
    backups = tmp_path / "backups"
    backups.mkdir()
    held = [SqliteStore(tmp_path / "state.sqlite", durable=False)]
    fill(held[0], 600)
    held[0].backup(backup_path(backups))
    actions = Actions(Parts(), lambda: held[0], lambda store: held.__setitem__(0, store), backups)
    yield held, actions
    held[0].close()


def break_state(held):
    path = held[0].path
    held[0].close()
    damage(path)
    held[0] = SqliteStore(path, durable=False)


async def test_overwritten_pages_are_seen_repaired_from_the_backup_and_verified(house):
    held, actions = house
    assert integrity_reading(held[0]) == 1000
    break_state(held)
    assert integrity_reading(held[0]) == 0
    done = await actions.perform("repair", "state")
    assert (done.ok, done.verified) == (True, True)
    assert "600 records" in done.steps
    assert integrity_reading(held[0]) == 1000
    fill(held[0], 700)  # refilled
    assert sum(1 for _ in held[0].records()) == 700


async def test_without_a_backup_it_starts_empty_and_says_so(house):
    held, actions = house
    backup_path(actions.backups).unlink()
    break_state(held)
    done = await actions.perform("repair", "state")
    assert done.verified
    assert "started empty" in done.steps


async def test_a_repair_can_be_undone_and_is_not_called_verified_then(house):
    held, actions = house
    break_state(held)
    await actions.perform("repair", "state")
    undone = await actions.perform("undo_repair", "state")
    assert (undone.ok, undone.verified) == (True, False)
    assert integrity_reading(held[0]) == 0
    assert not (await actions.perform("undo_repair", "state")).ok


async def test_a_restart_is_verified_only_when_the_component_is_up_again(house, autojump_clock):
    _, actions = house
    assert (await actions.perform("restart", "sync")).verified
    assert not (await actions.perform("restart", "nobody")).ok
    actions.components = Parts(comes_up=False)
    done = await actions.perform("restart", "sync")
    assert (done.ok, done.verified) == (False, False)


async def test_indexes_are_rebuilt_and_checked(house):
    held, actions = house
    assert (await actions.perform("reindex", "state")).verified
    assert sum(1 for _ in held[0].records()) == 600


async def test_caches_that_freed_nothing_helped_nothing(house):
    _, actions = house
    assert not (await actions.perform("cache_clear", "own")).verified
    actions.caches.append(lambda: 4096)
    assert (await actions.perform("cache_clear", "own")).verified
    assert (await actions.perform("memory_release", "own")).ok


async def test_unknown_verbs_and_the_journal_are_refused(house):
    _, actions = house
    for verb, target in (("repair", "journal"), ("delete", "state"), ("undo_restart", "sync")):
        done = await actions.perform(verb, target)
        assert (done.ok, done.verified) == (False, False)


async def test_a_fault_of_the_world_is_an_answer_and_no_crash(house, monkeypatch):
    held, actions = house

    def fail(*args):
        raise StoreError(StoreFault.FULL, "no space left")

    monkeypatch.setattr("luminous.node.shell.stores.restore_state", fail)
    done = await actions.perform("repair", "state")
    assert (done.ok, done.verified) == (False, False)
    assert "no space left" in done.steps
    held[0] = SqliteStore(held[0].path, durable=False)
