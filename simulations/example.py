"""A study from start to end: how far can poisoners move what everybody learns, and who withstands them?

``python -m luminous.simulations.example`` prints the result that the guide shows. Refuses to be more than an
example: one scenario, one seed, three aggregators; the reader's own comes into ``AGGREGATORS``.
"""

from dataclasses import replace
from typing import Any

from luminous.crypto.rotation import compute_signs, unrotate
from luminous.protocol.aggregation import FRACTION, aggregate, clip_exact
from luminous.protocol.reasons import Refused
from luminous.simulations.lab import Experiment

SCENARIO, SEED = "poisoned", 1


def plain_sum(inputs: Any, window: int, law: Any, network: Any) -> Any:
    """Counts as they come, neither clipped nor trimmed: right in a fleet of one owner, nowhere else."""
    return aggregate(inputs, window, replace(law, is_fleet=True), network)


def plain_mean(inputs: Any, window: int, law: Any, network: Any) -> Any:
    """The mean of all clipped inputs, none left out."""
    found = aggregate(inputs, window, law, network)
    if isinstance(found, Refused):
        return found  # too few inputs: the same refusal as the product's
    signs = compute_signs(network, window, law.dimension)
    rows = [clip_exact(item.payload.vector, signs, law) for item in inputs]
    mean = [FRACTION * sum(column) // len(rows) for column in zip(*rows, strict=True)]
    return replace(found, vector=tuple(unrotate(mean, signs)))


AGGREGATORS = {"trimmed, clipped (product)": None, "mean, clipped": plain_mean, "sum, not clipped": plain_sum}


def main() -> None:
    """Play and print."""
    for name, aggregator in AGGREGATORS.items():
        experiment = Experiment(SCENARIO, aggregator=aggregator)
        check = experiment.run(SEED).checks["robustness"]
        verdict = "holds" if check["ok"] else "BROKEN"
        print(f"{name:26} robustness {verdict}: {check['detail']}")


if __name__ == "__main__":
    main()
