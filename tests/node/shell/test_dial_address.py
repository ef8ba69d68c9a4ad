"""Addresses as text: what is dialled, what is told to be wrong, and that no text raises."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from luminous.node.shell.dial_address import DialAddress, flaws, read
from luminous.node.shell.reach import host_of, peer_of, port_of

PEER = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
OTHER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
DIRECT = f"/ip4/203.0.113.7/tcp/4001/p2p/{PEER}"
RELAYED = f"{DIRECT}/p2p-circuit/p2p/{OTHER}"


def test_an_address_is_read_as_the_dialler_reads_it() -> None:
    direct, relayed = read(DIRECT), read(RELAYED)
    assert direct == DialAddress("ip4", "203.0.113.7", 4001, PEER)
    assert relayed == DialAddress("ip4", "203.0.113.7", 4001, OTHER, PEER)
    assert relayed.through == DIRECT and direct.through == ""
    for text, found in ((DIRECT, direct), (RELAYED, relayed)):
        assert (host_of(text), port_of(text), peer_of(text)) == (found.host, found.port, found.peer)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "looks like"),
        ("203.0.113.7:4001", "looks like"),
        ("/ip4/203.0.113.7/tcp/4001", "peer id"),
        (f"/ip4/203.0.113.7/udp/4001/quic-v1/p2p/{PEER}", "transport"),
        (f"/ip4/203.0.113.7/tcp/70000/p2p/{PEER}", "port"),
        (f"/ip4/203.0.113.700/tcp/4001/p2p/{PEER}", "IP address"),
        (f"/ip6/203.0.113.7/tcp/4001/p2p/{PEER}", "IPv6"),
        (f"/dns4/no name/tcp/4001/p2p/{PEER}", "host name"),
        ("/ip4/203.0.113.7/tcp/4001/p2p/0OIl", "peer id"),
        (f"{DIRECT}/ws", "ws"),
        (f"{DIRECT}/p2p-circuit/p2p/{PEER}", "own relay"),
        (f"{DIRECT}/p2p-circuit/p2p/{OTHER}/p2p-circuit/p2p/{PEER}", "peer id"),
        ("/ip4/" + "1" * 300, "longer"),
    ],
)
def test_what_is_wrong_is_said(text: str, word: str) -> None:
    flaw = read(text)
    assert isinstance(flaw, str) and word in flaw
    assert flaws((DIRECT, text, RELAYED)) == ((text, flaw),)


@settings(max_examples=100)
@given(st.text(max_size=300))
@example("/ip4/\ud800/tcp/1/p2p/x")
def test_no_text_raises(text: str) -> None:
    for one in (text, DIRECT + text, f"/ip4/203.0.113.7/tcp/{text}", RELAYED[: len(text)]):
        found = read(one)
        assert isinstance(found, str) or one.endswith(found.peer)
