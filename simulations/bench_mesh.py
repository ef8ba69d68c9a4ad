"""CPU per broadcast on the real stack: this node's transport against the library as it comes.

Both kinds run the same settings on the same random regular graph over loopback TCP, each in a child process
of its own, interleaved; the figure is the median. Refuses to report a run in which a message was lost.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import networkx
import trio

Kind = Literal["stock", "ours"]
TOPIC = "bench/1"
MESSAGE_SIZE_BYTES = 1024
ROUND_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class MeshCost:
    """``cpu_ms`` is CPU per node and broadcast; ``wall_ms`` is the median time until every node has it."""

    kind: str
    nodes: int
    degree: int
    rounds: int
    cpu_ms: float
    wall_ms: float
    mesh_mean: float
    delivered: float


def measure(kind: Kind, nodes: int = 25, degree: int = 8, rounds: int = 20) -> MeshCost:
    """One run in a child process. Raises ``CalledProcessError`` if it fails."""
    command = [sys.executable, "-m", "luminous.simulations.bench_mesh", "--child", kind]
    command += ["--nodes", str(nodes), "--degree", str(degree), "--rounds", str(rounds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    return MeshCost(**json.loads(done.stdout.splitlines()[-1]))


def compare(nodes: int = 25, degree: int = 8, rounds: int = 20, repeats: int = 3) -> dict[str, Any]:
    """Both kinds, interleaved, ``repeats`` times; medians and their ratio (stock over ours)."""
    runs: dict[str, list[MeshCost]] = {"stock": [], "ours": []}
    for _ in range(repeats):
        runs["stock"].append(measure("stock", nodes, degree, rounds))
        runs["ours"].append(measure("ours", nodes, degree, rounds))
    medians = {kind: statistics.median(run.cpu_ms for run in found) for kind, found in runs.items()}
    return {
        "stock_cpu_ms": medians["stock"],
        "ours_cpu_ms": medians["ours"],
        "ratio": medians["stock"] / medians["ours"],
        "runs": [asdict(run) for found in runs.values() for run in found],
    }


def edges(nodes: int, degree: int) -> list[tuple[int, int]]:
    """A connected random regular graph, the same for the same arguments."""
    for seed in range(1000):
        graph = networkx.random_regular_graph(degree, nodes, seed=seed)
        if networkx.is_connected(graph):
            return sorted((min(a, b), max(a, b)) for a, b in graph.edges)
    raise AssertionError("no connected graph")


async def _rounds(
    kind: str,
    args: argparse.Namespace,
    publish: Callable[[int, bytes], Any],
    got: list[int],
    mesh: Callable[[], list[int]],
) -> MeshCost:
    chance = random.Random(7)
    walls = []
    await trio.sleep(2.5)  # two heartbeats: the mesh is complete
    for warm in (True, False):
        cpu_s = time.process_time()
        base = sum(got)
        count = 3 if warm else args.rounds
        for number in range(count):
            began_s = time.perf_counter()
            await publish(number % args.nodes, chance.randbytes(MESSAGE_SIZE_BYTES))
            with trio.fail_after(ROUND_S_MAX):
                while sum(got) - base < (number + 1) * (args.nodes - 1):
                    await trio.sleep(0.001)
            walls.append(time.perf_counter() - began_s)
        cpu_s = time.process_time() - cpu_s
    sizes = mesh()
    return MeshCost(
        kind,
        args.nodes,
        args.degree,
        args.rounds,
        cpu_s * 1000 / args.rounds / args.nodes,
        statistics.median(walls[3:]) * 1000,
        sum(sizes) / len(sizes),
        (sum(got) - base) / (args.rounds * (args.nodes - 1)),
    )


async def _ours(args: argparse.Namespace) -> MeshCost:
    from luminous.node.shell import libp2p_stack
    from luminous.node.shell.libp2p_transport import LibP2PTransport
    from luminous.node.shell.transport_types import Verdict

    # The library's own scoring fills the mesh with every neighbour; ours stops at its degree. Equal work:
    libp2p_stack.DEGREE = libp2p_stack.DEGREE_LOW = args.degree
    got = [0] * args.nodes
    transports = []
    result: list[MeshCost] = []

    def received(index: int) -> Callable[[str, bytes, str], None]:
        def count(topic: str, data: bytes, from_peer: str) -> None:
            got[index] += 1

        return count

    async with trio.open_nursery() as nursery:
        for index in range(args.nodes):
            transport = LibP2PTransport(
                transport_seed=index.to_bytes(32, "big"),
                noise_seed=(index + 1000).to_bytes(32, "big"),
                listen=("/ip4/127.0.0.1/tcp/0",),
                topics=(TOPIC,),
                validate=lambda topic, data, from_peer: Verdict.ACCEPT,
                received=received(index),
                peers_wanted=0,
            )
            await nursery.start(transport.run)
            transports.append(transport)
        for a, b in edges(args.nodes, args.degree):
            assert await transports[a].connect(transports[b].addresses()[0])

        async def publish(index: int, data: bytes) -> None:
            await transports[index].publish(TOPIC, data)

        result.append(
            await _rounds("ours", args, publish, got, lambda: [t.mesh_sizes()[TOPIC] for t in transports])
        )
        nursery.cancel_scope.cancel()
    return result[0]


async def _stock(args: argparse.Namespace) -> MeshCost:
    import logging
    from contextlib import AsyncExitStack

    from libp2p.peer.peerinfo import info_from_p2p_addr
    from libp2p.pubsub import pubsub as pubsub_module
    from libp2p.pubsub import rpc_queue
    from libp2p.tools.anyio_service import background_trio_service
    from multiaddr import Multiaddr

    from luminous.node.shell.guards import Limits
    from luminous.node.shell.libp2p_stack import HEARTBEAT_S, Identity, build

    logging.getLogger("libp2p").setLevel(logging.ERROR)
    pubsub_module.SUBSCRIPTION_CHANNEL_SIZE = 4096
    rpc_queue.RpcQueue.__init__.__defaults__ = (1024, rpc_queue.DefaultMaxMessageSize)
    got = [0] * args.nodes
    stacks: list[Any] = []
    result: list[MeshCost] = []

    async def node(index: int, *, task_status: Any) -> None:
        identity = Identity(index.to_bytes(32, "big"), (index + 1000).to_bytes(32, "big"))
        stack = build(identity, (TOPIC,), Limits(), (), HEARTBEAT_S)
        me = stack.host.get_id().to_bytes()
        async with AsyncExitStack() as running:
            await running.enter_async_context(stack.host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]))
            await running.enter_async_context(background_trio_service(stack.pubsub))
            await running.enter_async_context(background_trio_service(stack.router))
            await stack.pubsub.wait_until_ready()
            subscription = await stack.pubsub.subscribe(TOPIC)
            task_status.started(stack)
            while True:
                message = await subscription.get()
                got[index] += message.from_id != me

    async with trio.open_nursery() as nursery:
        for index in range(args.nodes):
            stacks.append(await nursery.start(node, index))
        for a, b in edges(args.nodes, args.degree):
            await stacks[a].host.connect(info_from_p2p_addr(stacks[b].host.get_addrs()[0]))

        async def publish(index: int, data: bytes) -> None:
            await stacks[index].pubsub.publish(TOPIC, data)

        result.append(
            await _rounds(
                "stock", args, publish, got, lambda: [len(s.router.mesh.get(TOPIC, ())) for s in stacks]
            )
        )
        nursery.cancel_scope.cancel()
    return result[0]


def main() -> None:
    """Compare, or run one child."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", choices=("stock", "ours"))
    parser.add_argument("--nodes", type=int, default=25)
    parser.add_argument("--degree", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    if args.child:
        result = trio.run(_ours if args.child == "ours" else _stock, args)
        print(json.dumps(asdict(result)))
    else:
        print(json.dumps(compare(args.nodes, args.degree, args.rounds), indent=1))


if __name__ == "__main__":
    main()
