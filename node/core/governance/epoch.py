"""One epoch of Minutes as this node has heard it: Reports, leads and the agreement.

Refuses to sign and to judge: ``minutes`` decides what to sign, ``minutes_count`` what a set of Reports means.
"""

from collections.abc import Iterable

from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import EnvelopeId
from luminous.protocol.kinds import Kind
from luminous.protocol.leads import reports_of
from luminous.protocol.minutes import Final, Lead, Report, Vote, value_of
from luminous.protocol.minutes_count import Minutes, Signed
from luminous.protocol.roll import Roll
from luminous.protocol.simplex import Simplex

# Different Reports of one member in one epoch: two prove equivocation; agreement may choose either.
_REPORTS_PER_MEMBER_MAX = 4
# Leads of one member in one epoch. Stops floods by leaders.
_LEADS_PER_MEMBER_MAX = 64
# Votes and Finals of one member in one epoch. Stops floods of iterations.
_ACTS_PER_MEMBER_MAX = 512


class Epoch:
    """Registry of one epoch; ``me`` is -1 for a node that is no member."""

    def __init__(self, roll: Roll, me: int) -> None:
        self._roll = roll
        self._me = me
        self.simplex = Simplex(me, roll.size)
        self.reports: dict[EnvelopeId, Signed] = {}
        self.leads: dict[int, dict[EnvelopeId, tuple[int, Lead]]] = {}
        self.signed: dict[tuple[int, bool, int, bytes], Admitted] = {}
        self.own_report: Report | None = None
        self.own_leads: dict[int, Lead] = {}
        self.is_double = False
        self._counts: dict[tuple[int, Kind], int] = {}
        self._reports_of: dict[int, list[EnvelopeId]] = {}
        self._named: dict[bytes, tuple[EnvelopeId, ...]] = {}

    def hear(self, envelope: Admitted, member: int) -> bool:
        """Record a member's envelope of this epoch. True if it is new."""
        if envelope.kind is Kind.REPORT:
            return self._hear_report(envelope, member)
        if envelope.kind is Kind.LEAD:
            return self._hear_lead(envelope, member)
        return self._hear_act(envelope, member)

    def _has_room(self, member: int, kind: Kind, bound: int) -> bool:
        count = self._counts.get((member, kind), 0)
        self._counts[member, kind] = count + 1
        return count < bound

    def _hear_report(self, envelope: Admitted, member: int) -> bool:
        report: Report = envelope.payload
        if member == self._me:
            self.is_double = self.is_double or self.own_report not in (None, report)
            self.own_report = self.own_report or report
        known = envelope.id in self.reports
        if known or not self._has_room(member, Kind.REPORT, _REPORTS_PER_MEMBER_MAX):
            return False
        self.reports[envelope.id] = (envelope.author, report)
        self._reports_of.setdefault(member, []).append(envelope.id)
        return True

    def _hear_lead(self, envelope: Admitted, member: int) -> bool:
        lead: Lead = envelope.payload
        if member == self._me:
            before = self.own_leads.setdefault(lead.iteration, lead)
            self.is_double = self.is_double or before != lead
        leads = self.leads.setdefault(lead.iteration, {})
        if envelope.id in leads or not self._has_room(member, Kind.LEAD, _LEADS_PER_MEMBER_MAX):
            return False
        leads[envelope.id] = (member, lead)
        return True

    def _hear_act(self, envelope: Admitted, member: int) -> bool:
        act: Vote | Final = envelope.payload
        value = act.value if isinstance(act, Vote) else b""
        slot = (act.iteration, isinstance(act, Final), member, value)
        if slot in self.signed or not self._has_room(member, envelope.kind, _ACTS_PER_MEMBER_MAX):
            return False
        self.signed[slot] = envelope
        bit, h = 1 << member, act.iteration
        if member == self._me:
            self._recall(act)
        if isinstance(act, Final):
            self.simplex.hear_finals(h, bit)
        elif act.value:
            self.simplex.hear_votes(h, act.value, bit)
        else:
            self.simplex.hear_skips(h, bit)
        return True

    def _recall(self, act: Vote | Final) -> None:
        """Own acts bind this node, whichever run of it signed them; contradictions betray a second run."""
        h, core = act.iteration, self.simplex
        if isinstance(act, Final):
            core.recall(("final", h, None))
        elif act.value:
            core.recall(("vote", h, act.value))
            self.is_double = self.is_double or core.voted[h] != act.value
        else:
            core.recall(("skip", h, None))
        self.is_double = self.is_double or (h in core.skipped and h in core.finalised)

    def authors_reported(self) -> int:
        """How many members have reported."""
        return len(self._reports_of)

    def by_author(self) -> dict[EnvelopeId, Signed]:
        """The Reports of members that signed exactly one."""
        single = [own[0] for own in self._reports_of.values() if len(own) == 1]
        return {identifier: self.reports[identifier] for identifier in sorted(single)}

    def named(self, lead: Lead, parent: bytes) -> tuple[EnvelopeId, ...] | None:
        """The Reports that a lead names; None: some of those it gives marks of are not held yet."""
        known = self._named.get(lead.value)
        found = reports_of(lead, parent, self._reports_of) if known is None else known
        if found is not None and lead.value:
            self._named[lead.value] = found
        return found

    def lead_for(self, value: object, parent: bytes) -> Lead | None:
        """A heard lead whose Reports have this digest and are, if it gives marks, held here."""
        for leads in self.leads.values():
            for _, lead in leads.values():
                reports = self.named(lead, parent) if lead.value in (b"", value) else None
                if reports is not None and value_of(lead.epoch, parent, reports) == value:
                    return lead
        return None

    def numbers(self, reports: Iterable[EnvelopeId]) -> dict[EnvelopeId, int]:
        """The number of each held Report's author."""
        found: dict[EnvelopeId, int] = {}
        for identifier in reports:
            number = self._roll.index_of(self.reports[identifier][0])
            assert number is not None, "only members' Reports are held"
            found[identifier] = number
        return found

    def agreed_records(self, minutes: Minutes) -> list[EnvelopeId]:
        """Held records that the epoch's final ``minutes`` rest on: without them nobody can recount."""
        assert self.simplex.decided is not None
        final_h, value = self.simplex.decided
        found = [*minutes.operations, *(EnvelopeId(item.proposal) for item in minutes.outcomes)]
        found += [ballot for outcome in minutes.outcomes for ballot in outcome.counted]
        lead = self.lead_for(value, minutes.parent)
        found += (lead and self.named(lead, minutes.parent)) or ()
        for leads in self.leads.values():
            found += [identifier for identifier, (_, other) in leads.items() if other == lead]
        for (h, is_final, _, voted), envelope in self.signed.items():
            if h == final_h and (is_final or voted == value):
                found.append(envelope.id)
        return found
