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
        self._open: dict[EnvelopeId, Signed] = {}
        self._accused: dict[AuthorId, None] = {}
        self._renewed_ms: dict[AuthorId, int] = {}

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
        if signed is None:
            return True
        self._open[envelope.id] = signed
        if signed.operation.verb is Verb.EVIDENCE:
            self._accused[signed.concerns] = None
        if signed.operation.verb is Verb.RENEW:
            before_ms = self._renewed_ms.get(signed.author, signed.at_ms)
            self._renewed_ms[signed.author] = max(before_ms, signed.at_ms)
        return True

    def pending(
        self, electorate: Electorate, decided: Mapping[ProposalId, object], at_ms: int
    ) -> dict[EnvelopeId, Signed]:
        """What would change the electorate and is in no Minutes: one for each verb and key it concerns.

        Of several equal ones the lowest id, of renewals the newest, so that members name the same.
        """
        chosen: dict[tuple[Verb, AuthorId, bytes], EnvelopeId] = {}
        for identifier in [item for item in self._open if ProposalId(item) in decided]:
            del self._open[identifier]
        for identifier in sorted(self._open):
            signed = self._open[identifier]
            if not is_effective(electorate, signed, at_ms - _AGREED_LATE_MS):
                continue
            # Of words about a candidate each member's counts.
            is_word = signed.operation.verb in (Verb.VOUCH, Verb.OBJECT)
            slot = (signed.operation.verb, signed.concerns, signed.author if is_word else b"")
            other = self._open.get(chosen[slot]) if slot in chosen else None
            is_newer = other is not None and signed.at_ms > other.at_ms
            if other is None or (signed.operation.verb is Verb.RENEW and is_newer):
                chosen[slot] = identifier
        # Convictions first: nothing that many may sign must crowd them out.
        order = sorted(
            chosen, key=lambda slot: (slot[0] is not Verb.EVIDENCE, slot[0] is Verb.RENEW, chosen[slot])
        )
        found: dict[EnvelopeId, Signed] = {}
        for slot in order[:REPORT_OPERATIONS_MAX]:
            found[chosen[slot]] = self._open[chosen[slot]]
        return dict(sorted(found.items()))

    def accused(self) -> frozenset[AuthorId]:
        """Whom held evidence convicts."""
        return frozenset(self._accused)

    def renewed_ms(self, author: AuthorId) -> int | None:
        """When ``author`` last renewed, by its own clock, whether any Minutes have it or not."""
        return self._renewed_ms.get(author)


def is_urgent(electorate: Electorate, signed: Signed) -> bool:
    """Is it worth Minutes of its own? Everything but the renewal of a member who is awake."""
    return signed.operation.verb is not Verb.RENEW or signed.author in electorate.dormant
