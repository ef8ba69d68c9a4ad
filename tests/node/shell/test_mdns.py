"""Discovery on the local network: the public form, and nothing believed that is not the sender's own."""

import random
import struct
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from luminous.node.shell import mdns_packets
from luminous.node.shell.mdns import LocalDiscovery, service_of
from luminous.node.shell.mdns_packets import Packet, read, write_answer, write_question
from luminous.node.shell.rumours import OF_SOURCE_MAX, Rumours
from luminous.node.shell.settings import Settings
from luminous.protocol.reasons import Refused

PEER = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
NETWORK = b"n" * 32
SERVICE = service_of(NETWORK)  # type: ignore[arg-type]
HERE = f"/ip4/192.168.4.10/tcp/4001/p2p/{PEER}"
# As another implementation writes it: pointers in names, foreign records, upper case, an A record.
FOREIGN = (
    struct.pack("!6H", 0, 0x8400, 0, 1, 0, 3)
    + b"".join(bytes([len(x)]) + x.upper().encode() for x in SERVICE.split(".")) + b"\0"
    + struct.pack("!HHIH", 12, 1, 120, 6) + b"\x03abc" + b"\xc0\x0c"
    + b"\x05other\x05local\0" + struct.pack("!HHIH", 1, 1, 120, 4) + b"\x01\x02\x03\x04"
    + b"\x05other\x05local\0" + struct.pack("!HHIH", 16, 1, 120, 9) + b"\x08dnsaddr="
    + b"\x03abc\xc0\x0c" + struct.pack("!HHIH", 16, 0x8001, 120, len(HERE) + 13)
    + b"\x03x=1" + bytes([len(HERE) + 8]) + b"dnsaddr=" + HERE.encode()
)  # fmt: skip


def test_what_is_written_is_read_and_another_service_says_nothing() -> None:
    assert read(write_question(SERVICE), SERVICE) == Packet(True, ())
    answer = write_answer(SERVICE, "0" * 32, (HERE,))
    assert read(answer, SERVICE) == read(FOREIGN, SERVICE) == Packet(False, (HERE,))
    other = service_of(b"m" * 32)  # type: ignore[arg-type]
    assert read(write_question(SERVICE), other) == read(answer, other) == Packet(False, ())
    assert NETWORK.hex()[:8] not in SERVICE and all(len(part) < 64 for part in SERVICE.split("."))


@settings(max_examples=200)
@given(st.binary(max_size=120), st.integers(0, 2**32))
@example(struct.pack("!6H", 0, 0, 1, 0, 0, 0) + b"\xc0\x0c", 0)  # a name that points to itself
@example(struct.pack("!6H", 0, 0, 65_535, 65_535, 65_535, 65_535), 0)
def test_no_packet_raises_or_says_much(raw: bytes, seed: int) -> None:
    chance = random.Random(seed)
    spoilt = bytearray(FOREIGN)
    for _ in range(3):
        spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    for packet in (raw, FOREIGN[:12] + raw, bytes(spoilt), FOREIGN[: chance.randrange(len(FOREIGN))]):
        found = read(packet, SERVICE)
        assert isinstance(found, Refused) or len(found.addresses) <= 8
    assert isinstance(read(bytes(mdns_packets.PACKET_SIZE_BYTES_MAX + 1), SERVICE), Refused)


@pytest.mark.parametrize(
    ("address", "is_believed"),
    [
        (HERE, True),
        (HERE.replace("192.168.4.10", "192.168.4.11"), False),  # somebody else's door
        (HERE.replace("192.168.4.10", "11.0.0.1"), False),
        (HERE + "/p2p-circuit/p2p/" + PEER, False),
        ("/dns4/example.org/tcp/1/p2p/" + PEER, False),
        ("", False),
    ],
)
def test_a_neighbour_is_believed_about_its_own_door_alone(address: str, is_believed: bool) -> None:
    rumours, counters = Rumours(random.Random(1)), Counter[str]()
    local = LocalDiscovery(NETWORK, tuple, set, rumours, counters)  # type: ignore[arg-type]
    assert local.hear(Packet(False, (address,)), "192.168.4.10") == len(rumours) == int(is_believed)


def test_a_noisy_neighbour_fills_no_more_than_its_share() -> None:
    rumours = Rumours(random.Random(1))
    local = LocalDiscovery(NETWORK, tuple, set, rumours, Counter())  # type: ignore[arg-type]
    for port in range(1, 500):
        local.hear(Packet(False, (HERE.replace("4001", str(port)),)), "192.168.4.10")
    assert len(rumours) == OF_SOURCE_MAX


def test_it_is_off_unless_its_user_says_otherwise() -> None:
    assert not Settings().network.mdns
