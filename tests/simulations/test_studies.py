"""Campaigns, sweeps, traces and reports: what they give, what they refuse, and that nothing is left half."""

import importlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import luminous
from luminous.simulations import output, tables, trace
from luminous.simulations.campaign import draw_scenario, play_seed
from luminous.simulations.cli import KINDS, WAITING, cli
from luminous.simulations.compare import compare
from luminous.simulations.mutants import MUTANTS
from luminous.simulations.patching import patched
from luminous.simulations.plots import Line, plot
from luminous.simulations.report import read_folder, render, write_report
from luminous.simulations.running import run_world
from luminous.simulations.scenario import ScenarioError, read_scenario
from luminous.simulations.sweep import build, points, read_results, read_spec, sweep
from luminous.simulations.watched import run_watched

SPEC = 'scenario = "churn"\n[grid]\nseed = [1, 2]\nnodes = [4]\n"link.loss" = [0.0, 0.1]\n'


def test_fixed_seeds_of_the_campaign_hold() -> None:
    assert [outcome.broken for outcome in map(play_seed, [(seed, 4, 7) for seed in range(6)])] == [()] * 6


def test_a_campaign_finds_a_planted_mutant() -> None:
    mutant = next(one for one in MUTANTS if one.name == "a window released twice")
    with patched(mutant.patches):
        assert any("budget" in text for seed in range(20) for text in play_seed((seed, 4, 5)).broken)


def test_a_machine_that_falls_over_is_a_finding() -> None:
    def fall(*_: Any) -> None:
        raise KeyError("planted")

    with patched([("luminous.node.core.node:Node", "_tick", fall)]):
        assert play_seed((1, 4, 4)).broken == ("crash: KeyError: 'planted'",)


def test_a_seed_draws_one_scenario_and_never_too_many_liars() -> None:
    assert draw_scenario(5) == draw_scenario(5) != draw_scenario(6)
    for seed in range(200):
        scenario = draw_scenario(seed)
        assert 3 * sum(item.count for item in scenario.adversary) < scenario.nodes


def test_a_failing_campaign_says_how_to_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    from luminous.simulations import campaign

    broken = campaign.Outcome(7, ("agreement: planted",), 1, 0.1)
    monkeypatch.setattr(campaign, "play_seed", lambda job: broken)
    run = CliRunner().invoke(cli, ["campaign", "--runs", "1", "--seed", "7", "--workers", "1"])
    assert run.exit_code == 1
    assert "seed 7, commit" in run.output and "luminous-sim campaign --runs 1 --seed 7" in run.output


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with its samples and trace."""
    folder = tmp_path_factory.mktemp("kept")
    result = run_watched(read_scenario("churn", 4), 1, folder, folder / "trace.jsonl")
    assert result.digest == run_world(read_scenario("churn", 4), 1).digest, "looking changes nothing"
    (folder / "result.json").write_text(json.dumps(result.as_json()))
    return folder


def test_a_trace_is_replayed_to_a_step(kept: Path) -> None:
    lines, stands = trace.replay(kept / "trace.jsonl", 200)
    assert lines[-1]["step"] == 200
    assert len(stands) == 4
    _, ends = trace.replay(kept / "trace.jsonl", 10**9)
    assert all(stand.records > 0 and stand.proposals for stand in ends if stand.is_up)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "schema 99"),
        ({"version": "0.0.0-other"}, "0.0.0-other"),
        ({"scenario": {"id": 3}}, "header"),
        ({"seed": 2}, "history differs"),
        ({"seed": None}, "header"),
    ],
)
def test_a_trace_of_another_kind_is_refused(
    kept: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    first, *rest = (kept / "trace.jsonl").read_text().splitlines()
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join([json.dumps({**json.loads(first), **change}), *rest]))
    with pytest.raises(ScenarioError, match=message):
        trace.replay(path, 10**9)


def test_a_trace_that_was_cut_off_is_refused_where_it_ends(kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    text = (kept / "trace.jsonl").read_text()
    path.write_text("".join(text.splitlines(keepends=True)[:50])[:-20])
    assert trace.replay(path, 40)[0][-1]["step"] == 40
    with pytest.raises(ScenarioError, match="line 50 is cut off"):
        trace.replay(path, 10**9)


def test_no_trace_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    for path in (tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(ScenarioError, match="no trace"):
            trace.replay(path, 1)
    assert luminous.__version__


def test_a_sweep_resumes_where_it_stopped(tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)
    found = read_spec(spec)
    assert len(points(found)) == 4
    running = sweep(found, tmp_path / "out", 1)
    next(running)
    running.close()
    results = tmp_path / "out" / "results.jsonl"
    first = results.read_text()
    results.write_text(first + '{"point": {"seed": 2, "no')  # the power went
    assert [done for done, _, _ in sweep(found, tmp_path / "out", 1)] == [2, 3, 4]
    assert results.read_text().startswith(first)
    assert len(results.read_text().splitlines()) == 5 and len(read_results(results)) == 4
    assert list(sweep(found, tmp_path / "out", 1)) == []


@pytest.mark.parametrize(
    "text", ['scenario = "calm"\n[grid]\n"lynk.loss" = [1]', 'scenario = "calm"\n[grid]\nnodes = []', "x = 1"]
)
def test_an_impossible_sweep_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError):
        read_spec(path)


def test_a_point_sets_what_it_names() -> None:
    scenario, seed = build("calm", {"seed": 4, "nodes": 6, "link.loss": 0.25, "vote.0.closes_ms": 90_000})
    assert (seed, scenario.nodes, scenario.link.loss, scenario.vote[0].closes_ms) == (4, 6, 0.25, 90_000)


def test_a_report_is_one_page_with_its_numbers(kept: Path) -> None:
    page, data = write_report(kept)[:2]
    text = page.read_text()
    assert text.count("<svg") >= 4 and "<script" not in text and "http" not in text
    assert json.loads(data.read_text())["schema"] == 1
    with pytest.raises(ScenarioError, match="no results"):
        read_folder(kept.parent / "nowhere")


def test_a_report_has_its_tables_as_parquet(kept: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra: parquet)")
    rows = [
        {"point": {"link.loss": loss}, **json.loads((kept / "result.json").read_text())}
        for loss in (0.0, 0.1)
    ]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("result.json", "samples.json"):
        (tmp_path / name).write_bytes((kept / name).read_bytes())
    found = read_folder(tmp_path)
    written = {path.name: parquet.read_table(path).to_pylist() for path in write_report(tmp_path)[2:]}
    assert set(written) == {"runs.parquet", "samples.parquet"}
    assert [row["point.link.loss"] for row in written["runs.parquet"]] == [0.0, 0.1, None]
    assert all(row["figure.events"] == rows[0]["figures"]["events"] for row in written["runs.parquet"])
    assert all(row["check.agreement"] and row["scenario"] == "churn" for row in written["runs.parquet"])
    assert [row["up"] for row in written["samples.parquet"]] == [
        row["up"] for row in found["samples"]["samples"]
    ]
    (tmp_path / "results.jsonl").write_text("")
    mixed = tables.make_tables({**found, "sweep": [rows[0], {**rows[1], "point": {"link.loss": "much"}}]})
    with pytest.raises(output.OutputError, match=r"runs.parquet was not written"):
        tables.write_parquet(tmp_path, mixed)
    assert not list(tmp_path.glob(".*.part"))
    assert len(parquet.read_table(tmp_path / "runs.parquet").to_pylist()) == 3, "what was there stays"


def test_without_pyarrow_a_report_says_so_and_is_otherwise_whole(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    run = CliRunner().invoke(cli, ["report", str(kept)])
    assert run.exit_code == 0
    assert "pyarrow is not installed" in run.stderr and "luminous-node[parquet]" in run.stderr
    assert [Path(line).name for line in run.stdout.splitlines()] == ["index.html", "report.json"]


def test_a_report_about_real_nodes_does_not_call_them_simulated(kept: Path) -> None:
    found = read_folder(kept)
    assert "Everything here is simulated" in render(found)
    found["result"]["body"] = "wire"
    assert "Real nodes" in render(found) and "Everything here is simulated" not in render(found)


def test_a_sweep_is_plotted_against_its_numbers(kept: Path) -> None:
    result = json.loads((kept / "result.json").read_text())
    rows = [{"point": {"seed": seed, "link.loss": loss}, **result} for seed in (1, 2) for loss in (0.2, 0.1)]
    page = render({"schema": 1, "sweep": rows})
    assert "Work against link.loss" in page and "against seed" not in page
    assert page.index("<td>1</td><td>0.1</td>") < page.index("<td>1</td><td>0.2</td>"), "in order"


def test_a_full_disk_leaves_what_was_there(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(kept)
    before = (kept / "index.html").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.os, "fsync", full)
    with pytest.raises(output.OutputError, match="No space left"):
        write_report(kept)
    with pytest.raises(output.OutputError, match="No space left"):
        output.append_line(kept / "lines.jsonl", "half")
    assert (kept / "index.html").read_bytes() == before
    assert not list(kept.glob(".*.part")) and (kept / "lines.jsonl").read_text() == ""


def test_two_sides_are_compared_by_figure() -> None:
    one = [run_world(read_scenario("churn", 4), seed).as_json() for seed in (1, 2)]
    other = [run_world(read_scenario("late_joiner", 4), seed).as_json() for seed in (1, 2)]
    rows = {row.figure: row for row in compare(one, other)}
    assert rows["events"].one != rows["events"].other
    assert rows["same history"].one == 0 and {r.figure: r for r in compare(one, one)}["same history"].one == 1


SMALL = """
id = "small"
summary = "One vote of four."
nodes = 4
duration_ms = 200_000
[[vote]]
title = "t"
yes = 4
key = "feature.learning_paths"
value = 0
closes_ms = 60_000
"""


def test_two_commits_play_the_same_seeds(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    if subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True).returncode:
        pytest.skip("this is no git checkout")
    small = tmp_path / "small.toml"
    small.write_text(SMALL)
    words = ["compare", "HEAD", "HEAD", "--scenario", str(small), "--seeds", "1,2", "--json"]
    shown = CliRunner().invoke(cli, words, catch_exceptions=False)
    rows = {row["figure"]: row for row in json.loads(shown.stdout)["rows"]}
    assert shown.exit_code == 0 and rows["same history"]["one"] == 1 and rows["checks failed"]["other"] == 0
    kept = subprocess.run(["git", "-C", str(root), "worktree", "list"], capture_output=True, text=True)
    assert "luminous-compare-" not in kept.stdout
    with pytest.raises(ScenarioError, match="git worktree add failed"):
        CliRunner().invoke(cli, ["compare", "no-such-commit", "HEAD"], catch_exceptions=False)


def test_plots_hold_every_line_and_nothing_is_no_plot() -> None:
    svg = plot("t", "x", "y", [Line("a<b", [(0, 1), (1, 3)], [(0, 2), (2, 4)]), Line("c", [(0, 0)])])
    assert svg.count("<polyline") == 2 and svg.count("<polygon") == 1 and "a&lt;b" in svg
    assert plot("t", "x", "y", [Line("a", [])]) == ""


@pytest.mark.parametrize(
    ("ys", "labels"),
    [((0, 0), ["0", "1"]), ((0, 9), ["0", "2", "4", "6", "8", "10"]), ((0.52, 0.56), ["0.52", "0.56"])],
)
def test_axes_have_round_marks(ys: tuple[float, float], labels: list[str]) -> None:
    svg = plot("t", "x", "y", [Line("a", [(0, ys[0]), (1, ys[1])])], from_zero=not ys[0])
    marks = [text.split("<")[0] for text in svg.split('text-anchor="end">')[1:]]
    assert marks[0] == labels[0] and marks[-1] == labels[-1] and (len(labels) == 2 or marks == labels)


@pytest.mark.parametrize(
    ("kind", "message"),
    [("moods", "there are explain"), ("predict", "waits for"), ("causes", "does not exist")],
)
def test_an_evaluation_that_cannot_be_says_why(kind: str, message: str) -> None:
    run = CliRunner().invoke(cli, ["evaluate", kind, "--data", "/nowhere"])
    assert run.exit_code != 0 and message in str(run.exception)


def test_the_report_of_convergence_says_what_the_command_prints_and_what_is_not_exact() -> None:
    def point(level: str, error: float) -> dict[str, Any]:
        return {
            "nodes": 24, "level": level, "seed": 1, "window": 0,
            "error": error, "low": 0.0, "high": 1.0, "is_within": error <= 1.0,
        }  # fmt: skip

    found = {
        "converge": {
            "points": [point("PUBLIC", 0.0), point("DIFFERENTIAL", 0.5)],
            "worlds": [{"nodes": 24, "exact_on": 24}],
            "utility": [],
        }
    }
    page = render(found)
    assert "PUBLIC, a fleet" in page and "<td>24 of 24</td>" in page and "class=bad" not in page
    found["converge"]["worlds"][0]["exact_on"] = 23
    assert "<td class=bad>23 of 24</td>" in render(found)
    found["converge"]["points"][1] = point("DIFFERENTIAL", 1.5)
    assert "<td class=bad>0 of 1</td>" in render(found)


def test_every_evaluation_can_be_loaded_and_every_absent_one_names_its_feature() -> None:
    for kind, module in KINDS.items():
        assert callable(importlib.import_module(module).run), kind
    for kind, feature in WAITING.items():
        run = CliRunner().invoke(cli, ["evaluate", kind, "--data", "/nowhere"])
        assert isinstance(run.exception, ScenarioError) and feature in str(run.exception)


@pytest.mark.slow
def test_models_converge_to_the_pooled_optimum() -> None:
    from luminous.simulations.convergence import converge

    found = converge((24, 48, 96), 1, 12)
    assert found["ok"]
    assert [world["exact_on"] for world in found["worlds"]] == [24, 48, 96]


@pytest.mark.long
@pytest.mark.parametrize("nodes", [100, 150])
def test_every_threshold_is_right_at_its_boundary(nodes: int) -> None:
    result = run_world(read_scenario("thresholds", nodes), 1)
    assert result.ok, result.checks


@pytest.mark.long
def test_ten_thousand_seeds() -> None:
    from luminous.simulations.campaign import play

    broken = [outcome for outcome in play(range(10**6, 10**6 + 10**4), 4, 10, 2) if outcome.broken]
    assert broken == []
