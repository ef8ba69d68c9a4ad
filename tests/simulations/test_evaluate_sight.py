"""The evaluations of health, forecast and causes: they measure, and they notice when something gets worse."""

import csv
from pathlib import Path

import pytest

from luminous.node.core.causes.crossover import Crossover
from luminous.simulations import evaluate_causes, evaluate_forecast, evaluate_health
from luminous.simulations.events_study import generate

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the development data (../shared/data) is not here")


def test_a_stream_is_the_same_for_the_same_seed_and_in_order():
    one, two = generate(4, 2), generate(4, 2)
    assert one == two
    assert list(one.events) == sorted(one.events)
    assert generate(5, 2) != one
    assert len(one.edges) == 23
    assert not one.confounded() & one.edges
    assert len(generate(4, 2, hidden=2).hidden) == 2


def test_discovery_beats_its_baselines_by_far():
    row = evaluate_causes.study((21,), 10)
    assert row["ours"]["f1"] >= 0.85
    assert row["ours"]["f1"] > row["without_pruning"]["f1"]
    assert row["lift"]["f1"] < 0.3
    assert row["ours"]["confounded"] == 0


@pytest.mark.slow
def test_a_month_is_read_as_well_as_the_goal_asks():
    assert evaluate_causes.study((22,), 30)["ours"]["f1"] >= 0.95
    assert evaluate_causes.study((22,), 30, loss=0.2)["ours"]["f1"] >= 0.9
    assert evaluate_causes.causation_without_trials(22) == 0


@pytest.mark.parametrize("seed", [21, 28, 30, 46])
def test_a_common_cause_that_came_before_the_window_is_still_seen(seed):
    stream = generate(seed, 10)
    assert not evaluate_causes.ours(evaluate_causes.count(stream)) & stream.confounded()


def test_what_learnt_nothing_scores_nothing():
    stream = generate(6, 3)
    assert evaluate_causes.judge(evaluate_causes.ours(Crossover()), stream).recall == 0
    assert evaluate_causes.judge(stream.edges, stream).f1 == 1


@needs_data
def test_petshop_is_ranked_better_than_chance_and_loudness():
    found = evaluate_causes.petshop(DATA / "rca" / "petshop")
    assert found is not None
    row = found["test"]
    assert row["ours"]["ac1"]["value"] >= 0.5
    assert row["ours"]["ac3"]["value"] >= 0.86
    assert row["ours"]["ac1"]["value"] > row["loudest"]["ac1"]["value"] > row["chance"]["ac1"]


def test_without_data_it_says_so(capsys, tmp_path):
    assert evaluate_causes.petshop(tmp_path / "nothing") is None
    assert evaluate_forecast.run(str(tmp_path), False) == 1
    assert evaluate_health.run(str(tmp_path), False) == 1
    assert "do:" in capsys.readouterr().err


@needs_data
def test_the_mix_beats_as_now_on_a_real_series():
    name, values = next(evaluate_forecast.read_series(DATA / "traces" / "nab", "nab"))
    found = evaluate_forecast.score(values[:2000], 300_000)
    assert found is not None, name
    assert found["error"] < 0.9 < found["as_now"] == 1.0
    assert 0.85 <= found["coverage"] <= 0.95


def test_the_disk_rule_keeps_quiet_where_a_line_cries():
    told = evaluate_forecast.disk_study(20)["told"]
    assert told["leak"]["rule"] >= 18
    assert told["download"]["rule"] + told["build_and_clean"]["rule"] + told["idle"]["rule"] <= 1
    assert told["download"]["line"] >= 15


def test_the_steady_status_changes_less_than_the_raw_score_and_faults_are_seen(tmp_path):
    path = tmp_path / "trace.csv"
    with path.open("w", newline="") as stream:
        rows = [["c", "", "", 55 + 12 * ((index // 3) % 2)] for index in range(1500)]
        csv.writer(stream).writerows(rows)
    row = evaluate_health.replay(path)
    assert row["raw"] > 400
    assert row["steady"] < row["raw"] / 20
    found = evaluate_health.detection()
    assert all(value is not None and value <= 120 for value in found.values()), found
