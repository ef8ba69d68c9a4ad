"""The public prior: what a fresh node believes before it has seen anything, and a set to judge others by.

Refuses entries outside the layout and more than ten pseudo-trials: a shipped belief must yield to
a handful of own outcomes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from luminous.node.core.learning.statistics import Trial
from luminous.protocol.layout import Layout, Pair

PSEUDO_TRIALS_MAX = 10
EVALUATION_MAX = 1000


@dataclass(frozen=True, slots=True)
class PublicPrior:
    """``pairs``: (successes, trials) in pseudo-trials. ``evaluation``: outcomes no belief was made of."""

    pairs: Mapping[Pair, tuple[int, int]] = field(default_factory=dict)
    evaluation: tuple[Trial, ...] = ()

    def get(self, pair: Pair) -> tuple[int, int]:
        """The belief about one pair; (1, 2), an even chance, where there is none."""
        return self.pairs.get(pair, (1, 2))


def read_prior(table: Mapping[str, Any], layout: Layout) -> PublicPrior:
    """The prior of a parsed TOML table: ``[[prior]]`` and ``[[evaluation]]`` rows of class, fix,
    successes and trials. Asserts that they are within bounds: the file is ours."""
    pairs: dict[Pair, tuple[int, int]] = {}
    for row in table.get("prior", ()):
        successes, trials = _read_row(row, layout)
        assert trials <= PSEUDO_TRIALS_MAX, row
        pairs[row["class"], row["fix"]] = (successes, trials)
    evaluation: list[Trial] = []
    for row in table.get("evaluation", ()):
        successes, trials = _read_row(row, layout)
        pair = (row["class"], row["fix"])
        evaluation.extend(Trial(pair, position < successes) for position in range(trials))
    assert len(evaluation) <= EVALUATION_MAX
    return PublicPrior(pairs, tuple(evaluation))


def _read_row(row: Mapping[str, Any], layout: Layout) -> tuple[int, int]:
    successes, trials = row["successes"], row["trials"]
    assert (row["class"], row["fix"]) in layout.index, row
    assert isinstance(successes, int) and isinstance(trials, int) and 0 <= successes <= trials >= 1, row
    return successes, trials
