"""What this node froze of each due proposal, and the Heads records of all members.

Refuses to change a frozen list: a ballot that comes later is never in it, in any epoch, after any restart
that its own Reports survive.
"""

from collections.abc import Iterable

from luminous.node.core.governance.pool import Held, Pool
from luminous.protocol.ballots import chains_of
from luminous.protocol.identifiers import AuthorId, ProposalId
from luminous.protocol.minutes import Entry, Heads, Report, freeze, heads_digest

# Heads records of one member. Stops storage floods by one member.
HEADS_PER_MEMBER_MAX = 1024


class Frozen:
    """Registry of frozen proposals (digests of Heads) and of Heads by digest."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.heads: dict[bytes, Heads] = {}
        self._heads_of: dict[AuthorId, int] = {}
        self._names: dict[ProposalId, tuple[bytes, ...]] = {}
        self._own: dict[bytes, Heads] = {}

    def __contains__(self, proposal: ProposalId) -> bool:
        return proposal in self._names

    def hear_heads(self, heads: Heads, member: AuthorId) -> bool:
        """Hold a member's Heads record."""
        name = heads_digest(heads)
        count = self._heads_of.get(member, 0)
        if name in self.heads or count >= HEADS_PER_MEMBER_MAX:
            return False
        self._heads_of[member] = count + 1
        self.heads[name] = heads
        return True

    def recall(self, report: Report) -> None:
        """An own Report binds: what it lists is what was frozen."""
        for entry in report.entries:
            self._names.setdefault(entry.proposal, entry.heads)

    def freeze(self, held: Held) -> None:
        """Freeze the ballots on a proposal that are held now and were issued in time."""
        if held.id in self._names:
            return
        closes_at_ms = held.proposal.closes_at_ms
        roll = self._pool.roll_at(held.proposal.anchor)
        assert roll is not None, "only what can be answered is frozen"
        timely = [cast for cast in self._pool.casts(held.id) if cast.issued_at_ms <= closes_at_ms]
        blocks = [(heads_digest(block), block) for block in freeze(roll, chains_of(timely))]
        self._own.update(blocks)
        self._names[held.id] = tuple(name for name, _ in blocks)

    def entries(self, due: Iterable[Held]) -> tuple[Entry, ...]:
        """The entries of a Report."""
        return tuple(Entry(held.id, self._names[held.id]) for held in due)

    def unsent(self, entries: Iterable[Entry]) -> list[Heads]:
        """The Heads that a Report names and that nobody has sent yet."""
        names = dict.fromkeys(name for entry in entries for name in entry.heads)
        return [self._own[name] for name in names if name not in self.heads and name in self._own]
