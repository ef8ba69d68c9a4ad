"""What the world does to machines and links, as values of a scenario file. Times are virtual milliseconds.

Refuses behaviour: ``workload`` schedules faults, the network, disks and clocks carry them out.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Milliseconds = Annotated[int, Meta(ge=0, le=400 * 24 * 3600 * 1000)]
Count = Annotated[int, Meta(ge=0, le=100_000)]

# What can be wrong with a machine: see ``sickness``.
SICKNESSES = ("store_damaged", "own_memory", "disk_full", "cpu_hog", "units", "silent")


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Physics of every link. Delay is exponential above its minimum; duplicates and losses are shares."""

    delay_ms_mean: Milliseconds = 40
    delay_ms_min: Milliseconds = 5
    loss: Share = 0.0
    duplicate: Share = 0.0
    degree: Annotated[int, Meta(ge=1, le=64)] = 6


class Partition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From ``from_ms`` until ``until_ms`` the first ``share`` of the nodes is cut off from the rest.

    ``one_way``: only messages from the first group to the second are lost.
    """

    from_ms: Milliseconds
    until_ms: Milliseconds
    share: Share = 0.5
    one_way: bool = False


class Clog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The links of a random ``share`` of the nodes hold everything back until ``until_ms``.

    ``swizzle``: the nodes clog one after another in random order, and free themselves in another.
    """

    from_ms: Milliseconds
    until_ms: Milliseconds
    share: Share = 0.3
    swizzle: bool = False


class Crash(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The node loses power at ``at_ms`` and is back ``down_ms`` later, from its stores.

    The journal survives whole; of the state store a random unsynced tail is gone. ``lose_state``: all of it.
    ``lose_journal``: the journal's disk is destroyed, which the node must notice and stay silent about it.
    """

    node: Count
    at_ms: Milliseconds
    down_ms: Milliseconds = 5_000
    lose_state: bool = False
    lose_journal: bool = False


class Churn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each node leaves on average once per ``every_ms`` and stays away ``away_ms``; 0: nobody leaves.

    ``sleep``: it is suspended instead of stopped: memory and connections stay, the monotonic clock stops.
    """

    every_ms: Milliseconds = 0
    away_ms: Milliseconds = 60_000
    sleep: bool = False


class DiskFull(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The node's disk takes no write between the two times."""

    node: Count
    from_ms: Milliseconds
    until_ms: Milliseconds


class DiskCorrupt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pages of the state store are overwritten; at ``until_ms`` a backup of ``from_ms`` takes its place."""

    node: Count
    from_ms: Milliseconds
    until_ms: Milliseconds


class ClockJump(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The node's wall clock is set ``by_ms`` later or earlier; its monotonic clock does not notice."""

    node: Count
    at_ms: Milliseconds
    by_ms: Annotated[int, Meta(ge=-(10**9), le=10**9)]


class Sickness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node is sick of ``kind`` from ``from_ms``; without healing until ``until_ms``.

    ``store_damaged`` and ``own_memory`` are the node's own and end with the right act. ``disk_full``,
    ``cpu_hog`` and ``units`` are the host's: their causes lie outside what the node may touch or can see.
    ``silent``: readings stop; nobody knows how it is.
    """

    node: Count
    kind: str
    from_ms: Milliseconds
    until_ms: Milliseconds
