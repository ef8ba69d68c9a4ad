"""A ballot: one member's public, signed, changeable answer to one proposal.

Refuses to count: which ballots count is ``closing`` or ``minutes``, how they count is ``tally``. A voter's
ballots on one proposal form a chain (sequence 0, 1, ... each naming the one before), so two different
ballots with one sequence number are proof of equivocation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import ENVELOPE_ID_SIZE_BYTES, AuthorId, EnvelopeId, ProposalId
from luminous.protocol.limits import ORPHANS_PER_AUTHOR_MAX
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.schema import Schema, blob, choice, fixed, uint

# A member may change its mind this often on one proposal. Stops ballot floods by one member.
BALLOT_SEQUENCE_MAX = ORPHANS_PER_AUTHOR_MAX - 1


class Choice(IntEnum):
    """The answer; numbered for ever."""

    NO = 0
    YES = 1
    ABSTAIN = 2


@dataclass(frozen=True, slots=True)
class Ballot:
    """The payload of Kind.BALLOT. ``previous``: the envelope id of the voter's ballot before, or empty."""

    proposal: ProposalId
    choice: Choice
    sequence: int
    previous: bytes


def _check(ballot: Ballot) -> Refused | None:
    if len(ballot.previous) != (ENVELOPE_ID_SIZE_BYTES if ballot.sequence else 0):
        return Refused(Reason.MALFORMED, "only the first ballot of a chain has no previous one")
    return None


BALLOT: Schema[Ballot] = Schema(
    Ballot,
    (0, "proposal", fixed(ENVELOPE_ID_SIZE_BYTES)),
    (1, "choice", choice(Choice)),
    (2, "sequence", uint(BALLOT_SEQUENCE_MAX)),
    (3, "previous", blob(0, ENVELOPE_ID_SIZE_BYTES)),
    check=_check,
)


@dataclass(frozen=True, slots=True)
class Cast:
    """A ballot as counting sees it: who, which link of the chain, what, and when by the voter's clock."""

    id: EnvelopeId
    voter: AuthorId
    sequence: int
    previous: bytes
    choice: Choice
    issued_at_ms: int


def cast_of(envelope: Admitted) -> Cast:
    """The counting view of an admitted ballot."""
    ballot: Ballot = envelope.payload
    return Cast(
        envelope.id,
        envelope.author,
        ballot.sequence,
        ballot.previous,
        ballot.choice,
        envelope.issued_at_ms,
    )


@dataclass(frozen=True, slots=True)
class Chain:
    """One voter's ballots on one proposal: the links from the first on, and the first conflicting pair."""

    links: tuple[Cast, ...]
    conflict: tuple[Cast, Cast] | None

    @property
    def head(self) -> Cast | None:
        """The ballot that counts: the last link, or None if the voter equivocated or the chain has none."""
        return self.links[-1] if self.links and self.conflict is None else None


def chain_of(casts: Iterable[Cast]) -> Chain:
    """Link one voter's ballots. Independent of order and repetition; gaps end the chain.

    The conflict is the pair of lowest ids at the lowest sequence with two different ballots.
    """
    by_sequence: dict[int, dict[EnvelopeId, Cast]] = {}
    for cast in casts:
        by_sequence.setdefault(cast.sequence, {})[cast.id] = cast
    conflict: tuple[Cast, Cast] | None = None
    for sequence in sorted(by_sequence):
        if len(by_sequence[sequence]) > 1:
            first, second = sorted(by_sequence[sequence].values(), key=lambda cast: cast.id)[:2]
            conflict = (first, second)
            break
    links: list[Cast] = []
    expected = b""
    for sequence in range(len(by_sequence)):
        versions = by_sequence.get(sequence, {})
        if len(versions) != 1:
            break
        (link,) = versions.values()
        if link.previous != expected:
            break
        links.append(link)
        expected = link.id
    return Chain(tuple(links), conflict)


def chains_of(casts: Iterable[Cast]) -> dict[AuthorId, Chain]:
    """The chains of all voters, in the order of their keys."""
    by_voter: dict[AuthorId, list[Cast]] = {}
    for cast in casts:
        by_voter.setdefault(cast.voter, []).append(cast)
    return {voter: chain_of(by_voter[voter]) for voter in sorted(by_voter)}
