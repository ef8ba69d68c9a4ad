"""What a body costs is read from a run of its own; a run that fails is an error, not a figure."""

import pytest

from luminous.simulations.bench_bodies import Cost, compute_node_mb, run_once


def test_a_run_has_its_time_its_memory_and_its_events() -> None:
    cost = run_once("world", 4, "churn")
    assert (cost.body, cost.nodes) == ("world", 4)
    assert cost.times_faster > 0 and cost.peak_mb > 1
    assert cost.events_per_cpu_s is not None and cost.events_per_cpu_s > 0


def test_a_run_that_cannot_be_is_no_figure() -> None:
    with pytest.raises(RuntimeError, match="not in this body"):
        run_once("wire", 4, "churn")


def test_memory_of_a_node_is_what_more_nodes_take() -> None:
    small, large = (Cost("world", nodes, 1.0, peak_mb, None) for nodes, peak_mb in ((10, 60.0), (30, 100.0)))
    assert compute_node_mb(small, large) == 2.0
