"""What a closing hands over: one final outcome of one proposal.

Refuses anything provisional.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Outcome
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.roll import Roll
from luminous.protocol.tally import Tally


@dataclass(frozen=True, slots=True)
class Settled:
    """A final outcome. ``at_ms``: agreed time; ``epoch``: number of its Minutes, 0 in the first closing."""

    proposal: ProposalId
    tally: Tally
    at_ms: int
    epoch: int


class Closing(Protocol):
    """How proposals become final. Hearing only records; signing happens in ``tick`` alone."""

    def hear(self, envelope: Admitted) -> bool:
        """Record an envelope of the closing's kinds. True if anything changed."""
        ...

    def tick(self, at: Instant, *, synced: bool, grace_ms: int) -> tuple[Outcome, ...]:
        """Sign what is due by the wall clock. Nothing is ever signed twice for one slot."""
        ...

    def deadline_ms(self, grace_ms: int) -> int | None:
        """The wall clock of the next tick that could matter."""
        ...

    def is_known(self, author: AuthorId) -> bool:
        """Was ``author`` ever on a roll? Only such records are heard."""
        ...

    def roll(self) -> Roll:
        """Who decides now."""
        ...

    def anchor(self) -> int:
        """The number of the Minutes whose roll a proposal made now asks."""
        ...

    def newest(self) -> tuple[int, bytes]:
        """Number and digest of the newest final Minutes; (0, empty) before the first."""
        ...

    def take_agreed(self) -> tuple[EnvelopeId, ...]:
        """Records that final outcomes rest on, of those that became final since the last time."""
        ...

    def foreign(self) -> str:
        """Why the Minutes that peers sent are another history than the known one's; empty: they are not."""
        ...

    def is_stale(self, anchor: int, issued_at_ms: int) -> bool:
        """Did a proposal ask an old roll although a newer one had been final for long?"""
        ...

    def settled(self) -> Sequence[Settled]:
        """The final outcomes in their agreed order; only ever grows."""
        ...

    def is_unresolved(self, proposal: ProposalId, wall_ms: int) -> bool:
        """True if no outcome will come of itself any more."""
        ...

    def is_double(self) -> bool:
        """True if own records were heard that this journal does not explain: the key runs elsewhere too."""
        ...

    def explain(self, proposal: ProposalId) -> tuple[bool, tuple[str, ...]]:
        """Recompute the outcome from the held records: does it hold, and how it comes about, in words."""
        ...
