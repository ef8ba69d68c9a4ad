"""The study counts what the runs showed, and says when machines disagreed."""

from dataclasses import replace

from luminous.simulations.siege_study import play, summarise


def test_the_naive_count_splits_those_whom_minutes_do_not() -> None:
    rows = list(play("siege", "world", 7, (1, 2)))
    found = summarise(rows, 5)
    assert (found.runs, found.agreed, found.honest) == (2, 2, 10)
    assert found.verdict_splits > 0 < found.wrong <= found.honest
    assert "2 runs: one final outcome on every honest machine in 2" in str(found)


def test_a_disagreement_is_not_an_agreement() -> None:
    row = next(play("siege", "world", 4, (1,)))
    split = replace(row, checks={**row.checks, "agreement": {"ok": False, "detail": "planted"}})
    assert (summarise([row], 3).agreed, summarise([split], 3).agreed) == (1, 0)
