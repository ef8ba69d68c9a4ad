"""What arrives and how fast, over real sockets: TCP, Noise, Yamux and Gossipsub on loopback.

Bursts, many publishers at once, the highest rate without loss. Each measurement runs in a process of its own.
Refuses to call a rate sustained at which one message was lost.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import trio

from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.transport_types import Verdict
from luminous.simulations.bench_mesh import edges

TOPIC = "delivery/1"
MESSAGE_SIZE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """``delivered`` of ``expected`` deliveries; delays from publishing to hearing, per delivery."""

    nodes: int
    messages: int
    delivered: int
    expected: int
    delay_ms_p50: float
    delay_ms_p99: float
    wall_s: float
    cpu_s: float

    @property
    def is_complete(self) -> bool:
        """True if nothing was lost."""
        return self.delivered == self.expected


class Crowd:
    """Transports of one process on one random graph, and when each heard what."""

    def __init__(self, nodes: int, degree: int) -> None:
        self.edges = edges(nodes, degree)
        self.heard: list[dict[bytes, float]] = [{} for _ in range(nodes)]
        self.sent: dict[bytes, float] = {}
        self.transports = [self._transport(index) for index in range(nodes)]

    def _transport(self, index: int) -> LibP2PTransport:
        heard = self.heard[index]

        def received(topic: str, data: bytes, peer: str) -> None:
            heard.setdefault(data[:8], time.perf_counter())

        return LibP2PTransport(
            transport_seed=index.to_bytes(32, "big"),
            noise_seed=(index + 1000).to_bytes(32, "big"),
            listen=("/ip4/127.0.0.1/tcp/0",),
            topics=(TOPIC,),
            validate=lambda topic, data, peer: Verdict.ACCEPT,
            received=received,
            peers_wanted=0,
        )

    async def publish(self, index: int, chance: random.Random) -> None:
        """One message of a node."""
        data = chance.randbytes(MESSAGE_SIZE_BYTES)
        self.sent[data[:8]] = time.perf_counter()
        await self.transports[index].publish(TOPIC, data)

    def count(self) -> int:
        """Deliveries so far."""
        return sum(map(len, self.heard))

    async def settle(self, limit_s: float) -> None:
        """Wait until everything is everywhere, or nothing more comes within ``limit_s``."""
        expected = len(self.sent) * (len(self.transports) - 1)
        with trio.move_on_after(limit_s):
            while self.count() < expected:
                await trio.sleep(0.01)

    def result(self, began_s: float, cpu_s: float) -> Delivery:
        """What was delivered since ``began_s``."""
        delays = sorted(at_s - self.sent[key] for heard in self.heard for key, at_s in heard.items())
        last = max((at_s for heard in self.heard for at_s in heard.values()), default=began_s)
        return Delivery(
            len(self.transports),
            len(self.sent),
            len(delays),
            len(self.sent) * (len(self.transports) - 1),
            _quantile_ms(delays, 0.5),
            _quantile_ms(delays, 0.99),
            last - began_s,
            time.process_time() - cpu_s,
        )


def _quantile_ms(values: list[float], share: float) -> float:
    return 1000 * values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


@asynccontextmanager
async def crowd(nodes: int, degree: int) -> AsyncIterator[Crowd]:
    """``nodes`` running transports, connected, two heartbeats old."""
    found = Crowd(nodes, degree)
    async with trio.open_nursery() as nursery:
        for transport in found.transports:
            await nursery.start(transport.run)
        for a, b in found.edges:
            assert await found.transports[a].connect(found.transports[b].addresses()[0])
        await trio.sleep(2.5)
        yield found
        nursery.cancel_scope.cancel()


async def burst(nodes: int = 10, messages: int = 200, degree: int = 4) -> Delivery:
    """``messages`` at once, the nodes taking turns."""
    async with crowd(nodes, degree) as found:
        chance, began_s, cpu_s = random.Random(1), time.perf_counter(), time.process_time()
        for number in range(messages):
            await found.publish(number % nodes, chance)
        await found.settle(60)
        return found.result(began_s, cpu_s)
    raise AssertionError("not reached")


async def at_once(nodes: int = 50, publishers: int = 64, degree: int = 8) -> Delivery:
    """``publishers`` tasks on ``nodes`` nodes publish in the same instant (some nodes have two)."""
    async with crowd(nodes, degree) as found:
        chance, began_s, cpu_s = random.Random(2), time.perf_counter(), time.process_time()
        async with trio.open_nursery() as nursery:
            for number in range(publishers):
                nursery.start_soon(found.publish, number % nodes, chance)
        await found.settle(120)
        return found.result(began_s, cpu_s)
    raise AssertionError("not reached")


async def rate(per_s: float, lasting_s: float = 10.0, nodes: int = 10, degree: int = 4) -> Delivery:
    """``per_s`` messages a second for a while, evenly spaced, from all nodes in turn."""
    async with crowd(nodes, degree) as found:
        chance, began_s, cpu_s = random.Random(3), time.perf_counter(), time.process_time()
        for number in range(int(per_s * lasting_s)):
            await found.publish(number % nodes, chance)
            await trio.sleep(max(0.0, began_s + (number + 1) / per_s - time.perf_counter()))
        await found.settle(10)
        return found.result(began_s, cpu_s)
    raise AssertionError("not reached")


def sustained(
    rates: tuple[float, ...] = (50, 100, 200, 300, 400, 600), delay_ms_max: float = 500
) -> dict[str, Any]:
    """The highest of ``rates`` at which nothing is lost and p99 stays below ``delay_ms_max``; all tried.

    All nodes share one process and so one core: nodes that have their own core do better.
    """
    tried: list[dict[str, Any]] = []
    best = 0.0
    for per_s in rates:
        found = measure("rate", per_s)
        tried.append({"per_s": per_s, **found})
        if found["delivered"] != found["expected"] or found["delay_ms_p99"] > delay_ms_max:
            break
        best = per_s
    return {"sustained_per_s": best, "tried": tried}


def measure(what: str, per_s: float = 0.0) -> dict[str, Any]:
    """One run in a process of its own: ``burst``, ``at_once`` or ``rate``."""
    command = [sys.executable, "-m", "luminous.simulations.bench_delivery", "--child", what]
    done = subprocess.run(
        [*command, "--per-s", str(per_s)], check=True, capture_output=True, text=True, timeout=300
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure everything, or run one child."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", choices=("burst", "at_once", "rate"))
    parser.add_argument("--per-s", type=float, default=0.0)
    args = parser.parse_args()
    if args.child:
        runs = {"burst": burst, "at_once": at_once, "rate": lambda: rate(args.per_s)}
        print(json.dumps(asdict(trio.run(runs[args.child]))))
    else:
        found = {"burst_200_on_10": measure("burst"), "publishers_64_on_50": measure("at_once")}
        print(json.dumps({**found, "sustained": sustained()}, indent=1))


if __name__ == "__main__":
    main()
