"""Learning rounds as matrices, for thousands of nodes: the product's arithmetic without its messages.

Refuses to be the reference: the integer code is, and a test holds the two together.
"""

import time
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from luminous.crypto.rotation import compute_signs
from luminous.protocol.deltas import LearningLaw
from luminous.protocol.identifiers import NetworkId
from luminous.simulations.learning_population import draw_population

NETWORK = NetworkId(bytes(16))
NOISE_MILLI = 4225  # one release in 30 days at epsilon 1, delta 1e-6


@dataclass(frozen=True, slots=True)
class Speed:
    """Vectorised learning: one node-round is one node's window (outcomes, clip, rotation, rounding, noise)
    and its share of the aggregate (trimmed mean, rotation back, shrinkage)."""

    nodes: int
    rounds: int
    seconds: float

    @property
    def node_rounds_per_second(self) -> float:
        """Nodes times rounds by wall time."""
        return self.nodes * self.rounds / self.seconds


def run_rounds(
    nodes: int, rounds: int, seed: int, trials: int = 5, noise_milli: int = NOISE_MILLI
) -> NDArray[np.float64]:
    """The learning loop of ``nodes`` nodes as matrices, in the product's units: (rounds, 64) aggregates in
    units of the clipping norm, unshrunk. Noise is a rounded normal: at sigma above 1 000 steps not to be
    told from the discrete Gaussian, which a test checks."""
    population, law = draw_population(seed), LearningLaw()
    root, sigma = int(sqrt(law.dimension)), noise_milli * law.sensitivity / 1000
    table = _hadamard(law.dimension)
    cut = nodes // 5
    counts = np.zeros((nodes, law.dimension), dtype=np.int64)
    means = np.empty((rounds, law.dimension))
    for window in range(rounds):
        counts += population.observe(nodes, trials)
        signs = np.array(compute_signs(NETWORK, window, law.dimension), dtype=np.float32)
        norms = np.maximum(1.0, np.linalg.norm(counts, axis=1)).astype(np.float32)
        steps = (counts * signs).astype(np.float32) @ table * (law.scale / root / norms[:, None])
        steps += population.chance.random(steps.shape, dtype=np.float32) - np.float32(0.5)
        if sigma:
            steps += population.chance.standard_normal(steps.shape, dtype=np.float32) * np.float32(sigma)
        steps = np.rint(steps, out=steps)
        if nodes >= 8:
            steps.partition((cut, nodes - cut - 1), axis=0)
            steps = steps[cut : nodes - cut]
        means[window] = (steps.mean(axis=0, dtype=np.float64) @ table) * signs / root / law.scale
    return means


def _hadamard(size: int) -> NDArray[np.float32]:
    table = np.ones((1, 1), dtype=np.float32)
    while len(table) < size:
        table = np.block([[table, table], [table, -table]])
    return table


def measure_speed(nodes: int = 1000, rounds: int = 50, seed: int = 1) -> Speed:
    """Node-rounds a second of ``run_rounds`` on this machine."""
    begun = time.perf_counter()
    run_rounds(nodes, rounds, seed)
    return Speed(nodes, rounds, time.perf_counter() - begun)
