"""The simulated links and connections, and unmodified GossipSub over them: complete, and the same twice."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from libp2p.stream_muxer.exceptions import (
    MuxedConnUnavailable,
    MuxedStreamClosed,
    MuxedStreamEOF,
    MuxedStreamReset,
)

from luminous.simulations import virtual_time
from luminous.simulations.mesh.gossip import identity_of
from luminous.simulations.mesh_links import GIVE_UP_S, Links, Physics
from luminous.simulations.mesh_streams import WINDOW_SIZE_BYTES
from luminous.simulations.mesh_transport import Air, MemoryConnection, connect


def in_virtual_time(main: Callable[[Links], Any], physics: Physics | None = None) -> Any:
    async def run() -> Any:
        links = Links(physics or Physics(), 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(links.run)
            answer = await main(links)
            nursery.cancel_scope.cancel()
        return answer

    return trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0.0))


def ends(links: Links) -> tuple[MemoryConnection, MemoryConnection]:
    air = Air(links)
    one, other = (
        air.transport(identity_of(index, 1).peer_id, ip) for index, ip in enumerate(["10.0.1.1", "10.0.2.1"])
    )
    return connect(one, other)


async def streams(links: Links) -> tuple[Any, Any, MemoryConnection, MemoryConnection]:
    ours, theirs = ends(links)
    stream = await ours.open_stream()
    return stream, await theirs.accept_stream(), ours, theirs


def test_bytes_arrive_in_order_after_a_delay_and_end() -> None:
    async def main(links: Links) -> None:
        sender, receiver, _, _ = await streams(links)
        began_s = trio.current_time()
        for part in (b"one ", b"two ", b"three"):
            await sender.write(part)
        await sender.close()
        assert await receiver.read() == b"one two three"
        assert 0.005 <= trio.current_time() - began_s < 5
        with pytest.raises(MuxedStreamEOF):
            await receiver.read(1)
        with pytest.raises(MuxedStreamClosed):
            await sender.write(b"more")
        await receiver.write(b"back")  # a half-closed stream still answers
        assert await sender.read(10) == b"back"

    in_virtual_time(main, Physics(loss=0.3))


def test_a_slow_reader_stops_the_writer() -> None:
    async def main(links: Links) -> None:
        sender, receiver, _, _ = await streams(links)
        await sender.write(bytes(WINDOW_SIZE_BYTES))
        with trio.move_on_after(100) as scope:
            await sender.write(b"x")
        assert scope.cancelled_caught
        assert len(await receiver.read(WINDOW_SIZE_BYTES)) == WINDOW_SIZE_BYTES
        with trio.fail_after(100):
            await sender.write(b"x")

    in_virtual_time(main)


def test_reading_to_the_end_takes_more_than_a_window() -> None:
    async def main(links: Links) -> None:
        sender, receiver, _, _ = await streams(links)

        async def send() -> None:
            await sender.write(bytes(3 * WINDOW_SIZE_BYTES))
            await sender.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            with trio.fail_after(100):
                assert len(await receiver.read()) == 3 * WINDOW_SIZE_BYTES

    in_virtual_time(main)


def test_reset_and_close_wake_the_other_end() -> None:
    async def main(links: Links) -> None:
        sender, receiver, ours, theirs = await streams(links)
        await sender.reset()
        with pytest.raises(MuxedStreamReset):
            await receiver.read(1)
        second = await ours.open_stream()
        await ours.close()
        with pytest.raises(MuxedStreamReset):
            await second.read(1)
        await trio.sleep(5)
        assert theirs.is_closed
        with pytest.raises(MuxedConnUnavailable):
            await ours.open_stream()

    in_virtual_time(main)


@pytest.mark.parametrize(("cut_s", "survives"), [(GIVE_UP_S / 2, True), (GIVE_UP_S * 2, False)])
def test_a_short_cut_delays_and_a_long_one_breaks(cut_s: float, survives: bool) -> None:
    async def main(links: Links) -> None:
        sender, receiver, ours, theirs = await streams(links)
        links.cut(lambda source, target: True)
        await sender.write(b"held")
        with trio.move_on_after(cut_s):
            await receiver.muxed_conn.event_closed.wait()
        links.cut(lambda source, target: False)
        assert ours.is_closed is not survives
        assert theirs.is_closed is not survives
        if survives:
            assert await receiver.read(10) == b"held"
            assert trio.current_time() > cut_s

    in_virtual_time(main)


def test_a_fixed_hash_seed_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        raise AssertionError

    monkeypatch.setenv("PYTHONHASHSEED", "random")
    with pytest.raises(virtual_time.HashSeedNotFixed):
        virtual_time.run(main, 1)


def gossip(*arguments: str) -> dict[str, Any]:
    printed = virtual_time.in_child(["-m", "luminous.simulations.mesh.gossip", *arguments], 300)
    answer: dict[str, Any] = json.loads(printed)
    return answer


@pytest.mark.slow
def test_gossip_is_complete_and_the_same_twice_but_another_seed_is_another_run() -> None:
    size = ("--nodes", "12", "--virtual-s", "120", "--every-s", "5", "--degree", "5")
    first, second, other = (gossip(*size, "--seed", seed) for seed in ("1", "1", "2"))
    assert first["delivered"] == first["expected"] > 0
    assert other["delivered"] == other["expected"]
    assert first["digest"] == second["digest"] != other["digest"]


@pytest.mark.slow
def test_sixty_four_nodes_hear_everything() -> None:
    found = gossip("--nodes", "64", "--virtual-s", "60", "--every-s", "5", "--degree", "8")
    assert found["delivered"] == found["expected"] == 64 * found["published"] > 0
