"""What this node holds of proposals and ballots, whatever order they came in.

Refuses to count or to judge: floods are left out (strangers' records never come here), an unconstitutional
proposal is held with its refusal (to explain a decision about it) and never voted on or closed here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from luminous.protocol.ballots import BALLOT_SEQUENCE_MAX, Cast, cast_of
from luminous.protocol.constitution import check_shape, check_value
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import OPEN_PROPOSALS_PER_AUTHOR_MAX, ORPHANS_MAX, ORPHANS_PER_AUTHOR_MAX
from luminous.protocol.proposals import Proposal
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.roll import Roll

# Different ballots of one voter with one sequence number. Two prove equivocation; a few more are kept, as
# members may list different ones in their Reports. Stops floods by equivocators.
VERSIONS_MAX = 8
# Proposals held per author, over-quota ones included. Stops storage floods by one member.
PROPOSALS_PER_AUTHOR_MAX = 512


@dataclass(frozen=True, slots=True)
class Held:
    """A proposal with its signer. ``refusal``: why it may never be voted on, judged from itself alone."""

    id: ProposalId
    author: AuthorId
    issued_at_ms: int
    proposal: Proposal
    refusal: Refused | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two different records of one author where one is allowed: proof of equivocation."""

    author: AuthorId
    kind: Kind
    first: EnvelopeId
    second: EnvelopeId


class Pool:
    """Registry of proposals, ballots by proposal, orphans and evidence; every part bounded."""

    def __init__(self, roll: Roll, *, is_fleet: bool = False, cooling_ms: int = 0) -> None:
        self.roll = roll  # the founders
        self.is_fleet = is_fleet
        self.cooling_ms = cooling_ms
        self.roll_at: Callable[[int], Roll | None] = lambda anchor: None if anchor else roll
        self.proposals: dict[ProposalId, Held] = {}
        self.evidence: dict[tuple[AuthorId, ProposalId, int], Evidence] = {}
        self._by_author: dict[AuthorId, list[ProposalId]] = {}
        # Of each proposal: older ones of its author, open when it was issued. Counted as they come: asking
        # anew each time would cost every node the square of what one member floods.
        self._older: dict[ProposalId, int] = {}
        self._casts: dict[ProposalId, dict[tuple[AuthorId, int], dict[EnvelopeId, Cast]]] = {}
        self._orphans: dict[ProposalId, dict[EnvelopeId, Cast]] = {}
        self._orphans_of: dict[AuthorId, int] = {}

    def hear_proposal(self, envelope: Admitted) -> Held | None:
        """Hold a proposal; None if it is known, or beyond its author's share."""
        identifier = ProposalId(envelope.id)
        if identifier in self.proposals:
            return None
        own = self._by_author.setdefault(envelope.author, [])
        if len(own) >= PROPOSALS_PER_AUTHOR_MAX:
            return None
        proposal: Proposal = envelope.payload
        held = Held(
            identifier,
            envelope.author,
            envelope.issued_at_ms,
            proposal,
            self._judge(proposal, envelope.issued_at_ms),
        )
        self._rank(held, own)
        own.append(identifier)
        self.proposals[identifier] = held
        for cast in self._orphans.pop(identifier, {}).values():
            self._orphans_of[cast.voter] -= 1
            self._hold(identifier, cast)
        return held

    def _rank(self, held: Held, others: Iterable[ProposalId]) -> None:
        if held.refusal is not None:
            return
        for other in map(self.proposals.__getitem__, others):
            if other.refusal is None:
                pair = ((other.issued_at_ms, other.id, other), (held.issued_at_ms, held.id, held))
                (*_, first), (*_, second) = sorted(pair)
                if first.proposal.closes_at_ms > second.issued_at_ms:
                    self._older[second.id] = self._older.get(second.id, 0) + 1

    def _judge(self, proposal: Proposal, issued_at_ms: int) -> Refused | None:
        if not self.is_fleet:
            return check_shape(proposal, issued_at_ms)
        for effect in proposal.effects:
            refusal = check_value(effect.key, effect.value, is_fleet=True)
            if refusal is not None:
                return refusal
        return None

    def hear_ballot(self, envelope: Admitted) -> bool:
        """Hold a ballot, or keep it until its proposal comes. True if anything changed."""
        proposal: ProposalId = envelope.payload.proposal
        cast = cast_of(envelope)
        if proposal in self.proposals:
            return self._hold(proposal, cast)
        waiting = self._orphans.setdefault(proposal, {})
        count = self._orphans_of.get(cast.voter, 0)
        total = sum(self._orphans_of.values())
        if cast.id in waiting or count >= ORPHANS_PER_AUTHOR_MAX or total >= ORPHANS_MAX:
            return False
        waiting[cast.id] = cast
        self._orphans_of[cast.voter] = count + 1
        return True

    def _hold(self, proposal: ProposalId, cast: Cast) -> bool:
        if cast.sequence > BALLOT_SEQUENCE_MAX:
            return False
        versions = self._casts.setdefault(proposal, {}).setdefault((cast.voter, cast.sequence), {})
        if cast.id in versions or len(versions) >= VERSIONS_MAX:
            return False
        versions[cast.id] = cast
        if len(versions) > 1:
            first, second = sorted(versions)[:2]
            slot = (cast.voter, proposal, cast.sequence)
            self.evidence[slot] = Evidence(cast.voter, Kind.BALLOT, first, second)
        return True

    def casts(self, proposal: ProposalId) -> Iterator[Cast]:
        """Every held ballot on ``proposal``."""
        for versions in self._casts.get(proposal, {}).values():
            yield from versions.values()

    def casts_of(self, proposal: ProposalId, voter: AuthorId) -> Iterator[Cast]:
        """Every held ballot of one voter on ``proposal``."""
        slots = self._casts.get(proposal, {})
        for sequence in range(BALLOT_SEQUENCE_MAX + 1):
            yield from slots.get((voter, sequence), {}).values()

    def by_id(self, proposal: ProposalId) -> Mapping[EnvelopeId, Cast]:
        """The held ballots on ``proposal`` by their envelope ids."""
        return {cast.id: cast for cast in self.casts(proposal)}

    def refusal(self, held: Held) -> Refused | None:
        """Why ``held`` may not be voted on: the constitution, or its author has too many open at once.

        Over the quota are those with three older ones of the same author open at their own issue time, so
        every node that holds the same proposals leaves out the same.
        """
        if held.refusal is not None or self.is_fleet:
            return held.refusal
        roll = self.roll_at(held.proposal.anchor)
        if roll is None:
            return Refused(Reason.NO_ROLL, "it asks a roll that is not final here yet")
        if held.author not in roll:
            return Refused(Reason.NOT_A_MEMBER, "its author is not on the roll that it asks")
        older = self._older.get(held.id, 0)
        if older >= OPEN_PROPOSALS_PER_AUTHOR_MAX:
            return Refused(Reason.TOO_MANY, f"its author had {older} open proposals already")
        return None
