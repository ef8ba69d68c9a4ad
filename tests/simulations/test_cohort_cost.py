"""The cost table is of sums that were right."""

from luminous.simulations.cohort_cost import measure_cohort


def test_costs_are_of_exact_sums() -> None:
    cost = measure_cohort(6, 64, 1)
    assert cost.is_exact and cost.sent_bytes > 4 * 64
    assert not measure_cohort(6, 64, 4).is_exact
