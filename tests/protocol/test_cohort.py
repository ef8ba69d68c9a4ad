"""Secure aggregation: exact with dropouts up to a third, clean abort beyond, never both shares."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto import masking
from luminous.crypto.digest import digest
from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.masking import add, derive_pair_key, mask, public_of, sign_of, stream, unmask
from luminous.protocol.cohort import Member, build_graph, finish
from luminous.protocol.identifiers import AuthorId

CONTEXT = b"network/window/cohort"


def author(n: int) -> AuthorId:
    return AuthorId(digest("cohort-test", n.to_bytes(4, "big")))


class Run:
    """A cohort that has dealt its shares, with vectors of its own."""

    def __init__(self, size: int, dimension: int, seed: int = 1) -> None:
        chance = random.Random(seed)
        authors = [author(n) for n in range(size)]
        self.graph = build_graph(authors, b"beacon")
        self.members = {a: Member(a, self.graph, CONTEXT, SeededEntropy(a + bytes([seed]))) for a in authors}
        self.publics = {a: member.public for a, member in self.members.items()}
        self.dealings = {a: member.deal(self.publics) for a, member in self.members.items()}
        for a, member in self.members.items():
            for peer in self.graph[a]:
                assert member.accept(self.dealings[peer])
        self.values = {a: [chance.randrange(-(10**6), 10**6) for _ in range(dimension)] for a in authors}

    def masked(self, absent: set[AuthorId]) -> dict[AuthorId, bytes]:
        dealers = tuple(sorted(self.members))
        return {
            a: member.contribute(self.values[a], dealers)
            for a, member in self.members.items()
            if a not in absent
        }

    def total(self, absent: set[AuthorId], silent: int = 0) -> tuple[int, ...] | None:
        sent = self.masked(absent)
        reveals = [self.members[a].reveal(tuple(sent)) for a in sorted(sent)][silent:]
        given = [reveal for reveal in reveals if reveal is not None]
        return finish(sent, self.dealings, self.publics, given, self.graph, CONTEXT)

    def expected(self, absent: set[AuthorId]) -> tuple[int, ...]:
        rows = [row for a, row in self.values.items() if a not in absent]
        return tuple(map(sum, zip(*rows, strict=True)))


@settings(max_examples=12, deadline=None)
@given(st.integers(3, 12), st.data())
def test_the_sum_is_exact_with_up_to_a_third_gone(size: int, data: st.DataObject) -> None:
    run = Run(size, 16)
    gone = data.draw(st.integers(0, (size - 1) // 3))
    absent = set(data.draw(st.permutations(sorted(run.members)))[:gone])
    if size - gone >= 3:
        assert run.total(absent) == run.expected(absent)


def test_sixteen_with_five_gone_and_one_more_aborts() -> None:
    authors = [author(n) for n in range(16)]
    five, six = set(authors[:5]), set(authors[:6])
    run = Run(16, 64)
    assert run.total(five) == run.expected(five)
    assert Run(16, 64).total(six) is None
    assert Run(16, 64).total(set(), silent=6) is None


def test_a_hundred_on_a_drawn_graph_with_ten_gone() -> None:
    run = Run(100, 16)
    assert all(14 <= len(neighbours) <= 20 for neighbours in run.graph.values())
    absent = {author(n) for n in range(10)}
    assert run.total(absent) == run.expected(absent)


def test_what_a_member_sends_says_nothing_about_its_vector() -> None:
    """Bytes of a masked vector of zeros are uniform; unmasked they would all be zero."""
    run = Run(4, 4096)
    one = author(0)
    sent = run.members[one].contribute([0] * 4096, tuple(run.members))
    counts = Counter(sent)
    statistic = sum((counts[b] - 64) ** 2 / 64 for b in range(256))
    assert 160 < statistic < 370  # chi-square with 255 degrees of freedom
    assert sent != run.members[one].contribute([1] * 4096, tuple(run.members))


def test_never_both_shares_of_one_peer() -> None:
    run = Run(6, 4)
    everyone = sorted(run.members)
    member = run.members[everyone[0]]
    first = member.reveal(everyone[:5])
    assert first is not None
    assert not set(first.seed_shares) & set(first.key_shares)
    assert member.reveal(everyone) is None and member.reveal(everyone[:4]) is None
    assert member.reveal(everyone[:5]) == first


def test_a_member_that_answers_twice_would_unmask_one_vector() -> None:
    """The mutant forgets that it answered: both secrets of a survivor come out, and so does its vector."""
    run = Run(6, 4)
    victim, everyone = author(2), sorted(run.members)
    sent = run.masked(set())
    shares: dict[str, dict[int, bytes]] = {"seed": {}, "key": {}}
    for a in everyone:
        if a == victim:
            continue
        member, place = run.members[a], run.graph[victim].index(a) + 1
        with_it = member.reveal(everyone)
        member._reveal = None
        without = member.reveal([x for x in everyone if x != victim])
        assert with_it is not None and without is not None
        shares["seed"][place] = with_it.seed_shares[victim]
        shares["key"][place] = without.key_shares[victim]
    from luminous.crypto.secret_sharing import recover

    dealing = run.dealings[victim]
    keys = [(recover(shares["seed"], 4, dealing.seed.commitments, dealing.seed.secret_mark), 1)]
    private = recover(shares["key"], 4, dealing.key.commitments, dealing.key.secret_mark)
    assert private is not None and keys[0][0] is not None
    for peer in run.graph[victim]:
        pair = derive_pair_key(private, run.publics[victim], run.publics[peer], CONTEXT)
        keys.append((pair, sign_of(run.publics[victim], run.publics[peer])))
    assert unmask(sent[victim], keys) == tuple(run.values[victim])  # type: ignore[arg-type]


def test_a_tampered_box_is_not_accepted() -> None:
    run = Run(4, 4)
    one, two = sorted(run.members)[:2]
    dealing = run.dealings[two]
    boxes = {**dealing.boxes, one: bytes(len(dealing.boxes[one]))}
    assert not run.members[one].accept(type(dealing)(two, boxes, dealing.key, dealing.seed))


def test_pair_keys_agree_use_all_bits_and_depend_on_the_window() -> None:
    a, b = bytes([1]) * 32, bytes([2]) * 32
    one, two = public_of(a), public_of(b)
    assert derive_pair_key(a, one, two, b"w1") == derive_pair_key(b, two, one, b"w1")
    assert derive_pair_key(a, one, two, b"w1") != derive_pair_key(a, one, two, b"w2")
    assert sign_of(one, two) == -sign_of(two, one)
    key = bytearray(32)
    base = stream(bytes(key), 64)
    for position in range(32):  # a fold to 32 bits, as elsewhere in use, would make some of these equal
        key[position] ^= 1
        assert stream(bytes(key), 64) != base
        key[position] ^= 1


def test_masking_twice_with_one_key_is_caught() -> None:
    """Why every window has its own keys: with one key, the difference of two masked vectors is bare."""
    key = bytes(32)
    one, two = mask([5, 6], [(key, 1)]), mask([9, 9], [(key, 1)])
    assert unmask(add([one, masking.mask([0, 0], [])]), [(key, 1)]) == (5, 6)
    assert unmask(add([two]), [(key, 1)]) == (9, 9)
    assert int.from_bytes(two[:4], "little") - int.from_bytes(one[:4], "little") in (4, 4 - 2**32)


@pytest.mark.parametrize("size", [2, 3])
def test_fewer_than_three_make_no_sum(size: int) -> None:
    assert (Run(size, 4).total(set()) is None) == (size < 3)
