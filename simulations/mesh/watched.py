"""What a mesh sees of its machines: each commit into one digest, and a look before each event.

Refuses to change what a machine does.
"""

import hashlib
from collections.abc import Callable, Sequence

import trio

from luminous.node.core import events
from luminous.node.core.effects import Append, Erase
from luminous.node.shell.service import Service
from luminous.simulations.disk import MemoryStore


class Trace:
    """One digest over everything that became durable, and when."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def mark(self, what: bytes, index: int, body: bytes) -> None:
        """Add one fact of this moment."""
        at = round(trio.current_time() * 1e6).to_bytes(8, "big")
        self._hash.update(at + index.to_bytes(4, "big") + what + body)

    def digest(self) -> str:
        """One history, one digest."""
        return self._hash.hexdigest()


class TracedStore:
    """A memory store whose commits are traced."""

    def __init__(self, store: MemoryStore, index: int, name: str, trace: Trace) -> None:
        self._store = store
        self._index = index
        self._name = name
        self._trace = trace
        self.records = store.records
        self.release_ballast = store.release_ballast
        self.close = store.close

    def commit(self, changes: Sequence[Append | Erase]) -> None:
        """As the store does, then traced."""
        self._store.commit(changes)
        for change in changes:
            what = change.body if isinstance(change, Append) else b""
            self._trace.mark(f"{self._name}/{change.kind}".encode() + (change.key or b""), self._index, what)


class WatchedService(Service):
    """The real service, with somebody looking before each event."""

    before: Callable[[events.Event], None] = staticmethod(lambda event: None)

    async def _step(self, happened: list[events.Event]) -> None:
        for event in happened:
            self.before(event)
        await super()._step(happened)
