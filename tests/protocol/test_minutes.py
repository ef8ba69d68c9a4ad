"""The records of Minutes survive the codec, and the count depends on nothing but the agreed Reports."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.protocol import minutes_count
from luminous.protocol.ballots import Cast, Choice, chains_of
from luminous.protocol.codec import decode, encode
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.minutes import (
    FINAL,
    HEADS,
    LEAD,
    NO_PARENT,
    REPORT,
    VOTE,
    Entry,
    Final,
    Heads,
    Lead,
    Report,
    Row,
    Vote,
    freeze,
    heads_digest,
)
from luminous.protocol.minutes_count import BEGINNING, Book, Minutes, Missing, derive
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.protocol.reasons import Refused
from luminous.protocol.roll import Roll
from luminous.protocol.schema import Schema
from luminous.protocol.simplex import leader_of, timeout_ms

CLOSES_MS = 1000
PROPOSAL_ID = ProposalId(b"p" * 32)
ROLL = Roll(tuple(AuthorId(number.to_bytes(32, "big")) for number in range(4)))
ASKED = Proposal(ProposalKind.TEXT, "t", "", (), Threshold.SIMPLE, CLOSES_MS)


def cast(voter: int, choice: Choice, sequence: int = 0, previous: bytes = b"", salt: int = 0) -> Cast:
    identifier = EnvelopeId(bytes([voter, sequence, choice, salt]).ljust(32, b"\x07"))
    return Cast(identifier, ROLL.members[voter], sequence, previous, choice, 1)


def reported(held: dict[int, list[Cast]], stamp_ms: int = CLOSES_MS + 5):  # type: ignore[no-untyped-def]
    """Reports of the members of ``held``, each listing what it held, and the book to count them with."""
    heads: dict[bytes, Heads] = {}
    reports = {}
    for member, casts in held.items():
        blocks = freeze(ROLL, chains_of(casts))
        heads.update((heads_digest(block), block) for block in blocks)
        entry = Entry(PROPOSAL_ID, tuple(heads_digest(block) for block in blocks))
        identifier = EnvelopeId(bytes([member]) * 32)
        reports[identifier] = (ROLL.members[member], Report(1, NO_PARENT, stamp_ms + member, (entry,)))
    everything = {item.id: item for casts in held.values() for item in casts}
    return reports, Book(ROLL, {PROPOSAL_ID: ASKED}, heads, lambda _: everything)


def counted(held: dict[int, list[Cast]]) -> tuple[int, int, int, int]:
    reports, book = reported(held)
    minutes = derive(book, BEGINNING, {}, reports)
    assert isinstance(minutes, Minutes), minutes
    tally = minutes.outcomes[0].tally
    return tally.yes, tally.no, tally.void, tally.grey


def test_what_one_report_lists_is_grey_and_what_two_list_counts() -> None:
    a, b, c = (cast(number, Choice.YES) for number in range(3))
    assert counted({0: [a, b], 1: [a], 2: [a, c]}) == (1, 0, 0, 2)
    assert counted({0: [a, b], 1: [a, b], 2: [a, c]}) == (2, 0, 0, 1)


def test_a_later_ballot_supports_the_earlier_ones_of_its_chain() -> None:
    first = cast(0, Choice.NO)
    second = cast(0, Choice.YES, 1, first.id)
    assert counted({0: [first], 1: [first, second], 2: []}) == (0, 1, 0, 1)
    assert counted({0: [first, second], 1: [first, second], 2: [first]}) == (1, 0, 0, 0)


def test_two_conflicting_ballots_inside_are_void() -> None:
    one, two = cast(0, Choice.NO), cast(0, Choice.YES, salt=1)
    assert counted({0: [one], 1: [one, two], 2: [two]}) == (0, 0, 1, 0)


def test_a_quorum_must_freeze_after_the_deadline() -> None:
    reports, book = reported({0: [], 1: [], 2: []}, stamp_ms=CLOSES_MS - 1)
    early = derive(book, BEGINNING, {}, reports)
    assert isinstance(early, Minutes) and early.outcomes == ()
    reports, book = reported({0: [], 1: [], 2: []})
    assert len(derive(book, BEGINNING, {}, reports).outcomes) == 1  # type: ignore[union-attr]
    assert derive(book, BEGINNING, {PROPOSAL_ID: None}, reports).outcomes == ()  # type: ignore[union-attr]


def test_too_few_foreign_or_doubled_reports_are_none() -> None:
    reports, book = reported({0: [], 1: []})
    assert isinstance(derive(book, BEGINNING, {}, reports), Refused)
    author, report = reports[EnvelopeId(b"\x00" * 32)]
    doubled = {**reports, EnvelopeId(b"\x09" * 32): (author, report)}
    assert isinstance(derive(book, BEGINNING, {}, doubled), Refused)
    reports, book = reported({0: [], 1: [], 2: []})
    later = Minutes(4, NO_PARENT, b"v" * 32, 0, ())
    assert isinstance(derive(book, later, {}, reports), Refused)


def test_what_is_not_held_is_named() -> None:
    a = cast(0, Choice.YES)
    reports, book = reported({0: [a], 1: [a], 2: []})
    bare = Book(ROLL, {}, book.heads, book.casts)
    assert derive(bare, BEGINNING, {}, reports) == Missing((PROPOSAL_ID,))
    empty = Book(ROLL, book.proposals, book.heads, lambda _: {})
    assert derive(empty, BEGINNING, {}, reports) == Missing((a.id,))
    headless = Book(ROLL, book.proposals, {}, book.casts)
    assert isinstance(derive(headless, BEGINNING, {}, reports), Missing)


def test_a_support_of_one_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minutes_count, "support_min", lambda roll: 1)
    assert counted({0: [cast(0, Choice.YES)], 1: [], 2: []}) == (1, 0, 0, 0)


held_by_four = st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=4)


@settings(max_examples=60, deadline=None)
@given(
    st.randoms(use_true_random=False), st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=4)
)
def test_the_order_of_records_does_not_matter(chance: random.Random, matrix: list[list[bool]]) -> None:
    casts = [cast(voter, Choice.YES if voter % 2 else Choice.NO) for voter in range(4)]
    held = {
        member: [item for item, has in zip(casts, matrix[member], strict=True) if has] for member in range(4)
    }
    reports, book = reported(held)
    first = derive(book, BEGINNING, {}, reports)
    items = list(reports.items())
    chance.shuffle(items)
    assert derive(book, BEGINNING, {}, dict(items)) == first
    assert isinstance(first, Minutes)
    everywhere = sum(all(row[voter] for row in matrix[:4]) for voter in range(4))
    somewhere = sum(any(row[voter] for row in matrix[:4]) for voter in range(4))
    assert everywhere <= first.outcomes[0].tally.turnout <= somewhere


ids = st.binary(min_size=32, max_size=32)
small = st.integers(1, 9)
entries = st.builds(Entry, ids, st.lists(ids, max_size=3).map(tuple))
rows = st.builds(Row, st.integers(0, 300), st.integers(3, 9), st.binary(min_size=64, max_size=64))
sorted_ids = st.sets(ids, min_size=1, max_size=5).map(lambda found: tuple(sorted(found)))
records: list[tuple[Schema[object], st.SearchStrategy[object]]] = [
    (REPORT, st.builds(Report, small, ids, st.integers(0, 2**53), st.lists(entries, max_size=4).map(tuple))),
    (LEAD, st.builds(Lead, small, st.integers(5, 9), st.integers(0, 4), sorted_ids)),
    (VOTE, st.builds(Vote, small, small, st.one_of(st.just(b""), ids))),
    (FINAL, st.builds(Final, small, small)),
    (HEADS, st.builds(Heads, st.lists(rows, max_size=4).map(tuple))),
]  # type: ignore[assignment]


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_every_record_survives_the_codec(data: st.DataObject) -> None:
    schema, strategy = data.draw(st.sampled_from(records))
    record = data.draw(strategy)
    assert schema.parse(decode(encode(schema.pack(record)))) == record  # type: ignore[arg-type]


def test_records_that_cannot_be_are_refused() -> None:
    assert isinstance(
        LEAD.parse(LEAD.pack(Lead(1, 1, 0, (EnvelopeId(b"b" * 32), EnvelopeId(b"a" * 32))))), Refused
    )
    assert isinstance(LEAD.parse(LEAD.pack(Lead(1, 1, 1, (EnvelopeId(b"b" * 32),)))), Refused)
    assert isinstance(VOTE.parse(VOTE.pack(Vote(1, 1, b"short"))), Refused)
    assert isinstance(HEADS.parse(HEADS.pack(Heads((Row(1, 0, b"a" * 64),)))), Refused)
    assert isinstance(HEADS.parse(HEADS.pack(Heads((Row(1, 0, b"a" * 33),)))), Refused)


def test_leaders_rotate_and_patience_grows() -> None:
    assert sorted(leader_of(b"\x01" * 32, h, 4) for h in range(1, 5)) == [0, 1, 2, 3]
    lengths = [timeout_ms(1000, h) for h in range(1, 12)]
    assert lengths[0] == 1000 and lengths == sorted(lengths) and lengths[-1] > 5000
