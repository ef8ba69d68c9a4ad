"""Minutes: the records of one epoch of closing.

Refuses to count (``minutes_count``) and to agree (``simplex``): here is what members sign. Reports say which
ballots a member held when it froze a proposal; leaders propose which Reports shall be the Minutes; Votes and
Finals make one such set final.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luminous.crypto.digest import DIGEST_SIZE_BYTES, digest
from luminous.protocol.ballots import BALLOT_SEQUENCE_MAX, Chain
from luminous.protocol.codec import Value
from luminous.protocol.identifiers import ENVELOPE_ID_SIZE_BYTES, AuthorId, EnvelopeId, ProposalId
from luminous.protocol.limits import ROLL_MAX
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.roll import Roll
from luminous.protocol.schema import Schema, Shape, blob, fixed, many, nested, uint

# Voters in one Heads record: at four ids each it stays below the size of an envelope.
HEADS_VOTERS = 256
# Newest links of a chain that a Report lists: a voter whose ballot changed while Reports were made still
# has its older ballot counted.
HEADS_LINKS_MAX = 4
# Due proposals in one Report; the others follow in the next epoch. Stops oversized Reports.
REPORT_ENTRIES_MAX = 16
# Operations on the roll in one Report; the others follow in the next epoch. Stops oversized Reports.
REPORT_OPERATIONS_MAX = 256
# Learning windows in one Report and deltas of one window; a larger community agrees on the lowest ids.
REPORT_WINDOWS_MAX = 2
REPORT_DELTAS_MAX = 512
# Reports that one leader proposal names by their whole ids; of more it gives short marks.
LEAD_REPORTS_MAX = 1024
# Marks in one leader proposal: with the bits of 16 384 members they fit into one envelope, and a quorum of as
# many members needs 10 923.
LEAD_MARKS_MAX = 14_000
MARK_SIZE_BYTES = 4
# Iterations of one epoch that can be expressed.
ITERATION_MAX = 1 << 32
NO_PARENT = b"\0" * DIGEST_SIZE_BYTES


@dataclass(frozen=True, slots=True)
class Row:
    """One voter's ballots: ids of the newest links, newest first; ``top`` is the sequence of the first."""

    voter: int
    top: int
    ids: bytes

    def links(self) -> list[tuple[int, EnvelopeId]]:
        """(sequence, id) of each link."""
        size = ENVELOPE_ID_SIZE_BYTES
        parts = [EnvelopeId(self.ids[at : at + size]) for at in range(0, len(self.ids), size)]
        return [(self.top - back, identifier) for back, identifier in enumerate(parts)]


@dataclass(frozen=True, slots=True)
class Heads:
    """The payload of Kind.HEADS: the held ballots of up to 256 voters; named in Reports by its digest."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One due proposal in a Report: the digests of its Heads, one for each 256 members of the roll."""

    proposal: ProposalId
    heads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The deltas of one learning window, as ids in ascending order: what a member held, or what is agreed."""

    window: int
    deltas: tuple[EnvelopeId, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The payload of Kind.REPORT: what a member had frozen at ``stamp_ms`` of its own clock.

    ``operations``: ids of held operations on the roll that no Minutes have yet. ``windows``: held deltas of
    learning windows that are over and that no Minutes have yet.
    """

    epoch: int
    parent: bytes
    stamp_ms: int
    entries: tuple[Entry, ...]
    operations: tuple[EnvelopeId, ...] = ()
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Lead:
    """The payload of Kind.LEAD: which Reports (sorted ids) shall be the Minutes of ``epoch``.

    A large roll's do not fit: then ``reports`` is empty, ``value`` is their digest, ``members`` has the bits
    of those who signed them (of member 0 first, the highest bit of a byte first) and ``marks`` the mark of
    each one's Report, in the same order (``leads``).
    """

    epoch: int
    iteration: int
    parent_iteration: int
    reports: tuple[EnvelopeId, ...]
    value: bytes = b""
    members: bytes = b""
    marks: bytes = b""

    def numbers(self) -> list[int]:
        """Whose Reports the marks are of."""
        bits = int.from_bytes(self.members, "big")
        size = 8 * len(self.members)
        return [number for number in range(size) if bits >> (size - 1 - number) & 1]


@dataclass(frozen=True, slots=True)
class Vote:
    """The payload of Kind.VOTE: for ``value`` in an iteration, or to skip it (empty)."""

    epoch: int
    iteration: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Final:
    """The payload of Kind.FINAL: this member never skipped that iteration, and never will."""

    epoch: int
    iteration: int


def _check_row(row: Row) -> Refused | None:
    count, rest = divmod(len(row.ids), ENVELOPE_ID_SIZE_BYTES)
    if rest or count > row.top + 1:
        return Refused(Reason.MALFORMED, "ids of a chain that cannot be")
    return None


def _check_window(window: Window) -> Refused | None:
    if list(window.deltas) != sorted(set(window.deltas)):
        return Refused(Reason.MALFORMED, "deltas unsorted, or one twice")
    return None


def _check_lead(lead: Lead) -> Refused | None:
    if not lead.reports and not lead.value:
        return Refused(Reason.OUT_OF_BOUNDS, "no Reports")
    is_marked = bool(lead.value) and not lead.reports and lead.members[-1:] != b"\0"
    if bool(lead.value or lead.members or lead.marks) != is_marked:
        return Refused(Reason.MALFORMED, "Reports are named by their ids or by marks")
    if MARK_SIZE_BYTES * int.from_bytes(lead.members, "big").bit_count() != len(lead.marks):
        return Refused(Reason.MALFORMED, "a mark for each member")
    if list(lead.reports) != sorted(set(lead.reports)) or lead.parent_iteration >= lead.iteration:
        return Refused(Reason.MALFORMED, "reports unsorted, or a parent that is not earlier")
    return None


def _check_vote(vote: Vote) -> Refused | None:
    if len(vote.value) not in (0, DIGEST_SIZE_BYTES):
        return Refused(Reason.MALFORMED, "a vote is for a digest or empty")
    return None


def digests(high: int, low: int = 0) -> Shape[tuple[bytes, ...]]:
    """Digests as one run of bytes: a list of thousands would cost more to read than to check."""
    size = DIGEST_SIZE_BYTES
    run = blob(low * size, high * size)

    def parse(value: Value) -> tuple[bytes, ...] | Refused:
        joined = run.parse(value)
        if isinstance(joined, Refused):
            return joined
        if len(joined) % size:
            return Refused(Reason.MALFORMED, "a cut digest")
        return tuple(joined[at : at + size] for at in range(0, len(joined), size))

    return Shape(lambda value: b"".join(value), parse)


ROW: Schema[Row] = Schema(
    Row,
    (0, "voter", uint(ROLL_MAX - 1)),
    (1, "top", uint(BALLOT_SEQUENCE_MAX)),
    (2, "ids", blob(ENVELOPE_ID_SIZE_BYTES, HEADS_LINKS_MAX * ENVELOPE_ID_SIZE_BYTES)),
    check=_check_row,
)
HEADS: Schema[Heads] = Schema(Heads, (0, "rows", many(nested(ROW), 2 * HEADS_VOTERS)))
ENTRY: Schema[Entry] = Schema(
    Entry,
    (0, "proposal", fixed(ENVELOPE_ID_SIZE_BYTES)),
    (1, "heads", digests(ROLL_MAX // HEADS_VOTERS)),
)
WINDOW: Schema[Window] = Schema(
    Window, (0, "window", uint()), (1, "deltas", digests(REPORT_DELTAS_MAX)), check=_check_window
)
REPORT: Schema[Report] = Schema(
    Report,
    (0, "epoch", uint()),
    (1, "parent", fixed(DIGEST_SIZE_BYTES)),
    (2, "stamp_ms", uint()),
    (3, "entries", many(nested(ENTRY), REPORT_ENTRIES_MAX)),
    extras=(
        (4, "operations", digests(REPORT_OPERATIONS_MAX), ()),
        (5, "windows", many(nested(WINDOW), REPORT_WINDOWS_MAX), ()),
    ),
)
LEAD: Schema[Lead] = Schema(
    Lead,
    (0, "epoch", uint()),
    (1, "iteration", uint(ITERATION_MAX)),
    (2, "parent_iteration", uint(ITERATION_MAX)),
    (3, "reports", digests(LEAD_REPORTS_MAX)),
    check=_check_lead,
    extras=(
        (4, "value", fixed(DIGEST_SIZE_BYTES), b""),
        (5, "members", blob(1, ROLL_MAX // 8), b""),
        (6, "marks", blob(MARK_SIZE_BYTES, MARK_SIZE_BYTES * LEAD_MARKS_MAX), b""),
    ),
)
VOTE: Schema[Vote] = Schema(
    Vote,
    (0, "epoch", uint()),
    (1, "iteration", uint(ITERATION_MAX)),
    (2, "value", blob(0, DIGEST_SIZE_BYTES)),
    check=_check_vote,
)
FINAL: Schema[Final] = Schema(Final, (0, "epoch", uint()), (1, "iteration", uint(ITERATION_MAX)))


def window_key(window: int) -> bytes:
    """The name under which a window counts as decided."""
    return digest("learning-window", window.to_bytes(8, "big"))


def heads_digest(heads: Heads) -> bytes:
    """The name of a Heads record, whoever signed it. Prefixes are of fixed size, so rows cannot collide."""
    rows = [row.voter.to_bytes(2, "big") + row.top.to_bytes(1, "big") + row.ids for row in heads.rows]
    return digest("heads", *rows)


def value_of(epoch: int, parent: bytes, reports: Sequence[EnvelopeId]) -> bytes:
    """The digest that is voted for: these Reports are the Minutes after ``parent``."""
    return digest("minutes", epoch.to_bytes(8, "big"), parent, *reports)


def freeze(roll: Roll, chains: Mapping[AuthorId, Chain]) -> tuple[Heads, ...]:
    """What a member lists of one proposal's ballots: the newest links of each chain; both of a conflict."""
    size = -(-roll.size // HEADS_VOTERS)
    rows: list[list[Row]] = [[] for _ in range(size)]
    for voter in sorted(chains):
        number, chain = roll.index_of(voter), chains[voter]
        if number is None:
            continue
        if chain.conflict is not None:
            listed: list[tuple[int, bytes]] = [(cast.sequence, cast.id) for cast in chain.conflict]
        elif chain.links:
            newest = chain.links[-HEADS_LINKS_MAX:][::-1]
            listed = [(newest[0].sequence, b"".join(cast.id for cast in newest))]
        else:
            continue
        rows[number // HEADS_VOTERS] += [Row(number, top, ids) for top, ids in listed]
    return tuple(Heads(tuple(sorted(block, key=lambda row: (row.voter, row.ids)))) for block in rows)
