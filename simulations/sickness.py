"""Sick hosts with a known truth: what a machine would measure, which act cures what, and what none does.

Refuses causes in the graph: nothing here tells the node why; it sees readings, as on a real host.
"""

import random
from collections.abc import Callable
from typing import Protocol

from luminous.node.core import events
from luminous.node.core.effects import Apply
from luminous.node.core.health.readings import Readings
from luminous.node.core.instant import Instant
from luminous.simulations.faults import Sickness
from luminous.simulations.place import ActDone, Place

ACT_MS = 4_000
# What cures a sickness; a sickness without an entry ends by itself or by a person.
CURES = {"store_damaged": "repair", "own_memory": "memory_release"}
# Acts that may answer a symptom that such a sickness causes, though it lies outside the node.
TRIED_FOR = {
    "disk_full": ("cache_clear",),
    "own_memory": ("memory_release",),
    "store_damaged": ("repair",),
}
_WELL = {
    "cpu_stall_share": 2_000,
    "memory_stall_share": 100,
    "memory_available_share": 45_000,
    "io_stall_share": 800,
    "disk_free_share:/": 40_000,
    "disk_free_gb:/": 80_000,
    "response_ms": 20_000,
    "errors_per_minute": 0,
    "failed_units": 0,
    "store_integrity": 1_000,
    "root_writable": 1_000,
    "own_memory_mb": 70_000,
    "peers": 6_000,
}
_SICK = {
    "store_damaged": {"store_integrity": 0},
    "own_memory": {"own_memory_mb": 240_000},
    "disk_full": {"disk_free_share:/": 400, "disk_free_gb:/": 200},
    "cpu_hog": {"cpu_stall_share": 99_000, "response_ms": 9_000_000},
    "units": {"failed_units": 9_000},
}


class Ward(Protocol):
    """What treatment needs of a world."""

    now_ms: int

    def instant(self, place: Place) -> Instant:
        """What a machine's clocks say."""

    def later(self, place: Place, wait_ms: int, event: events.Event) -> None:
        """Hand a node an event after a while, unless it was stopped meanwhile."""

    def at(self, time_ms: int, action: Callable[[], None]) -> None:
        """Do something at a virtual time."""


def readings(place: Place, at: Instant, chance: random.Random) -> Readings:
    """What a machine would measure now: calm noise around well or sick values."""
    values = {
        name: value
        if name in ("store_integrity", "root_writable")
        else round(value * chance.uniform(0.9, 1.1))
        for name, value in _WELL.items()
    }
    for kind in sorted(place.sick):
        values.update(_SICK.get(kind, {}))
    return Readings(at, values)


def begin(place: Place, sickness: Sickness, now_ms: int) -> None:
    """The machine falls ill."""
    place.sick[sickness.kind] = now_ms


def end(place: Place, kind: str) -> None:
    """The host's people, or time, put it right."""
    place.sick.pop(kind, None)


def treat(world: Ward, place: Place, act: Apply) -> None:
    """A healing act runs: it cures the sickness it is for, and is remembered with the truth of its moment."""
    sick = [kind for kind in sorted(place.sick) if act.verb in TRIED_FOR.get(kind, ())]
    place.acts.append(ActDone(world.now_ms, act.verb, act.target, bool(sick), place.acting > 0))
    place.acting += 1
    boots = place.boots

    def done() -> None:
        place.acting -= 1
        cured = [kind for kind in sick if CURES.get(kind) == act.verb]
        if place.boots == boots:
            for kind in cured:
                place.sick.pop(kind, None)

    world.at(world.now_ms + ACT_MS, done)
    at = world.instant(place)
    ended = Instant(at.boot_id, at.mono_ms + ACT_MS + 1, at.wall_ms + ACT_MS + 1)
    world.later(place, ACT_MS + 1, events.Remedied(ended, act.intent, True))
