"""Adoption: whether others' knowledge helps here, judged on this machine's own outcomes.

Refuses to adopt what hurts, and to publish what it decided: the outcome of the gate is made of private data.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log, sqrt

from luminous.node.core.learning.estimates import Estimates
from luminous.node.core.learning.priors import PublicPrior
from luminous.node.core.learning.statistics import Trial
from luminous.protocol.layout import Layout, Pair

STEPS_MILLI = (1000, 500, 250)
OWN_TRIALS_MIN = 20
HELD_OUT_DENOMINATOR = 5
KEPT_MAX = 5  # adopted aggregates that a rollback can go back to
REGRET_TRIALS_MIN = 10
REGRET_TRIALS_MAX = 50
REGRET_DEVIATIONS = 3.0  # not two: the test is repeated at every outcome
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Adopted:
    """An aggregate in use: its digest, the step and the beliefs it adds to the public prior."""

    window: int
    mark: bytes
    step_milli: int
    contributors: int
    estimates: Estimates


def predict(
    pair: Pair,
    layout: Layout,
    prior: PublicPrior,
    own: Mapping[Pair, tuple[int, int]],
    estimates: Estimates | None,
    step_milli: int,
) -> float:
    """The probability that a fix works: own counts, public prior and ``step`` times the beliefs, as one
    Beta posterior mean with half a success and half a failure for what nobody has seen."""
    successes, trials = prior.get(pair)
    own_successes, own_trials = own.get(pair, (0, 0))
    a, n = 0.5 + successes + own_successes, 1.0 + trials + own_trials
    position = layout.index.get(pair)
    if estimates is not None and position is not None:
        more_successes, more_trials = estimates[position]
        a += step_milli * more_successes / 1e6
        n += step_milli * more_trials / 1e6
    return a / n


def score(trial: Trial, probability: float) -> float:
    """The log-likelihood of one outcome: proper, so that honesty scores best."""
    return log(probability if trial.is_success else 1.0 - probability)


def judge(
    trials: tuple[Trial, ...],
    layout: Layout,
    prior: PublicPrior,
    estimates: Estimates,
    is_trusted: bool,
) -> int:
    """The step in thousandths: the best on the newest fifth of ``trials`` (oldest first) among those that do
    not score below alone; equal scores go to the larger step. Below 20 own trials the public set judges,
    the step is at most a half, and only trusted aggregates (members', and judgeable) are looked at."""
    if len(trials) >= OWN_TRIALS_MIN:
        cut = len(trials) - len(trials) // HELD_OUT_DENOMINATOR
        own, held_out = count(trials[:cut]), trials[cut:]
        steps: tuple[int, ...] = STEPS_MILLI
    elif is_trusted:
        own, held_out = count(trials), prior.evaluation
        steps = STEPS_MILLI[1:]
    else:
        return 0

    def total(step_milli: int) -> float:
        return sum(
            score(trial, predict(trial.pair, layout, prior, own, estimates, step_milli)) for trial in held_out
        )

    best, best_score = 0, total(0)
    for step_milli in reversed(steps):
        reached = total(step_milli)
        if reached >= best_score - _SLACK:
            best, best_score = step_milli, max(reached, best_score)
    return best


def count(trials: Iterable[Trial]) -> dict[Pair, tuple[int, int]]:
    """(successes, trials) by pair."""
    counts: dict[Pair, tuple[int, int]] = {}
    for trial in trials:
        successes, seen = counts.get(trial.pair, (0, 0))
        counts[trial.pair] = (successes + trial.is_success, seen + 1)
    return counts


class Adoption:
    """The newest adopted aggregates and the regret of the one in use."""

    def __init__(self) -> None:
        self._kept: deque[Adopted] = deque(maxlen=KEPT_MAX)
        self._gains: deque[float] = deque(maxlen=REGRET_TRIALS_MAX)
        self._rejected: deque[bytes] = deque(maxlen=KEPT_MAX)

    @property
    def current(self) -> Adopted | None:
        """The aggregate in use."""
        return self._kept[-1] if self._kept else None

    def is_known(self, mark: bytes) -> bool:
        """True if this aggregate is in use or was rolled back."""
        return mark in self._rejected or (self.current is not None and self.current.mark == mark)

    def adopt(self, adopted: Adopted) -> None:
        """Use ``adopted`` from now on; another state of the same window is replaced."""
        if self._kept and self._kept[-1].window == adopted.window:
            self._kept.pop()
        self._kept.append(adopted)
        self._gains.clear()

    def learn(self, gain: float) -> Adopted | None:
        """Note by how much the aggregate in use scored a new own outcome better than alone. When it is
        worse beyond doubt (three standard errors over at least ten), it is rolled back and returned."""
        if self.current is None:
            return None
        self._gains.append(gain)
        size = len(self._gains)
        if size < REGRET_TRIALS_MIN:
            return None
        mean = sum(self._gains) / size
        variance = sum((g - mean) ** 2 for g in self._gains) / (size - 1)
        if mean >= -_SLACK or mean > -REGRET_DEVIATIONS * sqrt(variance / size):
            return None
        return self.roll_back()

    def roll_back(self) -> Adopted | None:
        """Stop using the newest aggregate, for good, and return it; the one before is in use again."""
        if not self._kept:
            return None
        dropped = self._kept.pop()
        self._rejected.append(dropped.mark)
        self._gains.clear()
        return dropped

    def forget(self) -> None:
        """Drop everything adopted."""
        self._kept.clear()
        self._gains.clear()
