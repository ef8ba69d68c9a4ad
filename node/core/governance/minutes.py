"""Closing by Minutes: freeze, report, lead, vote, finalise; epoch after epoch, each with one outcome.

Refuses to sign anything while hearing, to list ballots that came after its freeze, to vote for Reports that
it cannot count itself, and to sign twice for one slot, however often it restarts. Clocks only pace it.
"""

from collections.abc import Mapping

from luminous.node.core.governance.epoch import Epoch
from luminous.node.core.governance.frozen import Frozen
from luminous.node.core.governance.pool import Held, Pool
from luminous.node.core.governance.settled import Settled
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Emit, Outcome
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import (
    REPORT_ENTRIES_MAX,
    Final,
    Lead,
    Report,
    Vote,
    value_of,
)
from luminous.protocol.minutes_count import BEGINNING, Book, Minutes, Missing, derive
from luminous.protocol.minutes_count import Outcome as Counted
from luminous.protocol.proposals import Proposal
from luminous.protocol.reasons import Refused
from luminous.protocol.simplex import leader_of, timeout_ms

KINDS = (Kind.REPORT, Kind.HEADS, Kind.LEAD, Kind.VOTE, Kind.FINAL)
# Epochs beyond the present one that are listened to. Stops members that invent epochs.
EPOCHS_AHEAD_MAX = 1024
# How often a node that is not synced asks again whether it may freeze.
_RETRY_MS = 1000


class MinutesClosing:
    """Registry of epochs. ``pace_ms``: how long the first leader of an epoch is given; taste, not law."""

    def __init__(self, me: AuthorId | None, pool: Pool, pace_ms: int = 10_000) -> None:
        self._pool = pool
        self._roll = pool.roll
        number = None if me is None else pool.roll.index_of(me)
        self._me = -1 if number is None else number
        self._pace_ms = pace_ms
        self._chain: list[Minutes] = [BEGINNING]
        self._decided: dict[ProposalId, Counted] = {}
        self._epochs: dict[int, Epoch] = {}
        self._frozen = Frozen(pool)
        self._entered: tuple[int, int, int] = (0, 0, 0)
        self._joined_at_ms: int | None = None
        self._ticked_ms = 0

    # Hearing

    def hear(self, envelope: Admitted) -> bool:
        """Record a member's envelope, whichever epoch and order."""
        member = self._roll.index_of(envelope.author)
        if member is None or envelope.kind not in KINDS:
            return False
        if envelope.kind is Kind.HEADS:
            changed = self._frozen.hear_heads(envelope.payload, member)
        else:
            number: int = envelope.payload.epoch
            if not 1 <= number <= len(self._chain) + EPOCHS_AHEAD_MAX:
                return False
            changed = self.epoch(number).hear(envelope, member)
            if envelope.kind is Kind.REPORT and member == self._me:
                self._frozen.recall(envelope.payload)
        return changed

    def epoch(self, number: int) -> Epoch:
        """What was heard of an epoch."""
        if number not in self._epochs:
            self._epochs[number] = Epoch(self._roll, self._me)
        return self._epochs[number]

    # Deriving

    def _book(self) -> Book:
        proposals: Mapping[ProposalId, Proposal] = {
            identifier: held.proposal for identifier, held in self._pool.proposals.items()
        }
        return Book(self._roll, proposals, self._frozen.heads, self._pool.by_id)

    def _derive(self, number: int, reports: tuple[EnvelopeId, ...]) -> Minutes | Missing | Refused:
        held = self.epoch(number).reports
        missing = tuple(identifier for identifier in reports if identifier not in held)
        if missing:
            return Missing(missing)
        chosen = {identifier: held[identifier] for identifier in reports}
        earlier = {
            counted.proposal: counted for minutes in self._chain[:number] for counted in minutes.outcomes
        }
        return derive(self._book(), self._chain[number - 1], earlier, chosen)

    def _advance(self) -> bool:
        """Append every epoch whose certificates and records are all held."""
        before = len(self._chain)
        while True:
            number = len(self._chain)
            epoch = self._epochs.get(number)
            if epoch is None or epoch.simplex.decided is None:
                break
            reports = self.reports_of(number, epoch.simplex.decided[1])
            minutes = None if reports is None else self._derive(number, reports)
            if not isinstance(minutes, Minutes):
                break
            self._chain.append(minutes)
            self._decided.update((counted.proposal, counted) for counted in minutes.outcomes)
            self._joined_at_ms = None
        return len(self._chain) > before

    def reports_of(self, number: int, value: object) -> tuple[EnvelopeId, ...] | None:
        """The Reports whose digest is ``value``, from the leads that were heard."""
        for leads in self.epoch(number).leads.values():
            for _, lead in leads.values():
                if value_of(number, self._chain[number - 1].value, lead.reports) == value:
                    return lead.reports
        return None

    # Signing

    def tick(self, at: Instant, *, synced: bool, grace_ms: int) -> tuple[Outcome, ...]:
        """Everything that is due by the wall clock, each slot once."""
        self._advance()
        self._ticked_ms = at.wall_ms
        if self._me < 0 or self.is_double():
            return ()
        outcomes: list[Outcome] = []
        if synced:
            for held in self._undecided():
                if at.wall_ms >= held.proposal.closes_at_ms + grace_ms:
                    self._frozen.freeze(held)
        outcomes += self._report(at.wall_ms)
        number = len(self._chain)
        epoch = self._epochs.get(number)
        if epoch is None or epoch.own_report is None or epoch.authors_reported() < self._roll.quorum:
            return tuple(outcomes)
        outcomes += self._lead(epoch, number, at.wall_ms)
        self._understand(epoch, number)
        h = epoch.simplex.iteration
        is_late = at.wall_ms >= self._entered_ms(epoch, number, at.wall_ms) + timeout_ms(self._pace_ms, h)
        for kind, iteration, value in epoch.simplex.act(is_late=is_late):
            if kind == "final":
                outcomes.append(Emit(Kind.FINAL, Final(number, iteration)))
            else:
                assert value is None or isinstance(value, bytes)
                outcomes.append(Emit(Kind.VOTE, Vote(number, iteration, value or b"")))
        return tuple(outcomes)

    def _undecided(self) -> list[Held]:
        return [
            held
            for held in self._pool.proposals.values()
            if held.id not in self._decided and self._pool.refusal(held) is None
        ]

    def _due(self) -> list[Held]:
        due = [held for held in self._undecided() if held.id in self._frozen]
        order = sorted(due, key=lambda held: (held.proposal.closes_at_ms, held.id))
        return order[:REPORT_ENTRIES_MAX]

    def _report(self, wall_ms: int) -> list[Outcome]:
        """One Report an epoch: with own due proposals at once, else a while after f+1 others reported."""
        number = len(self._chain)
        epoch = self._epochs.get(number)
        if epoch is not None and epoch.own_report is not None:
            return []
        due = self._due()
        if not due:
            if epoch is None or epoch.authors_reported() <= self._roll.faulty_max:
                return []
            if self._joined_at_ms is None:
                self._joined_at_ms = wall_ms
            if wall_ms < self._joined_at_ms + self._pace_ms:
                return []
        entries = self._frozen.entries(due)
        new = self._frozen.unsent(entries)
        stamp_ms = max([wall_ms, *(held.proposal.closes_at_ms for held in due)])
        report = Report(number, self._chain[-1].value, stamp_ms, entries)
        self.epoch(number).own_report = report
        return [*(Emit(Kind.HEADS, heads) for heads in new), Emit(Kind.REPORT, report)]

    def _entered_ms(self, epoch: Epoch, number: int, wall_ms: int) -> int:
        """When this node entered the present iteration; noted the first time it is asked."""
        h = epoch.simplex.iteration
        if self._entered[:2] != (number, h):
            self._entered = (number, h, wall_ms)
        return self._entered[2]

    def _lead(self, epoch: Epoch, number: int, wall_ms: int) -> list[Outcome]:
        h = epoch.simplex.iteration
        entered_ms = self._entered_ms(epoch, number, wall_ms)
        is_mine = leader_of(self._chain[-1].value, h, self._roll.size) == self._me
        choice = epoch.simplex.choose_lead(h) if is_mine and h not in epoch.own_leads else None
        if choice is None:
            return []
        value, parent = choice
        if value is not None:
            reports = self.reports_of(number, value)
        else:
            reports = self._gather(epoch, number)
            is_all = len(epoch.by_author()) == self._roll.size
            if not is_all and wall_ms < entered_ms + self._pace_ms // 3:
                return []
        if reports is None:
            return []
        lead = Lead(number, h, parent, reports)
        epoch.own_leads[h] = lead
        return [Emit(Kind.LEAD, lead)]

    def _gather(self, epoch: Epoch, number: int) -> tuple[EnvelopeId, ...] | None:
        """The Reports that this node can count: those without missing Heads, at least q of them."""
        parent = self._chain[number - 1].value
        whole = [
            identifier
            for identifier, (_, report) in epoch.by_author().items()
            if report.parent == parent
            and all(name in self._frozen.heads for entry in report.entries for name in entry.heads)
            and all(entry.proposal in self._pool.proposals for entry in report.entries)
        ]
        reports = tuple(sorted(whole))
        is_countable = len(reports) >= self._roll.quorum and isinstance(
            self._derive(number, reports), Minutes
        )
        return reports if is_countable else None

    def _understand(self, epoch: Epoch, number: int) -> None:
        """Show the agreement those leads of the present iteration whose Reports this node can count."""
        h = epoch.simplex.iteration
        leader = leader_of(self._chain[-1].value, h, self._roll.size)
        for member, lead in epoch.leads.get(h, {}).values():
            value = value_of(number, self._chain[-1].value, lead.reports)
            is_known = (value, lead.parent_iteration) in epoch.simplex.leads.get(h, {})
            is_due = member == leader and not is_known
            if is_due and isinstance(self._derive(number, lead.reports), Minutes):
                epoch.simplex.hear_lead(h, value, lead.parent_iteration)

    def deadline_ms(self, grace_ms: int) -> int | None:
        """The next freeze, the end of a leader's patience, or the end of the iteration."""
        if self._me < 0 or self.is_double():
            return None
        retry_ms = self._ticked_ms + _RETRY_MS
        moments = [
            max(held.proposal.closes_at_ms + grace_ms, retry_ms)
            if held.proposal.closes_at_ms + grace_ms <= self._ticked_ms
            else held.proposal.closes_at_ms + grace_ms
            for held in self._undecided()
            if held.id not in self._frozen
        ]
        later: list[int] = []
        if self._joined_at_ms is not None:
            later.append(self._joined_at_ms + self._pace_ms)
        epoch = self._epochs.get(len(self._chain))
        if epoch is not None and self._entered[0] == len(self._chain):
            h, entered_ms = epoch.simplex.iteration, self._entered[2]
            later += [entered_ms + self._pace_ms // 3, entered_ms + timeout_ms(self._pace_ms, h)]
        moments += [moment for moment in later if moment > self._ticked_ms]
        return min(moments, default=None)

    # Answers

    def settled(self) -> list[Settled]:
        """Final outcomes in the order of the Minutes."""
        self._advance()
        return [
            Settled(counted.proposal, counted.tally, minutes.at_ms, minutes.epoch)
            for minutes in self._chain
            for counted in minutes.outcomes
            if counted.proposal in self._pool.proposals
        ]

    def chain(self) -> tuple[Minutes, ...]:
        """The final Minutes so far, the beginning (epoch 0) included."""
        return tuple(self._chain)

    def is_unresolved(self, proposal: ProposalId, wall_ms: int) -> bool:
        """Never: Minutes close as soon as a quorum is reachable again."""
        return False

    def is_double(self) -> bool:
        """True if own records contradict one another: the key signs on another machine too."""
        return any(epoch.is_double for epoch in self._epochs.values())

    def explain(self, proposal: ProposalId) -> tuple[bool, tuple[str, ...]]:
        """Derive the outcome again from the held Reports and compare."""
        roll = self._roll
        lines = [f"{roll.size} members; {roll.faulty_max} may lie; {roll.quorum} make an outcome final"]
        counted = self._decided.get(proposal)
        if counted is None:
            return True, (*lines, "no Minutes yet: not final")
        minutes = next(item for item in self._chain if counted in item.outcomes)
        reports = self.reports_of(minutes.epoch, minutes.value) or ()
        lines.append(
            f"Minutes {minutes.epoch} ({minutes.value.hex()[:8]}): {len(reports)} Reports agreed on; "
            f"{len(counted.counted)} ballots are in at least {roll.faulty_max + 1} of them"
        )
        return self._derive(minutes.epoch, reports) == minutes, tuple(lines)
