"""Populations of machines that learn which fix to offer first: alone, together, and with liars among them.

Every machine is the product's own: `rank` orders its fixes, `Learning` counts, releases, aggregates, judges
and adopts. Refuses invented learning: only the world is drawn (which fix works how often, who meets which
failure), and its parameters are arguments. Deltas are handed over directly: the wire is for other studies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from luminous.crypto.entropy import SeededEntropy
from luminous.node.core.causes.ranking import rank
from luminous.node.core.instant import Instant
from luminous.node.core.learning.machine import Learning
from luminous.node.core.learning.priors import PublicPrior
from luminous.node.core.learning.release import build_public
from luminous.node.core.learning.statistics import Trial
from luminous.node.core.outcomes import Emit, Outcome
from luminous.protocol.deltas import DAY_MS, Delta, LearningLaw, Level, fleet_law
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.layout import FIXES_1, Pair
from luminous.simulations.learning_rounds import NETWORK
from luminous.simulations.learning_study import admit

GOOD_RATE, BAD_RATE = 0.85, 0.30
# What a liar claims: as many outcomes as a coordinate can hold a thousandth of.
LIE = 10**6
EVALUATION_TRIALS = 4
CLASSES = tuple(
    name
    for name in dict.fromkeys(name for name, _ in FIXES_1.pairs)
    if sum(other == name for other, _ in FIXES_1.pairs) > 1
)
FIXES = {name: tuple(pair for pair in FIXES_1.pairs if pair[0] == name) for name in CLASSES}


@dataclass(frozen=True, slots=True)
class World:
    """Which fix of each class works best here, and how often the others work."""

    best: dict[str, Pair]
    bad_rate: float = BAD_RATE

    def rate(self, pair: Pair) -> float:
        """How often this fix works."""
        return GOOD_RATE if self.best[pair[0]] == pair else self.bad_rate


@dataclass(frozen=True, slots=True)
class Course:
    """One population, window by window: the share of (honest machine, class) that would be offered the best
    fix first, and the share of first fixes that worked in that window.
    """

    best_first: tuple[float, ...]
    worked: tuple[float, ...]
    promoted: int

    def windows_until(self, share: float) -> int:
        """Windows until `share` of the offers are the best fix, and stay so; one more than all if never."""
        late = [window for window, found in enumerate(self.best_first) if found < share]
        return late[-1] + 1 if late else 0


def draw_world(seed: int, bad_rate: float = BAD_RATE) -> World:
    """A best fix for each class, by chance: as often one that the catalogue does not name first."""
    chance = np.random.default_rng([seed, 1])
    return World({name: fixes[int(chance.integers(len(fixes)))] for name, fixes in FIXES.items()}, bad_rate)


def live(
    seed: int,
    *,
    machines: int = 20,
    windows: int = 12,
    failures: int = 3,
    together: bool = True,
    liars: int = 0,
    is_fleet: bool = True,
    bad_rate: float = BAD_RATE,
) -> Course:
    """A population of `machines`, of which the first `liars` lie, for `windows` days; each honest one meets
    `failures` failures a day and tries first what it would be offered first.
    """
    world, chance = draw_world(seed, bad_rate), np.random.default_rng([seed, 2])
    law = fleet_law(DAY_MS) if is_fleet else LearningLaw(window_ms=DAY_MS)
    prior = _public_prior(world, np.random.default_rng([seed, 3]))
    authors = [AuthorId(number.to_bytes(32, "big")) for number in range(machines)]
    nodes = [_machine(author, law, authors, prior, seed) for author in authors]
    honest = nodes[liars:]
    best_first, worked = [], []
    for window in range(windows):
        outcomes = []
        for place in range(failures):
            for node in honest:
                at = _instant(window * DAY_MS + (place + 1) * 60_000)
                pair = offered(node, CLASSES[int(chance.integers(len(CLASSES)))])
                is_success = bool(chance.random() < world.rate(pair))
                node.observe(pair, is_success, at)
                outcomes.append(is_success)
        worked.append(sum(outcomes) / len(outcomes))
        if together:
            _exchange(nodes, window, liars, world)
        offers = [offered(node, name) == world.best[name] for node in honest for name in CLASSES]
        best_first.append(sum(offers) / len(offers))
    right = [name for name in CLASSES if world.best[name] == FIXES[name][0]]
    wrong = [sum(offered(node, name) != world.best[name] for node in honest) for name in right]
    return Course(tuple(best_first), tuple(worked), sum(2 * count > len(honest) for count in wrong))


def offered(node: Learning, name: str) -> Pair:
    """The fix that this machine would offer first for a class."""
    first = rank(FIXES[name], node.counts(), node.heard())[0]
    return first.class_id, first.fix_id


def _machine(
    author: AuthorId, law: LearningLaw, authors: Sequence[AuthorId], prior: PublicPrior, seed: int
) -> Learning:
    node = Learning(NETWORK, author, law, SeededEntropy(author + seed.to_bytes(8, "big")), prior=prior)
    node.set_eligible(frozenset(authors))
    granted = node.grant(Level.PUBLIC, _instant(0))
    assert isinstance(granted, tuple)
    return node


def _public_prior(world: World, chance: np.random.Generator) -> PublicPrior:
    """A small public record of the same world, as it ships with the node: it judges, it is no belief."""
    trials = [
        Trial(pair, bool(chance.random() < world.rate(pair)))
        for name in CLASSES
        for pair in FIXES[name]
        for _ in range(EVALUATION_TRIALS)
    ]
    return PublicPrior({}, tuple(trials))


def _exchange(nodes: Sequence[Learning], window: int, liars: int, world: World) -> None:
    """Everybody releases the window that ended, hears everybody, and judges."""
    released_ms = (window + 1) * DAY_MS + DAY_MS // 8
    for number, node in enumerate(nodes):
        if number < liars:
            deltas = [_lie(window, world)]
        else:
            deltas = _released(node.tick(_instant(released_ms)))
        for delta in deltas:
            for hearer in nodes[liars:]:
                hearer.hear(admit(number, delta), _instant(released_ms))
    for node in nodes[liars:]:
        node.tick(_instant(released_ms + DAY_MS // 50))


def _released(outcomes: tuple[Outcome, ...]) -> list[Delta]:
    return [outcome.payload for outcome in outcomes if isinstance(outcome, Emit)]  # type: ignore[misc]


def _lie(window: int, world: World) -> Delta:
    """All that is good failed and all that is bad worked, with as much weight as can be said."""
    counts = [0] * FIXES_1.dimension
    for name in CLASSES:
        for pair in FIXES[name]:
            is_best = world.best[name] == pair
            counts[2 * FIXES_1.index[pair] + is_best] = LIE
    return build_public(tuple(counts), window, FIXES_1)


def _instant(wall_ms: int) -> Instant:
    return Instant(wall_ms=wall_ms + 1, mono_ms=wall_ms + 1, boot_id="boot")


def paired(difference: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval (normal) over seeds."""
    mean = sum(difference) / len(difference)
    spread = sqrt(sum((x - mean) ** 2 for x in difference) / max(1, len(difference) - 1))
    half = 1.96 * spread / sqrt(len(difference))
    return mean, mean - half, mean + half


def main(tell: Callable[[str], None] = print, seeds: int = 20, days: int = 40) -> None:
    """Print the table: ``python -m luminous.simulations.fix_population``."""
    shape = f"{days} days, {seeds} worlds, {len(CLASSES)} classes"
    tell(f"20 machines, 3 failures a day each, {shape}; means with 95 % intervals")
    for name, together, is_fleet, liars in (
        ("alone", False, True, 0),
        ("together, a fleet", True, True, 0),
        ("together, a community", True, False, 0),
        ("community, 4 of 20 lie", True, False, 4),
    ):
        found = [
            live(n, windows=days, together=together, is_fleet=is_fleet, liars=liars) for n in range(seeds)
        ]
        until = _shown(paired([float(course.windows_until(0.95)) for course in found]), 1)
        worked = _shown(paired([sum(course.worked) / len(course.worked) for course in found]), 3)
        tell(
            f"  {name:23} days until 95 % of offers are the best: {until}; first fixes that worked: {worked}"
        )
        marks = (1, 5, 12, days)
        at = [(day, _shown(paired([course.best_first[day - 1] for course in found]), 3)) for day in marks]
        tell("    best fix offered first: " + ", ".join(f"day {day} {said}" for day, said in at))
        tell(f"    classes in which a bad fix was promoted: {sum(course.promoted for course in found)}")


def _shown(interval: tuple[float, float, float], digits: int) -> str:
    mean, low, high = (f"{value:.{digits}f}" for value in interval)
    return f"{mean} [{low}, {high}]"


if __name__ == "__main__":
    main()
