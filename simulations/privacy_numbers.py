"""What privacy costs, as numbers: ``python -m luminous.simulations.privacy_numbers``.

Refuses measurements: every figure is the closed form that the ledger itself uses, for the default law.
"""

from math import sqrt

from luminous.crypto.accountant import (
    NANO,
    compute_budget_nano,
    compute_cost_nano,
    compute_noise_milli,
    compute_spent_epsilon,
)
from luminous.node.core.learning.release import compute_contributors_needed, compute_cosine
from luminous.protocol.deltas import BUDGET_DELTA, LIFETIME_EPSILON, LearningLaw

LAW = LearningLaw()
EPSILON = LAW.epsilon_milli_max / 1000
YEAR_RELEASES = 12


def _epsilon(cost_nano: int, factor: float = 1.0) -> str:
    return f"{compute_spent_epsilon(cost_nano, BUDGET_DELTA, factor):.2f}"


def lines() -> list[str]:
    """The table as Markdown rows: what, number, how to read it."""
    noise = compute_noise_milli(EPSILON, BUDGET_DELTA, 1)
    cost = compute_cost_nano(noise)
    budget, lifetime = (compute_budget_nano(x, BUDGET_DELTA) for x in (EPSILON, LIFETIME_EPSILON))
    rows = [
        ("budget of 30 days", f"ε = {EPSILON:g}, δ = {BUDGET_DELTA:g}", f"{budget} nano-μ²"),
        ("noise of one release", f"z = {noise / 1000:g}", "standard deviation over the clipping norm"),
        ("one release costs", f"{cost} nano-μ²", f"μ = {sqrt(cost / NANO):.4f}"),
        ("the same, someone's data exchanged", f"ε = {_epsilon(cost, 2.0)}", "replace-one adjacency"),
        (f"{YEAR_RELEASES} releases, a year", f"ε = {_epsilon(YEAR_RELEASES * cost)}", "they compose as √n"),
        ("the lifetime budget", f"ε = {LIFETIME_EPSILON:g}", f"{lifetime // cost} such releases"),
    ]
    rows += [
        (f"{machines} unlinked machines of one person", f"ε = {_epsilon(machines * cost)}", "in each 30 days")
        for machines in (2, 3, 5, 10)
    ]
    rows += [
        (
            f"{count} contributors, D = {LAW.dimension}",
            f"cosine {compute_cosine(count, LAW.dimension, noise):.2f}",
            "below the threshold: not released"
            if 1000 * compute_cosine(count, LAW.dimension, noise) < LAW.min_cosine_milli
            else "released",
        )
        for count in (3, 12, 100, 1000, 10_000)
    ]
    needed = compute_contributors_needed(LAW.min_cosine_milli, LAW.dimension, noise)
    least = f"cosine {LAW.min_cosine_milli / 1000:.2f}"
    rows.append((f"contributors needed for {least}", str(needed), "with one release in 30 days"))
    return ["| what | number | |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)]


def main() -> None:
    """Print the table."""
    print("\n".join(lines()))


if __name__ == "__main__":
    main()
