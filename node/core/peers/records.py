"""The envelopes a node holds, in the order sync walks them.

Refuses to judge content: whether an envelope may be held is decided before it gets here. Bounded per
author, so that one author cannot fill the disk.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from luminous.crypto.digest import digest
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ENVELOPES_PER_AUTHOR_MAX

_DIGEST_MODULUS = 1 << 256


class Records:
    """Held envelopes by id and by (issued_at_ms, id)."""

    def __init__(self) -> None:
        self._by_id: dict[EnvelopeId, Admitted] = {}
        self._order: list[tuple[int, EnvelopeId]] = []
        self._per_author: dict[AuthorId, int] = {}
        self._deltas: dict[int, dict[EnvelopeId, None]] = {}  # by window, as they came
        self._sum = 0
        self._released: dict[EnvelopeId, None] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, identifier: EnvelopeId) -> bool:
        return identifier in self._by_id

    def add(self, envelope: Admitted, *, is_own: bool = False) -> bool:
        """Hold an envelope; False when it is held already or its author's quota is used up.

        The quota bounds others: what this node signs itself, or held before a restart, must always be held.
        """
        used = self._per_author.get(envelope.author, 0)
        if envelope.id in self._by_id or (used >= ENVELOPES_PER_AUTHOR_MAX and not is_own):
            return False
        self._by_id[envelope.id] = envelope
        self._per_author[envelope.author] = used + 1
        if envelope.kind is Kind.DELTA:
            self._deltas.setdefault(envelope.payload.window, {})[envelope.id] = None
        insort(self._order, (envelope.issued_at_ms, envelope.id))
        self._sum = (self._sum + int.from_bytes(envelope.id, "little")) % _DIGEST_MODULUS
        return True

    def drop(self, identifier: EnvelopeId) -> None:
        """Release a held envelope."""
        envelope = self._by_id.pop(identifier)
        del self._order[bisect_left(self._order, (envelope.issued_at_ms, identifier))]
        if identifier in self._released:
            del self._released[identifier]
        else:
            self._per_author[envelope.author] -= 1
        if envelope.kind is Kind.DELTA:
            deltas = self._deltas[envelope.payload.window]
            del deltas[identifier]
            if not deltas:
                del self._deltas[envelope.payload.window]
        self._sum = (self._sum - int.from_bytes(identifier, "little")) % _DIGEST_MODULUS

    def release(self, identifiers: Iterable[EnvelopeId]) -> None:
        """Held envelopes that Minutes rest on count for no quota any more: without them nobody can recount.

        They are few: what a quorum agreed on, one of each member and slot in an epoch.
        """
        for identifier in identifiers:
            envelope = self._by_id.get(identifier)
            if envelope is not None and identifier not in self._released:
                self._released[identifier] = None
                self._per_author[envelope.author] -= 1

    def get(self, identifier: EnvelopeId) -> Admitted | None:
        """The held envelope of an id."""
        return self._by_id.get(identifier)

    def raw(self, identifier: bytes) -> bytes | None:
        """The bytes of a held envelope, for sync."""
        envelope = self._by_id.get(EnvelopeId(identifier))
        return None if envelope is None else envelope.raw

    def ids_sorted(self) -> Sequence[tuple[int, bytes]]:
        """(issued_at_ms, id) of all held envelopes, ascending: what sync walks."""
        return self._order

    def envelopes(self) -> list[Admitted]:
        """All held envelopes in that order."""
        return [self._by_id[identifier] for _, identifier in self._order]

    def digest(self) -> bytes:
        """Equal for equal sets of envelopes, whatever order they came in."""
        return digest("records", self._sum.to_bytes(32, "big"), len(self._order).to_bytes(8, "big"))

    def deltas_before(self, window: int) -> list[EnvelopeId]:
        """Held deltas of windows before ``window``."""
        return [
            identifier for old in sorted(self._deltas) if old < window for identifier in self._deltas[old]
        ]
