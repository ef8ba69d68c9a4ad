"""A victim in its own process against real attackers: it keeps delivering, does not grow, and counts.

Beside it the stock library under the same attack, which does not survive: each guard is necessary.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import trio

from luminous.node.shell import libp2p_patches
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.transport_types import Verdict
from luminous.simulations import attacks, fuzz_rpc
from luminous.simulations.hostile_peer import attacker

pytestmark = [pytest.mark.alone, pytest.mark.slow]
HERE = Path(__file__).parent
TOPIC = "faults/1"


class Victim:
    def __init__(self, *args: str) -> None:
        env = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src")}
        command = [sys.executable, str(HERE / "victim.py"), *args]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.stderr.read().decode())
        self.address = json.loads(line)["address"]

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def wait_dead(self, timeout_s: float) -> bool:
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    libp2p_patches.install()
    found = Victim()
    yield found
    found.stop()


@pytest.fixture
def stock() -> Iterator[Victim]:
    libp2p_patches.install()
    found = Victim("--stock")
    yield found
    found.stop()


class Honest:
    """An honest peer of the victim, in the test's process."""

    def __init__(self, seed: int, address: str) -> None:
        self.heard: list[bytes] = []
        self.address = address
        self.victim_id = address.rpartition("/p2p/")[2]
        self.transport = LibP2PTransport(
            transport_seed=seed.to_bytes(32, "big"),
            noise_seed=seed.to_bytes(32, "little"),
            listen=(),
            bootstrap=(address,),
            topics=(TOPIC,),
            validate=lambda topic, data, from_peer: Verdict.ACCEPT,
            received=lambda topic, data, from_peer: self.heard.append(data),
        )

    async def state(self) -> dict:
        answer = await self.transport.request(self.victim_id, "/test/state/1", b"", 10.0)
        assert answer is not None, self.transport.counters()
        return json.loads(answer)

    async def until_meshed(self) -> None:
        with trio.fail_after(90):
            while not self.transport.mesh_sizes()[TOPIC]:
                await trio.sleep(0.02)

    async def exchange(self) -> None:
        """A message each way between this peer and the victim."""
        out, back = os.urandom(8).hex(), os.urandom(8).hex()
        with trio.fail_after(90):
            await self.transport.publish(TOPIC, out.encode())
            while out not in (await self.state())["heard"]:
                await trio.sleep(0.05)
            assert await self.transport.request(self.victim_id, "/test/say/1", back.encode(), 10.0) == b"said"
            while back.encode() not in self.heard:
                await trio.sleep(0.02)


@asynccontextmanager
async def honest(victim: Victim, seed: int):
    peer = Honest(seed, victim.address)
    async with trio.open_nursery() as nursery:
        await nursery.start(peer.transport.run)
        await peer.until_meshed()
        yield peer
        nursery.cancel_scope.cancel()


# What must have been counted after each attack, as a prefix of a counter's name.
EVIDENCE = {
    "malformed_frame": "offence.malformed",
    "garbage_key": "offence.bad_signature",
    "oversized_frame": "offence.oversized",
    "bad_signatures": "offence.bad_signature",
    "rejected_messages": "offence.rejected",
    "raising_validator": "validator.RuntimeError",
    "protocol_name": "",
    "stream_flood": "session_faults",
    "window_overrun": "session_faults",
    "ping_flood": "",
    "stalled_frame": "offence.stalled",
    "subscription_flood": "offence.subscriptions",
    "have_flood": "offence.control",
    "want_flood": "wants.refused",
    "graft_prune_abuse": "offence.control",
    "message_flood": "throttled",
}


@pytest.mark.parametrize("name", sorted(attacks.ON_A_STREAM))
def test_victim_survives_and_counts(victim: Victim, name: str) -> None:
    async def scenario() -> None:
        async with honest(victim, 1) as peer:
            before = await peer.state()
            with trio.move_on_after(8):
                async with attacker(victim.address, random.Random(name)) as enemy:
                    with trio.move_on_after(6):
                        await attacks.ON_A_STREAM[name](enemy, TOPIC)
                        await trio.sleep(0.1)
            await peer.exchange()
            after = await peer.state()
            key = EVIDENCE[name]
            if key:
                assert after["counters"].get(key, 0) > before["counters"].get(key, 0), after["counters"]
            assert after["counters"].get("restarts", 0) == 0
            assert after["rss"] - before["rss"] < 24 << 20

    assert set(EVIDENCE) == set(attacks.ON_A_STREAM)
    trio.run(scenario)
    assert victim.is_alive()


def test_noise_half_open_connections_and_a_reconnect_storm(victim: Victim) -> None:
    async def scenario() -> None:
        async with honest(victim, 1) as peer:
            await attacks.random_bytes(victim.address, random.Random(1))
            await attacks.half_open(victim.address, 10, 0.1)
            first = await peer.state()
            # More inbound connections than the victim has slots: a slot must come back when one closes.
            worked = await attacks.reconnect_storm(victim.address, random.Random(2), 40)
            assert worked == 40
            await peer.exchange()
            with trio.fail_after(90):
                while (last := await peer.state())["fds"] > first["fds"] + 3:
                    await trio.sleep(0.1)
            assert last["rss"] - first["rss"] < 16 << 20
            assert last["tasks"] < first["tasks"] + 40

    trio.run(scenario)
    assert victim.is_alive()


def test_squatters_of_every_slot_give_way_to_an_honest_newcomer(victim: Victim) -> None:
    async def squat(chance: random.Random, task_status: trio.TaskStatus) -> None:
        async with attacker(victim.address, chance):
            task_status.started()
            await trio.sleep_forever()

    async def scenario() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(24):
                await nursery.start(squat, random.Random(1000 + number))
            async with honest(victim, 2) as peer:
                await peer.exchange()
                assert (await peer.state())["counters"]["closed.idle"] > 0
            nursery.cancel_scope.cancel()

    trio.run(scenario)


def test_repeated_offence_is_a_ban_with_its_reason(victim: Victim) -> None:
    async def scenario() -> None:
        chance = random.Random(77)
        seed = chance.getstate()
        async with honest(victim, 1) as peer:
            for _ in range(6):
                chance.setstate(seed)  # the same identity each time
                with trio.move_on_after(3):
                    try:
                        async with attacker(victim.address, chance) as enemy:
                            await attacks.malformed_frame(enemy, TOPIC)
                            await trio.sleep(0.1)
                    except Exception:  # noqa: BLE001 - refused, as it should be
                        pass
            state = await peer.state()
            assert any(reason.startswith("malformed frame") for reason in state["banned"]), state
            assert state["counters"]["refused.peer"] >= 1
            await peer.exchange()

    trio.run(scenario)


def fuzz_live(frames: int, seeds: int) -> dict:
    """Fuzz a victim of its own from several peers at once; its state afterwards."""
    libp2p_patches.install()
    found = Victim("--lenient")
    states: list[dict] = []

    async def scenario() -> None:
        async with honest(found, 1) as peer:
            await fuzz_rpc.fuzz(found.address, TOPIC, 999, 500)  # warm: caches reach their bounds
            before = await peer.state()
            async with trio.open_nursery() as nursery:
                for seed in range(seeds):
                    nursery.start_soon(fuzz_rpc.fuzz, found.address, TOPIC, seed, frames // seeds)
            await peer.exchange()
            states.append({"before": before, "after": await peer.state()})

    try:
        trio.run(scenario)
        assert found.is_alive()
    finally:
        found.stop()
    return states[0]


@pytest.mark.parametrize("frames", [3000, pytest.param(100_000, marks=pytest.mark.long)])
def test_fuzzed_frames_neither_end_nor_restart_nor_grow_a_node(frames: int) -> None:
    state = fuzz_live(frames, 4)
    counters = state["after"]["counters"]
    assert counters.get("restarts", 0) == 0
    assert not [name for name in counters if name.startswith("contained")], counters
    assert counters["offence.malformed"] >= 1 and counters["offence.bad_signature"] >= 1
    assert state["after"]["rss"] - state["before"]["rss"] < 32 << 20


@pytest.mark.parametrize("name", ["malformed_frame", "garbage_key", "raising_validator", "protocol_name"])
def test_the_same_attack_ends_a_stock_process(stock: Victim, name: str) -> None:
    async def scenario() -> None:
        with trio.move_on_after(5):
            async with attacker(stock.address, random.Random(name)) as enemy:
                await attacks.ON_A_STREAM[name](enemy, TOPIC)
                await trio.sleep(0.2)

    trio.run(scenario)
    assert stock.wait_dead(5), "the stock library survived: this guard may go"


def test_a_stock_process_goes_deaf_after_as_many_connections_as_it_has_slots(stock: Victim) -> None:
    assert trio.run(attacks.reconnect_storm, stock.address, random.Random(3), 14, 1) < 14


def test_a_stock_process_grows_when_its_window_is_overrun(stock: Victim) -> None:
    process = psutil.Process(stock.process.pid)

    async def scenario() -> int:
        before = process.memory_info().rss
        async with attacker(stock.address, random.Random(4)) as enemy:
            with trio.move_on_after(5):
                await attacks.window_overrun(enemy, TOPIC)
            return process.memory_info().rss - before

    assert trio.run(scenario) > 24 << 20
