"""Who learns in the learning studies: a drawn world of fixes that come up and work at drawn rates.

Refuses to look like real machines: it has a heavy-tailed mix and differing nodes, and nothing else.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luminous.protocol.layout import FIXES_1, Layout

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Population:
    """A drawn world: how often each pair comes up, and how often its fix works."""

    shares: NDArray[np.float64]
    rates: NDArray[np.float64]
    chance: np.random.Generator

    def observe(self, nodes: int, trials: int, spread: float = 0.3) -> Counts:
        """Counts (nodes, 64) of ``trials`` outcomes a node. ``spread``: the smaller, the more a node's mix
        of pairs is its own (Dirichlet concentration times 32)."""
        mixes = self.chance.dirichlet(self.shares * len(self.shares) * spread + 1e-3, size=nodes)
        seen = self.chance.multinomial(trials, mixes)
        worked = self.chance.binomial(seen, self.rates)
        counts = np.empty((nodes, 2 * len(self.rates)), dtype=np.int64)
        counts[:, 0::2], counts[:, 1::2] = worked, seen - worked
        return counts


def draw_population(seed: int, layout: Layout = FIXES_1) -> Population:
    """Shares of a heavy-tailed mix and rates between never and always."""
    chance = np.random.default_rng(seed)
    pairs = len(layout.pairs)
    return Population(chance.dirichlet(np.full(pairs, 0.5)), chance.beta(1.2, 1.2, pairs), chance)
