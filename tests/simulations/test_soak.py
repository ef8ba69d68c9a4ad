"""The judge of a soak sees what grows and lets pass what does not; two real hours are long."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from luminous.simulations.soak import put_into, read, verdict
from luminous.simulations.soak_judge import judge

SECONDS, EVERY_S, WARM_UP_S = 7200, 30, 1200


def samples(grows: str = "", by_end: float = 0.0, loses: int = 0) -> list[dict]:
    """A run that warms up and then wavers; ``grows`` by ``by_end`` over its length."""
    chance = random.Random(7)
    found = []
    for number in range(1, SECONDS // EVERY_S + 1):
        at_s = number * EVERY_S
        leak = by_end * at_s / SECONDS
        facts = {
            "rss_mb": 120 + 15 * min(1.0, at_s / WARM_UP_S) + chance.gauss(0, 0.3),
            "threads": chance.choice((7, 8, 9)),
            "descriptors": 126 + chance.choice((0, 0, 0, 1)),
            "tasks": 559 + chance.choice((0, 0, 2, 19)),
            "objects": 8 * chance.choice((16, 24)),
        }
        if grows:
            facts[grows] += leak if grows == "rss_mb" else int(leak)
        due = 64 * number
        found.append(
            {"at_s": float(at_s), **facts, "due": due, "arrived": due - loses * number, "hung_up": number}
        )
    return found


def test_a_run_that_wavers_after_warm_up_is_flat() -> None:
    found = judge(samples(), WARM_UP_S)
    assert found["ok"] is True, found
    low, high = found["rss_drift_share"][1:]
    assert low < found["rss_drift_share"][0] < high < 0.02


@pytest.mark.parametrize(
    ("grows", "by_end", "why"),
    [
        ("rss_mb", 4.5, "memory"),
        ("threads", 6, "threads"),
        ("descriptors", 5, "descriptors"),
        ("tasks", 24, "tasks"),
    ],
)
def test_a_planted_leak_is_seen(grows: str, by_end: float, why: str) -> None:
    found = judge(samples(grows, by_end), WARM_UP_S)
    assert found["ok"] is False
    assert [reason.split()[0] for reason in found["why"]] == [why]


def test_lost_records_and_too_few_samples_are_no_pass() -> None:
    assert judge(samples(loses=2), WARM_UP_S)["ok"] is False
    assert judge(samples()[:30], WARM_UP_S)["ok"] is None
    assert judge([], WARM_UP_S)["ok"] is None


def _log(folder: Path, found: list[dict], tail: str = "") -> Path:
    header = {
        "nodes": 8,
        "seconds": SECONDS,
        "every_s": EVERY_S,
        "warm_up_s": WARM_UP_S,
        "seed": 1,
        "leak": False,
    }
    path = folder / "soak.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in (header, *found)) + tail)
    return path


def test_a_log_that_breaks_off_says_how_far_it_got(tmp_path: Path) -> None:
    whole = verdict(_log(tmp_path, samples()))
    assert whole["ok"] is True and whole["lasted_s"] == SECONDS
    broken = verdict(_log(tmp_path, samples()[:150], tail='{"at_s": 45'))
    assert broken["ok"] is False and broken["why"] == ["broke off after 4500 of 7200 s"]
    with pytest.raises(ValueError, match="first line"):
        empty = tmp_path / "none.jsonl"
        empty.write_text("")
        read(empty)


def test_the_verdict_goes_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- soak -->\nold\n<!-- /soak -->\nafter\n")
    put_into(page, {"ok": True})
    put_into(page, {"ok": True})
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert text.count('"ok": true') == 1


@pytest.mark.long
@pytest.mark.alone
def test_two_hours_of_real_peers_leak_nothing() -> None:
    command = [sys.executable, "-m", "luminous.simulations.soak", "--log", "build/soak.jsonl"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=2 * SECONDS)
    assert done.returncode == 0, done.stdout
