"""Exhaustive search of the agreement core: four members, up to three iterations, one (or two) Byzantine.

Refuses to sample: every reachable state is visited. The adversary is stronger than any network: each honest
member may at any moment use, or not know, whatever the signed records so far allow, and Byzantine members
have signed everything. The rules asked are the product's own ``Simplex`` methods (or a mutant's). States are
counted up to renaming of honest members and of the two values.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from luminous.protocol.roll import quorum
from luminous.protocol.simplex import Simplex
from luminous.simulations.minutes_walk import MUTANTS

_MEMBERS = 4
# One member's own records: for each iteration four bits (voted 0, voted 1, skipped, finalised), and the
# iteration it is in on top.
_VOTE0, _VOTE1, _SKIP, _FINAL = 1, 2, 4, 8


@dataclass(frozen=True, slots=True)
class Found:
    """How many states were visited, how many decide something, how many decide two different things."""

    states: int
    decided: int
    disagreements: int


def search(
    iterations: int = 3, byzantine: int = 1, mutant: str | None = None, *, stop_at_first: bool = False
) -> Found:
    """Visit every state of ``iterations`` iterations with ``byzantine`` lying members of four.

    ``stop_at_first``: stop at the first disagreement; to show that one exists.
    """
    member = Simplex if mutant is None else MUTANTS[mutant]
    return _Search(iterations, byzantine, member).run(stop_at_first=stop_at_first)


class _Search:
    def __init__(self, iterations: int, byzantine: int, member: type[Simplex]) -> None:
        self.iterations = iterations
        self.byzantine = byzantine
        self.member = member
        self.needed = member(0, _MEMBERS).quorum - byzantine
        self.top = 4 * (iterations + 1)
        self.next: dict[tuple[int, int], tuple[int, ...]] = {}
        assert quorum(_MEMBERS) == 3

    def run(self, *, stop_at_first: bool) -> Found:
        start = tuple([1 << self.top] * (_MEMBERS - self.byzantine))
        seen = {start: None}
        frontier = [start]
        decided = disagreements = 0
        while frontier:
            state = frontier.pop()
            certificates, values = self._certificates(state)
            decided += bool(values)
            disagreements += values == 3
            if disagreements and stop_at_first:
                break
            for following in self._successors(state, certificates):
                if following not in seen:
                    seen[following] = None
                    frontier.append(following)
        return Found(len(seen), decided, disagreements)

    def _certificates(self, state: tuple[int, ...]) -> tuple[int, int]:
        """Three bits an iteration (value 0 or 1 notarised, skipped), and the mask of decided values."""
        certificates = values = 0
        for h in range(1, self.iterations + 1):
            counts = [0, 0, 0, 0]
            for own in state:
                bits = own >> (4 * h)
                counts[0] += bits & 1
                counts[1] += bits >> 1 & 1
                counts[2] += bits >> 2 & 1
                counts[3] += bits >> 3 & 1
            held = sum(1 << kind for kind in range(3) if counts[kind] >= self.needed)
            certificates |= held << (3 * h)
            if counts[3] >= self.needed:
                values |= held & 3
        return certificates, values

    def _successors(self, state: tuple[int, ...], certificates: int) -> Iterator[tuple[int, ...]]:
        for position, own in enumerate(state):
            if position and own == state[position - 1]:
                continue
            key = (own, certificates)
            following = self.next.get(key)
            if following is None:
                following = self.next[key] = tuple(self._moves(own, certificates))
            for after in following:
                yield self._canonical((*state[:position], after, *state[position + 1 :]))

    def _canonical(self, state: tuple[int, ...]) -> tuple[int, ...]:
        return min(tuple(sorted(state)), tuple(sorted(self._swapped(own) for own in state)))

    def _swapped(self, own: int) -> int:
        votes = own & 0x33333333 & ((1 << self.top) - 1)
        return own & ~votes | (votes & 0x11111111) << 1 | votes >> 1 & 0x11111111

    def _moves(self, own: int, certificates: int) -> Iterator[int]:
        """Every record that the product's rules let this member sign next, and moving on."""
        rules = self._rules(own, certificates)
        here = own >> self.top
        for h in range(1, self.iterations + 1):
            if rules.may_finalise(h):
                yield own | _FINAL << (4 * h)
        if here > self.iterations:
            return
        if certificates >> (3 * here) & 7:
            yield own + (1 << self.top)
        if rules.may_skip(here):
            yield own | _SKIP << (4 * here)
        for value, bit in ((0, _VOTE0), (1, _VOTE1)):
            is_new = not own >> (4 * here) & bit
            parents = range(here)
            if is_new and rules.may_vote(here) and any(rules.is_justified(here, value, p) for p in parents):
                yield own | bit << (4 * here)

    def _rules(self, own: int, certificates: int) -> Simplex:
        """The member with these records of its own, shown every certificate that exists."""
        rules = self.member(0, _MEMBERS)
        everybody = (1 << _MEMBERS) - 1
        for h in range(1, self.iterations + 1):
            bits, held = own >> (4 * h), certificates >> (3 * h)
            for value, bit in ((0, _VOTE0), (1, _VOTE1)):
                if bits & bit:
                    rules.recall(("vote", h, value))
                if held & bit:
                    rules.hear_votes(h, value, everybody)
            if bits & _SKIP:
                rules.recall(("skip", h, None))
            if bits & _FINAL:
                rules.recall(("final", h, None))
            if held & 4:
                rules.hear_skips(h, everybody)
        return rules
