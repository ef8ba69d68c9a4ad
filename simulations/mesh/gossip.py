"""Many GossipSub hosts in virtual time: how fast, how complete, and the same each time.

The host, the pubsub and the router are the library's, built as the node builds them; only the transport
and the clock are simulated. Refuses to carry envelopes: ``mesh`` does.
"""

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from random import Random
from typing import Any

import trio
from libp2p import new_host
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub import pubsub
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from luminous.node.shell import libp2p_stack
from luminous.node.shell.guards import Limits
from luminous.node.shell.seen_ids import SeenIds
from luminous.simulations import virtual_time
from luminous.simulations.mesh_links import Links, Physics
from luminous.simulations.mesh_transport import PORT, Air
from luminous.simulations.network import random_links
from luminous.simulations.virtual_time import replaced

TOPIC = "mesh"


@dataclass(frozen=True, slots=True)
class Gossiped:
    """What a run showed. ``delivered`` of ``expected`` deliveries; CPU of the whole process."""

    nodes: int
    virtual_s: float
    published: int
    delivered: int
    expected: int
    delay_s_p50: float
    delay_s_p99: float
    cpu_s: float
    digest: str


def ip_of(index: int) -> str:
    """The simulated address of a host: one /24 each."""
    return f"10.{index // 250}.{index % 250 + 1}.1"


def address_of(index: int, peer: ID) -> str:
    """What others dial."""
    return f"/ip4/{ip_of(index)}/tcp/{PORT}/p2p/{peer}"


def identity_of(index: int, seed: int) -> libp2p_stack.Identity:
    """The transport keys of a host."""
    name = f"{seed}/{index}".encode()
    return libp2p_stack.Identity(hashlib.sha256(b"k" + name).digest(), hashlib.sha256(b"n" + name).digest())


def hosts_over(air: Air, index_of: dict[ID, int]) -> Callable[..., Any]:
    """``new_host`` whose hosts have a simulated transport instead of sockets."""

    def build(**options: Any) -> Any:
        peer = ID.from_pubkey(options["key_pair"].public_key)
        return new_host(**options, transports=[air.transport(peer, ip_of(index_of[peer]))])

    return build


async def gossip(nodes: int, virtual_s: float, every_s: float, degree: int, seed: int) -> Gossiped:
    """Connect ``nodes`` hosts at random, publish every ``every_s`` seconds in turn, count deliveries."""
    started_s = time.process_time()
    links = Links(Physics(), seed)
    air = Air(links)
    identities = [identity_of(index, seed) for index in range(nodes)]
    index_of = {identity.peer_id: index for index, identity in enumerate(identities)}
    # The library's cache of seen ids has a thread and the wall clock.
    stand_ins = [
        (libp2p_stack, "new_host", hosts_over(air, index_of)),
        (pubsub, "LastSeenCache", lambda ttl, _: SeenIds(ttl, 65_536, trio.current_time)),
    ]
    log: list[tuple[float, int, bytes]] = []
    sent: dict[bytes, float] = {}
    with replaced(stand_ins):
        stacks = [
            libp2p_stack.build(identity, (TOPIC,), Limits(), (), libp2p_stack.HEARTBEAT_S)
            for identity in identities
        ]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(links.run)
        for index, stack in enumerate(stacks):
            await nursery.start(partial(_host, stack, index, log))
        graph = random_links(nodes, degree, Random(seed))
        async with trio.open_nursery() as dialling:
            for index, others in enumerate(graph):
                dialling.start_soon(_dial, stacks[index], [o for o in others if o > index], identities)
        await trio.sleep(10)
        end_s = trio.current_time() + virtual_s
        number = 0
        while trio.current_time() + every_s < end_s:
            body = number.to_bytes(8, "big").ljust(200, b".")
            sent[body] = trio.current_time()
            await stacks[number % nodes].pubsub.publish(TOPIC, body)
            number += 1
            await trio.sleep(every_s)
        await trio.sleep(max(0.0, end_s - trio.current_time()))
        nursery.cancel_scope.cancel()
    digest = hashlib.sha256(repr(log).encode()).hexdigest()
    delays = sorted(at_s - sent[body] for at_s, _, body in log) or [0.0]
    return Gossiped(
        nodes,
        virtual_s,
        number,
        len({(index, body) for _, index, body in log}),
        number * nodes,
        delays[len(delays) // 2],
        delays[len(delays) * 99 // 100],
        time.process_time() - started_s,
        digest,
    )


async def _dial(
    stack: libp2p_stack.Stack, others: list[int], identities: list[libp2p_stack.Identity]
) -> None:
    for other in others:
        address = address_of(other, identities[other].peer_id)
        await stack.host.connect(info_from_p2p_addr(Multiaddr(address)))


async def _host(
    stack: libp2p_stack.Stack,
    index: int,
    log: list[tuple[float, int, bytes]],
    task_status: Any = trio.TASK_STATUS_IGNORED,
) -> None:
    stack.pubsub.counter = index * 1_000_000
    async with (
        stack.host.run([Multiaddr(f"/ip4/{ip_of(index)}/tcp/{PORT}")]),
        background_trio_service(stack.pubsub),
        background_trio_service(stack.router),
    ):
        await stack.pubsub.wait_until_ready()
        subscription = await stack.pubsub.subscribe(TOPIC)
        task_status.started()
        while True:
            message = await subscription.get()
            log.append((round(trio.current_time(), 9), index, bytes(message.data)))


def main() -> None:
    """Print one run as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--virtual-s", type=float, default=3600)
    parser.add_argument("--every-s", type=float, default=60)
    parser.add_argument("--degree", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    run = partial(gossip, asked.nodes, asked.virtual_s, asked.every_s, asked.degree, asked.seed)
    print(json.dumps(asdict(virtual_time.run(run, asked.seed))))


if __name__ == "__main__":
    main()
