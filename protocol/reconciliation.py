"""Range-based set reconciliation: two peers find the records they do not share, in few messages.

After the Negentropy protocol v1. A client asks, a server answers; the client learns which ids it has and
the server lacks, and the reverse. Refuses to move records and to hold a network: bytes in, bytes out.
Never raises for a partner's bytes; rounds, ranges, frames and claimed ids are bounded.

Where the protocol leaves a choice:
- a range splits into 16 fingerprints;
- the server lists ids below 32 of them, since the client resolves a list at once;
- the client lists ids only when it has at most one in the range: its list would merely be answered by
  the server's, and fingerprints of one or two records are smaller;
- the client may shift its first buckets by a random offset, so that ids whose sum was made to collide
  (the fingerprint is a sum) do not stay hidden: they would have to collide for every cut.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, pairwise

from luminous.protocol.limits import (
    RECONCILIATION_FRAME_SIZE_BYTES_MAX,
    RECONCILIATION_NEED_MAX,
    RECONCILIATION_ROUNDS_MAX,
)
from luminous.protocol.ranges import (
    FINGERPRINT_SIZE_BYTES,
    ID_SIZE_BYTES,
    INFINITY,
    INFINITY_MS,
    VERSION_BYTE,
    Bound,
    Fingerprint,
    IdList,
    MessageWriter,
    Skip,
    bound_between,
    encode_varint,
    parse_message,
)
from luminous.protocol.reasons import Reason, Refused

FRAME_SIZE_BYTES_MIN = 4096
_BUCKETS = 16
_SERVER_LISTS_BELOW = 2 * _BUCKETS
_CLIENT_LISTS_BELOW = 2
# Room that the end of a message needs: a skip bound, a last bound and a fingerprint.
_BOUND_SIZE_BYTES_MAX = 10 + 1 + ID_SIZE_BYTES
_MARGIN_BYTES = 2 * (_BOUND_SIZE_BYTES_MAX + 1) + FINGERPRINT_SIZE_BYTES
_MODULUS = 1 << 256


class Snapshot:
    """The records of one moment, sorted, with running sums so that any fingerprint costs one hash.

    ``records``: (timestamp_ms, 32-byte id), strictly ascending. Copied: later changes do not show.
    """

    def __init__(self, records: Sequence[tuple[int, bytes]]) -> None:
        self._records: tuple[Bound, ...] = tuple(records)
        assert all(before < after for before, after in pairwise(self._records)), "not strictly ascending"
        assert not self._records or self._records[-1][0] < INFINITY_MS, "the reserved timestamp"
        numbers = (int.from_bytes(identifier, "little") for _, identifier in self._records)
        self._sums = tuple(accumulate(numbers, initial=0))

    def __len__(self) -> int:
        return len(self._records)

    def find(self, bound: Bound, start: int) -> int:
        """The index of the first record not below ``bound``, from ``start`` on."""
        return bisect_left(self._records, bound, start)

    def ids(self, start: int, end: int) -> list[bytes]:
        """The ids of records [start, end)."""
        return [identifier for _, identifier in self._records[start:end]]

    def bound_before(self, index: int) -> Bound:
        """The shortest bound between records ``index - 1`` and ``index``."""
        return bound_between(self._records[index - 1], self._records[index])

    def fingerprint(self, start: int, end: int) -> bytes:
        """The 16-byte fingerprint of records [start, end): SHA-256 of the sum of ids and their number."""
        total = (self._sums[end] - self._sums[start]) % _MODULUS
        return sha256(total.to_bytes(32, "little") + encode_varint(end - start)).digest()[
            :FINGERPRINT_SIZE_BYTES
        ]


@dataclass(frozen=True, slots=True)
class Progress:
    """What one answer taught the client: ids only we have, ids only they claim, what to send next.

    ``message`` is None when the dialogue is over; ``is_complete`` is False when a bound ended it early:
    what it taught is true, but there is more to learn in another dialogue.
    """

    message: bytes | None
    have: tuple[bytes, ...]
    need: tuple[bytes, ...]
    is_complete: bool = True


class Server:
    """The answering side. Keeps nothing between messages, so one serves every partner."""

    def __init__(
        self, snapshot: Snapshot, frame_size_bytes_max: int = RECONCILIATION_FRAME_SIZE_BYTES_MAX
    ) -> None:
        assert frame_size_bytes_max >= FRAME_SIZE_BYTES_MIN
        self._snapshot = snapshot
        self._room = frame_size_bytes_max - _MARGIN_BYTES

    def respond(self, message: bytes) -> bytes | Refused:
        """The answer to a client's message, or why not. An unknown version is answered with ours."""
        ranges = parse_message(message)
        if isinstance(ranges, Refused):
            return bytes((VERSION_BYTE,)) if ranges.reason is Reason.WRONG_VERSION else ranges
        snapshot, out = self._snapshot, MessageWriter()
        lower = 0
        for asked in ranges:
            upper = snapshot.find(asked.upper, lower)
            match asked:
                case Skip():
                    out.skip(asked.upper)
                case Fingerprint():
                    if asked.value == snapshot.fingerprint(lower, upper):
                        out.skip(asked.upper)
                    elif not _fits(out, self._room, upper - lower, _SERVER_LISTS_BELOW):
                        _leave_rest(out, snapshot, lower)
                        return out.finish()
                    else:
                        _split(out, snapshot, lower, upper, asked.upper, _SERVER_LISTS_BELOW)
                case IdList():
                    listed = min(upper, lower + max(0, self._room - out.size_bytes) // ID_SIZE_BYTES)
                    if listed < upper:
                        if listed > lower:
                            out.id_list(snapshot.bound_before(listed), snapshot.ids(lower, listed))
                        _leave_rest(out, snapshot, listed)
                        return out.finish()
                    out.id_list(asked.upper, snapshot.ids(lower, upper))
            lower = upper
        return out.finish()


class Client:
    """The asking side: one object a dialogue."""

    def __init__(
        self, snapshot: Snapshot, frame_size_bytes_max: int = RECONCILIATION_FRAME_SIZE_BYTES_MAX
    ) -> None:
        assert frame_size_bytes_max >= FRAME_SIZE_BYTES_MIN
        self._snapshot = snapshot
        self._room = frame_size_bytes_max - _MARGIN_BYTES
        self._rounds = 0
        # What was told already: a full frame leaves its rest open to the end, which may ask again.
        self._have: set[bytes] = set()
        self._need: set[bytes] = set()

    def initiate(self, offset: int = 0) -> bytes:
        """The first message. ``offset`` >= 0, random for each dialogue, moves the first cuts."""
        assert self._rounds == 0, "a dialogue starts once"
        self._rounds = 1
        out = MessageWriter()
        _split(out, self._snapshot, 0, len(self._snapshot), INFINITY, _CLIENT_LISTS_BELOW, offset)
        return out.finish()

    def advance(self, message: bytes) -> Progress | Refused:
        """What the server's answer taught, and the next message; or why it is not an answer at all."""
        assert self._rounds > 0, "initiate first"
        ranges = parse_message(message)
        if isinstance(ranges, Refused):
            return ranges
        snapshot, out = self._snapshot, MessageWriter()
        have: list[bytes] = []
        need: dict[bytes, None] = {}
        lower = 0
        for told in ranges:
            upper = snapshot.find(told.upper, lower)
            match told:
                case Fingerprint() if told.value != snapshot.fingerprint(lower, upper):
                    if not _fits(out, self._room, upper - lower, _CLIENT_LISTS_BELOW):
                        _leave_rest(out, snapshot, lower)
                        break
                    _split(out, snapshot, lower, upper, told.upper, _CLIENT_LISTS_BELOW)
                case IdList():
                    ours, theirs = snapshot.ids(lower, upper), frozenset(told.ids)
                    known = frozenset(ours)
                    have += [i for i in ours if i not in theirs and i not in self._have]
                    claimed = (i for i in told.ids if i not in known and i not in self._need)
                    need.update(dict.fromkeys(claimed))
                    out.skip(told.upper)
                case _:
                    out.skip(told.upper)
            lower = upper
        return self._conclude(out.finish(), have, list(need))

    def _conclude(self, following: bytes, have: list[bytes], need: list[bytes]) -> Progress:
        room = RECONCILIATION_NEED_MAX - len(self._need)
        self._need.update(need[:room])
        self._have.update(have)
        is_over = len(following) == 1
        is_bounded = len(need) > room or self._rounds == RECONCILIATION_ROUNDS_MAX
        self._rounds += 1
        message = None if is_over or is_bounded else following
        return Progress(message, tuple(have), tuple(need[:room]), is_over and len(need) <= room)


def _fits(out: MessageWriter, room: int, count: int, lists_below: int) -> bool:
    """Will a split of ``count`` records fit, at worst?"""
    if count < lists_below:
        worst = _BOUND_SIZE_BYTES_MAX + 2 + count * ID_SIZE_BYTES
    else:
        worst = (_BUCKETS + 1) * (_BOUND_SIZE_BYTES_MAX + 1 + FINGERPRINT_SIZE_BYTES)
    return out.size_bytes + worst <= room


def _leave_rest(out: MessageWriter, snapshot: Snapshot, lower: int) -> None:
    """The frame is full: one fingerprint over everything from ``lower`` on, for the next message."""
    out.fingerprint(INFINITY, snapshot.fingerprint(lower, len(snapshot)))


def _split(
    out: MessageWriter,
    snapshot: Snapshot,
    lower: int,
    upper: int,
    end: Bound,
    lists_below: int,
    offset: int = 0,
) -> None:
    """Describe records [lower, upper), whose range ends at ``end``: by ids, or by buckets' fingerprints."""
    count = upper - lower
    if count < lists_below:
        out.id_list(end, snapshot.ids(lower, upper))
        return
    buckets = min(_BUCKETS, count)
    cuts = [lower + count * bucket // buckets for bucket in range(1, buckets)]
    cuts = [cut + offset % max(1, count // buckets) for cut in cuts]
    for start, cut in pairwise([lower, *cuts]):
        out.fingerprint(snapshot.bound_before(cut), snapshot.fingerprint(start, cut))
    last = cuts[-1]
    out.fingerprint(end, snapshot.fingerprint(last, upper))
