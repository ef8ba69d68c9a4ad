"""The first closing: each proposal closes alone, by equal signed counts of a quorum.

Refuses to break ties by force: without q equal Closes there is no outcome (``unresolved`` in the end), and
nothing takes effect. Safe because an honest member signs one Close per proposal and two quorums share an
honest member; slow to decide when ballots arrive late or are equivocated, which is why ``minutes`` exists.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from luminous.crypto.digest import DIGEST_SIZE_BYTES, digest
from luminous.protocol.ballots import Cast, chains_of
from luminous.protocol.identifiers import ENVELOPE_ID_SIZE_BYTES, AuthorId, ProposalId
from luminous.protocol.limits import ROLL_MAX
from luminous.protocol.proposals import Proposal
from luminous.protocol.roll import Roll
from luminous.protocol.schema import Schema, fixed, uint
from luminous.protocol.tally import Tally, count, decide

# A proposal without a quorum of equal Closes after this many voting periods is unresolved.
PERIODS_MAX = 3


@dataclass(frozen=True, slots=True)
class Close:
    """The payload of Kind.CLOSE: what one member counted. ``root``: digest of the counted ballots' ids."""

    proposal: ProposalId
    root: bytes
    yes: int
    no: int
    abstain: int
    void: int


CLOSE: Schema[Close] = Schema(
    Close,
    (0, "proposal", fixed(ENVELOPE_ID_SIZE_BYTES)),
    (1, "root", fixed(DIGEST_SIZE_BYTES)),
    (2, "yes", uint(ROLL_MAX)),
    (3, "no", uint(ROLL_MAX)),
    (4, "abstain", uint(ROLL_MAX)),
    (5, "void", uint(ROLL_MAX)),
)


def close_of(identifier: ProposalId, proposal: Proposal, roll: Roll, casts: Iterable[Cast]) -> Close:
    """What a member that holds ``casts`` signs. Independent of their order and repetition."""
    timely = [cast for cast in casts if cast.voter in roll and cast.issued_at_ms <= proposal.closes_at_ms]
    tally = count(proposal, roll, timely)
    parts: list[bytes] = []
    for voter, chain in chains_of(timely).items():
        if chain.conflict is not None:
            parts += [b"void", voter]
        elif chain.head is not None:
            parts += [b"head", chain.head.id]
    return Close(identifier, digest("tally", *parts), tally.yes, tally.no, tally.abstain, tally.void)


def tally_of(close: Close, proposal: Proposal, roll: Roll) -> Tally:
    """The tally that a final Close states."""
    return decide(proposal.threshold, roll.size, close.yes, close.no, close.abstain, close.void)


def agreed(closes: Iterable[tuple[AuthorId, Close]], roll: Roll) -> Close | None:
    """The Close that q different members signed, or None. Never two, while at most f members lie."""
    signers: dict[Close, dict[AuthorId, None]] = {}
    for author, close in closes:
        if author in roll:
            signers.setdefault(close, {})[author] = None
    reached = [close for close, authors in signers.items() if len(authors) >= roll.quorum]
    return min(reached, key=lambda close: close.root) if reached and roll.size else None


def gives_up_at_ms(proposal: Proposal, issued_at_ms: int) -> int:
    """When an undecided proposal is called unresolved, by the wall clock."""
    period_ms = max(1, proposal.closes_at_ms - issued_at_ms)
    return issued_at_ms + PERIODS_MAX * period_ms
