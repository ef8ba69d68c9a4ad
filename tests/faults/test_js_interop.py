"""A js-libp2p peer in the mesh: both dialling directions, small and large messages, a burst.

Skips, with the reason, where Node.js, npm or its packages cannot be had.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.transport_types import Verdict

pytestmark = [pytest.mark.alone, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "simulations" / "js"
TOPIC = "interop/1"
FILES = ("package.json", "package-lock.json", "peer.mjs", "polyfill.mjs")


@pytest.fixture(scope="session")
def js_folder() -> Path:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are needed for a js-libp2p peer")
    lock = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = ROOT / "build" / f"js-{lock}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(SOURCE / name, folder / name)
    if not (folder / "installed").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            pytest.skip(f"npm ci failed: {done.stderr.strip().splitlines()[-1:]}")
        (folder / "installed").touch()
    return folder


class JsPeer:
    def __init__(self, folder: Path) -> None:
        command = ["node", "peer.mjs", TOPIC]
        env = {"PATH": os.environ["PATH"]}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        ready = self._read()
        self.address = ready["addresses"][0]

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read().decode()
        return json.loads(line)

    async def do(self, what: str, **arguments: object) -> dict:
        command = json.dumps({"do": what, **arguments}).encode() + b"\n"
        self.process.stdin.write(command)
        self.process.stdin.flush()
        answer = await trio.to_thread.run_sync(self._read)
        assert "error" not in answer, answer["error"]
        return answer

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def js(js_folder: Path) -> Iterator[JsPeer]:
    peer = JsPeer(js_folder)
    yield peer
    peer.stop()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    with trio.fail_after(timeout_s):
        while not condition():
            await trio.sleep(0.02)


@pytest.mark.parametrize("dials", ["js", "python"])
def test_messages_cross_both_ways(js: JsPeer, dials: str) -> None:
    heard: list[bytes] = []
    ours = LibP2PTransport(
        transport_seed=b"i" * 32,
        noise_seed=b"j" * 32,
        listen=("/ip4/127.0.0.1/tcp/0",),
        topics=(TOPIC,),
        validate=lambda topic, data, from_peer: Verdict.ACCEPT,
        received=lambda topic, data, from_peer: heard.append(data),
        peers_wanted=0,
    )

    async def js_has(digests: set[str]) -> None:
        with trio.fail_after(90):
            while not digests <= set((await js.do("stats"))["heard"]):
                await trio.sleep(0.1)

    async def scenario() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(ours.run)
            if dials == "js":
                await js.do("dial", address=ours.addresses()[0])
            else:
                assert await ours.connect(js.address)
            await until(lambda: ours.mesh_sizes()[TOPIC] == 1)
            with trio.fail_after(90):
                while not (await js.do("stats"))["mesh"]:
                    await trio.sleep(0.1)
            for size in (1024, 40 * 1024):
                sent = await js.do("publish", size=size, count=1, tag="one")
                await until(lambda sent=sent: sent["digests"][0] in map(digest, heard))
                data = os.urandom(size)
                await ours.publish(TOPIC, data)
                await js_has({digest(data)})
            burst = [os.urandom(1024) for _ in range(200)]
            for data in burst:
                await ours.publish(TOPIC, data)
            await js_has(set(map(digest, burst)))
            sent = await js.do("publish", size=1024, count=200, tag="burst")
            await until(lambda: set(sent["digests"]) <= set(map(digest, heard)))
            assert len(heard) == 202
            faults = ("offence", "contained", "session")
            assert not [name for name in ours.counters() if name.startswith(faults)], ours.counters()
            nursery.cancel_scope.cancel()

    trio.run(scenario)
