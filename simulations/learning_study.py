"""Learning as an experiment: how near aggregates come to the pooled optimum, and when sharing pays.

Refuses invented results: what is marked simulated (cohorts, which the product does not have yet) says so in
its name, everything else runs the product's own integer code. The worlds are drawn, their parameters are
arguments, and chance level and oracle stand beside every figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.rotation import compute_signs, unrotate
from luminous.node.core.learning.adoption import judge, predict
from luminous.node.core.learning.estimates import Estimates, estimate
from luminous.node.core.learning.priors import PublicPrior
from luminous.node.core.learning.release import build_noised, build_public
from luminous.node.core.learning.statistics import Statistics, Trial
from luminous.protocol.aggregation import FRACTION, Aggregate, aggregate, clip_exact
from luminous.protocol.deltas import Delta, LearningLaw, Level, fleet_law
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1
from luminous.simulations.learning_population import Counts, Population, draw_population
from luminous.simulations.learning_rounds import NETWORK, NOISE_MILLI, measure_speed


def admit(author: int, delta: Delta) -> Admitted:
    """A delta as the domain sees it, without keys: the study is about numbers."""
    identifier = author.to_bytes(32, "big")
    return Admitted(EnvelopeId(identifier), NETWORK, Kind.DELTA, AuthorId(identifier), 1, 0, delta, b"")


def combine(deltas: Sequence[Delta], window: int, law: LearningLaw) -> Aggregate:
    """The product's aggregate of these deltas."""
    found = aggregate(tuple(admit(n, delta) for n, delta in enumerate(deltas)), window, law, NETWORK)
    assert isinstance(found, Aggregate), found
    return found


@dataclass(frozen=True, slots=True)
class ConvergencePoint:
    """One window of one run. Errors are L2 distances to the pooled optimum, relative to its norm;
    ``low`` and ``high`` are the band that the law's noise states (three standard deviations)."""

    nodes: int
    level: str
    seed: int
    window: int
    error: float
    stated: float
    low: float
    high: float

    @property
    def is_within(self) -> bool:
        """True if the error is what was stated."""
        return self.low <= self.error <= self.high


def convergence(
    nodes: Sequence[int] = (24, 48, 96),
    level: Level = Level.DIFFERENTIAL,
    seeds: Sequence[int] = (1,),
    windows: int = 12,
    trials: int = 5,
) -> list[ConvergencePoint]:
    """Models against the pooled optimum, window by window, with the product's integer code.

    PUBLIC (a fleet's law): the pooled optimum is the sum of all counts; the error is 0 exactly.
    DIFFERENTIAL (a community's law): the optimum is the mean of all clipped directions, and what is
    compared is the running mean of the aggregates so far, whose noise falls with nodes and windows. The
    refusal rule is left out here: real nodes of such small networks keep their budget instead.
    """
    points = []
    for count in nodes:
        for seed in seeds:
            if level == Level.PUBLIC:
                points += _converge_public(count, seed, windows, trials)
            else:
                points += _converge_noised(count, seed, windows, trials)
    return points


def _converge_public(nodes: int, seed: int, windows: int, trials: int) -> list[ConvergencePoint]:
    population, law = draw_population(seed), fleet_law(10_000)
    counts = np.zeros((nodes, law.dimension), dtype=np.int64)
    points = []
    for window in range(windows):
        counts += population.observe(nodes, trials)
        found = combine([build_public(tuple(row), window, FIXES_1) for row in counts.tolist()], window, law)
        pooled = counts.sum(axis=0)
        error = float(np.linalg.norm(np.array(found.vector) - pooled) / np.linalg.norm(pooled))
        points.append(ConvergencePoint(nodes, "PUBLIC", seed, window, error, 0.0, 0.0, 0.0))
    return points


def _converge_noised(nodes: int, seed: int, windows: int, trials: int) -> list[ConvergencePoint]:
    population, law = draw_population(seed), LearningLaw()
    entropy = SeededEntropy(b"convergence" + seed.to_bytes(8, "big") + nodes.to_bytes(8, "big"))
    counts = np.zeros((nodes, law.dimension), dtype=np.int64)
    total, optimum, variance = np.zeros(law.dimension), np.zeros(law.dimension), 0.0
    points = []
    for window in range(windows):
        counts += population.observe(nodes, trials)
        rows = [tuple(row) for row in counts.tolist()]
        sent = [build_noised(row, window, FIXES_1, law, NETWORK, NOISE_MILLI, entropy) for row in rows]
        found = combine(sent, window, law)
        total += np.array(found.vector) / (law.scale * FRACTION)
        optimum += _mean_direction(counts)
        variance += found.variance / (law.scale * FRACTION) ** 2
        error = np.linalg.norm(total - optimum) / np.linalg.norm(optimum)
        stated = sqrt(law.dimension * variance) / np.linalg.norm(optimum)
        # The squared norm of D independent normals has relative standard deviation sqrt(2 / D).
        reach = 3.0 * sqrt(2.0 / law.dimension)
        low, high = float(stated) * sqrt(max(0.0, 1.0 - reach)), float(stated) * sqrt(1.0 + reach)
        points.append(
            ConvergencePoint(nodes, "DIFFERENTIAL", seed, window, float(error), float(stated), low, high)
        )
    return points


def _mean_direction(counts: Counts) -> NDArray[np.float64]:
    norms = np.maximum(1.0, np.linalg.norm(counts, axis=1))
    return np.asarray((counts / norms[:, None]).mean(axis=0))


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to learn: how often the fix that is shown first works, over the classes that have several
    fixes; ``step`` is the mean adopted step (1 where there is no gate)."""

    name: str
    success: float
    step: float


def alone_vs_noised_vs_cohort(
    nodes: int = 1000, trials: int = 20, seed: int = 1, judged: int = 200
) -> list[Arm]:
    """First-fix success of ``judged`` nodes by what they adopt. Cohorts are SIMULATED: exact sums with one
    central noise a cohort, which is what secure aggregation will give if all its members are honest."""
    population, law = draw_population(seed), LearningLaw()
    counts = population.observe(nodes, trials)
    rows = [tuple(row) for row in counts.tolist()]
    entropy = SeededEntropy(b"study" + seed.to_bytes(8, "big"))
    exact = combine([build_public(row, 0, FIXES_1) for row in rows], 0, law)
    noised = combine(
        [build_noised(row, 0, FIXES_1, law, NETWORK, NOISE_MILLI, entropy) for row in rows], 0, law
    )
    nothing: Estimates = tuple((0, 0) for _ in FIXES_1.pairs)
    arms = {
        "alone": (nothing, False),
        "noised": (estimate(noised, law, (0,) * 64), False),
        "noised + gate": (estimate(noised, law, (0,) * 64), True),
        "cohorts of 16 + gate, SIMULATED": (_simulate_cohorts(rows, 16, population, law), True),
        "one cohort + gate, SIMULATED": (_simulate_cohorts(rows, nodes, population, law), True),
        "one cohort, SIMULATED": (_simulate_cohorts(rows, nodes, population, law), False),
        "exact + gate": (estimate(exact, law, (0,) * 64), True),
    }
    people = [_shuffle_trials(row, population.chance) for row in counts[:judged].tolist()]
    results = [Arm("chance", _first_fix(population, None), 0.0)]
    for name, (beliefs, is_gated) in arms.items():
        successes, steps = [], []
        for own in people:
            step = judge(own, FIXES_1, PublicPrior(), beliefs, True) if is_gated else 1000
            seen = Statistics(FIXES_1)
            for trial in own:
                seen.add(trial)
            known = seen.counts()
            scores = [predict(p, FIXES_1, PublicPrior(), known, beliefs, step) for p in FIXES_1.pairs]
            successes.append(_first_fix(population, scores))
            steps.append(step / 1000)
        results.append(Arm(name, float(np.mean(successes)), float(np.mean(steps))))
    results.append(Arm("oracle", _first_fix(population, population.rates.tolist()), 0.0))
    return results


def _simulate_cohorts(
    rows: Sequence[tuple[int, ...]], size: int, population: Population, law: LearningLaw
) -> Estimates:
    """The mean of clipped, rotated vectors with noise of one author in each cohort's sum."""
    signs = compute_signs(NETWORK, 0, law.dimension)
    total = np.sum([clip_exact(row, signs, law) for row in rows], axis=0)
    cohorts = -(-len(rows) // size)
    sigma = NOISE_MILLI * law.sensitivity / 1000 * sqrt(cohorts)
    noised = np.rint(total + population.chance.normal(0.0, sigma, law.dimension)) * FRACTION / len(rows)
    vector = unrotate([int(x) for x in noised], signs)
    variance = int((sigma * FRACTION / len(rows)) ** 2)
    mark = b"simulated"
    return estimate(Aggregate(0, tuple(vector), variance, False, len(rows), mark), law, (0,) * 64)


def _shuffle_trials(row: Sequence[int], chance: np.random.Generator) -> tuple[Trial, ...]:
    trials = [
        Trial(pair, success)
        for j, pair in enumerate(FIXES_1.pairs)
        for success, size in ((True, row[2 * j]), (False, row[2 * j + 1]))
        for _ in range(size)
    ]
    return tuple(trials[i] for i in chance.permutation(len(trials)))


def _first_fix(population: Population, scores: Sequence[float] | None) -> float:
    """The success of showing the best-scored fix of each class with several, weighted by how often the
    class comes up; without scores, of showing any at random."""
    classes: dict[str, list[int]] = {}
    for j, (error_class, _) in enumerate(FIXES_1.pairs):
        classes.setdefault(error_class, []).append(j)
    won, weight = 0.0, 0.0
    for fixes in classes.values():
        if len(fixes) < 2:
            continue
        share = float(population.shares[fixes].sum())
        if scores is None:
            rate = float(population.rates[fixes].mean())
        else:
            rate = float(population.rates[max(fixes, key=lambda j: scores[j])])
        won, weight = won + share * rate, weight + share
    return won / weight


def main() -> None:
    """Print every table: ``python -m luminous.simulations.learning_study``."""
    for level in (Level.PUBLIC, Level.DIFFERENTIAL):
        points = convergence(level=level, seeds=(1, 2, 3))
        within = sum(point.is_within for point in points)
        print(f"{level.name}: {within} of {len(points)} windows within the stated band")
        for nodes in (24, 48, 96):
            last = [p for p in points if p.nodes == nodes and p.window == 11]
            errors = ", ".join(f"{p.error:.3f} (stated {p.stated:.3f})" for p in last)
            print(f"  {nodes} nodes, after 12 windows, relative error: {errors}")
    table: dict[str, list[Arm]] = {}
    for seed in range(1, 6):
        for arm in alone_vs_noised_vs_cohort(seed=seed):
            table.setdefault(arm.name, []).append(arm)
    print("first-fix success, 1 000 nodes, 20 trials each, 200 judged, 5 worlds")
    for name, arms in table.items():
        rate, step = np.mean([a.success for a in arms]), np.mean([a.step for a in arms])
        print(f"  {name:34} {rate:.3f}   mean step {step:.2f}")
    speed = measure_speed()
    print(f"{speed.node_rounds_per_second:,.0f} node-rounds/s ({speed.nodes} nodes, {speed.rounds} rounds)")


if __name__ == "__main__":
    main()
