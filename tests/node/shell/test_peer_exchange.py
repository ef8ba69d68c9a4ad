"""Peer exchange: who is told what, what a liar achieves, and that a star becomes a mesh on real sockets."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.shell import rumours as rumours_module
from luminous.node.shell.address_scope import Scope, address_at, fitting, is_dialable, is_peer_id, scope_of
from luminous.node.shell.guards import Limits
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.peer_exchange import Doors, PeerExchange
from luminous.node.shell.reach import peer_of
from luminous.node.shell.rumours import Rumours
from luminous.node.shell.transport_types import Verdict
from luminous.protocol import peer_exchange as px

NETWORK = b"n" * 16
TOPIC = "mesh/1"
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def peer_name(number: int) -> str:
    chance = random.Random(number)
    return "12D3KooW" + "".join(chance.choice(ALPHABET) for _ in range(44))


def at(host: str, number: int, port: int = 4001) -> str:
    return f"/ip{6 if ':' in host else 4}/{host}/tcp/{port}/p2p/{peer_name(number)}"


# Which addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("127.0.0.1", Scope.MACHINE), ("::1", Scope.MACHINE), ("::ffff:127.0.0.1", Scope.MACHINE),
        ("10.1.2.3", Scope.SITE), ("192.168.1.1", Scope.SITE), ("100.64.0.1", Scope.SITE),
        ("fd00::1", Scope.SITE),
        ("11.0.0.1", Scope.WORLD), ("2a00:1::1", Scope.WORLD), ("::ffff:11.0.0.1", Scope.WORLD),
        ("0.0.0.0", Scope.NOWHERE), ("224.0.0.1", Scope.NOWHERE), ("169.254.169.254", Scope.NOWHERE),
        ("fe80::1%eth0", Scope.NOWHERE), ("255.255.255.255", Scope.NOWHERE), ("name.example", Scope.NOWHERE),
    ],
)  # fmt: skip
def test_scopes(host: str, scope: Scope) -> None:
    assert scope_of(host) is scope


def test_only_one_form_of_address_is_dialled() -> None:
    assert is_dialable(at("11.0.0.1", 1)) and is_dialable(at("2a00:1::1", 1)) and is_peer_id(peer_name(3))
    peer = peer_name(1)
    for bad in (
        "", "/ip4/11.0.0.1/tcp/4001", f"/ip4/11.0.0.1/udp/4001/quic-v1/p2p/{peer}",
        f"/ip4/11.0.0.1/tcp/0/p2p/{peer}", f"/ip4/11.0.0.1/tcp/70000/p2p/{peer}",
        f"/ip4/11.0.0.300/tcp/1/p2p/{peer}", f"/ip4/::1/tcp/1/p2p/{peer}", f"/dns4/a.b/tcp/1/p2p/{peer}",
        at("11.0.0.1", 1) + "/p2p-circuit/p2p/" + peer, at("224.0.0.1", 1), at("11.0.0.1", 1) + "\n",
        f"/ip4/11.0.0.1/tcp/1/p2p/{peer[:-1]}0", "x" * 300,
    ):  # fmt: skip
        assert not is_dialable(bad), bad
    assert address_at("::ffff:11.0.0.1", 9, peer) == f"/ip4/11.0.0.1/tcp/9/p2p/{peer}"


def test_nothing_private_crosses_to_the_world_and_subnets_share() -> None:
    every = [at("127.0.0.1", 1), at("10.0.0.1", 2), at("11.0.0.1", 3)]
    assert fitting(every, "11.9.9.9", (), 16) == every[2:]
    assert fitting(every, "192.168.0.4", (), 16) == every[1:]
    assert fitting(every, "127.0.0.1", (), 16) == every
    assert fitting(every, "", (), 16) == fitting(every, "fe80::1", (), 16) == []
    crowd = [at(f"11.0.0.{n}", n) for n in range(1, 9)] + [at("12.0.0.1", 20)]
    assert fitting(crowd, "11.9.9.9", (), 16) == [crowd[0], crowd[1], crowd[8]]
    assert fitting(every, "127.0.0.1", (peer_name(2),), 1) == every[:1]
    twice = [at("11.0.0.1", 1), at("12.0.0.1", 1)]
    assert fitting(twice, "11.9.9.9", (), 16) == twice[:1]


@given(
    st.lists(
        st.sampled_from(
            [at(h, n) for h in ("127.0.0.1", "10.0.0.9", "11.0.0.7", "11.0.1.7") for n in range(9)]
        )
    )
)
@settings(max_examples=100)
def test_what_fits_is_bounded_and_different(addresses: list[str]) -> None:
    for host, least in (("11.1.1.1", Scope.WORLD), ("10.1.1.1", Scope.SITE), ("127.0.0.1", Scope.MACHINE)):
        told = fitting(addresses, host, (peer_name(0),), 5)
        assert len(told) <= 5 and len({peer_of(a) for a in told}) == len(told)
        assert all(scope_of(a.split("/")[2]) >= least and peer_of(a) != peer_name(0) for a in told)
        assert max(Counter(a.split("/")[2] for a in told if "127." not in a).values(), default=0) <= 2


# Rumours -----------------------------------------------------------------------------------------------


def test_a_liar_delays_nobody_and_is_not_listened_to_for_long() -> None:
    found = Rumours(random.Random(1))
    assert found.tell("liar", [at(f"11.0.{n}.1", n) for n in range(100)]) == rumours_module.OF_SOURCE_MAX
    true = at("12.0.0.1", 500)
    assert found.tell("honest", [true]) == 1
    assert true in found.due((), 2, 0.0)  # sources take turns: one of two
    found.reached(true)
    now, dialled = 0.0, 0
    for life in range(10):
        found.tell("liar", [at(f"11.{life}.{n}.1", 1000 + 100 * life + n) for n in range(16)])
        for _ in range(60):
            now += 1.0
            for address in found.due((), 8, now):
                dialled += 1
                found.failed(address)
    assert not len(found) and found.tell("liar", [at("13.0.0.1", 9)]) == 0
    assert dialled <= 2 * (rumours_module.FAILURES_MAX + rumours_module.OF_SOURCE_MAX)
    assert found.tell("honest", [at("13.0.0.1", 9)]) == 1


def test_no_host_is_knocked_at_again_and_again() -> None:
    found = Rumours(random.Random(1))
    for source in range(16):
        found.tell(f"s{source}", [at("11.0.0.1", 100 * source + n, 1 + n) for n in range(16)])
    assert len(found) == rumours_module.RUMOURS_MAX
    times = [now for now in range(200) for _ in found.due((), 8, float(now))]
    assert 5 <= len(times) <= 200 / rumours_module.HOST_PAUSE_S + 1


# Answering ---------------------------------------------------------------------------------------------


class Stage:
    """One exchange with invented doors."""

    def __init__(self, host: str = "11.0.0.9") -> None:
        self.dialled: list[str] = []
        self.reachable: set[str] = set()
        self.answer: bytes | None = None
        doors = Doors(
            lambda: peer_name(0), lambda: (4001,), lambda: {"p"}, lambda peer: host, self.prove, self.ask
        )
        self.rumours = Rumours(random.Random(2))
        self.exchange = PeerExchange(NETWORK, doors, self.rumours, 4, Counter(), random.Random(2))

    async def prove(self, address: str) -> bool:
        self.dialled.append(address)
        return address in self.reachable

    async def ask(self, peer: str, protocol: str, data: bytes, timeout_s: float) -> bytes | None:
        return self.answer


def test_only_what_was_reached_is_told_and_only_the_asker_s_own_host_is_dialled(
    autojump_clock: object,
) -> None:
    async def scenario() -> None:
        stage = Stage()
        asker = peer_name(7)
        stage.reachable = {at("11.0.0.9", 7, 5001)}
        stage.exchange.reached(at("12.0.0.1", 1), 0.0)
        stage.exchange.reached(at("10.0.0.1", 2), 0.0)
        stage.exchange.reached(at("13.0.0.1", 3), 0.0)
        stage.exchange.failed(at("13.0.0.1", 3))
        ask = px.write_question(px.Question(NETWORK, (5001, 5002)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.exchange.run)
            first = px.read_answer(await stage.exchange.serve(asker, ask))
            for _ in range(5):  # again and again: dialled once
                await stage.exchange.serve(asker, ask)
            assert first == px.Answer((at("12.0.0.1", 1),), bytes([11, 0, 0, 9]), ())
            await trio.sleep(1)
            second = px.read_answer(await stage.exchange.serve(asker, ask))
            assert isinstance(second, px.Answer) and second.reached_ports == (5001,)
            assert sorted(stage.dialled) == [at("11.0.0.9", 7, 5001), at("11.0.0.9", 7, 5002)]
            other = px.read_answer(await stage.exchange.serve(peer_name(8), ask))
            assert isinstance(other, px.Answer)
            assert set(other.addresses) == {at("12.0.0.1", 1), at("11.0.0.9", 7, 5001)}
            assert await stage.exchange.serve(asker, px.write_question(px.Question(b"m" * 16, ()))) == b""
            assert await stage.exchange.serve(asker, b"garbage") == b""
            await trio.sleep(3700)
            late = px.read_answer(
                await stage.exchange.serve(peer_name(8), px.write_question(px.Question(NETWORK, ())))
            )
            assert isinstance(late, px.Answer) and late.addresses == ()
            nursery.cancel_scope.cancel()

    trio.run(scenario, clock=autojump_clock)


def test_what_a_liar_answers_is_filtered(autojump_clock: object) -> None:
    async def scenario() -> None:
        stage = Stage()
        for answer, learnt in (
            (None, 0),
            (b"garbage", 0),
            (
                px.write_answer(
                    px.Answer((at("127.0.0.1", 1), at("192.168.0.1", 2), at("11.0.0.2", 0)), b"", ())
                ),
                0,
            ),
            (
                px.write_answer(
                    px.Answer((at("12.0.0.1", 1), "/ip4/12.0.0.1/tcp/9"), b"\x0b\0\0\x05", (4001, 9))
                ),
                1,
            ),
        ):
            stage.answer = answer
            assert await stage.exchange.ask("p") == learnt
        assert stage.exchange.seen_by()["p"].host == "11.0.0.5" and stage.exchange.seen_by()["p"].ports == (
            4001,
        )

    trio.run(scenario, clock=autojump_clock)


@pytest.fixture
def autojump_clock() -> object:
    return trio.testing.MockClock(autojump_threshold=0)


# Real sockets ------------------------------------------------------------------------------------------


class Peer:
    def __init__(
        self, seed: int, bootstrap: tuple[str, ...] = (), wanted: int = 4, **options: object
    ) -> None:
        self.heard: list[bytes] = []
        given = {
            "transport_seed": seed.to_bytes(32, "big"),
            "noise_seed": seed.to_bytes(32, "little"),
            "listen": ("/ip4/127.0.0.1/tcp/0",),
            "bootstrap": bootstrap,
            "topics": (TOPIC,),
            "validate": lambda topic, data, peer: Verdict.ACCEPT,
            "received": lambda topic, data, peer: self.heard.append(data),
            "peers_wanted": wanted,
            "limits": Limits(),
            "exchange": NETWORK,
            "ask_first_s": 0.2,
        }
        self.transport = LibP2PTransport(**{**given, **options})

    def degree(self) -> int:
        return len([view for view in self.transport.peers() if not view.banned])


async def until(condition: Callable[[], bool], timeout_s: float = 25.0) -> None:
    with trio.move_on_after(timeout_s):
        while not condition():
            await trio.sleep(0.02)
        return
    raise AssertionError("not in time")


@pytest.mark.parametrize("is_on", [True, False])
def test_ten_nodes_that_know_one_bootstrap_node_become_a_mesh(is_on: bool) -> None:
    async def scenario() -> None:
        network = NETWORK if is_on else None
        first = Peer(1, exchange=network)
        async with trio.open_nursery() as nursery:
            await nursery.start(first.transport.run)
            others = [Peer(n, first.transport.addresses()[:1], exchange=network) for n in range(2, 11)]
            for peer in others:
                await nursery.start(peer.transport.run)
            if is_on:
                await until(lambda: all(peer.degree() >= 4 for peer in others))
                assert others[0].transport.seen_by()[first.transport.peer_id()].host == "127.0.0.1"
            else:  # the planted fault: without exchange the star stays a star
                await until(lambda: first.degree() == 9)
                await trio.sleep(1.0)
                assert [peer.degree() for peer in others] == [1] * 9
            nursery.cancel_scope.cancel()

    trio.run(scenario)


def test_a_lying_partner_costs_a_few_dials_and_hides_nobody() -> None:
    async def scenario() -> None:
        victim_of_spoof = Peer(1, wanted=0)
        honest = [Peer(n, wanted=8) for n in (2, 3, 4)]
        told: list[str] = []

        async def lie(peer: str, data: bytes) -> bytes:
            port = victim_of_spoof.transport.addresses()[0].split("/")[4]
            spoofed = [f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer_name(n)}" for n in range(8)]
            garbage = [at("127.0.0.1", random.randrange(10**6), 1) for _ in range(8)]
            told.extend(spoofed + garbage)
            return px.write_answer(px.Answer(tuple(spoofed + garbage), b"\0\0\0\0", (1, 2, 3)))

        liar = Peer(5, wanted=0, exchange=None, serve={px.PEERS_PROTOCOL: lie})
        async with trio.open_nursery() as nursery:
            for peer in (victim_of_spoof, liar, *honest):
                await nursery.start(peer.transport.run)
            for peer in honest[1:]:
                assert await peer.transport.connect(honest[0].transport.addresses()[0])
            bootstrap = (liar.transport.addresses()[0], honest[0].transport.addresses()[0])
            newcomer = Peer(6, bootstrap, wanted=6)
            await nursery.start(newcomer.transport.run)
            wanted = {peer.transport.peer_id() for peer in (*honest, liar)}
            await until(lambda: wanted <= {view.id for view in newcomer.transport.peers()})
            await until(lambda: len(told) > 16)
            known = {peer_of(a) for a in newcomer.transport._book.addresses(1000)}
            assert not known & {peer_of(a) for a in told}  # no lie was ever taken for a reached address
            assert victim_of_spoof.transport.peer_id() not in {v.id for v in newcomer.transport.peers()}
            assert not victim_of_spoof.degree()
            nursery.cancel_scope.cancel()

    trio.run(scenario)
