"""Records reach everybody through sync alone; its rhythm; hostile partners; planted faults."""

from bisect import insort
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.entropy import SeededEntropy
from luminous.node.core.instant import Instant
from luminous.node.core.peers import session as session_module
from luminous.node.core.peers import sync as sync_module
from luminous.node.core.peers.outcomes import Ask, Ended
from luminous.node.core.peers.session import Session
from luminous.node.core.peers.sync import Sync
from luminous.protocol.envelope import envelope_id
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.limits import (
    SYNC_IDS_MAX,
    SYNC_PEERS_MAX,
    SYNC_RESPONSE_SIZE_BYTES_MAX,
    SYNC_SERVED_BYTES_PER_MINUTE_MAX,
)
from luminous.protocol.ranges import INFINITY, MessageWriter
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.sync_messages import (
    Denied,
    Envelopes,
    Fetch,
    Offer,
    Reconcile,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)

NETWORK = NetworkId(bytes(16))


class Shelf:
    """Held records: raw bytes whose first eight are their time."""

    def __init__(self) -> None:
        self.by_id: dict[bytes, bytes] = {}
        self.order: list[tuple[int, bytes]] = []
        self.refuses: frozenset[bytes] = frozenset()

    def add(self, raw: bytes) -> None:
        identifier = envelope_id(raw)
        if identifier not in self.by_id and raw not in self.refuses:
            self.by_id[identifier] = raw
            insort(self.order, (int.from_bytes(raw[:8], "big"), identifier))

    def ids_sorted(self) -> Sequence[tuple[int, bytes]]:
        return self.order

    def raw(self, identifier: bytes) -> bytes | None:
        return self.by_id.get(identifier)

    def digest(self) -> bytes:
        return sha256(b"".join(identifier for _, identifier in self.order)).digest()


def record(time_ms: int, label: int, size_bytes: int = 60) -> bytes:
    return (time_ms.to_bytes(8, "big") + label.to_bytes(8, "big")).ljust(size_bytes, b".")


def instant(ms: int) -> Instant:
    return Instant("boot", ms, 1_000_000_000 + ms)


def hold(asker: Sync, mine: Shelf, ask: Ask, answerer: Sync, theirs: Shelf, ms: int) -> Ended:
    """A whole dialogue, in no time. The answering peer knows the asker as "asker"."""
    dialogue = asker.open(ask, mine, instant(ms))
    while (request := dialogue.next_request(instant(ms))) is not None:
        for raw in dialogue.on_response(answerer.serve("asker", request, theirs, instant(ms))):
            mine.add(raw)
    return asker.close(dialogue, instant(ms))


def pair() -> tuple[Sync, Shelf, Sync, Shelf]:
    return (
        Sync(NETWORK, SeededEntropy(b"a")),
        Shelf(),
        Sync(NETWORK, SeededEntropy(b"b")),
        Shelf(),
    )


class Cluster:
    """Nodes that have nothing but sync. ``are_apart(a, b)``: no dialogue between them."""

    def __init__(self, size: int, seed: int, loss: float = 0.0) -> None:
        self.random = Random(seed)
        self.loss = loss
        self.names = [f"peer{index:02}" for index in range(size)]
        self.syncs = {name: Sync(NETWORK, SeededEntropy(name.encode())) for name in self.names}
        self.shelves = {name: Shelf() for name in self.names}
        self.cut: frozenset[str] = frozenset()
        self.now_ms = 0
        self.dialogues = 0
        self.size_bytes = 0

    def link(self, one: str, other: str) -> None:
        self.syncs[one].peer_joined(other, instant(self.now_ms))
        self.syncs[other].peer_joined(one, instant(self.now_ms))

    def run(self, for_ms: int, step_ms: int = 1000) -> None:
        for _ in range(for_ms // step_ms):
            self.now_ms += step_ms
            for name in self.names:
                for ask in self.syncs[name].tick(instant(self.now_ms)):
                    self.dialogue(name, ask)

    def dialogue(self, name: str, ask: Ask) -> None:
        at = instant(self.now_ms)
        dialogue = self.syncs[name].open(ask, self.shelves[name], at)
        while (request := dialogue.next_request(at)) is not None:
            is_lost = (name in self.cut) != (ask.peer in self.cut) or self.random.random() < self.loss
            theirs = self.shelves[ask.peer]
            answer = None if is_lost else self.syncs[ask.peer].serve(name, request, theirs, at)
            for raw in dialogue.on_response(answer):
                self.shelves[name].add(raw)
        self.size_bytes += self.syncs[name].close(dialogue, at).size_bytes
        self.dialogues += 1

    def digests(self) -> set[bytes]:
        return {shelf.digest() for shelf in self.shelves.values()}


def ring_of(size: int, seed: int, loss: float = 0.0) -> Cluster:
    cluster = Cluster(size, seed, loss)
    for index in range(size):
        cluster.link(cluster.names[index], cluster.names[(index + 1) % size])
        cluster.link(cluster.names[index], cluster.names[(index + 3) % size])
    return cluster


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_a_cut_network_converges_after_healing_and_not_before(loss: float) -> None:
    cluster = ring_of(10, 1, loss)
    cluster.cut = frozenset(cluster.names[:5])
    for index, name in enumerate(cluster.names):
        for label in range(30):
            cluster.shelves[name].add(record(1000 * label + index, label))
    cluster.run(3_600_000, step_ms=5000)
    assert len(cluster.digests()) == 2
    cluster.cut = frozenset()
    for sync in cluster.syncs.values():
        sync.woke(instant(cluster.now_ms))
    cluster.run(900_000, step_ms=5000)
    assert len(cluster.digests()) == 1
    assert len(cluster.shelves["peer00"].order) == 300


def test_one_new_record_reaches_all_from_deep_quiet() -> None:
    cluster = ring_of(10, 2)
    cluster.run(3_600_000, step_ms=5000)
    before = cluster.dialogues
    cluster.run(3_600_000, step_ms=5000)
    assert (cluster.dialogues - before) / 10 <= 3600 / 300  # at most one in five minutes each
    cluster.shelves["peer04"].add(record(5, 5))
    cluster.run(1_200_000, step_ms=5000)
    assert len(cluster.digests()) == 1 and cluster.shelves["peer09"].order


def test_without_offers_a_record_spreads_by_pulls_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SYNC_IDS_MAX", 1)
    cluster = ring_of(6, 3)
    for label in range(40):
        cluster.shelves["peer02"].add(record(label, label))
    cluster.run(300_000)
    assert len(cluster.digests()) == 1


def test_a_dialogue_brings_what_is_missing_and_offers_what_the_other_lacks() -> None:
    one, mine, other, theirs = pair()
    for label in range(100):
        mine.add(record(label, label))
        theirs.add(record(label + 50, label + 50))
    one.peer_joined("p", instant(0))
    ended = hold(one, mine, Ask("p"), other, theirs, 0)
    assert (ended.received, ended.offered, ended.withheld) == (50, 50, 0)
    assert ended.is_caught_up and not ended.is_equal
    (ask,) = other.tick(instant(10))
    assert ask.peer == "asker" and len(ask.wanted) == 50
    ended = hold(other, theirs, ask, one, mine, 10)
    assert ended.received == 50
    assert mine.digest() == theirs.digest()
    ended = hold(one, mine, Ask("p"), other, theirs, 20)
    assert ended.is_equal and ended.is_caught_up and ended.received == 0


def test_large_envelopes_take_several_bounded_answers() -> None:
    one, mine, other, theirs = pair()
    for label in range(40):
        theirs.add(record(label, label, 60_000))
    dialogue = one.open(Ask("p"), mine, instant(0))
    largest = 0
    while (request := dialogue.next_request(instant(0))) is not None:
        answer = other.serve("asker", request, theirs, instant(0))
        largest = max(largest, len(answer))
        for raw in dialogue.on_response(answer):
            mine.add(raw)
    assert one.close(dialogue, instant(0)).is_caught_up
    assert mine.digest() == theirs.digest()
    assert largest <= SYNC_RESPONSE_SIZE_BYTES_MAX + 4096


def test_an_envelope_that_is_refused_is_fetched_once() -> None:
    one, mine, other, theirs = pair()
    unwelcome = record(1, 1)
    theirs.add(unwelcome)
    mine.refuses = frozenset({unwelcome})
    assert hold(one, mine, Ask("p"), other, theirs, 0).received == 1
    again = hold(one, mine, Ask("p"), other, theirs, 10_000)
    assert again.received == 0 and again.is_equal
    much_later = hold(one, mine, Ask("p"), other, theirs, 1_300_000)
    assert much_later.received == 0  # noticed as stale only when the next dialogue ends
    assert hold(one, mine, Ask("p"), other, theirs, 1_300_001).received == 1


# Rhythm


def test_a_joining_peer_is_asked_within_a_second() -> None:
    sync = Sync(NETWORK, SeededEntropy(b"x"))
    assert sync.deadline() is None
    sync.peer_joined("p", instant(1000))
    deadline = sync.deadline()
    assert deadline is not None and 1000 <= deadline < 2000
    assert sync.tick(instant(999)) == ()
    assert sync.tick(instant(2000)) == (Ask("p"),)


def equal_rounds(count: int) -> list[int]:
    """When a node with one equal peer asks it."""
    one, mine, other, theirs = pair()
    one.peer_joined("p", instant(0))
    asked: list[int] = []
    while len(asked) < count:
        deadline = one.deadline()
        assert deadline is not None
        for ask in one.tick(instant(deadline)):
            asked.append(deadline)
            hold(one, mine, ask, other, theirs, deadline)
    return asked


def test_rounds_back_off_to_ten_minutes_while_all_is_equal() -> None:
    asked = equal_rounds(14)
    pauses = [after - before for before, after in pairwise(asked)]
    assert 5_000 <= pauses[0] <= 60_000
    assert pauses[-1] == 600_000
    assert max(pauses) == 600_000


def test_rounds_stay_short_while_records_keep_differing() -> None:
    one, mine, other, theirs = pair()
    one.peer_joined("p", instant(0))
    asked: list[int] = []
    while len(asked) < 10:
        deadline = one.deadline()
        assert deadline is not None
        for ask in one.tick(instant(deadline)):
            asked.append(deadline)
            theirs.add(record(deadline, deadline))
            hold(one, mine, ask, other, theirs, deadline)
    assert max(after - before for before, after in pairwise(asked)) <= 30_000


def test_three_peers_are_asked_in_the_minute_before_a_closing_and_none_without_one() -> None:
    for expects in (True, False):
        one, mine, other, theirs = pair()
        for name in "abcdefgh":
            one.peer_joined(name, instant(0))
        ms = 0
        while ms < 7_200_000:  # into deep quiet
            ms += 30_000
            for ask in one.tick(instant(ms)):
                hold(one, mine, ask, other, theirs, ms)
        closes_ms = ms + 400_000
        if expects:
            one.expect([1_000_000_000 + closes_ms])
        asked: set[str] = set()
        while ms < closes_ms:
            ms += 1000
            for ask in one.tick(instant(ms)):
                hold(one, mine, ask, other, theirs, ms)
                if ms >= closes_ms - 60_000:
                    asked.add(ask.peer)
        assert (len(asked) >= 3) is expects


def test_at_most_three_dialogues_at_once_and_a_closed_one_makes_room() -> None:
    sync = Sync(NETWORK, SeededEntropy(b"x"))
    for index in range(10):
        sync.peer_joined(f"p{index}", instant(0))
    asks = sync.tick(instant(5000))
    assert len(asks) == 3
    assert sync.tick(instant(60_000)) == ()
    dialogue = sync.open(asks[0], Shelf(), instant(60_000))
    dialogue.on_response(None)
    sync.close(dialogue, instant(60_000))
    assert len(sync.tick(instant(60_001))) == 1


def test_dialogues_that_the_body_forgot_free_their_places() -> None:
    sync = Sync(NETWORK, SeededEntropy(b"x"))
    for index in range(10):
        sync.peer_joined(f"p{index}", instant(0))
    wanted = (bytes(32),)
    for ask in sync.tick(instant(5000)):
        sync.open(Ask(ask.peer, wanted), Shelf(), instant(5000)).next_request(instant(5000))
    assert sync.tick(instant(200_000)) == ()
    asks = sync.tick(instant(300_000))
    assert len(asks) == 3
    again = sync.open(Ask(asks[0].peer, wanted), Shelf(), instant(300_000))
    assert again.next_request(instant(300_000)) is not None  # its ids are no longer under way


def pauses_after(answer: bytes | None) -> list[int]:
    """How long a node waits between dialogues with a peer that always answers like this."""
    sync = Sync(NETWORK, SeededEntropy(b"x"))
    sync.peer_joined("p", instant(0))
    asked: list[int] = []
    for ms in range(0, 7_200_000, 1000):
        for ask in sync.tick(instant(ms)):
            asked.append(ms)
            dialogue = sync.open(ask, Shelf(), instant(ms))
            assert dialogue.next_request(instant(ms)) is not None
            dialogue.on_response(answer)
            assert sync.close(dialogue, instant(ms)).refused is not None
    return [after - before for before, after in pairwise(asked)]


def test_liars_are_asked_ever_more_rarely_and_silent_peers_within_a_minute_or_so() -> None:
    lied_to = pauses_after(b"not an answer")
    assert lied_to[0] >= 20_000 and lied_to[-1] >= 600_000
    silence = pauses_after(None)
    assert pauses_after(b"") == silence
    assert silence[0] >= 20_000 and 60_000 <= silence[-1] <= 100_000


@pytest.mark.parametrize("silent_ms_max", [sync_module.SILENT_MS_MAX, sync_module.QUIET_MS_MAX])
def test_a_healed_link_is_noticed_within_two_minutes_also_from_deep_quiet(
    monkeypatch: pytest.MonkeyPatch, silent_ms_max: int
) -> None:
    """And is not, where silence changes no rhythm."""
    monkeypatch.setattr(sync_module, "SILENT_MS_MAX", silent_ms_max)
    one, mine, other, theirs = pair()
    one.peer_joined("p", instant(0))
    now_ms, agreed = 0, 0
    while agreed < 12:  # until the next round is ten minutes away
        now_ms = one.deadline() or now_ms
        for ask in one.tick(instant(now_ms)):
            hold(one, mine, ask, other, theirs, now_ms)
            agreed += 1
    theirs.add(record(now_ms, 1))
    one.expect([1_000_000_000 + now_ms + 60_000])  # a closing makes it ask, and the link is cut
    heals_ms = now_ms + 100_000
    asked: list[int] = []
    for ms in range(now_ms + 1000, heals_ms + 120_000, 1000):
        for ask in one.tick(instant(ms)):
            asked.append(ms)
            if ms >= heals_ms:
                hold(one, mine, ask, other, theirs, ms)
            else:
                dialogue = one.open(ask, mine, instant(ms))
                dialogue.next_request(instant(ms))
                dialogue.on_response(None)
                one.close(dialogue, instant(ms))
    assert asked[0] < heals_ms, "it noticed the silence"
    assert (mine.by_id == theirs.by_id) is (silent_ms_max < sync_module.QUIET_MS_MAX)


def test_a_silent_peer_that_asks_is_asked_at_once() -> None:
    for asks in (True, False):
        sync = Sync(NETWORK, SeededEntropy(b"x"))
        sync.peer_joined("p", instant(0))
        for _ in range(3):
            dialogue = sync.open(Ask("p"), Shelf(), instant(1000))
            dialogue.on_response(None)
            sync.close(dialogue, instant(1000))
        if asks:
            sync.serve("p", encode_request(NETWORK, Fetch((bytes(32),))), Shelf(), instant(7000))
        assert bool(sync.tick(instant(8000))) is asks


def test_peers_are_bounded() -> None:
    sync = Sync(NETWORK, SeededEntropy(b"x"))
    for index in range(SYNC_PEERS_MAX + 50):
        sync.peer_joined(f"p{index}", instant(0))
        sync.serve(f"q{index}", encode_request(NETWORK, Fetch((bytes(32),))), Shelf(), instant(0))
    assert len(sync._peers) == SYNC_PEERS_MAX


# Hostile partners


def open_session(wanted: tuple[bytes, ...] = ()) -> Session:
    return Sync(NETWORK, SeededEntropy(b"x")).open(Ask("p", wanted), Shelf(), instant(0))


def ended_with(dialogue: Session, *answers: bytes) -> Ended:
    for answer in answers:
        assert dialogue.next_request(instant(0)) is not None
        assert dialogue.on_response(answer) == ()
    assert dialogue.next_request(instant(0)) is None
    return dialogue.end()


def test_an_envelope_nobody_asked_for_is_not_returned() -> None:
    wanted = envelope_id(record(1, 1))
    ended = ended_with(open_session((wanted,)), encode_answer(Envelopes(1, (record(2, 2),))))
    assert ended.refused is not None and ended.received == 0
    honest = open_session((wanted,))
    assert honest.next_request(instant(0)) is not None
    assert honest.on_response(encode_answer(Envelopes(1, (record(1, 1),)))) == (record(1, 1),)


def test_the_same_envelope_twice_is_refused() -> None:
    raw = record(1, 1)
    answer = encode_answer(Envelopes(1, (raw, raw)))
    assert ended_with(open_session((envelope_id(raw),)), answer).refused is not None


@pytest.mark.parametrize("considered", [0, 2, 200])
def test_a_fetch_that_goes_nowhere_ends(considered: int) -> None:
    answer = encode_answer(Envelopes(considered, ()))
    assert ended_with(open_session((bytes(32),)), answer).refused is not None


def test_an_answer_to_another_question_ends_the_dialogue() -> None:
    assert ended_with(open_session(), encode_answer(Envelopes(1, ()))).refused is not None
    assert ended_with(open_session((bytes(32),)), encode_answer(Reconcile(b"a"))).refused is not None
    assert ended_with(open_session(), encode_answer(Denied(Reason.TOO_MANY))).refused == Refused(
        Reason.TOO_MANY, "said the peer"
    )


def test_a_peer_that_claims_and_never_gives_counts_as_failed() -> None:
    sync = Sync(NETWORK, SeededEntropy(b"x"))
    sync.peer_joined("p", instant(0))
    (ask,) = sync.tick(instant(1000))
    dialogue = sync.open(ask, Shelf(), instant(1000))
    claims = MessageWriter()
    claims.id_list(INFINITY, [bytes([label]) * 32 for label in range(10)])
    ended = ended_with(dialogue, encode_answer(Reconcile(claims.finish())), encode_answer(Envelopes(10, ())))
    assert ended.withheld == 10 and not ended.is_caught_up and not ended.is_equal
    sync.close(dialogue, instant(1000))
    assert all(not sync.tick(instant(ms)) for ms in range(2000, 20_000, 1000))


def test_a_slow_dialogue_is_ended() -> None:
    dialogue = open_session()
    assert dialogue.next_request(instant(119_000)) is not None
    assert dialogue.next_request(instant(121_000)) is None


def test_two_dialogues_do_not_fetch_the_same_envelope() -> None:
    sync = Sync(NETWORK, SeededEntropy(b"x"))
    wanted = (envelope_id(record(1, 1)),)
    first = sync.open(Ask("p", wanted), Shelf(), instant(0))
    second = sync.open(Ask("q", wanted), Shelf(), instant(0))
    assert first.next_request(instant(0)) is not None
    assert second.next_request(instant(0)) is None
    first.on_response(None)
    sync.close(first, instant(0))
    sync.close(second, instant(0))
    third = sync.open(Ask("r", wanted), Shelf(), instant(0))
    assert third.next_request(instant(0)) is not None


def test_downloads_are_bounded_for_each_peer_and_minute() -> None:
    sync, shelf = Sync(NETWORK, SeededEntropy(b"x")), Shelf()
    for label in range(20):
        shelf.add(record(label, label, 60_000))
    request = encode_request(NETWORK, Fetch(tuple(identifier for _, identifier in shelf.order)))
    served = 0
    while len(answer := sync.serve("greedy", request, shelf, instant(0))) > 100:
        served += len(answer)
    assert served <= SYNC_SERVED_BYTES_PER_MINUTE_MAX + SYNC_RESPONSE_SIZE_BYTES_MAX + 4096
    assert len(sync.serve("honest", request, shelf, instant(0))) > 100
    assert len(sync.serve("greedy", request, shelf, instant(60_000))) > 100


def test_another_network_is_told_nothing() -> None:
    sync, shelf = Sync(NETWORK, SeededEntropy(b"x")), Shelf()
    shelf.add(record(1, 1))
    foreign = encode_request(NetworkId(b"f" * 16), Fetch((shelf.order[0][1],)))
    assert decode_answer(sync.serve("p", foreign, shelf, instant(0))) == Denied(Reason.FOREIGN_NETWORK)
    own = encode_request(NETWORK, Fetch((shelf.order[0][1],)))
    assert decode_answer(sync.serve("p", own, shelf, instant(0))) == Envelopes(1, (record(1, 1),))


def test_offers_are_bounded_and_only_of_what_is_missing() -> None:
    sync, shelf = Sync(NETWORK, SeededEntropy(b"x")), Shelf()
    shelf.add(record(1, 1))
    held = shelf.order[0][1]
    answer = sync.serve("p", encode_request(NETWORK, Offer((held, bytes(32), bytes(32)))), shelf, instant(0))
    assert decode_answer(answer) == Offer((bytes(32),))
    flood = tuple(label.to_bytes(32, "big") for label in range(SYNC_IDS_MAX + 1))
    refused = decode_request(NETWORK, encode_request(NETWORK, Offer(flood)))
    assert isinstance(refused, Refused)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.sampled_from([1, 2, 3, 4]))
def test_no_bytes_raise(body: bytes, tag: int) -> None:
    sync, shelf = Sync(NETWORK, SeededEntropy(b"x")), Shelf()
    shelf.add(record(1, 1))
    framed = encode_request(NETWORK, Reconcile(body or b"\0"))
    for data in (body, framed, framed[:-1] + bytes((tag,))):
        assert not isinstance(decode_answer(sync.serve("p", data, shelf, instant(0))), Refused)
    for data in (body, encode_answer(Reconcile(body or b"\0"))):
        dialogue = open_session()
        dialogue.next_request(instant(0))
        dialogue.on_response(data)
        dialogue.end()


# Planted faults


def converges() -> bool:
    cluster = ring_of(6, 4)
    for index, name in enumerate(cluster.names):
        for label in range(20):
            cluster.shelves[name].add(record(1000 * label + index, label))
    cluster.run(600_000, step_ms=5000)
    return len(cluster.digests()) == 1 and len(cluster.shelves["peer00"].order) == 120


def give_all_but_the_first(ids: tuple[bytes, ...], held: Shelf) -> Envelopes:
    raws = [held.raw(identifier) for identifier in ids]
    return Envelopes(len(ids), tuple(raw for raw in raws[1:] if raw is not None))


def test_faults_of_the_fetch_and_of_the_schedule_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert converges()
    with monkeypatch.context() as planted:
        planted.setattr(sync_module, "_give", give_all_but_the_first)
        assert not converges()
    with monkeypatch.context() as planted:
        planted.setattr(Session, "_collect", lambda self, answer: ())
        assert not converges()
    with monkeypatch.context() as planted:
        planted.setattr(Sync, "_is_due", lambda self, peer, at: False)
        planted.setattr(Sync, "_pause_ms", lambda self: 10**9)
        assert not converges()
