"""Operations on the roll that this node holds, and which of them no Minutes have yet.

Refuses to change the roll: Minutes do. What proves nothing is held as None, so that it is known and ignored.
"""

from collections.abc import Mapping

from luminous.protocol.admission import admit
from luminous.protocol.electorate import Electorate, Signed, is_effective
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.minutes import REPORT_OPERATIONS_MAX
from luminous.protocol.operations import Verb, accused_of

# Operations held of one author. Stops storage floods by one member.
OPERATIONS_PER_AUTHOR_MAX = 1024
# The agreed time of Minutes is the median of members' clocks: what is due by the own one may not be by that.
_AGREED_LATE_MS = 10 * 60 * 1000


class Operations:
    """Registry of operations by id."""

    def __init__(self) -> None:
        self.bodies: dict[EnvelopeId, Signed | None] = {}
        self._count_of: dict[AuthorId, int] = {}

    def hear(self, envelope: Admitted) -> bool:
        """Hold an operation, with what it proves."""
        count = self._count_of.get(envelope.author, 0)
        if envelope.id in self.bodies or count >= OPERATIONS_PER_AUTHOR_MAX:
            return False
        self._count_of[envelope.author] = count + 1
        concerns = accused_of(envelope, lambda raw: admit(raw, envelope.network))
        signed = None
        if concerns is not None:
            signed = Signed(envelope.author, envelope.issued_at_ms, envelope.payload, concerns)
        self.bodies[envelope.id] = signed
        return True

    def pending(
        self, electorate: Electorate, decided: Mapping[ProposalId, object], at_ms: int
    ) -> dict[EnvelopeId, Signed]:
        """What would change the electorate and is in no Minutes: one for each verb and key it concerns.

        Of several equal ones the lowest id, of renewals the newest, so that members name the same.
        """
        chosen: dict[tuple[Verb, AuthorId, bytes], EnvelopeId] = {}
        for identifier in sorted(self.bodies):
            signed = self.bodies[identifier]
            if signed is None or ProposalId(identifier) in decided:
                continue
            if not is_effective(electorate, signed, at_ms - _AGREED_LATE_MS):
                continue
            # Of words about a candidate each member's counts.
            is_word = signed.operation.verb in (Verb.VOUCH, Verb.OBJECT)
            slot = (signed.operation.verb, signed.concerns, signed.author if is_word else b"")
            other = self.bodies.get(chosen[slot]) if slot in chosen else None
            is_newer = other is not None and signed.at_ms > other.at_ms
            if other is None or (signed.operation.verb is Verb.RENEW and is_newer):
                chosen[slot] = identifier
        # Convictions first: nothing that many may sign must crowd them out.
        order = sorted(
            chosen, key=lambda slot: (slot[0] is not Verb.EVIDENCE, slot[0] is Verb.RENEW, chosen[slot])
        )
        found: dict[EnvelopeId, Signed] = {}
        for slot in order[:REPORT_OPERATIONS_MAX]:
            signed = self.bodies[chosen[slot]]
            assert signed is not None
            found[chosen[slot]] = signed
        return dict(sorted(found.items()))

    def accused(self) -> frozenset[AuthorId]:
        """Whom held evidence convicts."""
        return frozenset(
            signed.concerns
            for signed in self.bodies.values()
            if signed is not None and signed.operation.verb is Verb.EVIDENCE
        )

    def renewed_ms(self, author: AuthorId) -> int | None:
        """When ``author`` last renewed, by its own clock, whether any Minutes have it or not."""
        times = [
            signed.at_ms
            for signed in self.bodies.values()
            if signed is not None and signed.author == author and signed.operation.verb is Verb.RENEW
        ]
        return max(times, default=None)


def is_urgent(electorate: Electorate, signed: Signed) -> bool:
    """Is it worth Minutes of its own? Everything but the renewal of a member who is awake."""
    return signed.operation.verb is not Verb.RENEW or signed.author in electorate.dormant
