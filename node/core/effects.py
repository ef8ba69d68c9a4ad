"""What shall be done, in this order. Frozen values without behaviour.

Refuses to say how: the driver and the shell know stores and sockets, the world simulates them.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from luminous.protocol.codec import Value


class Store(Enum):
    """Where a record goes. The journal holds own acts and is never restored from a backup."""

    JOURNAL = "journal"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Append:
    """Make ``body`` durable before any later effect of the batch. ``key`` makes it idempotent."""

    store: Store
    kind: str
    key: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Erase:
    """Remove records of ``kind`` (all, or the one of ``key``) from the state store: retention and forget."""

    kind: str
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Worth keeping, may be lost: readings, scores. Batched within five minutes."""

    name: str
    facts: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publish:
    """Offer an envelope to the network. Only enqueues; sync is the outbox."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Compare:
    """Hold a sync dialogue with ``peer``; ``wanted``: ids it offered. Answers later as ``Synced``."""

    peer: str
    wanted: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Apply:
    """Start a healing act of the node's own components; answers later as ``Remedied``."""

    intent: str
    verb: str
    target: str


@dataclass(frozen=True, slots=True)
class Report:
    """Answer a command (``reply`` > 0), or tell people an event (``reply`` 0)."""

    reply: int
    name: str
    facts: dict[str, Value] = field(default_factory=dict)


Effect: TypeAlias = Append | Erase | Note | Publish | Compare | Apply | Report
