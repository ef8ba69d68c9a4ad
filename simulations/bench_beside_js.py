"""CPU per received message of a js-libp2p peer and of one of ours, with one same neighbour.

Refuses to run without Node.js and the packages of ``simulations/js``, and to count a run that lost a message.
"""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import trio

from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.transport_types import Verdict
from luminous.simulations.bench_delivery import TOPIC, Crowd

JS_FOLDER = Path(__file__).parent / "js"


def beside_js(messages: int = 400, folder: Path | None = None) -> dict[str, float]:
    """CPU per received 1 KB message of a js-libp2p peer and of one of ours, both with one same neighbour.

    The neighbour publishes; both are its only peers, so each reads every message once and forwards none.
    Raises FileNotFoundError without Node.js or its packages (``npm ci`` in simulations/js).
    """
    place = folder or JS_FOLDER
    if shutil.which("node") is None or not (place / "node_modules").is_dir():
        raise FileNotFoundError("node and `npm ci` in simulations/js are needed")
    return trio.run(_beside_js, messages, place)


async def _beside_js(messages: int, folder: Path) -> dict[str, float]:
    pair = Crowd(4, 2)  # of which only the first runs here
    neighbour = pair.transports[0]
    async with trio.open_nursery() as nursery:
        await nursery.start(neighbour.run)
        commands = {
            "js": (["node", "peer.mjs", TOPIC], folder),
            "ours": (
                [sys.executable, "-m", "luminous.simulations.bench_beside_js"],
                None,
            ),
        }
        peers = {name: Neighbour(*command) for name, command in commands.items()}
        try:
            for peer in peers.values():
                await trio.to_thread.run_sync(peer.ready)
                await peer.do(do="dial", address=neighbour.addresses()[0])
            with trio.fail_after(30):
                while neighbour.mesh_sizes()[TOPIC] < len(peers):
                    await trio.sleep(0.1)
            chance = random.Random(4)
            for _ in range(20):  # warm: just-in-time compilers have seen the code
                await pair.publish(0, chance)
                await trio.sleep(0.02)
            before = {name: peer.cpu_ms() for name, peer in peers.items()}
            for _ in range(messages):
                await pair.publish(0, chance)
                await trio.sleep(0.01)
            await trio.sleep(1.0)
            after = {name: peer.cpu_ms() for name, peer in peers.items()}
            for name, peer in peers.items():
                heard = (await peer.do(do="stats"))["heard"]
                assert len(heard) == messages + 20, (name, len(heard))
        finally:
            for peer in peers.values():
                peer.process.kill()
                peer.process.communicate()
        nursery.cancel_scope.cancel()
    found = {f"{name}_cpu_ms": (after[name] - before[name]) / messages for name in peers}
    return found | {"ours_to_js": found["ours_cpu_ms"] / found["js_cpu_ms"], "messages": float(messages)}


class Neighbour:
    """A peer in another process that is told what to do by lines of JSON."""

    def __init__(self, command: list[str], folder: Path | None) -> None:
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ready(self) -> dict[str, Any]:
        """The next line it says."""
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    async def do(self, **what: object) -> dict[str, Any]:
        """Tell it something and wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()
        answer = await trio.to_thread.run_sync(self.ready)
        assert "error" not in answer, answer
        return answer

    def cpu_ms(self) -> float:
        """CPU time of the process since its start."""
        return 1000 * sum(psutil.Process(self.process.pid).cpu_times()[:2])


async def listener() -> None:
    """One of ours as ``peer.mjs`` is one of theirs: dial, stats."""
    heard: list[str] = []
    transport = LibP2PTransport(
        transport_seed=b"o" * 32,
        noise_seed=b"p" * 32,
        listen=(),
        topics=(TOPIC,),
        validate=lambda topic, data, peer: Verdict.ACCEPT,
        received=lambda topic, data, peer: heard.append(data[:8].hex()),
        peers_wanted=0,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        print(json.dumps({"event": "ready"}), flush=True)
        while line := await trio.to_thread.run_sync(sys.stdin.readline):
            asked = json.loads(line)
            if asked["do"] == "dial":
                assert await transport.connect(asked["address"])
            print(json.dumps({"event": asked["do"], "heard": heard}), flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(listener)
