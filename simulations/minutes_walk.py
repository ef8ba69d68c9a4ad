"""Adversarial walks of the agreement core: every leader lies, and the adversary orders every delivery.

Refuses to use anything but the product's own ``Simplex``: honest members are that class, mutants override one
of its rules. One walk is a random schedule; a disagreement is a pair of certificates for different values
that the sent records allow, whether or not anybody has put them together.
"""

import random
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from luminous.protocol.simplex import Act, Simplex, Value

ITERATIONS = 5
_STEPS_PER_MEMBER = 35


class NoSkipCertificate(Simplex):
    """Accepts a parent without proof that the iterations between were skipped."""

    __slots__ = ()

    def is_justified(self, h: int, value: Value, parent: int) -> bool:
        """Checks the parent alone."""
        return 0 <= parent < h and (
            not parent or self.vote_masks.get((parent, value), 0).bit_count() >= self.quorum
        )


class NoParentCheck(Simplex):
    """Accepts any parent as notarised."""

    __slots__ = ()

    def is_justified(self, h: int, value: Value, parent: int) -> bool:
        """Checks the skips alone."""
        between = range(parent + 1, h)
        return 0 <= parent < h and all(earlier in self.skip_certified for earlier in between)


class FinalAfterSkip(Simplex):
    """Finalises an iteration that it skipped."""

    __slots__ = ()

    def may_finalise(self, h: int) -> bool:
        """Forgets the skip."""
        return h in self.notarised and h not in self.finalised


class DoubleVote(Simplex):
    """Votes for every value of an iteration: a member that lost its journal."""

    __slots__ = ()

    def may_vote(self, h: int) -> bool:
        """Forgets the vote."""
        return h not in self.skipped


class SmallQuorum(Simplex):
    """Is content with a bare majority."""

    __slots__ = ()

    def __init__(self, me: int, members: int) -> None:
        super().__init__(me, members)
        self.quorum = members // 2 + 1


MUTANTS: Mapping[str, type[Simplex]] = MappingProxyType(
    {
        "no skip certificate": NoSkipCertificate,
        "no parent check": NoParentCheck,
        "final after skip": FinalAfterSkip,
        "double vote": DoubleVote,
        "quorum n/2+1": SmallQuorum,
    }
)


def run(n: int, f: int, walks: int, seed: int, mutant: str | None = None) -> int:
    """How many of ``walks`` schedules end in a disagreement among ``n`` members, ``f`` of them Byzantine."""
    member = Simplex if mutant is None else MUTANTS[mutant]
    return sum(_walk(n, f, random.Random(seed * 1_000_003 + number), member) for number in range(walks))


def reached(n: int, f: int, walks: int, seed: int) -> int:
    """How many of the same schedules decide some value: a harness that decides nothing proves nothing."""
    found = 0
    for number in range(walks):
        sent = _Sent(n, f)
        _schedule(sent, random.Random(seed * 1_000_003 + number), Simplex)
        found += bool(_decided(sent))
    return found


class _Sent:
    """Everything that was signed: by honest members so far, by Byzantine ones at any time."""

    __slots__ = ("byzantine", "finals", "honest", "n", "quorum", "skips", "votes")

    def __init__(self, n: int, f: int) -> None:
        self.n = n
        self.byzantine = (1 << f) - 1
        self.honest = range(f, n)
        self.quorum = 0
        self.votes: dict[tuple[int, Value], int] = {}
        self.skips: dict[int, int] = {}
        self.finals: dict[int, int] = {}


def _walk(n: int, f: int, chance: random.Random, member: type[Simplex]) -> bool:
    sent = _Sent(n, f)
    _schedule(sent, chance, member)
    return len(_decided(sent)) > 1


def _decided(sent: _Sent) -> dict[Value, None]:
    """Every value for which both certificates can be put together from what was signed."""
    quorum, byzantine = sent.quorum, sent.byzantine
    return {
        value: None
        for (h, value), mask in sent.votes.items()
        if (mask | byzantine).bit_count() >= quorum
        and (sent.finals.get(h, 0) | byzantine).bit_count() >= quorum
    }


def _schedule(sent: _Sent, chance: random.Random, member: type[Simplex]) -> None:
    nodes = [member(number, sent.n) for number in sent.honest]
    sent.quorum = nodes[0].quorum
    everybody, byzantine = (1 << sent.n) - 1, sent.byzantine
    draw: Callable[[], float] = chance.random
    taste = [int(draw() * 2) for _ in range(ITERATIONS + 1)]
    hurry = draw()
    for _ in range(_STEPS_PER_MEMBER * len(nodes)):
        node = nodes[int(draw() * len(nodes))]
        h = min(node.iteration, ITERATIONS)
        is_late = False
        what = draw()
        if what < (0.4 if h not in node.voted else 0.1):
            # Any value with any parent: the leader lies as it likes, and mostly to some end.
            parent = h - 1 if draw() < 0.3 else int(draw() * h)
            node.hear_lead(h, taste[h] if draw() < 0.8 else int(draw() * 2), parent)
        elif what < 0.5:
            is_late = node.iteration <= ITERATIONS and draw() < hurry
        else:
            # Deliver what others signed in some iteration, to this node alone: mostly all of it.
            at = h if draw() < 0.6 else 1 + int(draw() * h)
            part = everybody if draw() < 0.85 else chance.getrandbits(sent.n)
            kind = int(draw() * 4)
            if kind == 0:
                node.hear_skips(at, (sent.skips.get(at, 0) | byzantine) & part)
            elif kind == 1:
                node.hear_finals(at, (sent.finals.get(at, 0) | byzantine) & part)
            else:
                value = taste[at] if draw() < 0.8 else int(draw() * 2)
                node.hear_votes(at, value, (sent.votes.get((at, value), 0) | byzantine) & part)
        for act in node.act(is_late=is_late):
            _send(sent, 1 << node.me, act)


def _send(sent: _Sent, bit: int, act: Act) -> None:
    kind, h, value = act
    if kind == "vote":
        assert value is not None
        sent.votes[h, value] = sent.votes.get((h, value), 0) | bit
    elif kind == "skip":
        sent.skips[h] = sent.skips.get(h, 0) | bit
    else:
        sent.finals[h] = sent.finals.get(h, 0) | bit


def main() -> None:
    """The long run: ``python -m luminous.simulations.minutes_walk WALKS [SEED]``, split over n = 4, 7, 10."""
    walks = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for n, f, share in ((4, 1, 50), (7, 2, 30), (10, 3, 20)):
        part = walks * share // 100
        print(f"n={n} f={f} seed={seed}: {run(n, f, part, seed)} disagreements in {part} walks", flush=True)


if __name__ == "__main__":
    main()
