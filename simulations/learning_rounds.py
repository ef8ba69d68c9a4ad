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
    and its share of the aggregate (trimmed mean, rotation back)."""

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
    units of the clipping norm, unshrunk. Noise is a rounded normal in place of the exact discrete Gaussian
    (sigma is above 4 000 grid steps); a test compares signal and variance with the product's."""
    population, law = draw_population(seed), LearningLaw()
    root, sigma = int(sqrt(law.dimension)), noise_milli * law.sensitivity / 1000
    cut = nodes // 5
    counts = np.zeros((nodes, law.dimension), dtype=np.int64)
    means = np.empty((rounds, law.dimension))
    for window in range(rounds):
        counts += population.observe(nodes, trials)
        signs = np.array(compute_signs(NETWORK, window, law.dimension), dtype=np.float32)
        norms = np.maximum(1.0, np.linalg.norm(counts, axis=1)).astype(np.float32)
        steps = _hadamard(counts.astype(np.float32) * signs) * (law.scale / root / norms[:, None])
        steps += population.chance.random(steps.shape, dtype=np.float32) - np.float32(0.5)
        if sigma:
            steps += population.chance.standard_normal(steps.shape, dtype=np.float32) * np.float32(sigma)
        steps = np.rint(steps, out=steps)
        if nodes >= 8:
            steps.partition((cut, nodes - cut - 1), axis=0)
            steps = steps[cut : nodes - cut]
        means[window] = _hadamard(steps.mean(axis=0)[None])[0] * signs / root / law.scale
    return means


def _hadamard(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The Walsh-Hadamard transform of each row by butterflies: adds only, so no threads are woken for it."""
    shape, step = rows.shape, 1
    while step < shape[-1]:
        pairs = rows.reshape(-1, shape[-1] // (2 * step), 2, step)
        first, second = pairs[:, :, 0], pairs[:, :, 1]
        rows = np.stack((first + second, first - second), axis=2)
        step *= 2
    return rows.reshape(shape)


def measure_speed(nodes: int = 1000, rounds: int = 50, seed: int = 1) -> Speed:
    """Node-rounds a second of ``run_rounds`` on this machine."""
    begun = time.perf_counter()
    run_rounds(nodes, rounds, seed)
    return Speed(nodes, rounds, time.perf_counter() - begun)
