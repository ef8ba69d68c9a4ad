"""Campaigns and sweeps that are stopped go on where they were: what is kept is not played again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from luminous.simulations import campaign
from luminous.simulations.cli import cli
from luminous.simulations.output import append_line


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that are really played."""
    seeds: list[int] = []

    def play_seed(job: tuple[int, int, int]) -> campaign.Outcome:
        seeds.append(job[0])
        return campaign.Outcome(job[0], ("agreement: planted",) if job[0] == 3 else (), 10, 0.5)

    monkeypatch.setattr(campaign, "play_seed", play_seed)
    return seeds


def run(log: Path, runs: int) -> tuple[Result, dict[str, object]]:
    words = ["campaign", "--runs", str(runs), "--workers", "1", "--log", str(log)]
    result = CliRunner().invoke(cli, words)
    facts: dict[str, object] = json.loads(result.stdout.splitlines()[-1])
    return result, facts


def test_what_is_in_the_log_is_not_played_again_and_still_counts(tmp_path: Path, played: list[int]) -> None:
    log = tmp_path / "log.jsonl"
    _, first = run(log, 3)
    result, second = run(log, 5)
    assert played == [0, 1, 2, 3, 4]
    assert (first["runs"], second["runs"], second["events"], second["broken"]) == (3, 5, 50, [3])
    assert result.exit_code == 1 and "replay: luminous-sim campaign --runs 1 --seed 3" in result.output
    again, third = run(log, 5)
    assert len(played) == 5 and third["broken"] == [3] and again.exit_code == 1


def test_a_torn_line_and_runs_of_another_commit_are_played(
    tmp_path: Path, played: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.jsonl"
    run(log, 3)
    log.write_text(log.read_text()[:-20] + "\n")
    run(log, 3)
    assert played == [0, 1, 2, 2]
    monkeypatch.setattr(campaign, "commit", lambda: "another")
    run(log, 2)
    assert played == [0, 1, 2, 2, 0, 1]


def test_one_that_is_stopped_says_what_it_reached_and_goes_on(
    tmp_path: Path, played: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = campaign.play

    def stopped(seeds: list[int], low: int, high: int, workers: int) -> Iterator[campaign.Outcome]:
        yield from whole(seeds[:2], low, high, workers)
        raise KeyboardInterrupt

    log = tmp_path / "log.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(campaign, "play", stopped)
        result, facts = run(log, 3)
    assert result.exit_code == 3 and facts["runs"] == 2 and "stopped after 2 of 3" in result.output
    result, facts = run(log, 3)
    assert (result.exit_code, facts["runs"], played) == (0, 3, [0, 1, 2])


def test_a_log_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["campaign", "--runs", "1", "--workers", "1", "--log", str(tmp_path)])
    assert result.exit_code != 0 and not isinstance(result.exception, OSError)


SWEEP = 'scenario = "byzantine_third_plus_one"\n[grid]\nseed = [1]\n"link.loss" = [0.0]\n'


def test_a_broken_point_of_a_sweep_stays_broken_when_resumed_and_says_how_to_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SWEEP)
    words = ["sweep", str(spec), "--workers", "1", "--out"]
    checks = {"agreement": {"ok": False, "detail": "planted"}, "secrecy": {"ok": True, "detail": ""}}
    row = {"point": {"seed": 1, "link.loss": 0.0}, "ok": False, "seed": 1, "checks": checks}
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "results.jsonl").write_text(json.dumps(row) + "\n")
    assert CliRunner().invoke(cli, [*words, str(tmp_path / "kept")]).exit_code == 1
    played: list[object] = []

    def play(spec: object, folder: Path, workers: int, wanted: list[object]) -> Iterator[object]:
        played.extend(wanted)
        append_line(folder / "results.jsonl", json.dumps(row))
        yield 1, 1, row

    monkeypatch.setattr("luminous.simulations.sweep.sweep", play)
    first = CliRunner().invoke(cli, [*words, str(tmp_path / "new"), "--point", "1"])
    assert (
        first.exit_code == 1 and "seed 1, commit " in first.stdout and ": agreement: planted" in first.stdout
    )
    assert f"replay: luminous-sim sweep {spec} --point 1 --out NEW_FOLDER" in first.stdout
    assert played == [row["point"]]
    missing = CliRunner().invoke(cli, [*words, str(tmp_path / "new"), "--point", "2"])
    assert missing.exit_code != 0 and "no point 2" in str(missing.exception)


def test_a_sweep_that_is_stopped_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> Iterator[object]:
        raise KeyboardInterrupt
        yield

    spec = tmp_path / "spec.toml"
    spec.write_text(SWEEP)
    monkeypatch.setattr("luminous.simulations.sweep.sweep", stopped)
    result = CliRunner().invoke(cli, ["sweep", str(spec), "--out", str(tmp_path / "out")])
    assert result.exit_code == 3 and "run it again" in result.output
