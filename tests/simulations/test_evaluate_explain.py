"""The evaluation: figures on shared data where it lies, arithmetic anywhere; a few worlds of the harness."""

import json
from pathlib import Path

import pytest

from luminous.simulations.evaluate_explain import evaluate, run, wilson
from luminous.simulations.fix_worlds import FAULTS, available, measure, run_world

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nix"


def test_wilson_covers_and_stays_inside():
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(8, 10)
    assert 0.45 < low < 0.8 < high < 0.97


def test_rows_are_read_and_mistakes_counted(tmp_path, capsys):
    rows = [
        {"label": "division_by_zero", "stderr": "error: division by zero", "source": "a#1"},
        {"label": "abort", "error_text": "error: division by zero", "source": "a#2"},
        {"stderr": "no label"},
    ]
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    report = evaluate(path)
    assert report["all"]["n"] == 2 and report["all"]["ac1"]["hits"] == 1
    assert report["all"]["confident_and_wrong"]["hits"] == 1
    assert report["mistakes"][0]["label"] == "abort"
    assert run(str(tmp_path), True, False) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == 1
    assert run(str(tmp_path / "nothing"), False, False) == 1


@pytest.mark.skipif(not DATA.exists(), reason="the shared development data is absent")
@pytest.mark.parametrize(("name", "least"), [("errors", 0.95), ("user_errors", 0.8), ("lang_fail", 0.95)])
def test_the_goals_hold_on_development_data(name, least):
    report = evaluate(DATA / f"{name}.jsonl")
    for part in ("tuning", "held_out"):
        figures = report[part]
        if figures["n"]:
            assert figures["ac1"]["value"] >= least
            assert figures["ac1"]["value"] > figures["nearest_neighbour"]["ac1"]["value"]
            assert figures["confident_and_wrong"]["value"] <= 0.03


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="nix-build, git or patch is not installed")
def test_first_suggestions_work_and_harm_nothing():
    report = measure(doubles=4)
    assert report["did_not_bite"] == 0
    assert report["first_fix_works"]["value"] >= 0.8, report["text"]
    assert report["harmful"] == 0 and report["confident_and_wrong"] == 0
    assert report["more_behind_when_there_is"] == "4 of 4"


@pytest.mark.skipif(not available(), reason="nix-build, git or patch is not installed")
def test_the_harness_notices_a_fix_that_does_not_work():
    unfixable = next(f for f in FAULTS if f.label == "user_throw")
    assert not run_world((unfixable,)).worked
