"""The electorate: the roll after some Minutes, and how the next one follows from what the Minutes agreed on.

Refuses to judge by a clock of its own: time is the agreed time of Minutes. A pure function of agreed
operations and outcomes, so every node that holds the Minutes has the same roll. A key that left, was rotated
away, revoked or convicted never returns (its holder may be admitted under another); growth from
``FREE_GROWTH_BELOW`` members on is capped whatever was voted, and there members may also vouch for
newcomers (``sponsors``).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from luminous.protocol.identifiers import AuthorId
from luminous.protocol.limits import ROLL_MAX
from luminous.protocol.operations import Operation, Verb
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.roll import Roll
from luminous.protocol.sponsors import NO_WORDS, PROBATION_MS, SPONSOR_AFTER_MS, SPONSORS_MIN, Sponsors

_DAY_MS = 24 * 60 * 60 * 1000
# Below this many members each admission is a vote and nothing else; from there on growth is capped as well.
FREE_GROWTH_BELOW = 50
# Entrenched: members admitted in a day of agreed time, percent of the roll; one at least.
GROWTH_PERCENT_A_DAY = 2
# A member that showed no sign of life for this long is dormant: off the roll until it renews.
DORMANT_AFTER_MS = 30 * _DAY_MS
# Members that may fall dormant in one Minutes, percent; one at least. Keeps quorums overlapping.
DORMANT_PERCENT = 10
# How often a living member says so.
RENEW_AFTER_MS = 7 * _DAY_MS
# Admissions that wait for growth or cooling. Stops queues without end.
WAITING_MAX = 256


@dataclass(frozen=True, slots=True)
class Electorate:
    """Who decides after some Minutes. Pairs are (agreed ms, key) and sorted.

    ``waiting``: admitted, not on the roll yet, with the earliest time. ``joined``: admissions of the last six
    days. ``sponsors``: what members said of candidates. ``gone``: keys that never return. ``dormant``: may
    renew and return. ``seen``: last signs of life.
    """

    roll: Roll
    waiting: tuple[tuple[int, AuthorId], ...] = ()
    joined: tuple[tuple[int, AuthorId], ...] = ()
    gone: tuple[AuthorId, ...] = ()
    dormant: tuple[AuthorId, ...] = ()
    seen: tuple[tuple[int, AuthorId], ...] = ()
    sponsors: Sponsors = NO_WORDS
    _seen_ms: dict[AuthorId, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def is_fresh(self, key: AuthorId) -> bool:
        """May ``key`` come onto the roll: it is not on it, nor waiting, nor was it ever given up?"""
        known = (*self.gone, *self.dormant, *(item for _, item in self.waiting))
        return key not in self.roll and key not in known

    def seen_ms(self, member: AuthorId) -> int | None:
        """The last agreed sign of life."""
        if not self._seen_ms:
            self._seen_ms.update((key, at_ms) for at_ms, key in self.seen)
        return self._seen_ms.get(member)

    def has_due(self, at_ms: int) -> bool:
        """Would Minutes at ``at_ms`` admit somebody who waits?"""
        room = _room(self, at_ms)
        return room > 0 and any(not_before_ms <= at_ms for not_before_ms, _ in self.waiting)


@dataclass(frozen=True, slots=True)
class Signed:
    """An agreed operation: its signer, when by the signer's clock, and whom it concerns (checked)."""

    author: AuthorId
    at_ms: int
    operation: Operation
    concerns: AuthorId


def vouch_refusal(
    electorate: Electorate, sponsor: AuthorId, candidate: AuthorId, at_ms: int
) -> Refused | None:
    """Why the word of ``sponsor`` for ``candidate`` would not count at ``at_ms``; None: it would."""
    if electorate.roll.size < FREE_GROWTH_BELOW:
        why = f"below {FREE_GROWTH_BELOW} members everybody votes on an admission (member invite)"
        return Refused(Reason.NO_ROLL, why)
    if sponsor not in electorate.roll:
        return Refused(Reason.NOT_A_MEMBER, "only members vouch")
    if any(key == sponsor and ms > at_ms - SPONSOR_AFTER_MS for ms, key in electorate.joined):
        return Refused(Reason.TOO_MANY, "a new member vouches for nobody in its first six days")
    if not electorate.is_fresh(candidate):
        return Refused(Reason.NOTHING_NEW, "this key is on the roll, waits for its turn, or was given up")
    return electorate.sponsors.refusal(sponsor, candidate, at_ms)


def objection_refusal(electorate: Electorate, member: AuthorId, candidate: AuthorId) -> Refused | None:
    """Why an objection would not count; None: it would."""
    if member not in electorate.roll:
        return Refused(Reason.NOT_A_MEMBER, "only members object")
    is_waiting = any(key == candidate for _, key in electorate.waiting)
    if not is_waiting or not electorate.sponsors.of(candidate):
        return Refused(Reason.NOTHING_NEW, "nobody with this key waits who was vouched for")
    if member in electorate.sponsors.against(candidate):
        return Refused(Reason.NOTHING_NEW, "you objected already")
    return None


def is_effective(electorate: Electorate, signed: Signed, at_ms: int) -> bool:
    """Would this operation change the electorate at ``at_ms``? If not it is neither reported nor applied."""
    operation, author = signed.operation, signed.author
    is_present = author in electorate.roll or author in electorate.dormant
    match operation.verb:
        case Verb.LEAVE | Verb.REVOKE:
            return is_present and (author in electorate.dormant or electorate.roll.size > 1)
        case Verb.ROTATE:
            return author in electorate.roll and electorate.is_fresh(AuthorId(operation.successor))
        case Verb.EVIDENCE:
            return signed.concerns in electorate.roll and electorate.roll.size > 1
        case Verb.RENEW:
            seen_ms = electorate.seen_ms(author)
            is_news = seen_ms is not None and signed.at_ms >= seen_ms + RENEW_AFTER_MS // 2
            return author in electorate.dormant or (author in electorate.roll and is_news)
        case Verb.VOUCH:
            return vouch_refusal(electorate, author, signed.concerns, at_ms) is None
        case Verb.OBJECT:
            return objection_refusal(electorate, author, signed.concerns) is None
    return False


def follow(
    before: Electorate,
    at_ms: int,
    present: Iterable[AuthorId],
    operations: Iterable[Signed],
    admitted: Iterable[tuple[int, AuthorId]],
) -> Electorate:
    """The electorate after Minutes at ``at_ms``.

    ``present``: authors of the agreed Reports; ``operations``: the agreed ones, in the order of their ids;
    ``admitted``: (earliest time, candidate) of passed MEMBER proposals, in the order of the outcomes.
    """
    joined = tuple(pair for pair in before.joined if pair[0] > at_ms - SPONSOR_AFTER_MS)
    after = replace(before, joined=joined, sponsors=before.sponsors.at(at_ms))
    ordered = sorted(enumerate(operations), key=lambda item: (_ORDER[item[1].operation.verb], item[0]))
    for _, signed in ordered:
        if is_effective(after, signed, at_ms):
            after = _apply(after, signed, at_ms)
    for not_before_ms, key in admitted:
        # A vote of all outranks the words of a few: nobody objects it away.
        if key not in after.roll:
            after = replace(after, sponsors=after.sponsors.forget(key))
        if after.is_fresh(key) and len(after.waiting) < WAITING_MAX:
            after = replace(after, waiting=tuple(sorted((*after.waiting, (not_before_ms, key)))))
    after = _admit(after, at_ms)
    return _sleep(_see(after, at_ms, present), at_ms)


# Convictions first: a liar cannot rotate away from its own in the same Minutes.
_ORDER = {
    verb: number
    for number, verb in enumerate(
        (Verb.EVIDENCE, Verb.REVOKE, Verb.LEAVE, Verb.ROTATE, Verb.RENEW, Verb.OBJECT, Verb.VOUCH)
    )
}


def _apply(before: Electorate, signed: Signed, at_ms: int) -> Electorate:
    author, operation = signed.author, signed.operation
    match operation.verb:
        case Verb.LEAVE | Verb.REVOKE | Verb.EVIDENCE:
            key = signed.concerns
            sponsors = before.sponsors
            if operation.verb is Verb.EVIDENCE:
                sponsors = sponsors.convict(at_ms, key)
            gone = tuple(sorted((*before.gone, key)))
            return replace(_without(before, key), gone=gone, sponsors=sponsors)
        case Verb.ROTATE:
            successor = AuthorId(operation.successor)
            members = tuple(successor if key == author else key for key in before.roll.members)
            seen = tuple((ms, successor if key == author else key) for ms, key in before.seen)
            return replace(
                before,
                roll=Roll(members),
                seen=tuple(sorted(seen)),
                gone=tuple(sorted((*before.gone, author))),
                joined=tuple(sorted((ms, successor if key == author else key) for ms, key in before.joined)),
                sponsors=before.sponsors.rotate(author, successor),
            )
        case Verb.VOUCH:
            return _vouch(before, signed, at_ms)
        case Verb.OBJECT:
            sponsors = before.sponsors.object(at_ms, signed.concerns, author)
            is_out = not sponsors.of(signed.concerns)
            waiting = tuple(pair for pair in before.waiting if not (is_out and pair[1] == signed.concerns))
            return replace(before, waiting=waiting, sponsors=sponsors)
        case Verb.RENEW if author in before.dormant:
            woken = Roll((*before.roll.members, author))
            sleeping = tuple(key for key in before.dormant if key != author)
            return replace(before, roll=woken, dormant=sleeping, seen=_seen(before, author, at_ms))
    return replace(before, seen=_seen(before, author, min(signed.at_ms, at_ms)))


def _vouch(before: Electorate, signed: Signed, at_ms: int) -> Electorate:
    candidate = signed.concerns
    sponsors = before.sponsors.vouch(at_ms, candidate, signed.author)
    after = replace(before, sponsors=sponsors)
    if len(sponsors.of(candidate)) < SPONSORS_MIN or len(before.waiting) >= WAITING_MAX:
        return after
    return replace(after, waiting=tuple(sorted((*before.waiting, (at_ms + PROBATION_MS, candidate)))))


def _without(before: Electorate, key: AuthorId) -> Electorate:
    return replace(
        before,
        roll=Roll(tuple(member for member in before.roll.members if member != key)),
        dormant=tuple(member for member in before.dormant if member != key),
        seen=tuple(pair for pair in before.seen if pair[1] != key),
    )


def _seen(before: Electorate, key: AuthorId, at_ms: int) -> tuple[tuple[int, AuthorId], ...]:
    others = [pair for pair in before.seen if pair[1] != key]
    return tuple(sorted([*others, (at_ms, key)]))


def _room(electorate: Electorate, at_ms: int) -> int:
    """How many may join now."""
    size = electorate.roll.size
    if size >= ROLL_MAX:
        return 0
    if size < FREE_GROWTH_BELOW:
        return FREE_GROWTH_BELOW - size
    today = sum(pair[0] > at_ms - _DAY_MS for pair in electorate.joined)
    return max(1, size * GROWTH_PERCENT_A_DAY // 100) - today


def _admit(before: Electorate, at_ms: int) -> Electorate:
    after = before
    for pair in before.waiting:
        not_before_ms, key = pair
        if not_before_ms <= at_ms and _room(after, at_ms) > 0:
            after = replace(
                after,
                roll=Roll((*after.roll.members, key)),
                waiting=tuple(other for other in after.waiting if other != pair),
                joined=tuple(sorted((*after.joined, (at_ms, key)))),
            )
    return after


def _see(before: Electorate, at_ms: int, present: Iterable[AuthorId]) -> Electorate:
    """Those who reported were there; of those never seen, their time begins now."""
    here = dict.fromkeys(present)
    old = {key: seen_ms for seen_ms, key in before.seen}
    seen = [(at_ms if key in here else old.get(key, at_ms), key) for key in before.roll.members]
    return replace(before, seen=tuple(sorted(seen)))


def _sleep(before: Electorate, at_ms: int) -> Electorate:
    """The longest unseen fall dormant, a few at a time; those who report now never do."""
    limit = max(1, before.roll.size * DORMANT_PERCENT // 100)
    late = [key for seen_ms, key in before.seen if seen_ms < at_ms - DORMANT_AFTER_MS][:limit]
    if not late or len(late) >= before.roll.size:
        return before
    after = before
    for key in late:
        after = _without(after, key)
    return replace(after, dormant=tuple(sorted((*after.dormant, *late))))
