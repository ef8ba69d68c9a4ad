"""Hours of real peers in one process: does anything grow that should not.

``NODES`` whole nodes over TCP, Noise and SQLite on loopback in a learning network without a roll: each
releases one public delta a window, and deltas retire, so that what the nodes hold stays the same size and
memory that grows is a leak. After each sample one connection is cut; it has to come back. Every sample is
written to the log at once: a run that is interrupted still says how far it got. Refuses a network with a
roll: its Minutes are kept, and their growth would hide a leak.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO

import psutil
import trio

from luminous.node.core import events
from luminous.node.core.founding import found, join
from luminous.node.core.node import Node
from luminous.node.core.observing import FIX_TRIED
from luminous.protocol.deltas import compute_window
from luminous.protocol.kinds import Kind
from luminous.protocol.parameters import MIN_CONTRIBUTORS, WINDOW_MS
from luminous.simulations.scenario import read_scenario
from luminous.simulations.soak_judge import judge
from luminous.simulations.wire import Wire, connect_all, start_node

NODES = 8
LEARNING_WINDOW_MS = 15_000
TRIES_EVERY_S = 30.0
BANNED_S = 2.0
START, END = "<!-- soak -->", "<!-- /soak -->"


class Soak:
    """The running nodes, and what was counted of them."""

    def __init__(self, wire: Wire, seed: int, leak: bool) -> None:
        self.wire = wire
        self.chance = random.Random(f"soak/{seed}")
        self.leaked: list[bytes] | None = [] if leak else None
        self.process = psutil.Process()
        self.due = self.arrived = self.hung_up = 0
        self.last_window = -1
        self.began_s = time.monotonic()

    async def tries(self) -> None:
        """Somebody tries a fix now and then on every machine."""
        while True:
            for body in self.wire.bodies:
                error_class, fix = self.chance.choice(body.service._driver.node.config.layout.pairs)
                facts: dict[str, Any] = {
                    "class": error_class,
                    "fix": fix,
                    "success": self.chance.random() < 0.7,
                }
                await body.service.put(events.Observed(body.clock.now(), FIX_TRIED, facts))
            await trio.sleep(TRIES_EVERY_S)

    async def look(self) -> dict[str, Any]:
        """One sample."""
        if self.leaked is not None:
            self.leaked.append(os.urandom(400_000))
        now = self.wire.bodies[0].clock.now()
        nodes = [await body.service.ask(_same) for body in self.wire.bodies]
        window = compute_window(now.wall_ms, nodes[0].machines.law) - 2
        if self.last_window not in (-1, window):
            held = [_deltas(node, window) for node in nodes]
            self.due += NODES * NODES
            self.arrived += sum(map(len, held))
        self.last_window = window
        return {
            "at_s": round(time.monotonic() - self.began_s, 1),
            "rss_mb": round(self.process.memory_info().rss / 2**20, 3),
            "threads": self.process.num_threads(),
            "descriptors": self.process.num_fds(),
            "tasks": trio.lowlevel.current_statistics().tasks_living,
            "objects": sum(len(node.records) for node in nodes),
            "connections": sum(len(body.link.transport.peers()) for body in self.wire.bodies if body.link),
            "falls": sum(len(body.falls) for body in self.wire.bodies),
            "due": self.due,
            "arrived": self.arrived,
            "hung_up": self.hung_up,
            "cpu_s": round(sum(self.process.cpu_times()[:2]), 1),
        }

    def hang_up(self) -> None:
        """One node cuts one of its connections and takes it back after a moment."""
        link = self.chance.choice(self.wire.bodies).link
        peers = [] if link is None else [peer.id for peer in link.transport.peers()]
        if link is not None and peers:
            transport: Any = link.transport
            transport.ban(self.chance.choice(peers), "soak: hung up", BANNED_S)
            self.hung_up += 1


def _same(node: Node) -> Node:
    return node


def _deltas(node: Node, window: int) -> list[bytes]:
    return [
        item.id
        for item in node.records.envelopes()
        if item.kind is Kind.DELTA and item.payload.window == window
    ]


def make_wire(seed: int, folder: Path) -> Wire:
    """Bodies of a network without a roll in which everybody may contribute."""
    scenario = read_scenario("calm", NODES)
    wire = Wire(scenario, seed, folder)
    wire.genesis = found(
        "soak",
        (),
        is_fleet=False,
        is_open=True,
        parameters={WINDOW_MS: LEARNING_WINDOW_MS, MIN_CONTRIBUTORS: 3},
        created_at_ms=time.time_ns() // 1_000_000,
        salt=bytes(16),
    )
    joined: Any = join(wire.genesis)
    wire.membership = joined
    return wire


async def soak(seconds: float, every_s: float, warm_up_s: float, seed: int, leak: bool, log: TextIO) -> None:
    """Run and write samples until the time is over."""
    with tempfile.TemporaryDirectory(prefix="luminous-soak-") as folder:
        wire = make_wire(seed, Path(folder))
        async with trio.open_nursery() as nursery:
            for index in range(NODES):
                await start_node(wire, index, nursery)
            await connect_all(wire)
            running = Soak(wire, seed, leak)
            nursery.start_soon(running.tries)
            began_s = trio.current_time()
            number = 0
            while number * every_s < seconds:
                number += 1
                await trio.sleep_until(began_s + number * every_s)
                sample = await running.look()
                write(log, sample)
                running.hang_up()
                print(f"soak: {sample['at_s']:.0f} of {seconds:.0f} s, {sample}", file=sys.stderr, flush=True)
            nursery.cancel_scope.cancel()
        for body in wire.bodies:
            body.close()


def write(log: TextIO, facts: dict[str, Any]) -> None:
    """One line, on the disk at once."""
    log.write(json.dumps(facts) + "\n")
    log.flush()


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and samples of a log, also of one that breaks off."""
    found: list[dict[str, Any]] = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break  # killed in the middle of a line
    if not found or "seconds" not in found[0]:
        raise ValueError(f"{path} is no log of a soak: its first line must say how long it was to run")
    return found[0], [item for item in found[1:] if "at_s" in item]


def verdict(path: Path) -> dict[str, Any]:
    """Judge a log. A run that did not reach its end is not ok, whatever it showed."""
    header, samples = read(path)
    facts = judge(samples, header["warm_up_s"])
    is_whole = facts["lasted_s"] >= header["seconds"]
    if not is_whole:
        facts["ok"] = False
        facts["why"].append(f"broke off after {facts['lasted_s']:.0f} of {header['seconds']:.0f} s")
    last = samples[-1] if samples else {}
    return header | facts | {"falls": last.get("falls", 0), "cpu_s": last.get("cpu_s", 0.0)}


def put_into(page: Path, facts: dict[str, Any]) -> None:
    """Replace what stands between the marks of a page by the facts."""
    before, _, rest = page.read_text().partition(START)
    _, _, after = rest.partition(END)
    if not after:
        raise ValueError(f"{page} has no {START} … {END}")
    page.write_text(f"{before}{START}\n```json\n{json.dumps(facts, indent=1)}\n```\n{END}{after}")


def main() -> None:
    """Run a soak and judge it, or judge a log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=7200)
    parser.add_argument("--every-s", type=float, default=30)
    parser.add_argument("--warm-up-s", type=float, default=1200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--leak", action="store_true", help="plant a leak of memory; the judge must see it")
    parser.add_argument("--log", type=Path, default=Path("build/soak.jsonl"))
    parser.add_argument("--judge", type=Path, help="judge this log, run nothing")
    parser.add_argument("--into", type=Path, help="write the verdict into this page")
    asked = parser.parse_args()
    log: Path = asked.judge or asked.log
    if asked.judge is None:
        log.parent.mkdir(parents=True, exist_ok=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with log.open("w") as lines:
            names = ("seconds", "every_s", "warm_up_s", "seed", "leak")
            write(lines, {"nodes": NODES} | {name: getattr(asked, name) for name in names})
            try:
                trio.run(soak, *(getattr(asked, name) for name in names), lines)
            except KeyboardInterrupt:
                print("soak: interrupted", file=sys.stderr)
    facts = verdict(log)
    if asked.into is not None:
        put_into(asked.into, facts)
    print(json.dumps(facts, indent=1))
    sys.exit(0 if facts["ok"] else 1)


if __name__ == "__main__":
    main()
