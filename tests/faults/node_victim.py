"""A whole node (stores, service, link, libp2p) in a process of its own, to be attacked. Not a test.

Prints its address; each line on its input is answered by one of JSON: `state`, `propose` or `vote ID WORD`.
"""

import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import trio

from luminous.node.core import commands
from luminous.simulations.scenario import Scenario
from luminous.simulations.wire import Wire, start_node

SCENARIO = Scenario(id="hostile", summary="A node under attack.", nodes=4, duration_ms=60_000)
SEED = 11


def propose(body: Any) -> commands.Propose:
    closes_at_ms = body.clock.now().wall_ms + 3_600_000
    effects = (("feature.command_prediction", 2),)
    return commands.Propose("feature", "under attack", "", effects, "super", closes_at_ms, ("how it ends",))


def facts(body: Any, node: Any) -> dict[str, Any]:
    process, governance = psutil.Process(), node.machines.governance
    return {
        "counters": body.link.transport.counters(),
        "banned": [peer.banned for peer in body.link.transport.peers() if peer.banned],
        "rss": process.memory_info().rss,
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "cpu_s": sum(process.cpu_times()[:2]),
        "records": sorted(item.id.hex() for item in node.records.envelopes()),
        "orphans": sum(governance._pool._orphans_of.values()),
        "sync_failures": {name: peer.failures for name, peer in node.sync._peers.items()},
    }


async def serve() -> None:
    with tempfile.TemporaryDirectory(prefix="luminous-victim-") as folder:
        wire = Wire(SCENARIO, SEED, Path(folder))
        async with trio.open_nursery() as nursery:
            await start_node(wire, 0, nursery)
            body = wire.bodies[0]
            print(json.dumps({"address": wire.entrance[0]}), flush=True)
            while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
                words = line.split()
                if words[0] == "propose":
                    answer: Any = (await body.service.command(propose(body))).facts
                elif words[0] == "vote":
                    answer = (await body.service.command(commands.CastVote(words[1], words[2]))).facts
                else:
                    answer = await body.service.ask(partial(facts, body))
                print(json.dumps(answer), flush=True)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(serve)
