"""The supervised parts of one running node: each restarted when it falls, hangs or is asked to.

Refuses to touch a sibling: one part's fault restarts that part. Refuses to hide: a fall is told with its
reason, a hang with the stack of the part that hung.
"""

import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from luminous.node.core.effects import Report
from luminous.node.shell.supervisor import leaves, supervise

WATCH_INTERVAL_S = 0.5
FALLS_KEPT_MAX = 64
WHY_CHARS_MAX = 300
STACK_CHARS_MAX = 4000
STACK_TASKS_MAX = 16


@dataclass(slots=True)
class _Part:
    """One living part. ``quiet_s_max``: without a beat for so long, it hangs; None: it need not beat."""

    quiet_s_max: float | None
    beat_s: float
    generation: int = 0
    scope: trio.CancelScope | None = None
    task: trio.lowlevel.Task | None = None
    is_hung: bool = False


class Components:
    """All parts of a node by name. ``tell``: hears ``component_fell`` and ``component_hung``."""

    def __init__(self, tell: Callable[[Report], None], *, is_fatal: Callable[[BaseException], bool]) -> None:
        self.falls: list[str] = []
        self._tell = tell
        self._is_fatal = is_fatal
        self._parts: dict[str, _Part] = {}

    async def live(
        self, name: str, part: Callable[[], Awaitable[None]], quiet_s_max: float | None = None
    ) -> None:
        """Keep one part alive until it returns by itself, or raises what is fatal."""
        held = self._parts[name] = _Part(quiet_s_max, trio.current_time())

        async def once() -> None:
            while True:
                with trio.CancelScope() as scope:
                    held.scope, held.task = scope, trio.lowlevel.current_task()
                    held.generation += 1
                    held.beat_s, held.is_hung = trio.current_time(), False
                    await part()
                if not scope.cancelled_caught:
                    return

        def fell(error: BaseException) -> None:
            why = ", ".join(f"{type(leaf).__name__}: {leaf}" for leaf in leaves(error))[:WHY_CHARS_MAX]
            self._note(f"{name}: {why}")
            self._tell(Report(0, "component_fell", {"component": name, "why": why}))

        await supervise(once, fell=fell, is_fatal=self._is_fatal)

    def beat(self, name: str) -> None:
        """The part made progress."""
        part = self._parts.get(name)
        if part is not None:
            part.beat_s = trio.current_time()

    def restart(self, name: str) -> bool:
        """Stop one part; its supervisor starts it again. False if there is none of that name."""
        part = self._parts.get(name)
        if part is None or part.scope is None:
            return False
        part.scope.cancel()
        return True

    def generation(self, name: str) -> int:
        """How often the part was started."""
        part = self._parts.get(name)
        return 0 if part is None else part.generation

    async def watch(self) -> None:
        """Restart parts that make no progress, telling where they stood. Runs until cancelled."""
        while True:
            await trio.sleep(WATCH_INTERVAL_S)
            now_s = trio.current_time()
            for name, part in list(self._parts.items()):
                if part.quiet_s_max is not None and now_s - part.beat_s > part.quiet_s_max:
                    self._end_hang(name, part)

    def _end_hang(self, name: str, part: _Part) -> None:
        """Told once for each hang; a part held by a thread ends only when its thread does."""
        if part.is_hung:
            return
        part.is_hung = True
        self._note(f"{name}: no progress for {part.quiet_s_max:g} s; restarted")
        stack = _stack(part.task) if part.task is not None else ""
        self._tell(Report(0, "component_hung", {"component": name, "stack": stack}))
        if part.scope is not None:
            part.scope.cancel()

    def _note(self, line: str) -> None:
        self.falls[:] = [*self.falls[-FALLS_KEPT_MAX + 1 :], line]


def _stack(task: trio.lowlevel.Task) -> str:
    """Where a task and its children wait, and where the other threads are; lines of code, no values."""
    lines: list[str] = []
    waiting = [task]
    for _ in range(STACK_TASKS_MAX):
        if not waiting:
            break
        found = waiting.pop(0)
        lines.append(f"task {found.name}")
        for frame, line in found.iter_await_frames():
            lines.append(f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_name}")
        for nursery in found.child_nurseries:
            waiting.extend(nursery.child_tasks)
    main = sys._current_frames()
    for number, top in list(main.items())[:STACK_TASKS_MAX]:
        last = traceback.extract_stack(top)[-1]
        lines.append(f"thread {number}: {last.filename}:{last.lineno} in {last.name}")
    return "\n".join(lines)[:STACK_CHARS_MAX]
