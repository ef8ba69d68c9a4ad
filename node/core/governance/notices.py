"""Notices: when this machine's owner is told that a vote waits, and when not.

Refuses to interrupt: nothing is shown in the quiet hours, no more a day than the network's cap or the owner's
own, and no proposal twice. What was not shown stays where it was: ``proposals`` answers whenever it is asked.
"""

from luminous.node.core.governance.decision import Decision
from luminous.node.core.governance.lifecycle import Phase
from luminous.node.core.governance.machine import Governance
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Keep, Outcome, Tell
from luminous.protocol.codec import Value
from luminous.protocol.identifiers import AuthorId, ProposalId
from luminous.protocol.parameters import NOTIFICATIONS_PER_DAY_MAX, QUIET_HOURS_MIN

NAME = "governance.noticed"
# The quiet hours end at this hour of local time and begin as much earlier as they are long.
QUIET_UNTIL_H = 8
# How often is looked: a vote is open for a day at least where people decide.
LOOK_MS = 10 * 60 * 1000
# Proposals remembered as shown. Stops a list that grows for ever; the oldest are long closed.
REMEMBERED_MAX = 4096
_HOUR_MS = 60 * 60 * 1000
_DAY_MS = 24 * _HOUR_MS


def is_quiet(at: Instant, quiet_h: int) -> bool:
    """Is ``at`` in the quiet hours of a machine whose clock shows local time?"""
    hour_ms = (at.wall_ms + at.offset_ms) % _DAY_MS
    return (QUIET_UNTIL_H * _HOUR_MS - hour_ms - 1) % _DAY_MS < quiet_h * _HOUR_MS


class Notices:
    """Registry of what was shown. ``me``: whose votes are waited for."""

    def __init__(self, me: AuthorId) -> None:
        self._me = me
        self._shown: dict[ProposalId, None] = {}
        self._today: tuple[int, int] = (0, 0)  # local day, notices on it
        self._next_ms = 0

    def recall(self, body: Value) -> None:
        """Take back an own record after a restart: (local day, notices on it, proposals shown)."""
        if not isinstance(body, list) or len(body) != 3:
            return
        day, count, shown = body
        if isinstance(day, int) and isinstance(count, int) and isinstance(shown, list):
            self._today = max(self._today, (day, count))
            self._shown.update(dict.fromkeys(ProposalId(item) for item in shown if isinstance(item, bytes)))

    def tick(self, governance: Governance, at: Instant) -> tuple[Outcome, ...]:
        """One notice about all votes that wait and that no notice named, if now is a time for it."""
        if at.wall_ms < self._next_ms:
            return ()
        self._next_ms = at.wall_ms + LOOK_MS
        limits = governance.parameters(at.wall_ms)
        day = (at.wall_ms + at.offset_ms) // _DAY_MS
        count = self._today[1] if self._today[0] == day else 0
        is_over = count >= limits[NOTIFICATIONS_PER_DAY_MAX]
        if is_over or is_quiet(at, limits[QUIET_HOURS_MIN]) or self._me not in governance.roll():
            return ()
        waiting = [item for item in governance.proposals() if self._waits(item, at)]
        if not waiting:
            return ()
        self._today = (day, count + 1)
        self._shown.update(dict.fromkeys(item.id for item in waiting))
        while len(self._shown) > REMEMBERED_MAX:
            del self._shown[next(iter(self._shown))]
        first = waiting[0].proposal
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        facts: dict[str, Value] = {
            "words": f"your vote is asked: {first.title}{more}",
            "proposals": [item.id.hex() for item in waiting],
            "closes_at_ms": first.closes_at_ms,
            "next": "luminous-node proposals",
        }
        shown: list[Value] = [item.id for item in waiting]
        return (Keep(NAME, [day, count + 1, shown], durable=False), Tell("notice", facts))

    def _waits(self, item: Decision, at: Instant) -> bool:
        is_open = item.phase is Phase.OPEN and at.wall_ms < item.proposal.closes_at_ms
        return is_open and item.own_choice is None and item.refusal is None and item.id not in self._shown
