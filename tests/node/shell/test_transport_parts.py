"""The parts of the transport that need no socket: ledger, gates, plans, queues, frames, book, supervisor."""

import itertools
import random
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from libp2p.pubsub.pb import rpc_pb2

from luminous.node.shell import reach
from luminous.node.shell.control_traffic import within_limits
from luminous.node.shell.frame_queue import FrameQueue
from luminous.node.shell.frames import FrameError, framed, split_frames
from luminous.node.shell.guards import (
    BAN_FIRST_S,
    PEERS_MAX,
    AddressGate,
    Bucket,
    Limits,
    Offence,
    PeerLedger,
    Rate,
)
from luminous.node.shell.peer_book import ADDRESSES_MAX, BANS_MAX, Ban, PeerBook
from luminous.node.shell.seen_ids import SeenIds
from luminous.node.shell.supervisor import leaves, supervise

# Frames -----------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=300), max_size=12), st.data())
@settings(max_examples=100)
def test_frames_survive_any_cutting(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(framed, messages))
    buffer, found = bytearray(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        buffer += stream[:size]
        stream = stream[size:]
        found += split_frames(buffer, 1000)
    assert found == messages and not buffer


@pytest.mark.parametrize("start", [b"\xff" * 5, framed(bytes(1001))[:2], b"\x80" * 6])
def test_an_announced_length_beyond_the_bound_is_refused_before_its_bytes_come(start: bytes) -> None:
    with pytest.raises(FrameError, match="oversized"):
        split_frames(bytearray(start), 1000)
    assert split_frames(bytearray(framed(bytes(1000))), 1000) == [bytes(1000)]


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_arbitrary_bytes_are_frames_or_an_offence(noise: bytes) -> None:
    try:
        frames = split_frames(bytearray(noise), 100)
    except FrameError as error:
        assert error.offence is Offence.OVERSIZED
    else:
        assert all(len(frame) <= 100 for frame in frames)


def test_the_queue_is_bounded_puts_control_first_and_joins_small_frames() -> None:
    async def scenario() -> None:
        queue = FrameQueue()
        assert queue.push_frame(b"data1") and queue.push_frame(b"data2")
        assert queue.push_frame(b"urgent", priority=True)
        assert await queue.take() == b"urgentdata1data2"
        assert all(queue.push_frame(b"x") for _ in range(queue.frames_max))
        assert not queue.push_frame(b"x") and queue.dropped == 1
        assert await queue.take() == b"x" * queue.frames_max
        assert queue.push_frame(bytes(queue.size_bytes_max)) and not queue.push_frame(b"x")
        assert len(await queue.take()) == queue.size_bytes_max
        queue.close()
        assert not queue.push_frame(b"x") and await queue.take() is None

    trio.run(scenario)


def test_seen_ids_are_bounded_by_number_and_age_and_asking_keeps_none_alive() -> None:
    now = [0.0]
    seen = SeenIds(10.0, 100, lambda: now[0])
    for number in range(150):
        assert seen.add(b"%d" % number)
    assert len(seen) == 100 and not seen.has(b"0") and seen.has(b"149") and not seen.add(b"149")
    for _ in range(9):
        now[0] += 1.0
        assert seen.has(b"149")
    now[0] += 1.0
    assert not seen.has(b"149") and seen.add(b"149") and len(seen) == 1


# Ledger -----------------------------------------------------------------------------------------------


def test_a_bucket_allows_its_burst_then_its_rate_and_forgives() -> None:
    bucket = Bucket(Rate(10.0, 50.0), 0.0)
    assert bucket.take(50, 0.0) == 0.0
    assert bucket.take(10, 0.0) == pytest.approx(1.0)
    assert bucket.take(0, 1.0) == 0.0
    assert bucket.take(50, 100.0) == 0.0


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 100)), max_size=60))
@settings(max_examples=100)
def test_no_pattern_gets_more_out_of_a_bucket_than_burst_and_rate(steps: list[tuple[float, float]]) -> None:
    bucket, now, taken = Bucket(Rate(10.0, 50.0), 0.0), 0.0, 0.0
    for pause, cost in steps:
        now += pause
        if bucket.take(cost, now) == 0.0:
            taken += cost
    assert taken <= 50.0 + 10.0 * now + 1e-6


def test_strikes_add_up_to_a_ban_that_ends_and_doubles() -> None:
    ledger = PeerLedger(Limits())
    assert not ledger.strike("p", Offence.MALFORMED, 0.0) and not ledger.strike("p", Offence.MALFORMED, 0.0)
    assert ledger.strike("p", Offence.MALFORMED, 0.0, "seen twice")
    assert ledger.banned("p", 1.0) == "malformed frame: seen twice"
    assert not ledger.banned("q", 1.0)
    assert not ledger.banned("p", BAN_FIRST_S + 1)
    ledger.ban("p", "again", 1000.0)
    assert ledger.banned("p", 1000.0 + BAN_FIRST_S + 1) and not ledger.banned("p", 1001.0 + 2 * BAN_FIRST_S)
    assert ledger.counters["bans"] == 2 and ledger.counters["offence.malformed"] == 3


def test_slow_offences_are_forgiven_and_good_work_raises_the_score() -> None:
    ledger = PeerLedger(Limits())
    assert not any(ledger.strike("p", Offence.BAD_SIGNATURE, 600.0 * hour) for hour in range(50))
    assert ledger.score("p", 1e6) == 0.0
    ledger.account("q").first_deliveries = 10**6
    assert ledger.score("q", 0.0) == 10.0
    ledger.strike("q", Offence.WINDOW, 0.0)
    assert ledger.score("q", 0.0) == -40.0


def test_throw_away_identities_do_not_grow_the_ledger_and_do_not_wash_out_bans() -> None:
    ledger = PeerLedger(Limits())
    ledger.ban("bad", "planted", 0.0)
    for number in range(PEERS_MAX + 500):
        ledger.debt_s(f"p{number}", "bytes_in", 10, 0.0)
    assert len(ledger._accounts) <= PEERS_MAX
    assert ledger.banned("bad", 1.0) == "planted"


def test_an_address_has_its_share_of_pending_and_open_connections() -> None:
    gate = AddressGate(Limits(pending_per_address_max=2, connections_per_address_max=3))
    assert gate.enter("192.0.2.1") and gate.enter("192.0.2.1") and not gate.enter("192.0.2.1")
    assert gate.enter("192.0.2.2")
    gate.proven("192.0.2.1")
    assert gate.enter("192.0.2.1")
    gate.proven("192.0.2.1")
    gate.proven("192.0.2.1")
    assert not gate.enter("192.0.2.1")
    gate.leave("192.0.2.1")
    assert gate.enter("192.0.2.1")
    assert all(gate.enter("127.0.0.1") for _ in range(100))
    strict = AddressGate(Limits(pending_per_address_max=2, count_loopback=True))
    assert [strict.enter("127.0.0.1") for _ in range(3)] == [True, True, False]


def test_control_traffic_is_cut_to_our_topics_and_rates() -> None:
    ledger, topics = PeerLedger(Limits()), frozenset({"ours"})
    control = rpc_pb2.ControlMessage(
        ihave=[
            rpc_pb2.ControlIHave(topicID="ours", messageIDs=[b"new", b"known", bytes(81)]),
            rpc_pb2.ControlIHave(topicID="invented", messageIDs=[b"new"]),
        ],
        graft=[rpc_pb2.ControlGraft(topicID="invented"), rpc_pb2.ControlGraft(topicID="ours")],
        prune=[rpc_pb2.ControlPrune(topicID="ours", backoff=2**63, peers=[rpc_pb2.PeerInfo(peerID=b"x")])],
    )
    kept = within_limits(control, ledger, "p", 0.0, topics, lambda mid: mid != b"known")
    assert [(h.topicID, list(h.messageIDs)) for h in kept.control.ihave] == [("ours", [b"new"])]
    assert [g.topicID for g in kept.control.graft] == ["ours"]
    assert kept.control.prune[0].backoff == 3600 and not kept.control.prune[0].peers
    flood = rpc_pb2.ControlMessage(iwant=[rpc_pb2.ControlIWant(messageIDs=[b"m"] * 20_000)])
    assert within_limits(flood, ledger, "p", 0.0, topics, lambda mid: True) is None
    storm = rpc_pb2.ControlMessage(graft=[rpc_pb2.ControlGraft(topicID="ours")] * 100)
    with pytest.raises(FrameError, match="control"):
        within_limits(storm, ledger, "q", 0.0, topics, lambda mid: True)


# Reach ------------------------------------------------------------------------------------------------


def test_parts_of_an_address() -> None:
    address = "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWx"
    assert (reach.host_of(address), reach.port_of(address), reach.peer_of(address)) == (
        "192.0.2.7",
        4001,
        "12D3KooWx",
    )
    assert (reach.host_of("/unix/x"), reach.port_of("/unix/x"), reach.peer_of("/unix/x")) == ("", 0, "")
    assert reach.address_group("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert reach.address_group("::ffff:192.0.2.1") == "192.0.2.1" and reach.address_group("::1") == "::1"
    assert (
        reach.subnet("192.0.2.7") == "192.0.2.0/24" and reach.subnet("2001:db8:1:2::9") == "2001:db8:1::/48"
    )
    assert reach.subnet("127.0.0.1") == "" and reach.subnet("name.example") == ""
    assert reach.expanded("/ip4/0.0.0.0/tcp/1", ["127.0.0.1", "192.0.2.7", "fe80::1%eth0"]) == (
        "/ip4/192.0.2.7/tcp/1",
    )


def test_a_crowded_subnet_gives_way_only_to_others() -> None:
    mesh = {f"a{n}": "10.0.0.0/24" for n in range(5)} | {"local": ""}
    assert reach.overcrowded(mesh, {}, 2, 6) == ()
    assert reach.overcrowded(mesh, {"a9": "10.0.0.0/24"}, 2, 6) == ()
    others = {"b1": "10.0.1.0/24", "b2": "10.0.1.0/24", "b3": "10.0.1.0/24", "c1": "10.0.2.0/24"}
    assert reach.overcrowded(mesh, others, 2, 6) == (("a2", "b1"), ("a3", "b2"), ("a4", "c1"))
    assert reach.overcrowded(mesh, {}, 2, 4) == (("a2", ""), ("a3", ""))
    assert reach.overcrowded({"a": "10.0.0.0/24", "b": "10.0.0.0/24"}, others, 2, 0) == ()


@given(
    st.dictionaries(st.integers(0, 40).map(str), st.integers(0, 4).map(str), max_size=12),
    st.dictionaries(st.integers(50, 90).map(str), st.integers(0, 4).map(str), max_size=12),
)
@settings(max_examples=100)
def test_diversity_keeps_the_size_and_never_crowds_another_subnet(
    mesh: dict[str, str], others: dict[str, str]
) -> None:
    swaps = reach.overcrowded(mesh, others, 2, 4)
    after = dict(mesh)
    for out, into in swaps:
        del after[out]
        if into:
            after[into] = others[into]
    assert len(after) >= min(len(mesh), 4)
    for net in set(after.values()):
        before = sum(1 for n in mesh.values() if n == net)
        assert sum(1 for n in after.values() if n == net) <= max(2, before)


def test_a_bootstrap_address_is_tried_for_ever_with_growing_pauses_and_others_are_not() -> None:
    plan = reach.DialPlan(["/ip4/192.0.2.1/tcp/1/p2p/B"], random.Random(1), 0.0)
    plan.add("/ip4/192.0.2.2/tcp/1/p2p/O", 0.0)
    now, dials = 0.0, {"B": [], "O": []}
    while now < 7200:
        for address in plan.due([], 2, now):
            dials[reach.peer_of(address)].append(now)
            plan.failed(address, now)
        now += 0.5
    assert len(dials["O"]) == 10 and len(dials["B"]) > 20
    pauses = [b - a for a, b in itertools.pairwise(dials["B"])]
    assert pauses[0] <= 2 and max(pauses) <= reach.BACK_OFF_MAX_S * 1.5 + 1 and pauses[-1] > 100
    assert plan.due(["B"], 2, now) == ()


def test_the_book_keeps_what_worked_forgets_what_fails_and_survives_damage(tmp_path: Path) -> None:
    path = tmp_path / "peers.sqlite"
    book = PeerBook(path)
    for number in range(ADDRESSES_MAX + 20):
        book.reached(f"/ip4/192.0.2.1/tcp/{number}", number)
    assert len(book.addresses(10_000)) == ADDRESSES_MAX
    best = book.addresses(1)[0]
    assert best == f"/ip4/192.0.2.1/tcp/{ADDRESSES_MAX + 19}"
    for _ in range(10):
        book.failed(best)
    book.reached("x" * 300, 10**9)
    assert best not in book.addresses(10_000) and "x" * 300 not in book.addresses(10_000)
    book.close()
    book.reached("after closing", 1)  # a lost file costs an address, nothing else
    path.write_bytes(b"not a database" * 1000)
    (tmp_path / "peers.sqlite-wal").unlink(missing_ok=True)
    again = PeerBook(path)
    again.reached("/ip4/192.0.2.9/tcp/1", 5)
    assert again.addresses() == ("/ip4/192.0.2.9/tcp/1",)


def test_the_book_keeps_the_longer_ban_and_forgets_those_that_ended(tmp_path: Path) -> None:
    book = PeerBook(tmp_path / "peers.sqlite")
    for ban in (
        Ban("a", "short", 50),
        Ban("b", "long", 500),
        Ban("b", "shorter", 100),
        Ban("c", "x" * 999, None),
    ):
        book.ban(ban)
    book.ban(Ban("c", "for a while", 10**15))
    assert book.bans(60) == (Ban("b", "long", 500), Ban("c", "x" * 200, None))
    assert book.pardon("c") and not book.pardon("c") and not book.pardon("a")
    for number in range(BANS_MAX + 5):
        book.ban(Ban(f"p{number:05}", "", 1000 + number))
    kept = book.bans(60)
    assert len(kept) == BANS_MAX and kept[0].peer == "p00005"


# Supervisor -------------------------------------------------------------------------------------------


def test_the_supervisor_restarts_slower_each_time_and_ends_on_a_fatal_error() -> None:
    async def scenario() -> list[float]:
        times: list[float] = []

        async def live() -> None:
            times.append(trio.current_time())
            raise OSError("fatal") if len(times) == 5 else ExceptionGroup("g", [ValueError("v")])

        fell: list[BaseException] = []
        with pytest.raises(OSError, match="fatal"):
            await supervise(live, fell=fell.append, is_fatal=lambda error: isinstance(error, OSError))
        assert [type(leaf) for error in fell for leaf in leaves(error)] == [ValueError] * 4
        return times

    times = trio.run(scenario, clock=trio.testing.MockClock(autojump_threshold=0))
    pauses = [b - a for a, b in itertools.pairwise(times)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8])


def test_the_supervisor_lets_cancellation_through() -> None:
    async def scenario() -> bool:
        with trio.move_on_after(0.01) as scope:
            await supervise(trio.sleep_forever, fell=lambda error: None)
        return scope.cancelled_caught

    assert trio.run(scenario)
