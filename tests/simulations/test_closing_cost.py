"""The measured closing is a real one: everybody's records are heard and the outcome is final."""

from luminous.simulations.closing_cost import measure


def test_ten_members_close_with_four_records_each() -> None:
    cost = measure(10)
    # The proposal, ten ballots, and of nine others a Report, a Vote and a Final each, and one Lead.
    assert cost.records == 1 + 10 + 3 * 9 + 1
    assert cost.size_bytes > 100 * cost.records
