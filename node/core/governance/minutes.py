"""Closing by Minutes: freeze, report, lead, vote, finalise; epoch after epoch, each with one outcome.

Refuses to sign anything while hearing, to list ballots that came after its freeze, to vote for Reports that
it cannot count itself, and to sign twice for one slot, however often it restarts. Clocks only pace it.
"""

from collections.abc import Mapping
from dataclasses import replace

from luminous.node.core.governance.deriving import derive_epoch
from luminous.node.core.governance.epoch import Epoch
from luminous.node.core.governance.epochs import Epochs
from luminous.node.core.governance.frozen import Frozen
from luminous.node.core.governance.operations import Operations, is_urgent
from luminous.node.core.governance.pool import Held, Pool
from luminous.node.core.governance.settled import Settled
from luminous.node.core.governance.windows import Windows
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Emit, Outcome
from luminous.protocol.electorate import Electorate, Signed
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.leads import lead_of
from luminous.protocol.minutes import (
    LEAD_MARKS_MAX,
    REPORT_ENTRIES_MAX,
    Final,
    Report,
    Vote,
    Window,
    value_of,
)
from luminous.protocol.minutes_count import Minutes, Missing
from luminous.protocol.reasons import Refused
from luminous.protocol.roll import Roll
from luminous.protocol.simplex import leader_of, timeout_ms

KINDS = (Kind.REPORT, Kind.HEADS, Kind.LEAD, Kind.VOTE, Kind.FINAL, Kind.OPERATION)
# How often a node that is not synced asks again whether it may freeze.
_RETRY_MS = 1000
# How often a node looks whether somebody who waits may join.
_LOOK_MS = 60_000
# A proposer that has not heard of Minutes for this long asks an old roll on purpose, or was asleep.
_STALE_MS = 24 * 60 * 60 * 1000


class MinutesClosing:
    """Registry of epochs. ``pace_ms``: how long the first leader of an epoch is given; taste, not law.

    ``known``: number and digest of Minutes that came by another way than from peers. Before the chain reaches
    them nothing is final and nothing is signed here; a chain with others in their place is refused.
    """

    def __init__(
        self,
        me: AuthorId | None,
        pool: Pool,
        pace_ms: int = 10_000,
        known: tuple[int, bytes] | None = None,
    ) -> None:
        self._known = known or (0, b"")
        self._is_foreign = False
        self._agreed: list[EnvelopeId] = []
        self._pool = pool
        self._pace_ms = pace_ms
        self._epochs = Epochs(me, pool.roll)
        self._frozen = Frozen(pool)
        self._author = me
        self.operations = Operations()
        self.windows = Windows()
        pool.roll_at = self._epochs.roll_at
        self._entered: tuple[int, int, int] = (0, 0, 0)
        self._joined_at_ms: int | None = None
        self._since_ms: int | None = None
        self._urgent_at_ms: int | None = None
        self._ticked_ms = 0
        self._open: tuple[tuple[int, int], list[Held]] = ((-1, -1), [])

    # Hearing

    def hear(self, envelope: Admitted) -> bool:
        """Record a member's envelope, whichever epoch and order."""
        if envelope.kind not in KINDS:
            return False
        if envelope.kind is Kind.OPERATION:
            return self.operations.hear(envelope)
        if envelope.kind is Kind.HEADS:
            return self._frozen.hear_heads(envelope.payload, envelope.author)
        if envelope.kind is Kind.REPORT and envelope.author == self._author:
            self._frozen.recall(envelope.payload)
            self.windows.recall(envelope.payload)
        return self._epochs.hear(envelope)

    def epoch(self, number: int) -> Epoch:
        """What was heard of an epoch."""
        return self._epochs.at(number)

    def is_known(self, author: AuthorId) -> bool:
        """Was ``author`` ever on a roll?"""
        return self._epochs.is_known(author)

    def roll(self) -> Roll:
        """Who decides now."""
        return self._epochs.roll

    def anchor(self) -> int:
        """The newest Minutes."""
        return self._epochs.number - 1

    def is_stale(self, anchor: int, issued_at_ms: int) -> bool:
        """Were the Minutes after ``anchor`` final more than a day before?"""
        chain = self._epochs.chain
        return anchor + 1 < len(chain) and chain[anchor + 1].at_ms + _STALE_MS < issued_at_ms

    def electorate(self) -> Electorate:
        """Who decides now, who waits, who is gone."""
        return self._epochs.electorate

    # Deriving

    def _derive(self, number: int, reports: tuple[EnvelopeId, ...]) -> Minutes | Missing | Refused:
        return derive_epoch(self._epochs, self._pool, self._frozen, self.operations, number, reports)

    def _advance(self) -> bool:
        """Append every epoch whose certificates and records are all held."""
        before = self._epochs.number
        while True:
            number = self._epochs.number
            decided = self._epochs.at(number).simplex.decided
            reports = None if decided is None else self.reports_of(number, decided[1])
            minutes = None if reports is None else self._derive(number, reports)
            if not isinstance(minutes, Minutes):
                break
            self._is_foreign = number == self._known[0] and minutes.value != self._known[1]
            if self._is_foreign:
                break
            self._agreed += self._epochs.at(number).agreed_records(minutes)
            self._epochs.append(minutes)
            self._joined_at_ms = self._since_ms = self._urgent_at_ms = None
        return self._epochs.number > before

    def reports_of(self, number: int, value: object) -> tuple[EnvelopeId, ...] | None:
        """The Reports whose digest is ``value``, from the leads that were heard."""
        epoch, parent = self.epoch(number), self._epochs.chain[number - 1].value
        found = epoch.lead_for(value, parent)
        return None if found is None else epoch.named(found, parent)

    # Signing

    def tick(self, at: Instant, *, synced: bool, grace_ms: int) -> tuple[Outcome, ...]:
        """Everything that is due by the wall clock, each slot once."""
        self._advance()
        self._ticked_ms = at.wall_ms
        if self._epochs.me < 0 or self.is_double() or not self._is_reached():
            return ()
        outcomes: list[Outcome] = []
        if synced:
            for held in self._undecided():
                if at.wall_ms >= held.proposal.closes_at_ms + grace_ms:
                    self._frozen.freeze(held)
        outcomes += self._report(at.wall_ms)
        number = self._epochs.number
        epoch = self._epochs.at(number)
        if epoch.own_report is None or epoch.authors_reported() < self._epochs.roll.quorum:
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
        """What waits for its Minutes. Only another proposal or other Minutes change it; every tick asks."""
        state = (len(self._pool.proposals), self._epochs.number)
        if self._open[0] != state:
            decided, refusal = self._epochs.decided, self._pool.refusal
            held = self._pool.proposals.values()
            self._open = (state, [one for one in held if one.id not in decided and refusal(one) is None])
        return self._open[1]

    def _due(self) -> list[Held]:
        due = [held for held in self._undecided() if held.id in self._frozen]
        order = sorted(due, key=lambda held: (held.proposal.closes_at_ms, held.id))
        return order[:REPORT_ENTRIES_MAX]

    def _report(self, wall_ms: int) -> list[Outcome]:
        """One Report an epoch: for own due proposals at once, for the roll's sake after a pace, else a while
        after f+1 others reported."""
        number = self._epochs.number
        epoch = self._epochs.at(number)
        if epoch.own_report is not None:
            return []
        due, operations = self._due(), self._pending(wall_ms)
        windows = self.windows.due(self._epochs.decided)
        if not due and not self._is_urgent(operations, windows, wall_ms):
            if epoch.authors_reported() <= self._epochs.roll.faulty_max:
                return []
            if self._joined_at_ms is None:
                self._joined_at_ms = wall_ms
            if wall_ms < self._joined_at_ms + self._pace_ms:
                return []
        entries = self._frozen.entries(due)
        new = self._frozen.unsent(entries)
        stamp_ms = max([wall_ms, *(held.proposal.closes_at_ms for held in due)])
        report = Report(number, self._epochs.chain[-1].value, stamp_ms, entries, tuple(operations), windows)
        epoch.own_report = report
        return [*(Emit(Kind.HEADS, heads) for heads in new), Emit(Kind.REPORT, report)]

    def _pending(self, wall_ms: int) -> dict[EnvelopeId, Signed]:
        return self.operations.pending(self._epochs.electorate, self._epochs.decided, wall_ms)

    def agreed_windows(self) -> tuple[Window, ...]:
        """Every window whose deltas are agreed."""
        return tuple(window for minutes in self._epochs.chain for window in minutes.windows)

    def _is_urgent(
        self, operations: Mapping[EnvelopeId, Signed], windows: tuple[Window, ...], wall_ms: int
    ) -> bool:
        """Must the roll change or a window close, and was that known for a pace (so that others know too)?"""
        electorate = self._epochs.electorate
        is_due = electorate.has_due(wall_ms)
        if is_due or any(is_urgent(electorate, signed) for signed in operations.values()):
            self._since_ms = wall_ms if self._since_ms is None else self._since_ms
        else:
            self._since_ms = None
        moments = [self.windows.urgent_at_ms(windows, wall_ms, self._pace_ms)]
        moments += [None if self._since_ms is None else self._since_ms + self._pace_ms]
        self._urgent_at_ms = min((moment for moment in moments if moment is not None), default=None)
        return self._urgent_at_ms is not None and wall_ms >= self._urgent_at_ms

    def _entered_ms(self, epoch: Epoch, number: int, wall_ms: int) -> int:
        """When this node entered the present iteration; noted the first time it is asked."""
        h = epoch.simplex.iteration
        if self._entered[:2] != (number, h):
            self._entered = (number, h, wall_ms)
        return self._entered[2]

    def _lead(self, epoch: Epoch, number: int, wall_ms: int) -> list[Outcome]:
        h = epoch.simplex.iteration
        entered_ms = self._entered_ms(epoch, number, wall_ms)
        is_mine = leader_of(self._epochs.chain[-1].value, h, self._epochs.roll.size) == self._epochs.me
        choice = epoch.simplex.choose_lead(h) if is_mine and h not in epoch.own_leads else None
        if choice is None:
            return []
        value, parent = choice
        before = self._epochs.chain[-1].value
        if value is not None:
            known = epoch.lead_for(value, before)
            lead = None if known is None else replace(known, iteration=h, parent_iteration=parent)
        else:
            reports = self._gather(epoch, number)
            is_all = len(epoch.by_author()) == self._epochs.roll.size
            if not is_all and wall_ms < entered_ms + self._pace_ms // 3:
                return []
            lead = None if reports is None else lead_of(number, h, parent, before, epoch.numbers(reports))
        if lead is None:
            return []
        epoch.own_leads[h] = lead
        return [Emit(Kind.LEAD, lead)]

    def _gather(self, epoch: Epoch, number: int) -> tuple[EnvelopeId, ...] | None:
        """The Reports that this node can count: those without missing Heads, at least q of them."""
        parent = self._epochs.chain[number - 1].value
        whole = [
            identifier
            for identifier, (_, report) in epoch.by_author().items()
            if report.parent == parent
            and all(name in self._frozen.heads for entry in report.entries for name in entry.heads)
            and all(entry.proposal in self._pool.proposals for entry in report.entries)
            and all(identifier in self.operations.bodies for identifier in report.operations)
        ]
        reports = tuple(sorted(whole)[:LEAD_MARKS_MAX])
        is_countable = len(reports) >= self._epochs.roll.quorum and isinstance(
            self._derive(number, reports), Minutes
        )
        return reports if is_countable else None

    def _understand(self, epoch: Epoch, number: int) -> None:
        """Show the agreement those leads of the present iteration whose Reports this node can count."""
        h = epoch.simplex.iteration
        leader = leader_of(self._epochs.chain[-1].value, h, self._epochs.roll.size)
        parent = self._epochs.chain[-1].value
        for member, lead in epoch.leads.get(h, {}).values():
            reports = epoch.named(lead, parent) if member == leader else None
            if reports is None:
                continue
            value = value_of(number, parent, reports)
            is_known = (value, lead.parent_iteration) in epoch.simplex.leads.get(h, {})
            if not is_known and isinstance(self._derive(number, reports), Minutes):
                epoch.simplex.hear_lead(h, value, lead.parent_iteration)

    def deadline_ms(self, grace_ms: int) -> int | None:
        """The next freeze, the end of a leader's patience, or the end of the iteration."""
        if self._epochs.me < 0 or self.is_double() or not self._is_reached():
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
        if self._urgent_at_ms is not None:
            later.append(self._urgent_at_ms)
        if self._epochs.electorate.waiting:
            later.append(self._ticked_ms + _LOOK_MS)
            later += [not_before_ms for not_before_ms, _ in self._epochs.electorate.waiting]
        epoch = self._epochs.at(self._epochs.number)
        if self._entered[0] == self._epochs.number:
            h, entered_ms = epoch.simplex.iteration, self._entered[2]
            later += [entered_ms + self._pace_ms // 3, entered_ms + timeout_ms(self._pace_ms, h)]
        moments += [moment for moment in later if moment > self._ticked_ms]
        return min(moments, default=None)

    # Answers

    def settled(self) -> list[Settled]:
        """Final outcomes in the order of the Minutes."""
        self._advance()
        if not self._is_reached():
            return []
        return [
            Settled(counted.proposal, counted.tally, minutes.at_ms, minutes.epoch)
            for minutes in self._epochs.chain
            for counted in minutes.outcomes
            if counted.proposal in self._pool.proposals
        ]

    def newest(self) -> tuple[int, bytes]:
        """Number and digest of the newest final Minutes; (0, empty) before the first."""
        newest = self._epochs.chain[-1]
        return (newest.epoch, newest.value) if newest.epoch and self._is_reached() else (0, b"")

    def take_agreed(self) -> tuple[EnvelopeId, ...]:
        """Records that Minutes rest on, of the Minutes that became final since the last time."""
        agreed, self._agreed = self._agreed, []
        return tuple(agreed)

    def foreign(self) -> str:
        """Why the Minutes that peers sent are not those of the card; empty: they may be."""
        if not self._is_foreign:
            return ""
        return f"peers sent other Minutes {self._known[0]} than the card names with which this machine joined"

    def _is_reached(self) -> bool:
        return self._epochs.number > self._known[0]

    def chain(self) -> tuple[Minutes, ...]:
        """The final Minutes so far, the beginning (epoch 0) included."""
        return tuple(self._epochs.chain)

    def is_unresolved(self, proposal: ProposalId, wall_ms: int) -> bool:
        """Never: Minutes close as soon as a quorum is reachable again."""
        return False

    def is_double(self) -> bool:
        """True if own records contradict one another: the key signs on another machine too."""
        return self._epochs.is_double()

    def explain(self, proposal: ProposalId) -> tuple[bool, tuple[str, ...]]:
        """Derive the outcome again from the held Reports and compare."""
        counted = self._epochs.decided.get(proposal)
        if counted is None or not self._is_reached():
            roll = self._epochs.roll
            return not self._is_foreign, (*_sizes(roll), self.foreign() or "no Minutes yet: not final")
        minutes = next(item for item in self._epochs.chain if counted in item.outcomes)
        roll = self._epochs.electorates[minutes.epoch - 1].roll
        reports = self.reports_of(minutes.epoch, minutes.value) or ()
        line = (
            f"Minutes {minutes.epoch} ({minutes.value.hex()[:8]}): {len(reports)} Reports agreed on; "
            f"{len(counted.counted)} ballots are in at least {roll.faulty_max + 1} of them"
        )
        return self._derive(minutes.epoch, reports) == minutes, (*_sizes(roll), line)


def _sizes(roll: Roll) -> tuple[str, ...]:
    return (f"{roll.size} members; {roll.faulty_max} may lie; {roll.quorum} make an outcome final",)
