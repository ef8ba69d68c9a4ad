"""Circuits on real sockets: two who cannot be dialled meet, their relay reads and forges nothing, and floods,
false names and false relays achieve nothing. Beside it the stock library's relay under one of them.
"""

import random
import types
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from luminous.node.shell import connections
from luminous.node.shell.circuit_messages import (
    HOP_PROTOCOL,
    STOP_PROTOCOL,
    CircuitMessage,
    Status,
    Wish,
    read_hop,
    read_message,
    read_stop,
    write_hop,
    write_stop,
)
from luminous.node.shell.circuit_relay import READ_SIZE_BYTES
from luminous.node.shell.circuit_slots import RelayLimits
from luminous.node.shell.frames import framed
from luminous.node.shell.libp2p_stack import Identity
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.reach import relay_of
from luminous.node.shell.reachability import Reachability
from luminous.node.shell.transport_types import Verdict
from luminous.simulations.hostile_peer import attacker

pytestmark = [pytest.mark.slow, pytest.mark.alone]
NETWORK, TOPIC = b"n" * 16, "circuits/1"
LISTEN = ("/ip4/127.0.0.1/tcp/0",)


class Peer:
    """A transport and what it heard; without ``listen`` nobody can dial it."""

    def __init__(self, number: int, listen: tuple[str, ...] = (), **more: Any) -> None:
        self.heard: list[bytes] = []
        settings: dict[str, Any] = {"topics": (TOPIC,), "exchange": NETWORK, "uses_relays": True}
        self.transport = LibP2PTransport(
            transport_seed=bytes([number]) * 32,
            noise_seed=bytes([number + 100]) * 32,
            listen=listen,
            validate=lambda topic, data, peer: Verdict.ACCEPT,
            received=lambda topic, data, peer: self.heard.append(data),
            ask_first_s=0.2,
            settled_s=0.0,
            **(settings | more),
        )

    @property
    def id(self) -> str:
        return self.transport.peer_id()

    def sees(self, other: "Peer") -> str:
        """From where ``other`` is connected, empty if it is not."""
        return next((view.address for view in self.transport.peers() if view.id == other.id), "")


def relaying(number: int = 1, limits: RelayLimits | None = None, **more: Any) -> Peer:
    """A relay that belongs to no topic: what two others know of each other, they know through circuits."""
    return Peer(number, LISTEN, topics=(), offers_relay=limits or RelayLimits(), peers_wanted=0, **more)


async def until(is_so: Callable[[], bool], limit_s: float = 40.0) -> None:
    with trio.fail_after(limit_s):
        while not is_so():
            await trio.sleep(0.05)


def run(scene: Callable[[trio.Nursery], Awaitable[None]]) -> None:
    async def main() -> None:
        with trio.fail_after(120):
            async with trio.open_nursery() as nursery:
                await scene(nursery)
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_two_who_cannot_be_dialled_meet_and_their_relay_neither_reads_nor_forges() -> None:
    carried = bytearray()
    is_evil = False

    async def copy(relay: Any, circuit: Any, origin: Any, end: Any, both: trio.CancelScope) -> None:
        """As the relay's own, but it keeps what it carries, and changes it when it is evil."""
        try:
            while data := await origin.read(READ_SIZE_BYTES):
                carried.extend(data)
                await end.write(bytes([data[0] ^ 1]) + data[1:] if is_evil and len(data) > 20 else data)
        except Exception:  # noqa: BLE001 - the end of the circuit
            pass
        both.cancel()

    async def scene(nursery: trio.Nursery) -> None:
        nonlocal is_evil
        relay = relaying()
        await nursery.start(relay.transport.run)
        own = relay.transport._circuits._relay
        assert own is not None
        own._copy = types.MethodType(copy, own)  # type: ignore[method-assign]
        bootstrap = relay.transport.addresses()
        # The second is content with the relay, so only the first dials: one circuit, not two that cross.
        first, second = Peer(2, bootstrap=bootstrap), Peer(3, bootstrap=bootstrap, peers_wanted=1)
        for peer in (first, second):
            await nursery.start(peer.transport.run)
        await until(lambda: relay.id in first.sees(second) and relay.id in second.sees(first))
        assert first.transport.reachability() is Reachability.BEHIND_NAT
        for peer in (first, second):
            await until(lambda peer=peer: bool(peer.transport.addresses()))  # type: ignore[misc]
            (address,) = peer.transport.addresses()  # what its card says
            assert address == f"{bootstrap[0]}/p2p-circuit/p2p/{peer.id}" and relay_of(address) == relay.id
        await until(lambda: relay.transport.relaying() == {"reservations": 2, "circuits": 1})
        await until(
            lambda: bool(first.transport.mesh_sizes()[TOPIC] and second.transport.mesh_sizes()[TOPIC])
        )
        secret = b"a message that is encrypted from end to end"
        await first.transport.publish(TOPIC, secret)
        await until(lambda: secret in second.heard)
        assert len(carried) > len(secret) and secret not in carried and TOPIC.encode() not in carried
        is_evil = True
        await second.transport.publish(TOPIC, b"changed on its way")
        await until(lambda: not first.sees(second))  # Noise notices, the circuit is closed
        assert not first.heard
        is_evil = False
        await until(
            lambda: bool(first.transport.mesh_sizes()[TOPIC] and second.transport.mesh_sizes()[TOPIC])
        )
        await second.transport.publish(TOPIC, b"later")
        await until(lambda: b"later" in first.heard)
        assert set(first.heard) <= {b"later", b"changed on its way"} and set(second.heard) == {secret}

    run(scene)


def test_slots_are_kept_at_two_relays_and_the_card_forgets_the_one_that_goes() -> None:
    async def scene(nursery: trio.Nursery) -> None:
        leaving, staying = relaying(1), relaying(4)
        async with trio.open_nursery() as its_life:
            await its_life.start(leaving.transport.run)
            await nursery.start(staying.transport.run)
            doors = leaving.transport.addresses() + staying.transport.addresses()
            peer = Peer(2, bootstrap=doors)
            await nursery.start(peer.transport.run)
            await until(
                lambda: {relay_of(one) for one in peer.transport.addresses()} == {leaving.id, staying.id}
            )
            its_life.cancel_scope.cancel()
        await until(lambda: [relay_of(one) for one in peer.transport.addresses()] == [staying.id])

    run(scene)


async def asked(peer: Any, frame: bytes, protocol: str = HOP_PROTOCOL) -> CircuitMessage | None:
    """The answer of a victim to one frame; None if it hung up."""
    stream = await peer.stream(protocol)
    try:
        with trio.fail_after(8):
            await stream.write(frame)
            answer = (read_hop if protocol == HOP_PROTOCOL else read_stop)(await read_message(stream))
        assert isinstance(answer, CircuitMessage)
        return answer
    except ValueError:
        return None
    except Exception:  # noqa: BLE001 - the library's ends of a stream
        return None
    finally:
        with trio.move_on_after(1):
            await stream.reset()


RESERVE = write_hop(CircuitMessage(Wish.RESERVE))


def connecting(peer: str) -> bytes:
    return write_hop(CircuitMessage(Wish.CONNECT, peer))


def test_a_relay_gives_slots_to_the_asker_alone_and_keeps_every_bound() -> None:
    limits = RelayLimits(reservations_per_address_max=3, circuits_per_peer_max=1, count_loopback=True)

    async def scene(nursery: trio.Nursery) -> None:
        relay = relaying(limits=limits)
        await nursery.start(relay.transport.run)
        (address,) = relay.transport.addresses()
        slots = relay.transport._circuits._relay.slots  # type: ignore[union-attr]
        stranger = str(Identity(b"s" * 32, b"s" * 32).peer_id)
        async with attacker(address, random.Random(1)) as enemy:
            me = str(enemy.host.get_id())
            for name in (stranger, me):  # the name in a message is not asked about: the asker is who it is
                answer = await asked(enemy, write_hop(CircuitMessage(Wish.RESERVE, name)))
                assert answer is not None and answer.status is Status.OK and answer.expire_s
                assert answer.data_bytes == limits.circuit_bytes_max
                assert slots.reserved(trio.current_time()) == (me,)
            for target, status in ((stranger, Status.NO_RESERVATION), (me, Status.PERMISSION_DENIED)):
                answer = await asked(enemy, connecting(target))
                assert answer is not None and answer.status is status
            for frame in (write_hop(CircuitMessage(Wish.CONNECT)), write_hop(CircuitMessage(Wish.STATUS))):
                answer = await asked(enemy, frame)
                assert answer is not None and answer.status is Status.UNEXPECTED_MESSAGE
            # One more of this address than allowed, then one goes and its slot is free.
            async with attacker(address, random.Random(2)) as b, attacker(address, random.Random(3)) as c:
                for peer in (b, c):
                    answer = await asked(peer, RESERVE)
                    assert answer is not None and answer.status is Status.OK
                async with attacker(address, random.Random(4)) as d:
                    answer = await asked(d, RESERVE)
                    assert answer is not None and answer.status is Status.RESERVATION_REFUSED
                # A target that takes the circuit and never answers: the asker is told, the slot of it freed.
                answer = await asked(enemy, connecting(str(b.host.get_id())))
                assert answer is not None and answer.status is Status.CONNECTION_FAILED
                assert slots.circuits() == 0
            await until(lambda: slots.reserved(trio.current_time()) == (me,))
            # What is no message at all, again and again, is a ban; nobody else loses anything.
            assert await asked(enemy, framed(b"\xff" * 40)) is not None
            for _ in range(4):
                if str(enemy.host.get_id()) in {v.id for v in relay.transport.peers() if v.banned}:
                    break
                try:
                    await asked(enemy, framed(b"\xff" * 40))
                except Exception:  # noqa: BLE001 - refused already
                    break
            await until(lambda: any(view.banned for view in relay.transport.peers()))
        async with attacker(address, random.Random(5)) as newcomer:
            answer = await asked(newcomer, RESERVE)
            assert answer is not None and answer.status is Status.OK

    run(scene)


def test_nobody_brings_circuits_but_a_relay_that_was_asked() -> None:
    async def scene(nursery: trio.Nursery) -> None:
        peer = Peer(2, LISTEN)
        await nursery.start(peer.transport.run)
        (address,) = peer.transport.addresses()
        async with attacker(address, random.Random(6)) as enemy:
            question = write_stop(CircuitMessage(Wish.CONNECT, str(enemy.host.get_id())))
            answer = await asked(enemy, question, STOP_PROTOCOL)
            assert answer is not None and answer.status is Status.PERMISSION_DENIED
            answer = await asked(enemy, framed(b"\xff" * 40), STOP_PROTOCOL)
            assert answer is not None and answer.status is Status.MALFORMED_MESSAGE
        assert peer.transport.counters()["circuits.permission_denied"] == 1

    run(scene)


def test_a_member_offers_no_relay_unless_it_is_told_to() -> None:
    async def scene(nursery: trio.Nursery) -> None:
        peer = Peer(2, LISTEN)
        await nursery.start(peer.transport.run)
        async with attacker(peer.transport.addresses()[0], random.Random(7)) as enemy:
            with pytest.raises(Exception, match="failed to open"):
                await enemy.stream(HOP_PROTOCOL)
        assert peer.transport.relaying() is None

    run(scene)


@pytest.mark.parametrize(
    ("limits", "size_bytes"),
    [(RelayLimits(circuit_bytes_max=4000), 8000), (RelayLimits(circuit_s_max=1), 0)],
)
def test_a_circuit_ends_with_its_share_and_the_slot_stays(limits: RelayLimits, size_bytes: int) -> None:
    """Two who speak raw bytes over the circuit, as the hop and stop protocols leave it to them."""
    got = bytearray()

    async def take(stream: Any) -> None:
        assert isinstance(read_stop(await read_message(stream)), CircuitMessage)
        await stream.write(write_stop(CircuitMessage(Wish.STATUS, status=Status.OK)))
        try:
            while data := await stream.read(4096):
                got.extend(data)
        except Exception:  # noqa: BLE001 - the end of the circuit
            return

    async def scene(nursery: trio.Nursery) -> None:
        relay = relaying(limits=limits)
        await nursery.start(relay.transport.run)
        (address,) = relay.transport.addresses()
        slots = relay.transport._circuits._relay.slots  # type: ignore[union-attr]
        async with (
            attacker(address, random.Random(8)) as target,
            attacker(address, random.Random(9)) as source,
        ):
            target.host.set_stream_handler(TProtocol(STOP_PROTOCOL), take)
            assert (await asked(target, RESERVE)).status is Status.OK  # type: ignore[union-attr]
            stream = await source.stream(HOP_PROTOCOL)
            await stream.write(connecting(str(target.host.get_id())))
            answer = read_hop(await read_message(stream))
            assert isinstance(answer, CircuitMessage) and answer.status is Status.OK
            if size_bytes:
                await stream.write(b"x" * 10)
                await until(lambda: len(got) >= 10)
                await stream.write(b"x" * size_bytes)
            with pytest.raises(Exception):  # noqa: B017 - reset or closed, whichever is seen first
                with trio.fail_after(20):
                    while await stream.read(1):
                        pass
                    raise EOFError
            await until(lambda: slots.circuits() == 0)
            assert len(got) <= limits.circuit_bytes_max and len(slots.reserved(trio.current_time())) == 1

    run(scene)


class Asker:
    """The stream of one peer, as far as a handler of the stock library looks at it."""

    def __init__(self, peer: ID) -> None:
        self.muxed_conn = types.SimpleNamespace(peer_id=peer)

    async def write(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()

    def is_open(self) -> bool:
        return True


def test_the_stock_relay_reserves_for_whomever_a_message_names() -> None:
    """Upstream defect 18: one connection takes every slot in the names of others."""
    from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage
    from libp2p.relay.circuit_v2.protocol import CircuitV2Protocol
    from libp2p.relay.circuit_v2.resources import RelayLimits as StockLimits

    from luminous.node.shell.guards import Limits
    from luminous.node.shell.libp2p_stack import build

    stack = build(Identity(b"v" * 32, b"w" * 32), (TOPIC,), Limits(), (), 1.0)
    stock = CircuitV2Protocol(stack.host, StockLimits(60, 1000, 4, 8), allow_hop=True)
    enemy, honest, *others = [Identity(bytes([n]) * 32, b"s" * 32).peer_id for n in range(10)]

    async def scene() -> None:
        for name in others:
            question = HopMessage(type=HopMessage.RESERVE)
            question.peer.id = name.to_bytes()
            await stock._handle_reserve(Asker(enemy), question)  # type: ignore[arg-type]

    trio.run(scene)
    held = set(stock.resource_manager._reservations)
    assert held == set(others), "the stock library asks who reserves: this entry may go"
    assert not stock.resource_manager.can_accept_reservation(honest)


def test_the_stock_dial_back_dials_nobody() -> None:
    """Upstream defect 22: whoever asks is connected, and that is taken for a dial that worked."""
    from libp2p.host.autonat.autonat import AutoNATService

    from luminous.node.shell.guards import Limits
    from luminous.node.shell.libp2p_stack import build

    stack = build(Identity(b"v" * 32, b"w" * 32), (TOPIC,), Limits(), (), 1.0)
    asker = Identity(b"a" * 32, b"s" * 32).peer_id
    up = trio.Event()
    up.set()
    stack.network.connections[asker] = [types.SimpleNamespace(event_started=up)]
    nowhere = Multiaddr("/ip4/127.0.0.1/tcp/1").to_bytes()
    assert trio.run(AutoNATService(stack.host)._try_dial, asker, [nowhere]) == nowhere, "this entry may go"


def test_a_stock_client_reaches_a_peer_of_ours_through_our_relay() -> None:
    """The library's own client is the other implementation of the public protocol that is at hand."""
    from libp2p.relay.circuit_v2.config import RelayConfig
    from libp2p.relay.circuit_v2.protocol import CircuitV2Protocol
    from libp2p.relay.circuit_v2.transport import CircuitV2Transport

    async def echo(peer: str, data: bytes) -> bytes:
        return data + b" heard"

    async def scene(nursery: trio.Nursery) -> None:
        relay = relaying()
        await nursery.start(relay.transport.run)
        (door,) = relay.transport.addresses()
        hidden = Peer(3, bootstrap=(door,), serve={"/echo/1": echo})
        await nursery.start(hidden.transport.run)
        await until(lambda: bool(hidden.transport.addresses()))
        async with attacker(door, random.Random(11)) as stock:
            protocol = CircuitV2Protocol(stock.host, allow_hop=False)
            dialler = CircuitV2Transport(stock.host, protocol, RelayConfig())
            (address,) = hidden.transport.addresses()
            await dialler.dial(Multiaddr(address))
            stream = await stock.host.new_stream(ID.from_string(hidden.id), [TProtocol("/echo/1")])
            await stream.write(framed(b"hello"))
            assert b"hello heard" in await stream.read(100)
            me = str(stock.host.get_id())
            (view,) = [view for view in hidden.transport.peers() if view.id == me]
            assert view.address == f"/p2p/{relay.id}/p2p-circuit" and view.direction == "inbound"
            opened = hidden.transport._stack.network.connections[stock.host.get_id()]  # type: ignore[union-attr]
            assert connections.host_answerable(opened[0]) == "127.0.0.1"  # counts as the relay's subnet

    run(scene)
