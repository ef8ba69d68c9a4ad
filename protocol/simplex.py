"""Single-shot Simplex agreement: one member's part in one epoch, as integers and bit masks.

After "Simplex Consensus: A Simple and Fast Consensus Protocol" (Chan, Pass; TCC 2023). Refuses to know what
a value means, to read a clock and to send anything: it is told what was heard and answers what to sign.
Members are numbers, sets of members bit masks, values integers or bytes; iterations count from 1.

Safety rests on four rules, each a method here: one vote for a value in an iteration (``may_vote``); a value
needs its parent's notarisation and skip certificates for every iteration between (``is_justified``); no
Final after a skip (``may_finalise``) and no skip after a Final (``may_skip``).
"""

from typing import TypeAlias

from luminous.protocol.roll import quorum

Value: TypeAlias = int | bytes
# What to sign: ("vote", h, value), ("skip", h, None) or ("final", h, None).
Act: TypeAlias = tuple[str, int, Value | None]

# Iterations beyond the present one that are listened to. Stops members that invent iterations.
ITERATIONS_AHEAD_MAX = 64
# Values that one leader may propose in one iteration and be remembered for. Stops floods by leaders.
LEADS_PER_ITERATION_MAX = 4


class Simplex:
    """The state of one member. ``me`` is -1 for one who only watches."""

    __slots__ = (
        "decided",
        "final_masks",
        "finalised",
        "iteration",
        "leads",
        "me",
        "notarised",
        "quorum",
        "skip_certified",
        "skip_masks",
        "skipped",
        "vote_masks",
        "voted",
    )

    def __init__(self, me: int, members: int) -> None:
        self.me = me
        self.quorum = quorum(members)
        self.iteration = 1
        self.leads: dict[int, dict[tuple[Value, int], None]] = {}
        self.vote_masks: dict[tuple[int, Value], int] = {}
        self.skip_masks: dict[int, int] = {}
        self.final_masks: dict[int, int] = {}
        self.notarised: dict[int, Value] = {}
        self.skip_certified: dict[int, None] = {}
        self.voted: dict[int, Value] = {}
        self.skipped: dict[int, None] = {}
        self.finalised: dict[int, None] = {}
        self.decided: tuple[int, Value] | None = None

    # Hearing: each is idempotent and independent of order.

    def hear_lead(self, h: int, value: Value, parent: int) -> bool:
        """A leader's value for iteration ``h`` with the iteration that notarised it before, or 0."""
        leads = self.leads.setdefault(h, {}) if self._is_near(h) else None
        if leads is None or (value, parent) in leads or len(leads) >= LEADS_PER_ITERATION_MAX:
            return False
        leads[value, parent] = None
        return True

    def hear_votes(self, h: int, value: Value, mask: int) -> bool:
        """Members of ``mask`` voted for ``value`` in ``h``."""
        before = self.vote_masks.get((h, value), 0)
        after = before | mask
        if after == before or not self._is_near(h):
            return False
        self.vote_masks[h, value] = after
        if after.bit_count() >= self.quorum:
            self.notarised.setdefault(h, value)
            self._advance(h)
        return True

    def hear_skips(self, h: int, mask: int) -> bool:
        """Members of ``mask`` skipped ``h``."""
        before = self.skip_masks.get(h, 0)
        after = before | mask
        if after == before or not self._is_near(h):
            return False
        self.skip_masks[h] = after
        if after.bit_count() >= self.quorum:
            self.skip_certified[h] = None
            self._advance(h)
        return True

    def hear_finals(self, h: int, mask: int) -> bool:
        """Members of ``mask`` finalised ``h``."""
        before = self.final_masks.get(h, 0)
        after = before | mask
        if after == before or not self._is_near(h):
            return False
        self.final_masks[h] = after
        self._advance(h)
        return True

    def _is_near(self, h: int) -> bool:
        return 1 <= h <= self.iteration + ITERATIONS_AHEAD_MAX

    def _advance(self, h: int) -> None:
        """Leave every iteration that has a certificate; decide where both certificates are held."""
        if self.iteration <= h and (h in self.notarised or h in self.skip_certified):
            self.iteration = h + 1
        is_final = self.final_masks.get(h, 0).bit_count() >= self.quorum
        if self.decided is None and h in self.notarised and is_final:
            self.decided = (h, self.notarised[h])

    # The four rules

    def is_justified(self, h: int, value: Value, parent: int) -> bool:
        """Is ``value`` notarised at ``parent`` (or new: 0), and every iteration between skipped?"""
        if not 0 <= parent < h:
            return False
        if parent and self.vote_masks.get((parent, value), 0).bit_count() < self.quorum:
            return False
        return all(between in self.skip_certified for between in range(parent + 1, h))

    def may_vote(self, h: int) -> bool:
        """At most one value in an iteration, and none after skipping it."""
        return h not in self.voted and h not in self.skipped

    def may_skip(self, h: int) -> bool:
        """No skip after a Final."""
        return h not in self.skipped and h not in self.finalised

    def may_finalise(self, h: int) -> bool:
        """Only a notarised iteration that this member never skipped."""
        return h in self.notarised and h not in self.finalised and h not in self.skipped

    # Acting

    def act(self, *, is_late: bool) -> list[Act]:
        """What to sign now, noted here at once. ``is_late``: this iteration's time is over."""
        if self.me < 0 or self.decided is not None:
            return []
        acts: list[Act] = []
        h = self.iteration
        bit = 1 << self.me
        for earlier in self.notarised:
            if self.may_finalise(earlier):
                self.finalised[earlier] = None
                acts.append(("final", earlier, None))
        for act in acts:
            self.hear_finals(act[1], bit)
        for value, parent in self.leads.get(h, ()):
            if self.may_vote(h) and self.is_justified(h, value, parent):
                self.voted[h] = value
                acts.append(("vote", h, value))
                self.hear_votes(h, value, bit)
        if is_late and self.decided is None and self.iteration == h and self.may_skip(h):
            self.skipped[h] = None
            acts.append(("skip", h, None))
            self.hear_skips(h, bit)
        return acts

    def choose_lead(self, h: int) -> tuple[Value | None, int] | None:
        """What the leader of ``h`` may propose: (value, parent), (None, 0) for any new value, or None yet."""
        for parent in range(h - 1, 0, -1):
            if parent in self.notarised:
                return self.notarised[parent], parent
            if parent not in self.skip_certified:
                return None
        return None, 0

    def recall(self, act: Act) -> None:
        """Take back an own act from the journal: it is never signed again, nor one that contradicts it."""
        kind, h, value = act
        if kind == "vote" and value is not None:
            self.voted.setdefault(h, value)
        elif kind == "skip":
            self.skipped[h] = None
        elif kind == "final":
            self.finalised[h] = None


def leader_of(beacon: bytes, h: int, members: int) -> int:
    """The member who leads iteration ``h`` of the epoch that follows the Minutes with digest ``beacon``."""
    return (int.from_bytes(beacon[:8], "big") + h) % members


def timeout_ms(pace_ms: int, h: int) -> int:
    """How long iteration ``h`` lasts before it is skipped: a fifth longer each time, integers only."""
    length = pace_ms
    for _ in range(min(h, 40) - 1):
        length += length // 5
    return length
