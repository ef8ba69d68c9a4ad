"""The way from any program to the running node: blocking calls on its control socket, and their coroutines.

Refuses an event loop of its own: a coroutine does its socket work in a worker thread of whatever library
runs it (trio or asyncio), or directly where none runs.
"""

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import sniffio

from luminous.node.shell.cli.client import Client
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.paths import Paths, locate

T = TypeVar("T")
Facts = dict[str, Any]
TIMEOUT_S = 120.0


class NotPossible(Failure):
    """The architecture forbids what was asked, or its condition does not hold yet: which, and what to do."""

    def __init__(self, what: str, why: str, do: str = "") -> None:
        super().__init__(what, why, do, Exit.CHECK_FAILED)


class Connection:
    """One node, by its data directory (None: the one that the environment names). Safe in many threads.

    Every call raises ``Failure`` (what, why, do): with exit code 3 where no node runs.
    """

    def __init__(self, data_dir: Path | str | None = None) -> None:
        named = None if data_dir is None else os.fspath(data_dir)
        self.paths: Paths = locate(os.environ, data_dir=named)
        self._client = Client(self.paths.socket)

    def get(self, path: str, **query: object) -> Facts:
        """The facts at ``path``. Blocks."""
        return self._client.get(path, TIMEOUT_S, **query)

    def post(self, path: str, body: Facts) -> Facts:
        """Ask for something to be done, and wait until it is. Blocks."""
        return self._client.post(path, body, TIMEOUT_S)

    async def fetch(self, path: str, **query: object) -> Facts:
        """``get`` without blocking the caller's event loop."""
        return await in_worker(lambda: self.get(path, **query))

    async def send(self, path: str, body: Facts) -> Facts:
        """``post`` without blocking the caller's event loop."""
        return await in_worker(lambda: self.post(path, body))


async def in_worker(function: Callable[[], T]) -> T:
    """Run blocking work where it does not block the async library that runs this coroutine."""
    match library():
        case "trio":
            import trio

            return await trio.to_thread.run_sync(function)
        case "asyncio":
            import asyncio

            return await asyncio.to_thread(function)
        case _:
            return function()


async def pause(seconds: float) -> None:
    """Sleep in the library that runs this coroutine; a plain thread sleeps itself."""
    match library():
        case "trio":
            import trio

            await trio.sleep(seconds)
        case "asyncio":
            import asyncio

            await asyncio.sleep(seconds)
        case _:
            import time

            time.sleep(seconds)


def library() -> str:
    """``trio``, ``asyncio``, or an empty string in a plain thread."""
    try:
        return sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return ""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Carry a coroutine of this package out in a plain thread, without any event loop."""
    if library():
        coroutine.close()
        raise RuntimeError(f"{library()} runs here: await the coroutine instead")
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("this coroutine waits for an event loop: run it with trio or asyncio")
