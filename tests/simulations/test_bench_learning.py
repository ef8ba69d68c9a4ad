"""The comparison with gossipy-dfl: the same outcomes for both, by turns, and no figure where it is absent."""

import sys
from pathlib import Path

import numpy as np
import pytest

from luminous.simulations import bench, bench_learning
from luminous.simulations.learning_population import draw_population

THEIRS = """#!{python}
import json, sys, numpy
found = numpy.load(sys.argv[2])
assert found["pair"].shape == found["worked"].shape
print("a progress bar")
print(json.dumps({{"node_rounds": found["pair"].shape[0] * int(sys.argv[3]), "seconds": 2.0}}))
"""


def test_both_get_the_same_outcomes(tmp_path: Path) -> None:
    bench_learning.draw_trials(tmp_path / "t.npz", nodes=30, trials=5, seed=3)
    counts = draw_population(3).observe(30, 5)
    with np.load(tmp_path / "t.npz") as found:
        pair, worked = found["pair"], found["worked"]
    again = np.zeros_like(counts)
    for node in range(30):
        for one, good in zip(pair[node], worked[node], strict=True):
            again[node, 2 * one + (0 if good else 1)] += 1
    assert pair.shape == (30, 5) and (again == counts).all()


def test_theirs_is_what_their_program_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_learning, "ROUNDS", 2)
    python = tmp_path / "python"
    python.write_text(THEIRS.format(python=sys.executable))
    python.chmod(0o700)
    found = bench_learning.compare(nodes=20, turns=3, python=python)
    assert found.theirs == 20 * bench_learning.THEIR_ROUNDS / 2 and found.ours > 0


def test_where_it_is_absent_nothing_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_learning, "ROUNDS", 2)
    found = bench_learning.compare(nodes=20, turns=1, python=tmp_path / "absent")
    assert found.theirs is None and "make gossipy" in capsys.readouterr().err
    monkeypatch.setattr(bench_learning, "compare", lambda: found)
    monkeypatch.setattr("luminous.simulations.cohort_cost.measure_cohort", _no_cohort)
    figure = next(iter(bench.measure_learning()))
    assert (figure.reference, figure.reference_value, figure.ratio) == ("", None, None)


def _no_cohort(seed: int) -> None:
    raise AssertionError("not asked for")
