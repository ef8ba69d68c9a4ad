"""The first closing at work: count once after the grace, sign one Close, final at q equal ones.

Refuses to sign a second Close for a proposal, whatever it learns later and however often it restarts.
"""

from luminous.node.core.governance.pool import Held, Pool
from luminous.node.core.governance.settled import Settled
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Emit, Outcome
from luminous.protocol.closing import Close, agreed, close_of, gives_up_at_ms, tally_of
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ORPHANS_MAX
from luminous.protocol.roll import Roll

# Different Closes kept per member and proposal: two prove equivocation.
_CLOSES_PER_MEMBER_MAX = 2


class FirstClosing:
    """Registry of Closes by proposal."""

    def __init__(self, me: AuthorId | None, pool: Pool, pace_ms: int = 0) -> None:
        self._me = me
        self._pool = pool
        self._closes: dict[ProposalId, dict[AuthorId, dict[Close, None]]] = {}
        self._signed: dict[ProposalId, Close] = {}
        self._is_double = False
        self._ticked_ms = 0

    def hear(self, envelope: Admitted) -> bool:
        """Record a member's Close, before or after its proposal."""
        close: Close = envelope.payload
        if envelope.kind is not Kind.CLOSE or envelope.author not in self._pool.roll:
            return False
        if close.proposal not in self._closes and len(self._closes) >= ORPHANS_MAX:
            return False
        if envelope.author == self._me and self._signed.setdefault(close.proposal, close) != close:
            self._is_double = True
        signed = self._closes.setdefault(close.proposal, {}).setdefault(envelope.author, {})
        if close in signed or len(signed) >= _CLOSES_PER_MEMBER_MAX:
            return False
        signed[close] = None
        return True

    def tick(self, at: Instant, *, synced: bool, grace_ms: int) -> tuple[Outcome, ...]:
        """One Close for every proposal whose deadline and grace are over by this node's clock."""
        self._ticked_ms = at.wall_ms
        if not synced or self._me is None or self._me not in self._pool.roll or self._is_double:
            return ()
        outcomes: list[Outcome] = []
        for held in self._due(at.wall_ms, grace_ms):
            close = close_of(held.id, held.proposal, self._pool.roll, self._pool.casts(held.id))
            self._signed[held.id] = close
            outcomes.append(Emit(Kind.CLOSE, close))
        return tuple(outcomes)

    def _due(self, wall_ms: int, grace_ms: int) -> list[Held]:
        return [
            held
            for held in self._pool.proposals.values()
            if held.id not in self._signed
            and wall_ms >= held.proposal.closes_at_ms + grace_ms
            and self._pool.refusal(held) is None
        ]

    def deadline_ms(self, grace_ms: int) -> int | None:
        """When the next own Close is due."""
        due = [
            max(held.proposal.closes_at_ms + grace_ms, self._ticked_ms + 1000)
            for held in self._pool.proposals.values()
            if held.id not in self._signed and self._pool.refusal(held) is None
        ]
        return min(due, default=None)

    def is_known(self, author: AuthorId) -> bool:
        """The founders alone."""
        return author in self._pool.roll

    def roll(self) -> Roll:
        """The founders."""
        return self._pool.roll

    def anchor(self) -> int:
        """Always the founders."""
        return 0

    def newest(self) -> tuple[int, bytes]:
        """The first closing has no Minutes."""
        return 0, b""

    def take_agreed(self) -> tuple[EnvelopeId, ...]:
        """Nothing is released: it stays for comparison alone."""
        return ()

    def foreign(self) -> str:
        """Nothing to compare."""
        return ""

    def is_stale(self, anchor: int, issued_at_ms: int) -> bool:
        """Never: the roll does not change."""
        return False

    def settled(self) -> list[Settled]:
        """Final outcomes by (closing time, id)."""
        found: list[Settled] = []
        for identifier, held in self._pool.proposals.items():
            close = self._agreed(identifier)
            if close is not None:
                tally = tally_of(close, held.proposal, self._pool.roll)
                found.append(Settled(identifier, tally, held.proposal.closes_at_ms, 0))
        return sorted(found, key=lambda item: (item.at_ms, item.proposal))

    def _agreed(self, identifier: ProposalId) -> Close | None:
        closes = self._closes.get(identifier, {})
        pairs = [(author, close) for author, signed in closes.items() for close in signed]
        return agreed(pairs, self._pool.roll)

    def is_unresolved(self, proposal: ProposalId, wall_ms: int) -> bool:
        """True after three voting periods without agreement."""
        held = self._pool.proposals[proposal]
        return self._agreed(proposal) is None and wall_ms >= gives_up_at_ms(held.proposal, held.issued_at_ms)

    def is_double(self) -> bool:
        """True if two different own Closes for one proposal exist."""
        return self._is_double

    def explain(self, proposal: ProposalId) -> tuple[bool, tuple[str, ...]]:
        """Recount from the held ballots and compare with what a quorum signed."""
        held = self._pool.proposals[proposal]
        roll = self._pool.roll
        lines = [f"{roll.size} members; {roll.quorum} equal counts make an outcome final"]
        close = self._agreed(proposal)
        if close is None:
            return True, (*lines, f"{len(self._closes.get(proposal, {}))} counts held: not final")
        own = close_of(proposal, held.proposal, roll, self._pool.casts(proposal))
        lines.append(f"final: {close.yes} yes, {close.no} no, {close.abstain} abstain, {close.void} void")
        if own == close:
            return True, (*lines, "the ballots held here give the same count")
        lines.append(f"the ballots held here give {own.yes} yes, {own.no} no, {own.abstain} abstain")
        return False, tuple(lines)
