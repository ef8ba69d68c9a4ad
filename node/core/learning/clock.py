"""Whether this machine's wall clock may date a privacy period.

Refuses to correct a clock: it only says when not to release. Skews come from gossip alone, since what
sync brings is old by nature; the caller sees to that.
"""

from luminous.node.core.instant import Instant
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.reasons import Reason, Refused

BEHIND_MS_MAX = 5 * 60 * 1000
SKEW_MS_MAX = 10 * 60 * 1000
HEARD_WITHIN_MS = 3600 * 1000
MEMBERS_MIN = 3  # fewer members could set a clock between two of them
SAMPLES_MAX = 1024  # stops a crowd of authors from filling memory


class Clock:
    """The newest skew of each member, and the two rules."""

    def __init__(self) -> None:
        self._skews: dict[AuthorId, tuple[str, int, int]] = {}

    def hear(self, author: AuthorId, issued_at_ms: int, at: Instant) -> None:
        """A member's envelope came by gossip: how far its clock is ahead of ours."""
        self._skews.pop(author, None)
        if len(self._skews) >= SAMPLES_MAX:
            del self._skews[next(iter(self._skews))]
        self._skews[author] = (at.boot_id, at.mono_ms, issued_at_ms - at.wall_ms)

    def refuse(self, at: Instant, newest_charge_ms: int) -> Refused | None:
        """None if the clock may be used, else why not."""
        behind = newest_charge_ms - at.wall_ms
        if behind > BEHIND_MS_MAX:
            return Refused(
                Reason.CLOCK,
                f"the clock is {behind // 60_000} min behind the newest release: nothing is released "
                "until it has caught up",
            )
        skews = self._fresh(at)
        if len(skews) >= MEMBERS_MIN:
            median = skews[(len(skews) - 1) // 2]
            if abs(median) > SKEW_MS_MAX:
                side = "behind" if median > 0 else "ahead of"
                return Refused(
                    Reason.CLOCK,
                    f"the clock is {abs(median) // 60_000} min {side} the median of {len(skews)} members: "
                    "set it, nothing is released until then",
                )
        return None

    def offset(self, at: Instant) -> tuple[int, int | None]:
        """(members heard within the hour, how many ms their median is ahead of this clock)."""
        skews = self._fresh(at)
        return len(skews), skews[(len(skews) - 1) // 2] if skews else None

    def _fresh(self, at: Instant) -> list[int]:
        return sorted(
            skew
            for boot, mono, skew in self._skews.values()
            if boot == at.boot_id and at.mono_ms - mono <= HEARD_WITHIN_MS
        )
