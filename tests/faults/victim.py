"""A node's transport (or the stock library) in a process of its own, to be attacked. Not a test.

Prints its address, then serves `/test/state/1` (guarded only): counters, memory, what it heard.
"""

import json
import sys
from dataclasses import fields, replace

import psutil
import trio

from luminous.node.shell import guards
from luminous.node.shell.guards import Limits, Rate
from luminous.node.shell.libp2p_stack import Identity, build
from luminous.node.shell.transport_types import Verdict

TOPIC = "faults/1"
LISTEN = "/ip4/127.0.0.1/tcp/0"
LIMITS = Limits(connections_max=24, frame_s_max=1.5, messages_in=Rate(300.0, 1000.0))


def validate(topic: str, data: bytes, from_peer: str) -> Verdict:
    if data.startswith(b"raise"):
        raise RuntimeError("planted")
    if data.startswith(b"reject"):
        return Verdict.REJECT
    return Verdict.IGNORE if data.startswith(b"ignore") else Verdict.ACCEPT


def lenient() -> None:
    """For fuzzing: count every offence, ban nobody, slow nobody down."""
    guards.STRIKES_MAX = float("inf")
    wide = {f.name: Rate(1e12, 1e12) for f in fields(Limits) if f.type is Rate or f.type == "Rate"}
    globals()["LIMITS"] = replace(LIMITS, **wide)


async def guarded() -> None:
    from luminous.node.shell.libp2p_transport import LibP2PTransport

    heard: list[str] = []

    async def state(peer: str, data: bytes) -> bytes:
        process = psutil.Process()
        answer = {
            "counters": transport.counters(),
            "rss": process.memory_info().rss,
            "cpu_s": sum(process.cpu_times()[:2]),
            "fds": process.num_fds(),
            "threads": process.num_threads(),
            "tasks": trio.lowlevel.current_statistics().tasks_living,
            "heard": heard[-50:],
            "banned": [p.banned for p in transport.peers() if p.banned],
            "peers": len(transport.peers()),
        }
        return json.dumps(answer).encode()

    async def say(peer: str, data: bytes) -> bytes:
        await transport.publish(TOPIC, data)
        return b"said"

    transport = LibP2PTransport(
        transport_seed=b"v" * 32,
        noise_seed=b"w" * 32,
        listen=(LISTEN,),
        topics=(TOPIC,),
        validate=validate,
        received=lambda topic, data, from_peer: heard.append(data.decode("latin1")[:40]),
        serve={"/test/state/1": state, "/test/say/1": say},
        limits=LIMITS,
        peers_wanted=0,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        print(json.dumps({"address": transport.addresses()[0]}), flush=True)


async def stock() -> None:
    from contextlib import AsyncExitStack

    from libp2p.tools.anyio_service import background_trio_service
    from multiaddr import Multiaddr

    stack = build(Identity(b"v" * 32, b"w" * 32), (TOPIC,), Limits(connections_max=8), (), 1.0)
    async with AsyncExitStack() as running:
        await running.enter_async_context(stack.host.run([Multiaddr(LISTEN)]))
        await running.enter_async_context(background_trio_service(stack.pubsub))
        await running.enter_async_context(background_trio_service(stack.router))
        await stack.pubsub.wait_until_ready()
        stack.pubsub.set_topic_validator(
            TOPIC, lambda peer, msg: validate(TOPIC, msg.data, str(peer)) is Verdict.ACCEPT, False
        )
        await stack.pubsub.subscribe(TOPIC)
        print(json.dumps({"address": str(stack.host.get_addrs()[0])}), flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    if "--lenient" in sys.argv:
        lenient()
    trio.run(stock if "--stock" in sys.argv else guarded)
