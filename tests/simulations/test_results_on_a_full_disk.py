"""A disk that really fills in mid-run: one sentence, exit 2, nothing half written, work that goes on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from luminous.simulations import output, tables

ROOT = Path(__file__).resolve().parents[2]
SPEC = 'scenario = "churn"\n[grid]\nseed = [1, 2, 3, 4]\nnodes = [4]\n'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    words = ["mount", "-t", "tmpfs", "-o", "size=32k,mode=700", "none", str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Take all but ``leave`` bytes."""
    hog = disk / "hog"
    free = os.statvfs(disk)
    hog.write_bytes(b"h" * (free.f_bavail * free.f_frsize - leave))
    return hog


def sim(*words: str) -> subprocess.CompletedProcess[str]:
    """``luminous-sim`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "luminous.simulations.cli", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def assert_one_sentence(run: subprocess.CompletedProcess[str]) -> None:
    """Exit 2 and no traceback."""
    assert run.returncode == 2, run.stderr
    last = run.stderr.splitlines()[-1]
    assert last.startswith("luminous-sim: ") and "No space left on device" in last
    assert "Traceback" not in run.stderr


def test_a_sweep_stops_with_whole_lines_and_resumes(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    words = ["sweep", str(tmp_path / "spec.toml"), "--out", str(disk), "--workers", "1"]
    hog = fill(disk, 4096)
    assert_one_sentence(sim(*words))
    lines = (disk / "results.jsonl").read_text().splitlines()
    assert 0 < len(lines) < 4 and all(json.loads(line)["schema"] == 1 for line in lines)
    hog.unlink()
    again = sim(*words)
    assert again.returncode == 0, again.stderr
    rows = (disk / "results.jsonl").read_text().splitlines()
    assert rows[: len(lines)] == lines
    assert sorted(json.loads(row)["point"]["seed"] for row in rows) == [1, 2, 3, 4]


def test_a_run_leaves_no_half_result(disk: Path) -> None:
    fill(disk, 0)
    trace = ["--trace", str(disk / "trace.jsonl"), "--out", str(disk)]
    assert_one_sentence(sim("run", "churn", "--nodes", "4", *trace))
    assert [path.name for path in disk.iterdir()] == ["hog"]


def test_a_report_leaves_the_one_before(disk: Path) -> None:
    result = sim("run", "churn", "--nodes", "4", "--json").stdout.splitlines()[-1]
    (disk / "result.json").write_text(result)
    (disk / "index.html").write_text("before")
    fill(disk, 0)
    assert_one_sentence(sim("report", str(disk)))
    assert (disk / "index.html").read_text() == "before"
    assert sorted(path.name for path in disk.iterdir()) == ["hog", "index.html", "result.json"]


def test_parquet_is_whole_or_not_there(disk: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra: parquet)")
    fill(disk, 0)
    with pytest.raises(output.OutputError, match="No space left"):
        tables.write_parquet(disk, {"runs": [{"seed": number} for number in range(100)]})
    assert [path.name for path in disk.iterdir()] == ["hog"]


def test_a_place_that_is_no_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(output.OutputError, match="was not written"):
        output.write_whole(tmp_path / "file" / "result.json", "x")
