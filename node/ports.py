"""The ports of a node: what a body must offer so that the driver can carry effects out.

Refuses implementations: stores, transports and hosts live in ``node.shell`` and ``simulations``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from luminous.node.core.effects import Append, Apply, Compare, Erase, Note, Report


class StoreFault(StrEnum):
    """What the world did to a store."""

    FULL = "full"
    READ_ONLY = "read_only"
    LOCKED = "locked"
    CORRUPT = "corrupt"
    IO = "io"


class StoreError(Exception):
    """A store cannot do what it must. ``fault`` says which way, the text says it to a person."""

    def __init__(self, fault: StoreFault, detail: str) -> None:
        super().__init__(f"{fault.value}: {detail}")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Record:
    """One stored record, as it was appended."""

    kind: str
    key: bytes
    body: bytes


class RecordStore(Protocol):
    """A durable sequence of records, unique by (kind, key). Raises ``StoreError`` and nothing else."""

    def commit(self, changes: Sequence[Append | Erase]) -> None:
        """Apply all changes or none; durable on return. Appending identical bytes again changes nothing."""
        ...

    def records(self) -> Iterator[Record]:
        """All records in the order they were first appended."""
        ...

    def release_ballast(self) -> bool:
        """Give up reserved space so that a full disk cannot block the cure; False if none was left."""
        ...

    def close(self) -> None:
        """Release the store; never raises."""
        ...


class Outbox(Protocol):
    """Where effects other than appends go. None of these calls may block or raise for the world's faults."""

    def publish(self, raw: bytes) -> None:
        """Enqueue an envelope for gossip."""
        ...

    def compare(self, compare: Compare) -> None:
        """Start a sync dialogue."""
        ...

    def apply(self, act: Apply) -> None:
        """Start a healing act."""
        ...

    def report(self, report: Report) -> None:
        """Answer whoever asked, or tell people."""
        ...

    def note(self, note: Note) -> None:
        """Keep something that may be lost."""
        ...
