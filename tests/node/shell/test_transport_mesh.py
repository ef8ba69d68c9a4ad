"""The transport on real sockets: delivery, bursts, restarts, the gate, requests, clean exit."""

import os
import random
import threading
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import trio

from luminous.node.shell import libp2p_patches, supervisor
from luminous.node.shell.guards import Limits
from luminous.node.shell.libp2p_stack import AddressInUse
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.peer_book import PeerBook
from luminous.node.shell.transport_types import Verdict

TOPIC = "mesh/1"
LISTEN = ("/ip4/127.0.0.1/tcp/0",)


def open_fds() -> int:
    return psutil.Process().num_fds()


class Peer:
    """A transport and what it heard, joined and lost."""

    def __init__(self, seed: int, **options: object) -> None:
        self.heard: list[bytes] = []
        self.joined: list[str] = []
        self.left: list[str] = []
        self.verdict = Verdict.ACCEPT
        self.judged = 0
        settings = {
            "transport_seed": seed.to_bytes(32, "big"),
            "noise_seed": (seed + 500).to_bytes(32, "big"),
            "listen": LISTEN,
            "topics": (TOPIC,),
            "validate": self.validate,
            "received": lambda topic, data, from_peer: self.heard.append(data),
            "joined": self.joined.append,
            "left": self.left.append,
            "peers_wanted": 0,
        }
        self.transport = LibP2PTransport(**{**settings, **options})

    def validate(self, topic: str, data: bytes, from_peer: str) -> Verdict:
        self.judged += 1
        return self.verdict

    @property
    def address(self) -> str:
        return self.transport.addresses()[0]

    @property
    def id(self) -> str:
        return self.transport.peer_id()


@asynccontextmanager
async def running(*peers: Peer):
    async with trio.open_nursery() as nursery:
        for peer in peers:
            await nursery.start(peer.transport.run)
        yield nursery
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    with trio.fail_after(timeout_s):
        while not condition():
            await trio.sleep(0.01)


async def meshed(*peers: Peer, size: int = 1) -> None:
    await until(lambda: all(p.transport.mesh_sizes()[TOPIC] >= size for p in peers))


def test_three_nodes_deliver_to_each_other_and_leave_nothing_behind() -> None:
    async def scenario() -> None:
        a, b, c = Peer(1), Peer(2), Peer(3)
        async with running(a, b, c):
            assert await b.transport.connect(a.address)
            assert await c.transport.connect(a.address)
            assert not await c.transport.connect("/ip4/127.0.0.1/tcp/1/p2p/" + b.id)
            await meshed(a, size=2)
            await meshed(b, c)
            for peer in (a, b, c):
                await peer.transport.publish(TOPIC, peer.id.encode())
            await until(lambda: all(len(p.heard) == 2 for p in (a, b, c)))
            assert sorted(a.heard) == sorted([b.id.encode(), c.id.encode()])
            views = {view.id: view for view in a.transport.peers()}
            assert set(views) == {b.id, c.id} == set(a.joined)
            assert views[b.id].direction == "inbound" and views[b.id].address == "127.0.0.1"
            assert views[b.id].mesh == (TOPIC,) and views[b.id].bytes_in > 0 and not views[b.id].banned
            assert a.address.startswith("/ip4/127.0.0.1/tcp/") and a.address.endswith(a.id)
            assert not [name for name in a.transport.counters() if name.startswith(("offence", "contained"))]

    threads, fds = threading.active_count(), open_fds()
    trio.run(scenario)
    assert threading.active_count() == threads
    assert open_fds() <= fds + 1


def test_a_burst_of_200_messages_reaches_all_of_ten_nodes() -> None:
    async def scenario() -> None:
        peers = [Peer(seed) for seed in range(10, 20)]
        async with running(*peers):
            async with trio.open_nursery() as nursery:
                for number, peer in enumerate(peers):
                    for step in (1, 2):
                        nursery.start_soon(peer.transport.connect, peers[(number + step) % 10].address)
            await meshed(*peers, size=2)
            sent = [os.urandom(1024) for _ in range(200)]
            for number, data in enumerate(sent):
                await peers[number % 10].transport.publish(TOPIC, data)
            await until(lambda: all(len(p.heard) >= 180 for p in peers), 30)
            await trio.sleep(0.2)
            for number, peer in enumerate(peers):
                expected = [d for i, d in enumerate(sent) if i % 10 != number]
                assert sorted(peer.heard) == sorted(expected)  # each once, none lost

    trio.run(scenario)


def test_a_restarted_node_with_the_same_key_is_heard_and_hears_at_once() -> None:
    async def scenario() -> None:
        a = Peer(1)
        async with running(a):
            for life in range(3):
                b = Peer(2)
                async with running(b):
                    assert await b.transport.connect(a.address)
                    await meshed(a, b)
                    for number in range(10):
                        await b.transport.publish(TOPIC, b"%d from b %d" % (life, number))
                    await a.transport.publish(TOPIC, b"%d from a" % life)
                    await until(lambda life=life: len(a.heard) == 10 * (life + 1))
                    await until(lambda life=life, b=b: b"%d from a" % life in b.heard)

    trio.run(scenario)


def test_rejected_is_never_judged_again_and_ignored_is() -> None:
    async def scenario() -> None:
        a, b, c = Peer(1), Peer(2), Peer(3)
        async with running(a, b, c):
            assert await b.transport.connect(a.address)
            assert await c.transport.connect(a.address)
            assert await c.transport.connect(b.address)
            await meshed(a, b, c, size=2)
            a.verdict = Verdict.IGNORE
            await b.transport.publish(TOPIC, b"early")
            await until(lambda: a.transport.counters().get("messages.ignore", 0) >= 1)
            assert b"early" not in a.heard and a.transport.ledger.strikes(b.id, trio.current_time()) == 0
            a.verdict = Verdict.ACCEPT
            gossip = a.transport._gossip
            gossip._ignored = type(gossip._ignored)(0.0, 10, trio.current_time)  # its short memory is over
            message = next(iter(b.transport._stack.router.mcache.msgs.values()))
            gossip.admit(b.transport._id, b.id, message)
            assert b"early" in a.heard
            a.verdict = Verdict.REJECT
            await b.transport.publish(TOPIC, b"wrong")
            await until(lambda: a.transport.counters().get("messages.reject", 0) == 1)
            judged = a.judged
            wrong = next(m for m in b.transport._stack.router.mcache.msgs.values() if m.data == b"wrong")
            gossip.admit(c.transport._id, c.id, wrong)
            assert a.judged == judged
            assert a.transport.ledger.strikes(b.id, trio.current_time()) > 0
            assert a.transport.ledger.strikes(c.id, trio.current_time()) == 0

    trio.run(scenario)


def test_requests_are_answered_bounded_and_contained() -> None:
    async def echo(peer: str, data: bytes) -> bytes:
        if data == b"raise":
            raise RuntimeError("planted")
        if data == b"slow":
            await trio.sleep(60)
        return data if data != b"large" else bytes(3000)

    async def scenario() -> None:
        limits = Limits(request_size_bytes_max=2000, response_size_bytes_max=2500, request_s_max=0.5)
        a, b = Peer(1, serve={"/echo/1": echo}, limits=limits), Peer(2, limits=limits)
        async with running(a, b):
            assert await b.transport.request(a.id, "/echo/1", b"x", 1.0) is None  # not connected
            assert await b.transport.connect(a.address)
            ask = b.transport.request
            assert await ask(a.id, "/echo/1", b"hello", 5.0) == b"hello"
            assert await ask(a.id, "/echo/1", b"", 5.0) == b""
            for data in (b"raise", b"slow", b"large", bytes(2001)):
                assert await ask(a.id, "/echo/1", data, 3.0) is None
            assert await ask(a.id, "/other/1", b"hello", 5.0) is None
            assert await ask(a.id, "/echo/1", b"hello", 5.0) == b"hello"
            assert a.transport.counters()["requests.served"] == 3

    trio.run(scenario)


def test_the_gate_cuts_a_partition_and_heals_it() -> None:
    async def scenario() -> None:
        cut: set[str] = set()
        a, b = Peer(1, allow=lambda peer: peer not in cut), Peer(2)
        async with running(a, b):
            assert await b.transport.connect(a.address)
            await meshed(a, b)
            cut.add(b.id)
            await until(lambda: a.left == [b.id])
            await until(lambda: b.left == [a.id])
            await b.transport.publish(TOPIC, b"unheard")
            assert not await a.transport.connect(b.address)
            await b.transport.connect(a.address)
            await until(lambda: not b.transport.peers())
            cut.clear()
            assert await b.transport.connect(a.address)
            await meshed(a, b)
            await b.transport.publish(TOPIC, b"heard")
            await until(lambda: b"heard" in a.heard)

    trio.run(scenario)


def test_a_bootstrap_peer_that_starts_late_is_found(tmp_path: Path) -> None:
    async def scenario() -> None:
        first = Peer(1)
        async with running(first):
            address = first.address
        port = int(address.split("/")[4])
        late = Peer(1, listen=(f"/ip4/127.0.0.1/tcp/{port}",))
        book = PeerBook(tmp_path / "peers.sqlite")
        early = Peer(2, bootstrap=(address,), book=book, peers_wanted=1)
        async with running(early):
            await until(lambda: any(k.startswith("dial.") for k in early.transport.counters()))
            async with running(late):
                await until(lambda: early.joined == [late.id])
                await until(lambda: book.addresses() == (address,))
        # And from the book alone, without a bootstrap list.
        again = Peer(3, book=book, peers_wanted=1)
        async with running(late_again := Peer(1, listen=late.transport._listen), again):
            await until(lambda: again.joined == [late_again.id])

    trio.run(scenario)


def test_two_nodes_on_one_port_are_refused_by_name() -> None:
    async def scenario() -> None:
        a = Peer(1)
        async with running(a):
            port = a.address.split("/")[4]
            b = Peer(2, listen=(f"/ip4/127.0.0.1/tcp/{port}",))
            with pytest.RaisesGroup(AddressInUse, flatten_subgroups=True):
                async with running(b):
                    raise AssertionError("two nodes share a port")

    trio.run(scenario)


def test_the_service_tree_comes_back_whatever_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RESTART_FIRST_S", 0.01)

    async def scenario() -> None:
        a, b = Peer(1), Peer(2)
        async with running(a, b):
            assert await b.transport.connect(a.address)
            await meshed(a, b)
            bootstrap = a.address
            b.transport._plan = type(b.transport._plan)((bootstrap,), random.Random(1), trio.current_time())

            async def explode() -> None:
                raise ValueError("planted")

            b.transport._stack.pubsub.manager.run_task(explode)
            await until(lambda: b.transport.counters().get("restarts", 0) == 1)
            await b.transport.publish(TOPIC, b"during the restart")  # held, not lost
            await meshed(a, b)
            await b.transport.publish(TOPIC, b"after the restart")
            await until(lambda: b"after the restart" in a.heard)

    trio.run(scenario)


def test_a_ban_is_carried_out_and_shown() -> None:
    async def scenario() -> None:
        a, b = Peer(1), Peer(2)
        async with running(a, b):
            assert await b.transport.connect(a.address)
            await until(lambda: a.joined == [b.id])
            a.transport.ban(b.id, "planted", 3600)
            await until(lambda: a.left == [b.id])
            (view,) = a.transport.peers()
            assert view.id == b.id and view.banned == "planted"
            assert not await a.transport.connect(b.address)

    trio.run(scenario)


def test_a_ban_outlives_the_process_until_it_is_lifted(tmp_path: Path) -> None:
    path = tmp_path / "peers.sqlite"

    async def scenario() -> None:
        b = Peer(2)
        async with running(b):
            async with running(a := Peer(1, book=PeerBook(path))):
                a.transport.ban(b.id, "spam", float("inf"))
            again = Peer(1, book=PeerBook(path))
            async with running(again):
                (view,) = again.transport.peers()
                assert (view.id, view.banned, view.banned_until_ms) == (b.id, "spam", 0)
                assert not await again.transport.connect(b.address)
                await b.transport.connect(again.address)
                await until(lambda: again.transport.counters().get("refused.peer", 0) >= 1)
                assert again.transport.pardon(b.id) and not again.transport.pardon(b.id)
                assert await again.transport.connect(b.address)
            async with running(third := Peer(1, book=PeerBook(path))):
                assert not third.transport.peers()

    trio.run(scenario)


def test_nothing_is_opened_before_run_and_a_changed_library_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from libp2p.pubsub.pubsub import Pubsub

    sockets = psutil.Process().net_connections()
    peer = Peer(1)
    assert psutil.Process().net_connections() == sockets
    assert peer.transport.addresses() == ()
    assert libp2p_patches.check() == ()
    monkeypatch.delattr(Pubsub, "continuously_read_stream")
    with pytest.raises(libp2p_patches.LibraryChanged, match="missing: libp2p"):
        trio.run(peer.transport.run)
    monkeypatch.undo()

    async def other(self: object, stream: object) -> None: ...

    monkeypatch.setattr(Pubsub, "continuously_read_stream", other)
    assert libp2p_patches.check() == (
        "changed: libp2p.pubsub.pubsub.Pubsub.continuously_read_stream (a malformed frame ends the process)",
    )
    monkeypatch.undo()
    monkeypatch.setattr(libp2p_patches.importlib.metadata, "version", lambda name: "0.9.0")
    assert libp2p_patches.check() == ("libp2p is 0.9.0, the guards are for 0.8.1",)


def test_one_subnet_cannot_fill_the_mesh_while_others_are_there() -> None:
    async def scenario() -> None:
        victim = Peer(1, limits=Limits(count_loopback=True))
        sybils = [Peer(20 + n, listen=(f"/ip4/127.0.9.{n + 1}/tcp/0",)) for n in range(6)]
        others = [Peer(40 + n, listen=(f"/ip4/127.0.{n + 1}.1/tcp/0",)) for n in range(4)]
        async with running(victim, *sybils, *others):
            for sybil in sybils:
                assert await victim.transport.connect(sybil.address)
            await meshed(victim, size=3)  # nobody else is there: connectivity before diversity
            for other in others:
                assert await victim.transport.connect(other.address)

            def crowd() -> int:
                views = victim.transport.peers()
                return sum(1 for v in views if v.mesh and v.address.startswith("127.0.9."))

            await until(lambda: 0 < crowd() <= 2 and victim.transport.mesh_sizes()[TOPIC] >= 4)
            assert victim.transport.counters()["mesh.diversified"] >= 1

    trio.run(scenario)
