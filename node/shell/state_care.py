"""Care for the state store of a running node: checked, backed up, repaired, scrubbed.

Refuses to let a damaged store replace the sound copy of yesterday, and to touch the journal.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import trio

from luminous.node.core.effects import Apply, Report
from luminous.node.ports import StoreError
from luminous.node.shell import experience, spool, stores
from luminous.node.shell.actions import Actions, Components, Done
from luminous.node.shell.evidence import Evidence
from luminous.node.shell.failure import Failure
from luminous.node.shell.paths import Paths
from luminous.node.shell.run_memory import FOLDER as RUN_MEMORY
from luminous.node.shell.service import Service
from luminous.node.shell.sqlite_store import SqliteStore

CHECK_INTERVAL_S = 60.0
# Acts during which the open store is closed: what the node wants kept waits in memory.
_CLOSING = (("repair", "state"), ("undo_repair", "state"))


class StateCare:
    """One node's state store, its backup and its evidence."""

    def __init__(
        self,
        paths: Paths,
        held: stores.Stores,
        evidence: Evidence | None,
        components: Components,
        tell: Callable[[Report], None],
        *,
        backup_interval_s: float,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.evidence = evidence
        self._paths = paths
        self._stores = held
        self._components = components
        self._tell = tell
        self._beat = beat
        self._backup_interval_s = backup_interval_s

    async def run(self, service: Service) -> None:
        """Check every minute and back up when it is time, until cancelled."""
        backed_up_s = float("-inf")
        while True:
            is_due = trio.current_time() - backed_up_s >= self._backup_interval_s
            try:
                if await self._check(service) and is_due:
                    await self.back_up(service)
                    backed_up_s = trio.current_time()
                await trio.to_thread.run_sync(self._keep_room, service.clock.now().wall_ms)
            except (StoreError, OSError) as error:
                self._tell(Report(0, "backup_failed", {"why": str(error)}))
            self._beat()
            await trio.sleep(min(CHECK_INTERVAL_S, self._backup_interval_s))

    async def _check(self, service: Service) -> bool:
        if service.state_fault:
            return False
        damage = await trio.to_thread.run_sync(self._stores.state.integrity)
        if damage:
            await service.report_damage(damage[0])
        return not damage

    async def back_up(self, service: Service) -> None:
        """Copy the state store. Raises ``StoreError`` or OSError."""
        self._paths.backups.mkdir(mode=0o700, exist_ok=True)
        mark = service.state.mark()
        await trio.to_thread.run_sync(self._stores.state.backup, stores.backup_path(self._paths.backups))
        service.state.forget_before(mark)

    def _keep_room(self, wall_ms: int) -> None:
        self._stores.journal.keep_ballast()
        self._stores.state.keep_ballast()
        if self.evidence is not None:
            self.evidence.trim(wall_ms)

    async def perform(self, service: Service, act: Apply) -> Done:
        """Carry a healing act out; the node goes on with the store that it leaves."""
        taken: list[SqliteStore] = []
        actions = Actions(self._components, lambda: self._stores.state, taken.append, self._paths.backups)
        if (act.verb, act.target) in _CLOSING and not service.state_fault:
            await service.report_damage(f"{act.verb} under way")
        done = await actions.perform(act.verb, act.target)
        for store in taken:
            self._stores.state = store
            try:
                await service.replace_state(store)
            except StoreError as error:
                done = Done(False, False, f"{done.steps}; it cannot be written: {error}")
        return done

    async def scrub(self, service: Service) -> None:
        """After the node forgot: out of free pages, backup, set-aside copies, evidence, files beside them.

        Raises ``Failure`` when something could not be deleted.
        """

        def clean(node: object) -> None:
            service.state.clear()
            self._stores.state.scrub()

        try:
            await service.ask(clean, 60.0)
            if self.evidence is not None:
                await trio.to_thread.run_sync(self.evidence.clear)
            await trio.to_thread.run_sync(self._delete_files)
            await self.back_up(service)
        except (StoreError, OSError) as error:
            raise Failure(
                "not everything was deleted", str(error), "free some space or mend the disk, then again"
            ) from error

    def _delete_files(self) -> None:
        data: Path = self._paths.data
        for name in (experience.NAME, experience.BOOK_NAME):
            (data / name).unlink(missing_ok=True)
        stores.backup_path(self._paths.backups).unlink(missing_ok=True)
        for path in stores.leftovers(self._paths.state):
            path.unlink()
        for name in (RUN_MEMORY, spool.FOLDER):
            folder = data / name
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder)
