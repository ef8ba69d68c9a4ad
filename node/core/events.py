"""What happened: the only inputs of a node. Frozen, each with the instant it happened at.

Refuses behaviour. The shell and the world make them; the node alone reads them.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from luminous.node.core.commands import Command
from luminous.node.core.health.readings import Readings
from luminous.node.core.instant import Instant
from luminous.node.core.peers.session import Session
from luminous.protocol.codec import Value
from luminous.protocol.envelope import Admitted


@dataclass(frozen=True, slots=True)
class Received:
    """An admitted envelope came, by gossip or by sync (``gossiped`` tells)."""

    at: Instant
    envelope: Admitted
    gossiped: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline passed, or a little time did."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Commanded:
    """A person or program on this machine asks for something. ``reply`` names who waits for the answer."""

    at: Instant
    command: Command
    reply: int


@dataclass(frozen=True, slots=True)
class Observed:
    """Something was seen on this machine: ``name`` of the closed list in ``observations``, plain facts."""

    at: Instant
    name: str
    facts: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """One sample of the host."""

    at: Instant
    readings: Readings


@dataclass(frozen=True, slots=True)
class Remedied:
    """A healing act ended."""

    at: Instant
    intent: str
    ok: bool
    facts: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """A peer is connected."""

    at: Instant
    peer: str


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """A peer is gone."""

    at: Instant
    peer: str


@dataclass(frozen=True, slots=True)
class Synced:
    """A sync dialogue ended, whole or broken off; what it fetched was received before."""

    at: Instant
    session: Session


@dataclass(frozen=True, slots=True)
class JournalLost:
    """The journal is gone or damaged beside a state store that knew one: own acts are forgotten."""

    at: Instant


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """An append failed and stays failed: the node is mute until ``StoreRecovered``."""

    at: Instant
    why: str


@dataclass(frozen=True, slots=True)
class StoreRecovered:
    """A probe append succeeded."""

    at: Instant


Event: TypeAlias = (
    Received
    | Tick
    | Commanded
    | Observed
    | Measured
    | Remedied
    | PeerJoined
    | PeerLeft
    | Synced
    | JournalLost
    | StoreFailed
    | StoreRecovered
)
