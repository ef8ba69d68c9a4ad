"""Sponsors: how a large roll takes in newcomers without a vote of all, and who answers for them.

Refuses to admit by itself (``electorate`` does, under its growth cap) and to read a clock: all times are
agreed ones. After Duniter's certifications, without their geography: a few members who know a person vouch
with their own names, seldom, and lose the right for a while if whom they vouched for turns out a liar.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

from luminous.protocol.identifiers import AuthorId
from luminous.protocol.reasons import Reason, Refused

_DAY_MS = 24 * 60 * 60 * 1000
# Different members who must vouch for a candidate.
SPONSORS_MIN = 5
# One member vouches at most once in this time. Stops a few liars from growing as fast as the cap allows.
VOUCH_EVERY_MS = 5 * _DAY_MS
# How long a vouch counts, and how long its author answers for whom it brought in.
VOUCH_LASTS_MS = 30 * _DAY_MS
# How long a sponsored candidate waits, so that members can object; it neither votes nor counts in a quorum.
PROBATION_MS = 2 * _DAY_MS
# This many objections in that time, and only a vote can admit the candidate.
OBJECTIONS_MAX = 5
# Who came less than this ago does not vouch.
SPONSOR_AFTER_MS = 6 * _DAY_MS
# Who vouched for a member that was then convicted does not vouch for this long.
BARRED_MS = 30 * _DAY_MS

# (agreed ms, candidate, the member who vouched or objected)
Word: TypeAlias = tuple[int, AuthorId, AuthorId]


@dataclass(frozen=True, slots=True)
class Sponsors:
    """What members said of candidates in the last 30 days, sorted.

    ``spoke``: who vouched in the last five days, whatever became of it. ``barred``: who may not, until when.
    """

    vouched: tuple[Word, ...] = ()
    objected: tuple[Word, ...] = ()
    spoke: tuple[tuple[int, AuthorId], ...] = ()
    barred: tuple[tuple[int, AuthorId], ...] = ()

    def of(self, candidate: AuthorId) -> tuple[AuthorId, ...]:
        """Who vouches for a candidate."""
        return tuple(sponsor for _, about, sponsor in self.vouched if about == candidate)

    def against(self, candidate: AuthorId) -> tuple[AuthorId, ...]:
        """Who objects to a candidate."""
        return tuple(member for _, about, member in self.objected if about == candidate)

    def refusal(self, sponsor: AuthorId, candidate: AuthorId, at_ms: int) -> Refused | None:
        """Why this member's word would not count now, as far as earlier words decide that."""
        if any(key == sponsor and until_ms > at_ms for until_ms, key in self.barred):
            why = "somebody you vouched for was convicted; you may vouch again 30 days after that"
            return Refused(Reason.TOO_MANY, why)
        if any(key == sponsor and said_ms > at_ms - VOUCH_EVERY_MS for said_ms, key in self.spoke):
            return Refused(Reason.TOO_MANY, "a member vouches for one candidate in five days")
        if sponsor in self.of(candidate):
            return Refused(Reason.NOTHING_NEW, "you vouch for this candidate already")
        if len(self.against(candidate)) >= OBJECTIONS_MAX:
            why = "members objected to this candidate: only a vote can admit it (member invite)"
            return Refused(Reason.NOTHING_NEW, why)
        return None

    def vouch(self, at_ms: int, candidate: AuthorId, sponsor: AuthorId) -> "Sponsors":
        """With one word more in favour."""
        vouched = tuple(sorted((*self.vouched, (at_ms, candidate, sponsor))))
        return replace(self, vouched=vouched, spoke=tuple(sorted((*self.spoke, (at_ms, sponsor)))))

    def object(self, at_ms: int, candidate: AuthorId, member: AuthorId) -> "Sponsors":
        """With one word more against; enough of them, and the words in favour are void."""
        after = replace(self, objected=tuple(sorted((*self.objected, (at_ms, candidate, member)))))
        return after if len(after.against(candidate)) < OBJECTIONS_MAX else after.forget(candidate)

    def forget(self, candidate: AuthorId) -> "Sponsors":
        """Without the words in favour of a candidate."""
        return replace(self, vouched=tuple(word for word in self.vouched if word[1] != candidate))

    def convict(self, at_ms: int, liar: AuthorId) -> "Sponsors":
        """Whoever vouched for ``liar`` in the last 30 days answers for it; its own words are void."""
        sponsors = self.of(liar)
        barred = [item for item in self.barred if item[1] not in sponsors]
        barred += [(at_ms + BARRED_MS, sponsor) for sponsor in sponsors]
        kept = tuple(word for word in self.vouched if liar not in word[1:])
        return replace(self, vouched=kept, barred=tuple(sorted(barred)))

    def rotate(self, before: AuthorId, after: AuthorId) -> "Sponsors":
        """A new key keeps what the old one said and answers for: rotating wipes nothing off."""

        def name(key: AuthorId) -> AuthorId:
            return after if key == before else key

        def renamed(words: tuple[Word, ...]) -> tuple[Word, ...]:
            return tuple(sorted((at_ms, name(about), name(member)) for at_ms, about, member in words))

        spoke = tuple(sorted((ms, name(key)) for ms, key in self.spoke))
        barred = tuple(sorted((ms, name(key)) for ms, key in self.barred))
        return Sponsors(renamed(self.vouched), renamed(self.objected), spoke, barred)

    def at(self, at_ms: int) -> "Sponsors":
        """Without what is over at an agreed time."""
        oldest_ms = at_ms - VOUCH_LASTS_MS
        return Sponsors(
            tuple(word for word in self.vouched if word[0] > oldest_ms),
            tuple(word for word in self.objected if word[0] > oldest_ms),
            tuple(item for item in self.spoke if item[0] > at_ms - VOUCH_EVERY_MS),
            tuple(item for item in self.barred if item[0] > at_ms),
        )


NO_WORDS = Sponsors()
