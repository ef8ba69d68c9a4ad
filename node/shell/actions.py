"""Carries healing acts out on this node's own components, and checks what it did.

Refuses verbs and targets it does not know, the journal whatever the verb, and to answer "verified" without
having looked.
"""

import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import trio

from luminous.node.ports import StoreError
from luminous.node.shell import stores
from luminous.node.shell.sqlite_store import SqliteStore

RESTARTED_WITHIN_S = 2.0
POLL_S = 0.05


class Components(Protocol):
    """The supervised parts of the node."""

    def restart(self, component: str) -> bool:
        """Stop one; its supervisor starts it again. False if there is none of that name."""
        ...

    def generation(self, component: str) -> int:
        """How often the component was started; grows when it is up again."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """What an act came to. ``verified``: the outcome was looked at and is good."""

    ok: bool
    verified: bool
    steps: str

    def facts(self) -> dict[str, int | bytes | str | bool | None]:
        """As ``Remedied`` carries it."""
        return {"verified": self.verified, "steps": self.steps}


@dataclass(slots=True)
class Actions:
    """The hands. ``state``: the open state store; ``take_state``: use this one from now on.

    ``caches``: functions that drop a cache and return the bytes freed. Blocking work runs in a thread.
    """

    components: Components
    state: Callable[[], SqliteStore]
    take_state: Callable[[SqliteStore], None]
    backups: Path
    caches: list[Callable[[], int]] = field(default_factory=list)

    async def perform(self, verb: str, target: str) -> Done:
        """Do it. Never raises for the world's faults: they are a Done that is not ok."""
        act = self._acts().get((verb, target)) or self._acts().get((verb, "*"))
        if act is None:
            return Done(False, False, f"I have no act {verb} for {target}")
        try:
            return await act(target)
        except (StoreError, OSError) as error:
            return Done(False, False, f"{verb} {target} failed: {error}")

    def _acts(self) -> dict[tuple[str, str], Callable[[str], Awaitable[Done]]]:
        return {
            ("restart", "*"): self._restart,
            ("repair", "state"): self._repair,
            ("undo_repair", "state"): self._undo_repair,
            ("reindex", "state"): self._reindex,
            ("cache_clear", "own"): self._clear_caches,
            ("memory_release", "own"): self._release_memory,
        }

    async def _restart(self, component: str) -> Done:
        before = self.components.generation(component)
        if not self.components.restart(component):
            return Done(False, False, f"there is no component {component}")
        with trio.move_on_after(RESTARTED_WITHIN_S):
            while self.components.generation(component) <= before:
                await trio.sleep(POLL_S)
            return Done(True, True, f"{component} was stopped and is up again")
        return Done(False, False, f"{component} did not come up within {RESTARTED_WITHIN_S:.0f} s")

    async def _repair(self, target: str) -> Done:
        """Damaged file aside, newest sound backup in, checked; peers refill the rest through sync."""
        damaged = self.state()
        steps: list[str] = []
        damaged.close()
        store = await trio.to_thread.run_sync(
            partial(stores.restore_state, damaged.path, self.backups, steps)
        )
        self.take_state(store)
        found = await trio.to_thread.run_sync(store.integrity)
        count = sum(1 for _ in store.records())
        steps.append(f"{count} records, check: {found[0] if found else 'sound'}; peers refill the rest")
        return Done(True, not found, "; ".join(steps))

    async def _undo_repair(self, target: str) -> Done:
        """The damaged file back in its place; what the repair made stays beside it."""
        store = self.state()
        path = store.path
        aside = path.with_name(f"{path.name}.damaged")
        if not aside.exists():
            return Done(False, False, "the damaged file is gone: nothing to put back")
        store.close()
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.replace(path.with_name(f"{path.name}.repaired{suffix}"))
            kept = path.with_name(f"{path.name}.damaged{suffix}")
            if kept.exists():
                kept.replace(part)
        self.take_state(SqliteStore(path, durable=False))
        return Done(True, False, f"{path.name} is the damaged file again")

    async def _reindex(self, target: str) -> Done:
        store = self.state()
        await trio.to_thread.run_sync(partial(reindex, store.path))
        found = await trio.to_thread.run_sync(store.integrity)
        return Done(True, not found, f"indexes rebuilt, check: {found[0] if found else 'sound'}")

    async def _clear_caches(self, target: str) -> Done:
        freed = sum(clear() for clear in self.caches)
        return Done(True, freed > 0, f"{freed} bytes of own caches dropped")

    async def _release_memory(self, target: str) -> Done:
        before = own_memory_bytes()
        for clear in self.caches:
            clear()
        gc.collect()
        _trim()
        after = own_memory_bytes()
        return Done(True, after < before, f"own memory {before // 2**20} MB, now {after // 2**20} MB")


def reindex(path: Path) -> None:
    """Rebuild all indexes of a store. Raises ``StoreError``."""
    import sqlite3

    from luminous.node.shell.sqlite_store import store_fault

    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
        try:
            db.execute("REINDEX")
            db.execute("PRAGMA optimize")
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreError(store_fault(error), f"{path}: {error}") from error


def integrity_reading(store: SqliteStore) -> int:
    """The reading ``store_integrity:state`` in thousandths: 1000 sound, 0 damaged."""
    return 0 if store.integrity() else 1000


def own_memory_bytes() -> int:
    """Resident memory of this process; 0 where the kernel does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return 0


def _trim() -> None:
    """Ask the C library to give free pages back; a library without the call has none to give."""
    import ctypes

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
