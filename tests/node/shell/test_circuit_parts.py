"""Relay slots and circuit messages: every bound is kept whatever is asked, and no bytes raise."""

import random

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from luminous.node.shell.circuit_messages import (
    MESSAGE_SIZE_BYTES_MAX,
    CircuitMessage,
    Status,
    Wish,
    read_hop,
    read_message,
    read_stop,
    write_hop,
    write_stop,
)
from luminous.node.shell.circuit_slots import Circuit, CircuitSlots, RelayLimits
from luminous.node.shell.guards import Rate
from luminous.node.shell.reach import address_group, subnet
from luminous.node.shell.reachability import Reachability, Seen, judged
from luminous.protocol.reasons import Refused

PEER = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
SMALL = RelayLimits(
    reservations_max=6, reservations_per_address_max=2, reservations_per_subnet_max=3, reservation_s=100,
    circuits_max=4, circuits_per_peer_max=2, circuit_bytes_max=1000, circuit_rate=Rate(100.0, 500.0),
)  # fmt: skip

# Slots -------------------------------------------------------------------------------------------------


class Slots(RuleBasedStateMachine):
    """Reservations and circuits in any order; the model is what was granted and not taken back."""

    def __init__(self) -> None:
        super().__init__()
        self.slots, self.now_s = CircuitSlots(SMALL), 0.0
        self.granted: dict[str, tuple[str, float]] = {}
        self.open: list[Circuit] = []

    @rule(peer=st.integers(0, 12), host=st.sampled_from(["11.0.0.1", "11.0.0.2", "11.0.1.1", "12.0.0.1"]))
    def reserve(self, peer: int, host: str) -> None:
        if self.slots.reserve(str(peer), host, self.now_s) is Status.OK:
            self.granted[str(peer)] = (host, self.now_s + 100)

    @rule(peer=st.integers(0, 12))
    def release(self, peer: int) -> None:
        self.slots.release(str(peer))
        self.granted.pop(str(peer), None)

    @rule(ends=st.tuples(st.integers(0, 12), st.integers(0, 12)))
    def dial(self, ends: tuple[int, int]) -> None:
        source, target = ends
        circuit = self.slots.open(str(source), str(target), self.now_s)
        held = self.granted.get(str(target))
        if isinstance(circuit, Circuit):
            assert held is not None and held[1] > self.now_s and source != target
            self.open.append(circuit)
        elif held is None or held[1] <= self.now_s:
            assert circuit is Status.NO_RESERVATION

    @rule(index=st.integers(0, 10))
    def hang_up(self, index: int) -> None:
        if self.open:
            self.slots.close(self.open.pop(index % len(self.open)))

    @rule(s=st.floats(0, 60))
    def wait(self, s: float) -> None:
        self.now_s += s

    @invariant()
    def bounds_hold(self) -> None:
        held = {peer: host for peer, (host, until_s) in self.granted.items() if until_s > self.now_s}
        assert set(self.slots.reserved(self.now_s)) == set(held)
        assert len(held) <= 6
        for host in held.values():
            assert sum(address_group(h) == address_group(host) for h in held.values()) <= 2
            assert sum(subnet(h) == subnet(host) for h in held.values()) <= 3
        assert self.slots.circuits() == len(self.open) <= 4
        for circuit in self.open:
            for peer in (circuit.source, circuit.target):
                assert sum(peer in (c.source, c.target) for c in self.open) <= 2


TestSlots = Slots.TestCase
TestSlots.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_flood_of_identities_takes_its_share_and_a_neighbour_still_finds_room() -> None:
    slots = CircuitSlots(RelayLimits())
    given = [slots.reserve(f"a{n}", "11.0.0.1", 0.0) for n in range(1000)]
    assert given.count(Status.OK) == 8
    given = [slots.reserve(f"b{n}", f"11.0.0.{n % 256}", 0.0) for n in range(1000)]
    assert given.count(Status.OK) == 8  # sixteen of a /24 with the eight above
    assert slots.reserve("honest", "12.0.0.1", 0.0) is Status.OK
    given = [slots.reserve(f"c{n}", f"13.{n % 256}.{n // 256}.1", 0.0) for n in range(3000)]
    assert len(slots.reserved(0.0)) == 128 and "honest" in slots.reserved(3599.0)
    assert slots.reserve("honest", "12.0.0.1", 3599.0) is Status.OK  # renewing asks for no new room
    assert slots.reserved(3601.0) == ("honest",)


def test_a_circuit_is_slowed_and_ends_with_its_share() -> None:
    slots = CircuitSlots(SMALL)
    assert slots.reserve("t", "11.0.0.1", 0.0) is Status.OK
    circuit = slots.open("s", "t", 0.0)
    assert isinstance(circuit, Circuit)
    assert slots.carry(circuit, 500, 0.0) == 0.0
    assert slots.carry(circuit, 100, 0.0) == pytest.approx(1.0)
    assert slots.carry(circuit, 401, 0.0) is None


# Messages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", list(Wish))
@pytest.mark.parametrize("peer", ["", PEER])
@pytest.mark.parametrize("status", [None, *Status])
def test_a_message_is_read_as_it_was_written(wish: Wish, peer: str, status: Status | None) -> None:
    message = CircuitMessage(wish, peer, status, 7, (b"a",), 3600, 1 << 40)
    assert body(write_hop(message)) == message
    if wish is not Wish.RESERVE:
        short = CircuitMessage(wish, peer, status, 0, (), 3600, 1 << 40)
        found = read_stop(stripped(write_stop(short)))
        assert found == short


def stripped(frame: bytes) -> bytes:
    return frame[1:] if frame[0] < 0x80 else frame[2:]


def body(frame: bytes) -> object:
    return read_hop(stripped(frame))


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_no_bytes_raise(raw: bytes, seed: int) -> None:
    chance = random.Random(seed)
    good = bytearray(stripped(write_hop(CircuitMessage(Wish.CONNECT, PEER))))
    good[chance.randrange(len(good))] = chance.randrange(256)
    for data in (raw, bytes(good), bytes(good)[: len(raw)]):
        for read in (read_hop, read_stop):
            found = read(data)
            assert isinstance(found, Refused) or len(found.peer) in (0, *range(40, 65))


def test_what_is_too_large_is_refused() -> None:
    assert isinstance(read_hop(bytes(MESSAGE_SIZE_BYTES_MAX + 1)), Refused)


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    async def read(self, n: int) -> bytes:
        part, self.data = self.data[:n], self.data[n:]
        return part


def test_reading_takes_no_byte_of_what_follows() -> None:
    frame = write_hop(CircuitMessage(Wish.CONNECT, PEER))
    stream = Bytes(frame + b"noise")
    assert trio.run(read_message, stream) == stripped(frame) and stream.data == b"noise"
    for bad in (b"", b"\x05abc", b"\xff\xff\xff\xff", b"\x81\x20" + bytes(5000)):
        with pytest.raises(ValueError):
            trio.run(read_message, Bytes(bad))


# Reachability ------------------------------------------------------------------------------------------

HOME, WORLD = "192.168.0.9", "11.0.0.9"


@pytest.mark.parametrize(
    ("views", "word"),
    [
        ([], Reachability.UNKNOWN),
        ([Seen(WORLD, (), 2.0, 1.0)], Reachability.UNKNOWN),  # no time to try yet
        ([Seen(WORLD, (), 30.0, 1.0)], Reachability.BEHIND_NAT),
        ([Seen(WORLD, (4001,), 2.0, 1.0)], Reachability.REACHABLE),
        ([Seen(WORLD, (), 30.0, 1.0), Seen(HOME, (4001,), 2.0, 1.0)], Reachability.BEHIND_NAT),
        ([Seen(HOME, (4001,), 2.0, 1.0)], Reachability.REACHABLE),
        ([Seen(WORLD, (), 30.0, 1.0)] * 2 + [Seen(WORLD, (4001,), 2.0, 1.0)], Reachability.BEHIND_NAT),
        ([Seen(WORLD, (4001,), -7200.0, 1.0)], Reachability.UNKNOWN),  # long ago
    ],
)
def test_reachability_is_what_the_majority_of_those_outside_found(
    views: list[Seen], word: Reachability
) -> None:
    assert judged(views, 40.0) is word
