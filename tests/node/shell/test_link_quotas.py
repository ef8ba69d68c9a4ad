"""The link on real sockets: a member that floods is paced before the inbox, and nobody else suffers."""

from collections import Counter
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.keys import signer_from_seed
from luminous.node.core import events
from luminous.node.shell.author_quotas import AUTHORS_MAX, AuthorQuotas
from luminous.node.shell.clock import SystemClock
from luminous.node.shell.guards import Rate
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.link import Link
from luminous.node.shell.service import TooBusy
from luminous.protocol.admission import topic_of
from luminous.protocol.bindings import BINDING, Binding
from luminous.protocol.envelope import seal
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.kinds import Kind

NETWORK = NetworkId(b"q" * 16)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 500), st.integers(0, 5)), max_size=200))
@settings(max_examples=60)
def test_no_author_exceeds_its_rate_whatever_others_do(steps: list[tuple[int, int, int]]) -> None:
    quotas, now_s = AuthorQuotas(Rate(1.0, 5.0), Rate(100.0, 1000.0)), 0.0
    counts: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for author, size, wait_s in steps:
        now_s += wait_s
        if quotas.allows(b"%d" % author, size, now_s):
            counts[author] += 1
            sizes[author] += size
    assert all(count <= 5 + now_s for count in counts.values())
    assert all(size <= 1000 + 100 * now_s for size in sizes.values())


def test_authors_are_bounded_and_a_quota_comes_back() -> None:
    quotas = AuthorQuotas(Rate(1.0, 2.0), Rate(1e9, 1e9))
    assert [quotas.allows(b"a", 1, 0.0) for _ in range(4)] == [True, True, False, False]
    assert quotas.allows(b"a", 1, 1.0) and not quotas.allows(b"a", 1, 1.0) and quotas.refused == 3
    for number in range(AUTHORS_MAX + 10):
        quotas.allows(b"%d" % number, 1, 2.0)
    assert len(quotas._held) == AUTHORS_MAX


class Inbox:
    """What the link needs of a service; it keeps what was posted."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.is_mute = False
        self.heard: Counter[bytes] = Counter()

    def post(self, event: events.Event) -> bool:
        if isinstance(event, events.Received):
            self.heard[event.envelope.author] += 1
        return True

    async def ask(self, question: Any, timeout_s: float = 1.0) -> Any:
        raise TooBusy("an inbox without a node")


def transport(seed: int) -> Any:
    def make(**callbacks: Any) -> LibP2PTransport:
        key = seed.to_bytes(32, "big")
        listen = ("/ip4/127.0.0.1/tcp/0",)
        return LibP2PTransport(transport_seed=key, noise_seed=key, listen=listen, peers_wanted=0, **callbacks)

    return make


def envelopes(seed: int, count: int) -> list[bytes]:
    signer, wall_ms = signer_from_seed(seed.to_bytes(32, "little")), SystemClock().now().wall_ms
    payload = BINDING.pack(Binding("peer", wall_ms))
    return [seal(signer, NETWORK, Kind.BINDING, n, wall_ms, payload) for n in range(1, count + 1)]


@pytest.mark.slow
def test_a_flooding_member_is_paced_and_the_others_are_heard() -> None:
    async def scenario() -> None:
        inboxes = [Inbox() for _ in range(3)]
        links = [Link(inbox, NETWORK, transport(n + 1), b"genesis") for n, inbox in enumerate(inboxes)]
        victim, honest, flooder = (link.transport for link in links)
        flood, words = envelopes(3, 2500), envelopes(2, 50)
        async with trio.open_nursery() as nursery:
            for link in links:
                link.quotas = AuthorQuotas(Rate(1.0, 300.0), Rate(1e9, 1e9))
                await nursery.start(link.run)
            for peer in (honest, flooder):
                assert await peer.connect(victim.addresses()[0])
            with trio.fail_after(90):
                while any(not p.mesh_sizes()[topic_of(NETWORK)] for p in (victim, honest, flooder)):
                    await trio.sleep(0.02)
                for start in range(0, len(flood), 50):
                    for raw in flood[start : start + 50]:
                        links[2].publish(raw)
                    links[1].publish(words[start // 50])
                    await trio.sleep(0.01)
                author_of = [signer_from_seed(n.to_bytes(32, "little")).public for n in (2, 3)]
                while inboxes[0].heard[author_of[0]] < 50 or links[0].quotas.refused < 1500:
                    await trio.sleep(0.05)
            assert 300 <= inboxes[0].heard[author_of[1]] <= 300 + 30
            # What is over the quota is not relayed: who sits behind the victim is spared as well.
            assert inboxes[1].heard[author_of[1]] <= 330
            assert not victim.ledger.strikes(flooder.peer_id(), trio.current_time())
            nursery.cancel_scope.cancel()

    trio.run(scenario)


def test_what_can_never_be_valid_is_neither_heard_nor_relayed_and_its_sender_is_refused() -> None:
    async def scenario() -> None:
        inboxes = [Inbox() for _ in range(3)]
        links = [Link(inbox, NETWORK, transport(n + 1), b"genesis") for n, inbox in enumerate(inboxes)]
        victim, honest, forger = (link.transport for link in links)
        good = envelopes(5, 1)[0]
        async with trio.open_nursery() as nursery:
            for link in links:
                await nursery.start(link.run)
            for peer in (honest, forger):
                assert await peer.connect(victim.addresses()[0])
            with trio.fail_after(90):
                while any(not p.mesh_sizes()[topic_of(NETWORK)] for p in (victim, honest, forger)):
                    await trio.sleep(0.02)
                for number in range(12):
                    forged = bytearray(good)
                    forged[-1 - number] ^= 1
                    links[2].publish(bytes(forged))
                while not victim.ledger.banned(forger.peer_id(), trio.current_time()):
                    await trio.sleep(0.02)
                links[1].publish(good)
                while not inboxes[0].heard:
                    await trio.sleep(0.02)
            assert sum(inboxes[0].heard.values()) == 1 and not inboxes[1].heard
            assert not victim.ledger.strikes(honest.peer_id(), trio.current_time())
            nursery.cancel_scope.cancel()

    trio.run(scenario)
