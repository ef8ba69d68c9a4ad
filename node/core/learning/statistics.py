"""What this machine has seen work: successes and failures of fixes, by (error class, fix class).

Refuses to let what the layout does not list leave: such pairs are counted in a tail that no release reads.
"""

from collections import deque
from dataclasses import dataclass

from luminous.protocol.layout import Layout, Pair
from luminous.protocol.limits import DELTA_COORDINATE_MAX

# The newest outcomes, for judging aggregates on one's own data.
EVENTS_MAX = 500
# Pairs outside the layout. Stops an endless stream of odd names from filling memory.
TAIL_MAX = 512


@dataclass(frozen=True, slots=True)
class Trial:
    """One verified outcome of one fix."""

    pair: Pair
    is_success: bool


class Statistics:
    """Counts per pair and the newest trials, in order."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._vector = [0] * layout.dimension
        self._tail: dict[Pair, list[int]] = {}
        self._trials: deque[Trial] = deque(maxlen=EVENTS_MAX)
        self.total = 0

    def add(self, trial: Trial) -> None:
        """Count one outcome. A new pair of the tail is dropped when the tail is full."""
        position = self.layout.index.get(trial.pair)
        if position is not None:
            place = 2 * position + (0 if trial.is_success else 1)
            self._vector[place] = min(self._vector[place] + 1, DELTA_COORDINATE_MAX)
        else:
            if trial.pair not in self._tail and len(self._tail) >= TAIL_MAX:
                return
            self._tail.setdefault(trial.pair, [0, 0])[0 if trial.is_success else 1] += 1
        self._trials.append(trial)
        self.total += 1

    def forget(self) -> None:
        """Delete every count and trial."""
        self._vector = [0] * self.layout.dimension
        self._tail.clear()
        self._trials.clear()
        self.total = 0

    @property
    def vector(self) -> tuple[int, ...]:
        """Counts in the layout's order: what a release starts from."""
        return tuple(self._vector)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The newest trials of pairs of the layout, oldest first."""
        return tuple(trial for trial in self._trials if trial.pair in self.layout.index)

    def counts(self) -> dict[Pair, tuple[int, int]]:
        """(successes, trials) of every pair seen here, the tail included."""
        seen = {
            pair: (self._vector[2 * j], self._vector[2 * j] + self._vector[2 * j + 1])
            for j, pair in enumerate(self.layout.pairs)
            if self._vector[2 * j] or self._vector[2 * j + 1]
        }
        seen.update({pair: (s, s + f) for pair, (s, f) in self._tail.items()})
        return seen
