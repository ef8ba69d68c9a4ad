"""A machine of a simulated world: its disks, clocks, people and truth; and the network all of them found.

Refuses to move: bodies boot, crash and step it.
"""

from dataclasses import dataclass, field

from luminous.node.core.config import Config, Membership
from luminous.node.core.effects import Report
from luminous.node.core.founding import found, join
from luminous.node.core.node import Node
from luminous.node.driver import Driver
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.parameters import (
    CLOSING_GRACE_MS,
    MIN_CONTRIBUTORS,
    VOTING_WINDOW_MS_MIN,
    WINDOW_MS,
)
from luminous.simulations.disk import MemoryStore
from luminous.simulations.scenario import Scenario

WALL_START_MS = 1_800_000_000_000
# Planted into what machines observe; it must never leave one.
CANARY = "canary-5d1f0c-/home/ada/secret-project"


@dataclass(frozen=True, slots=True)
class ActDone:
    """One healing act of a machine, and whether what it acts on was sick at that moment."""

    at_ms: int
    verb: str
    target: str
    was_needed: bool
    overlaps: bool


@dataclass
class Place:
    """One machine of the world: its disks survive a crash, its node does not."""

    index: int
    config: Config
    journal: MemoryStore
    state: MemoryStore
    skew_ms: int
    driver: Driver | None = None
    boots: int = 0
    seen: set[bytes] = field(default_factory=set)
    # When the first copy of gossiped bytes arrives or arrived; kept only of a machine that never stops.
    expected: dict[bytes, int] = field(default_factory=dict)
    never_stops: bool = False
    tick_at_ms: int = -1
    published: list[bytes] = field(default_factory=list)
    truth: list[tuple[str, str, bool, int]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    role: str = ""  # what it is if it is not an honest member: an adversary's kind, "copy", "sybil"
    slept_ms: int = 0
    is_asleep: bool = False
    is_silent: bool = False  # relays nothing and answers nobody
    journal_lost: bool = False
    leaks: list[str] = field(default_factory=list)
    said_newer: list[bytes] = field(default_factory=list)  # what only a newer release understands
    # Ballots held per proposal: when its own clock said the grace was over, and when its Report left.
    held_at_close: dict[bytes, frozenset[bytes]] = field(default_factory=dict)
    held_at_report: dict[bytes, frozenset[bytes]] = field(default_factory=dict)
    sick: dict[str, int] = field(default_factory=dict)  # sicknesses now, and since when
    acts: list[ActDone] = field(default_factory=list)
    acting: int = 0

    @property
    def node(self) -> Node:
        """The running node."""
        assert self.driver is not None
        return self.driver.node

    @property
    def network(self) -> NetworkId:
        """The network it belongs to."""
        assert self.config.membership is not None
        return self.config.membership.id

    @property
    def is_up(self) -> bool:
        """True between boot and crash."""
        return self.driver is not None


def settle(scenario: Scenario, founders: list[bytes], salt: bytes) -> Membership:
    """The network of a scenario: all its machines found it, with the scenario's short windows as law."""
    return settle_raw(scenario, founders, salt, scenario.grace_ms, 1)[1]


def settle_raw(
    scenario: Scenario, founders: list[bytes], salt: bytes, grace_ms: int, pace: int
) -> tuple[bytes, Membership]:
    """Genesis bytes and membership; ``pace`` divides the windows where time is real."""
    learning = scenario.learning
    is_fleet = learning is not None and learning.fleet
    values = {VOTING_WINDOW_MS_MIN: 1000, CLOSING_GRACE_MS: grace_ms}
    if learning is not None:
        values[WINDOW_MS] = max(10_000, learning.window_ms // pace)
    if is_fleet:
        values[MIN_CONTRIBUTORS] = 1
    raw = found(
        scenario.id,
        founders,
        is_fleet=is_fleet,
        is_open=False,
        parameters=values,
        created_at_ms=WALL_START_MS,
        salt=salt,
    )
    membership = join(raw)
    assert isinstance(membership, Membership), membership
    return raw, membership
