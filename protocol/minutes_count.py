"""The count that follows from an agreed set of Reports: a pure function, so all who hold them print the same.

Refuses clocks: time in Reports is only compared with what members signed. A ballot counts if at least f+1 of
the agreed Reports list it or a later ballot of its chain: at least one honest member held it in time
(back-dating is useless), and none that all honest members held can be left out (no leader censors).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from luminous.protocol.ballots import Cast, Choice
from luminous.protocol.electorate import Electorate, follow
from luminous.protocol.electorate import Signed as Concerning
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.minutes import (
    HEADS_VOTERS,
    NO_PARENT,
    Entry,
    Heads,
    Report,
    Window,
    value_of,
    window_key,
)
from luminous.protocol.proposals import Proposal
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.roll import Roll
from luminous.protocol.tally import Tally, Verdict, decide

Signed: TypeAlias = tuple[AuthorId, Report]
# A proposal closes at most this long after the Minutes that followed its anchor. Stops proposals that ask a
# roll of long ago.
ANCHOR_AGE_MS_MAX = 60 * 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """One proposal as decided: its tally and which ballots made it."""

    proposal: ProposalId
    tally: Tally
    counted: tuple[EnvelopeId, ...]


@dataclass(frozen=True, slots=True)
class Minutes:
    """One epoch's final result. ``at_ms``: agreed time, never earlier than the Minutes before.

    ``operations``: the agreed ones. ``electorate``: who decides after these Minutes; None: the founders.
    ``windows``: the deltas that are S(w) for everybody from now on.
    """

    epoch: int
    parent: bytes
    value: bytes
    at_ms: int
    outcomes: tuple[Outcome, ...]
    operations: tuple[EnvelopeId, ...] = ()
    electorate: Electorate | None = None
    windows: tuple[Window, ...] = ()


BEGINNING = Minutes(0, NO_PARENT, NO_PARENT, 0, ())


@dataclass(frozen=True, slots=True)
class Missing:
    """What is not held yet, so nothing can be said: the ids of proposals, Heads and ballots."""

    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """What a derivation may look up: proposals, Heads by digest, a proposal's ballots by id, operations.

    ``roll``: the founders. ``chain``: the Minutes so far, from the beginning on. ``cooling_ms``: how long a
    fragile outcome waits. An operation that proves nothing is held as None.
    """

    roll: Roll
    proposals: Mapping[ProposalId, Proposal]
    heads: Mapping[bytes, Heads]
    casts: Callable[[ProposalId], Mapping[EnvelopeId, Cast]]
    operations: Mapping[EnvelopeId, Concerning | None] = field(default_factory=dict)
    chain: Sequence[Minutes] = ()
    cooling_ms: int = 0

    def electorate(self, minutes: Minutes) -> Electorate:
        """Who decides after ``minutes``."""
        return minutes.electorate or Electorate(self.roll)

    def asked(self, proposal: Proposal, epoch: int) -> Roll | None:
        """The roll that answers a proposal counted in ``epoch``; None if its anchor is none, or too old."""
        anchor = proposal.anchor
        if anchor >= epoch:
            return None
        if anchor + 1 < epoch and proposal.closes_at_ms > self.chain[anchor + 1].at_ms + ANCHOR_AGE_MS_MAX:
            return None
        return self.electorate(self.chain[anchor]).roll if anchor else self.roll


def derive(
    book: Book, before: Minutes, decided: Mapping[ProposalId, object], reports: Mapping[EnvelopeId, Signed]
) -> Minutes | Missing | Refused:
    """The Minutes that follow ``before`` from these Reports, or what is missing, or why they are none.

    A proposal is decided if at least 2f+1 of the Reports freeze it after its deadline (so f+1 honest clocks
    say that it is over, and at least f+1 honest Reports list what they held); the others wait.
    """
    electorate = book.electorate(before)
    roll = electorate.roll
    epoch, parent = before.epoch + 1, before.value
    authors = {author for author, _ in reports.values()}
    if len(authors) != len(reports) or len(reports) < roll.quorum or not all(a in roll for a in authors):
        return Refused(Reason.MALFORMED, "not a quorum of Reports of different members")
    if any((report.epoch, report.parent) != (epoch, parent) for _, report in reports.values()):
        return Refused(Reason.MALFORMED, "a Report of other Minutes")
    lists: dict[ProposalId, list[tuple[int, Entry]]] = {}
    for identifier in sorted(reports):
        _, report = reports[identifier]
        for entry in {entry.proposal: entry for entry in report.entries}.values():
            if entry.proposal not in decided:
                lists.setdefault(entry.proposal, []).append((report.stamp_ms, entry))
    enough = 2 * roll.faulty_max + 1
    outcomes: list[tuple[int, Outcome]] = []
    missing: list[bytes] = []
    for proposal in sorted(lists):
        listed = lists[proposal]
        if len(listed) < enough:
            continue
        known = book.proposals.get(proposal)
        if known is None:
            missing.append(proposal)
            continue
        entries = [entry for stamp_ms, entry in listed if stamp_ms >= known.closes_at_ms]
        asked = book.asked(known, epoch)
        if len(entries) < enough or asked is None:
            continue
        outcome = _count(book, proposal, known, entries, asked, support_min(roll))
        if isinstance(outcome, Missing):
            missing += outcome.ids
        else:
            outcomes.append((known.closes_at_ms, outcome))
    agreed = _operations(decided, reports.values(), support_min(roll))
    missing += [identifier for identifier in agreed if identifier not in book.operations]
    if missing:
        return Missing(tuple(missing))
    stamps = sorted(report.stamp_ms for _, report in reports.values())
    at_ms = max(before.at_ms, stamps[(len(stamps) - 1) // 2])
    ordered = tuple(outcome for _, outcome in sorted(outcomes, key=lambda item: (item[0], item[1].proposal)))
    proved = [book.operations[identifier] for identifier in agreed]
    after = follow(
        electorate,
        at_ms,
        sorted(authors),
        [signed for signed in proved if signed is not None],
        _admitted(book, ordered, at_ms),
    )
    windows = _windows(decided, reports.values(), enough, support_min(roll))
    value = value_of(epoch, parent, sorted(reports))
    return Minutes(epoch, parent, value, at_ms, ordered, tuple(agreed), after, windows)


def _windows(
    decided: Mapping[ProposalId, object], reports: Iterable[Signed], enough: int, needed: int
) -> tuple[Window, ...]:
    """Windows that at least 2f+1 Reports list, each with the deltas that at least f+1 of those list."""
    listed: dict[int, list[Window]] = {}
    for _, report in reports:
        for window in {item.window: item for item in report.windows}.values():
            if ProposalId(window_key(window.window)) not in decided:
                listed.setdefault(window.window, []).append(window)
    agreed: list[Window] = []
    for number in sorted(listed):
        if len(listed[number]) < enough:
            continue
        support: Counter[EnvelopeId] = Counter()
        for window in listed[number]:
            support.update(window.deltas)
        agreed.append(Window(number, tuple(sorted(item for item in support if support[item] >= needed))))
    return tuple(agreed)


def decided_by(minutes: Minutes) -> dict[ProposalId, Outcome | None]:
    """Everything that later Minutes must not decide again: proposals, operations, windows."""
    found: dict[ProposalId, Outcome | None] = {item.proposal: item for item in minutes.outcomes}
    found.update((ProposalId(item), None) for item in minutes.operations)
    found.update((ProposalId(window_key(item.window)), None) for item in minutes.windows)
    return found


def _operations(
    decided: Mapping[ProposalId, object], reports: Iterable[Signed], needed: int
) -> list[EnvelopeId]:
    """Operations that at least f+1 Reports list and no earlier Minutes have, by id."""
    support: dict[EnvelopeId, int] = {}
    for _, report in reports:
        for identifier in dict.fromkeys(report.operations):
            support[identifier] = support.get(identifier, 0) + 1
    listed = [identifier for identifier, count in support.items() if count >= needed]
    return sorted(identifier for identifier in listed if ProposalId(identifier) not in decided)


def _admitted(book: Book, outcomes: Iterable[Outcome], at_ms: int) -> list[tuple[int, AuthorId]]:
    """Passed admissions with the earliest time: fragile ones cool down."""
    return [
        (at_ms + (0 if outcome.tally.is_robust else book.cooling_ms), AuthorId(known.candidate))
        for outcome, known in ((outcome, book.proposals[outcome.proposal]) for outcome in outcomes)
        if known.candidate and outcome.tally.verdict is Verdict.PASSED
    ]


def support_min(roll: Roll) -> int:
    """How many Reports must list a ballot: f+1, so at least one honest member held it in time."""
    return roll.faulty_max + 1


def _count(
    book: Book, identifier: ProposalId, proposal: Proposal, entries: list[Entry], roll: Roll, needed: int
) -> Outcome | Missing:
    """Count what at least ``needed`` Reports list, of the members of ``roll``: those who were asked."""
    support = _support(book, entries, roll)
    if isinstance(support, Missing):
        return support
    casts = book.casts(identifier)
    missing = [
        link for (_, _, link), count in sorted(support.items()) if count >= needed and link not in casts
    ]
    if missing:
        return Missing(tuple(missing))
    inside: dict[int, dict[int, list[Cast]]] = {}
    highest_listed: dict[int, int] = {}
    for (voter, sequence, link), count in sorted(support.items()):
        highest_listed[voter] = max(sequence, highest_listed.get(voter, -1))
        cast = casts.get(link)
        if count >= needed and cast is not None and _is_its(cast, roll, voter, sequence, proposal):
            inside.setdefault(voter, {}).setdefault(sequence, []).append(cast)
    answers = dict.fromkeys(Choice, 0)
    counted: list[EnvelopeId] = []
    void = grey = 0
    for voter in sorted(highest_listed):
        links = inside.get(voter, {})
        if any(len(versions) > 1 for versions in links.values()):
            void += 1
            continue
        top = max(links, default=-1)
        grey += highest_listed[voter] > top
        if links:
            answers[links[top][0].choice] += 1
            counted.append(links[top][0].id)
    yes, no, abstain = answers[Choice.YES], answers[Choice.NO], answers[Choice.ABSTAIN]
    tally = decide(proposal.threshold, roll.size, yes, no, abstain, void, grey)
    return Outcome(identifier, tally, tuple(counted))


def _is_its(cast: Cast, roll: Roll, voter: int, sequence: int, proposal: Proposal) -> bool:
    """Is the ballot what f+1 Reports say? Always, while at least one of them is honest."""
    is_timely = cast.issued_at_ms <= proposal.closes_at_ms
    return roll.members[voter] == cast.voter and cast.sequence == sequence and is_timely


def _support(
    book: Book, entries: list[Entry], roll: Roll
) -> dict[tuple[int, int, EnvelopeId], int] | Missing:
    """How many Reports list each (voter, sequence, ballot). Equal Heads are read once, with their weight."""
    weights: dict[tuple[int, bytes], int] = {}
    for entry in entries:
        for block, name in enumerate(entry.heads):
            weights[block, name] = weights.get((block, name), 0) + 1
    missing = tuple(name for _, name in sorted(weights) if name not in book.heads)
    if missing:
        return Missing(missing)
    support: dict[tuple[int, int, EnvelopeId], int] = {}
    for (block, name), weight in weights.items():
        links = {
            (row.voter, sequence, link): None
            for row in book.heads[name].rows
            if row.voter // HEADS_VOTERS == block and row.voter < roll.size
            for sequence, link in row.links()
        }
        for key in links:
            support[key] = support.get(key, 0) + weight
    return support
