"""A day of virtual time in the mesh, with machines that come and go: is every record everywhere, what grows.

Two kinds of day. ``kept``: a vote an hour, whose proposals, ballots and Minutes are held for ever; at the end
all machines hold the same records and every checker holds. ``retiring``: no roll, one public delta a machine
and five minutes, held for ten more, so that what is held stays the same size and memory that grows is a leak.
Refuses to be gentle at night: the churn goes on to the last hour, then everybody is back for half an hour.
"""

import argparse
import json
import logging
import os
import sys
import time
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, cast

import psutil
import trio

from luminous.node.core.config import Membership
from luminous.node.core.founding import found, join
from luminous.node.shell import libp2p_patches
from luminous.protocol.admission import Admissions
from luminous.protocol.deltas import compute_window
from luminous.protocol.kinds import Kind
from luminous.protocol.parameters import MIN_CONTRIBUTORS, WINDOW_MS
from luminous.simulations import virtual_time
from luminous.simulations.checkers import check_all
from luminous.simulations.mesh.body import Mesh
from luminous.simulations.place import WALL_START_MS, Place
from luminous.simulations.running import evidence_of
from luminous.simulations.scenario import Learning, Link, Scenario, Vote
from luminous.simulations.snapshots import Snapshots
from luminous.simulations.soak_judge import judge
from luminous.simulations.workload import schedule

if TYPE_CHECKING:
    from luminous.simulations.world import World

HOUR_MS = 3_600_000
LEARNING_WINDOW_MS = 300_000
AWAY_MS_MEAN = 600_000
CALM_MS = HOUR_MS // 2
PROPOSER = 0  # of every vote, a minute into its hour
# A machine that is back for so long must hold what the others hold.
BACK_MS = 600_000
WARM_UP_SHARE = 0.2
# What a record of a simulated disk takes besides its body: the object, its key, its places in lists.
RECORD_SIZE_BYTES = 300


def make_scenario(kind: str, nodes: int, hours: int) -> Scenario:
    """The day without its churn."""
    day = Scenario(
        id=f"mesh-day-{kind}",
        summary="Machines come and go for a day.",
        nodes=nodes,
        duration_ms=hours * HOUR_MS + CALM_MS,
        link=Link(degree=4, loss=0.01),
        grace_ms=60_000,
    )
    if kind == "retiring":
        return _with(day, learning=Learning(window_ms=LEARNING_WINDOW_MS, outcomes=20))
    ayes = 2 * nodes // 3 + 1
    votes = [
        Vote(
            title=f"Hour {hour}",
            yes=ayes,
            no=nodes - ayes,
            threshold="super",  # whatever the feature was, it may be changed
            value=hour % 3,
            opens_ms=hour * HOUR_MS + 60_000,
            closes_ms=hour * HOUR_MS + HOUR_MS // 2,
            change=0.3,
        )
        for hour in range(hours)
    ]
    return _with(day, vote=tuple(votes))


def _with(scenario: Scenario, **changes: Any) -> Scenario:
    from msgspec.structs import replace

    return replace(scenario, **changes)


def rootless(seed: int) -> Membership:
    """A network without a roll: everybody may contribute, nobody votes, no Minutes."""
    raw = found(
        "mesh-day",
        (),
        is_fleet=False,
        is_open=True,
        parameters={WINDOW_MS: LEARNING_WINDOW_MS, MIN_CONTRIBUTORS: 3},
        created_at_ms=WALL_START_MS,
        salt=seed.to_bytes(16, "big"),
    )
    membership = join(raw)
    assert isinstance(membership, Membership), membership
    return membership


class Day:
    """The churn of one day, and samples of it."""

    def __init__(self, mesh: Mesh, hours: int, churn: float, every_ms: int, *, is_forgetful: bool) -> None:
        self.mesh = mesh
        self.every_ms = every_ms
        mesh.admissions = Admissions(mesh.membership.id)  # bounded as a node's own: the simulator's is not
        self._is_forgetful = is_forgetful  # nobody checks afterwards what was published
        self.samples: list[dict[str, Any]] = []
        self.away = self.due = self.arrived = 0
        self._back_ms = [0] * len(mesh.places)
        self._published: dict[int, int] = {}
        self._window = 0
        self._process = psutil.Process()
        chance = Random(f"day/{mesh.seed}")
        nodes = len(mesh.places)
        for hour in range(hours):
            leaving = round(churn * nodes * (hour + 1)) - round(churn * nodes * hour)
            for _ in range(leaving):
                at_ms = hour * HOUR_MS + chance.randrange(60_000, HOUR_MS)
                back_ms = min(at_ms + 1 + round(chance.expovariate(1 / AWAY_MS_MEAN)), hours * HOUR_MS)
                place = mesh.places[chance.randrange(nodes)]
                if place.index == PROPOSER:  # nobody proposes what its author is not there to propose
                    back_ms = min(back_ms, (hour + 1) * HOUR_MS)
                mesh.at(at_ms, partial(self._leave, place, back_ms))
        mesh.hearers.append(self._heard)
        mesh.at(every_ms, self._look)

    def _leave(self, place: Place, back_ms: int) -> None:
        if place.is_up:
            self.away += 1
            self.mesh.crash(place)
            self.mesh.at(max(back_ms, self.mesh.now_ms + 1), partial(self._return, place))

    def _return(self, place: Place) -> None:
        self._back_ms[place.index] = self.mesh.now_ms
        self.mesh.boot(place)

    def _heard(self, place: Place, raw: bytes, is_own: bool) -> None:
        envelope: Any = self.mesh.admissions.admit(raw)
        if is_own and envelope.kind is Kind.DELTA:
            window = envelope.payload.window
            self._published[window] = self._published.get(window, 0) + 1

    def _look(self) -> None:
        mesh = self.mesh
        up = [place for place in mesh.places if place.is_up]
        self._count(up)
        if len(up) == len(mesh.places):  # fewer machines have fewer tasks: only the same is compared
            self.samples.append(
                {
                    "at_s": mesh.now_ms / 1000,
                    "rss_mb": self._process.memory_info().rss / 2**20 - self._disks_mb(),
                    "threads": self._process.num_threads(),
                    "descriptors": self._process.num_fds(),
                    "tasks": trio.lowlevel.current_statistics().tasks_living,
                    "objects": sum(len(place.node.records) for place in up),
                    "due": self.due,
                    "arrived": self.arrived,
                    "hung_up": self.away,
                }
            )
        if mesh.now_ms % HOUR_MS < self.every_ms:
            print(f"day: hour {mesh.now_ms / HOUR_MS:.1f}, {len(up)} up", file=sys.stderr, flush=True)
        mesh.at(mesh.now_ms + self.every_ms, self._look)

    def _disks_mb(self) -> float:
        """What the simulated disks hold: here they are memory. Forgets what the simulator noted."""
        size_bytes = 0
        for place in self.mesh.places:
            if self._is_forgetful:
                place.published.clear()
                place.reports.clear()
            for store in (place.journal, place.state):
                size_bytes += sum(len(record.body) + RECORD_SIZE_BYTES for record in store.records())
        return size_bytes / 2**20

    def _count(self, up: list[Place]) -> None:
        """Once a window: deltas of the one before the last that the machines hold, of those published."""
        now_ms = self.mesh.now_ms
        window = compute_window(WALL_START_MS + now_ms, up[0].node.machines.law) - 2 if up else 0
        if window <= self._window:
            return
        self._window = window
        for place in up:
            if now_ms - self._back_ms[place.index] >= BACK_MS:
                self.due += self._published.get(window, 0)
                self.arrived += sum(
                    1
                    for item in place.node.records.envelopes()
                    if item.kind is Kind.DELTA and item.payload.window == window
                )


def play_day(
    kind: str, nodes: int, hours: int, churn: float, seed: int, every_ms: int = 600_000
) -> dict[str, Any]:
    """One day; needs the fixed hash seed. ``ok`` and the figures as plain values."""
    began_cpu_s = time.process_time()
    libp2p_patches.install()
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    scenario = make_scenario(kind, nodes, hours)
    mesh = Mesh(scenario, seed, rootless(seed) if kind == "retiring" else None)
    day = Day(mesh, hours, churn, every_ms, is_forgetful=kind == "retiring")
    end: dict[str, Any] = {}

    def look() -> None:
        places = mesh.places
        end["sets"] = len({place.node.records.digest() for place in places if place.is_up})
        end["up"] = sum(place.is_up for place in places)
        end["records"] = max(len(place.node.records) for place in places if place.is_up)
        end["boots"] = sum(place.boots for place in places)
        checks = check_all(evidence_of(cast("World", mesh))) if kind == "kept" else []
        end["broken"] = {check.name: check.detail for check in checks if not check.ok}

    async def main() -> None:
        world = cast("World", mesh)
        schedule(world)
        Snapshots(world)
        await mesh.run(look)

    virtual_time.run(main, seed)
    warm_up_s = WARM_UP_SHARE * hours * HOUR_MS / 1000
    judged = judge(day.samples, warm_up_s)
    why = [f"{name}: {detail}" for name, detail in end.pop("broken").items()]
    if end["sets"] != 1:
        why.append(f"{end['sets']} different sets of records at the end")
    if end["up"] != nodes:
        why.append(f"{end['up']} of {nodes} machines are up at the end")
    leaks = judged["why"]
    if kind == "kept":  # what is held grows, and so does memory: only tasks and the like are judged
        leaks = [reason for reason in leaks if "leak" in reason]
    return {
        "ok": not why and not leaks and judged["ok"] is not None,
        "why": why + leaks,
        "kind": kind,
        "nodes": nodes,
        "hours": hours,
        "churn_per_hour": churn,
        "seed": seed,
        "times_away": day.away,
        **end,
        "judged": judged,
        "cpu_s": round(time.process_time() - began_cpu_s, 1),
    }


def main() -> None:
    """Print one day as JSON; starts itself again where the hash seed is not fixed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("kept", "retiring"), default="kept")
    parser.add_argument("--nodes", type=int, default=12)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument(
        "--churn", type=float, default=0.3, help="share of the machines that leaves in an hour"
    )
    parser.add_argument("--every-ms", type=int, default=600_000, help="virtual time between samples")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != virtual_time.HASH_SEED:
        os.environ["PYTHONHASHSEED"] = virtual_time.HASH_SEED
        os.execv(sys.executable, [sys.executable, "-m", "luminous.simulations.mesh.day", *sys.argv[1:]])
    facts = play_day(asked.kind, asked.nodes, asked.hours, asked.churn, asked.seed, asked.every_ms)
    print(json.dumps(facts, indent=1))
    sys.exit(0 if facts["ok"] else 1)


if __name__ == "__main__":
    main()
