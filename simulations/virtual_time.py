"""Run trio programs in virtual time, the same way each time: one clock, one chance, no threads.

Refuses to run where the hash seed is not fixed: libp2p iterates over sets of peer ids, so another hash seed
is another run. ``in_child`` starts a process that has it. Everything replaced is put back afterwards.
"""

import os
import random
import subprocess
import sys
import time
import types
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio
import trio._core._run as trio_run
import trio.testing

import luminous

T = TypeVar("T")
HASH_SEED = "0"
EPOCH_S = 1_800_000_000.0
_PATCHED = ("libp2p", "luminous.node")


class HashSeedNotFixed(Exception):
    """This process was started without the fixed hash seed."""


def run(main: Callable[[], Awaitable[T]], seed: int) -> T:
    """Run ``main`` to its end in virtual time. Raises ``HashSeedNotFixed``."""
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        raise HashSeedNotFixed(f"start with PYTHONHASHSEED={HASH_SEED}, or use in_child")
    clock = trio.testing.MockClock(autojump_threshold=0.0)
    with deterministic(seed):
        return trio.run(main, clock=clock)


def in_child(arguments: Sequence[str], timeout_s: float) -> str:
    """What ``python`` with ``arguments`` and the fixed hash seed printed. Raises CalledProcessError."""
    where = [str(Path(luminous.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = dict(os.environ, PYTHONHASHSEED=HASH_SEED, PYTHONPATH=os.pathsep.join(filter(None, where)))
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, env=environment, timeout=timeout_s, check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.stderr.write(done.stderr[-8000:])
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout


def now_s() -> float:
    """Seconds of virtual time; 0 outside a run."""
    try:
        return trio.current_time()
    except RuntimeError:
        return 0.0


@contextmanager
def deterministic(seed: int) -> Iterator[None]:
    """Clocks, chance, ids, threads and the scheduler are this run's own inside the block."""
    random_state, trio_state = random.getstate(), trio_run._r.getstate()
    random.seed(seed)
    trio_run._r.seed(seed)
    fixed: list[tuple[Any, str, Any]] = [
        (trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True),
        (trio.to_thread, "run_sync", _run_inline),
    ]
    try:
        with replaced([*fixed, *_stand_ins(seed)]):
            yield
    finally:
        trio_run._r.setstate(trio_state)
        random.setstate(random_state)


@contextmanager
def replaced(stand_ins: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    """Each (owner, name, value) set inside the block and put back after it."""
    originals: list[tuple[Any, str, Any]] = []
    try:
        for owner, name, value in stand_ins:
            originals.append((owner, name, getattr(owner, name)))
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(originals):
            setattr(owner, name, value)


async def _run_inline(function: Callable[..., T], *args: Any, **options: Any) -> T:
    """Instead of a thread: threads are not part of virtual time."""
    await trio.lowlevel.checkpoint()
    return function(*args)


def _stand_ins(seed: int) -> list[tuple[Any, str, Any]]:
    """For each loaded module of libp2p and the node that uses a clock, chance or ids: this run's own."""
    own = {"time": _virtual_clock(), "random": _seeded_chance(), "uuid": _seeded_ids(seed)}
    real = {"time": time, "random": random, "uuid": uuid}
    return [
        (module, name, own[name])
        for module_name, module in sorted(sys.modules.items())
        if module_name.startswith(_PATCHED)
        for name in own
        if getattr(module, "__dict__", {}).get(name) is real[name]
    ]


def _copy_of(module: types.ModuleType) -> types.ModuleType:
    copy = types.ModuleType(f"virtual_{module.__name__}")
    copy.__dict__.update(module.__dict__)
    return copy


def _virtual_clock() -> types.ModuleType:
    clock: Any = _copy_of(time)
    clock.time = lambda: EPOCH_S + now_s()
    clock.time_ns = lambda: int((EPOCH_S + now_s()) * 1e9)
    clock.monotonic = clock.perf_counter = now_s
    clock.monotonic_ns = clock.perf_counter_ns = lambda: int(now_s() * 1e9)
    module: types.ModuleType = clock
    return module


def _seeded_chance() -> types.ModuleType:
    class Seeded(random.Random):
        """A generator whose missing seed is drawn from the run's own chance."""

        def __init__(self, given: Any = None) -> None:
            super().__init__(random.getrandbits(64) if given is None else given)

    chance: Any = _copy_of(random)
    chance.Random = chance.SystemRandom = Seeded
    module: types.ModuleType = chance
    return module


def _seeded_ids(seed: int) -> types.ModuleType:
    drawn = random.Random(seed)
    ids: Any = _copy_of(uuid)
    ids.uuid4 = lambda: uuid.UUID(int=drawn.getrandbits(128), version=4)
    module: types.ModuleType = ids
    return module
