"""``luminous-sim evaluate health``: status changes a day on real traces, the cost of a sample, faults seen.

Replays CPU traces of 30 s as the CPU's stall share beside an otherwise well machine, once through the steady
status and once through the raw band of the score. Refuses to call a replay of one signal a machine's life.
"""

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

from luminous.node.core.health.monitor import Health
from luminous.node.core.health.readings import Readings
from luminous.node.core.health.score import CPU_STALL_SHARE, compute_points
from luminous.node.core.health.status import SteadyStatus, band_of
from luminous.node.core.instant import Instant

CHANGES_A_DAY_GOAL = 10.0
STEP_MS = 30_000
DAY_MS = 86_400_000
SAMPLES = 300

WELL = {
    "cpu_stall_share": 0,
    "memory_stall_share": 0,
    "memory_available_share": 60_000,
    "io_stall_share": 0,
    "disk_free_share:/": 40_000,
    "disk_free_gb:/": 80_000,
    "inode_free_share:/": 90_000,
    "response_ms": 2_000,
    "errors_per_minute": 0,
    "store_integrity": 1000,
    "root_writable": 1000,
}
FAULTS: dict[str, dict[str, int]] = {
    "disk_full": {"disk_free_share:/": 100, "disk_free_gb:/": 20},
    "inodes_full": {"inode_free_share:/": 0},
    "memory_pressure": {"memory_stall_share": 60_000, "memory_available_share": 500},
    "store_damaged": {"store_integrity": 0},
    "root_read_only": {"root_writable": 0},
    "cpu_starved": {"cpu_stall_share": 95_000},
    "slow_response": {"response_ms": 20_000_000},
    "many_errors": {"errors_per_minute": 50_000},
}


def replay(path: Path) -> dict[str, Any]:
    """One CPU trace, scored on that signal alone (the hardest case) and inside a whole machine."""
    with path.open(newline="") as stream:
        values = [float(row[3]) for row in csv.reader(stream)]
    days = len(values) * STEP_MS / DAY_MS
    alone, raw_before = SteadyStatus(), None
    steady = raw = 0
    health = Health(STEP_MS)
    for index, value in enumerate(values):
        points = compute_points(round(value * 1000), CPU_STALL_SHARE)
        steady += alone.feed(points, 1.0)
        band = band_of(points)
        raw += raw_before is not None and band is not raw_before
        raw_before = band
        at = Instant("replay", index * STEP_MS, index * STEP_MS)
        health.observe(Readings(at, {**WELL, "cpu_stall_share": round(value * 1000)}), at)
    whole = len(health.view()["changes"])  # type: ignore[arg-type]
    return {"days": round(days, 2), "steady": steady, "raw": raw, "whole_machine": whole}


def detection() -> dict[str, float | None]:
    """Seconds from a fault's first reading to its symptom, each in an otherwise well machine."""
    found: dict[str, float | None] = {}
    for name, broken in FAULTS.items():
        health = Health(STEP_MS)
        found[name] = None
        for index in range(40):
            at = Instant("fault", index * STEP_MS, index * STEP_MS)
            told = health.observe(Readings(at, {**WELL, **broken} if index >= 20 else WELL), at)
            names = [getattr(tell, "facts", {}) for tell in told if getattr(tell, "name", "") == "symptom"]
            if any(facts["name"] == name and facts["present"] for facts in names) and found[name] is None:
                found[name] = (index - 20) * STEP_MS / 1000
    return found


def cost() -> dict[str, float]:
    """CPU time of reading this machine and of judging it, a sample; and the share of a core at 30 s."""
    from luminous.node.shell.host import Host, read_instant

    host, health = Host(), Health(STEP_MS)
    began = time.process_time()
    samples = [host.read(read_instant()) for _ in range(SAMPLES)]
    read_us = 1e6 * (time.process_time() - began) / SAMPLES
    began = time.process_time()
    for index, readings in enumerate(samples):
        at = Instant("cost", index * STEP_MS, index * STEP_MS)
        health.observe(Readings(at, readings.values, readings.missing, readings.unsupported), at)
    judge_us = 1e6 * (time.process_time() - began) / SAMPLES
    share = (read_us + judge_us) / (STEP_MS * 1000)
    return {"read_us": round(read_us), "judge_us": round(judge_us), "core_percent": round(100 * share, 5)}


def evaluate(path: Path) -> dict[str, Any]:
    """All figures for the traces at ``path``."""
    folder = path / "cloudcluster" if (path / "cloudcluster").is_dir() else path
    rows = {item.stem[:24]: replay(item) for item in sorted(folder.glob("*.csv"))}
    days = sum(row["days"] for row in rows.values())
    a_day = {
        name: round(sum(row[name] for row in rows.values()) / days, 1) if days else None
        for name in ("steady", "raw", "whole_machine")
    }
    return {
        "schema": 1,
        "traces": rows,
        "changes_a_day": a_day,
        "goal": CHANGES_A_DAY_GOAL,
        "seconds_to_symptom": detection(),
        "cost": cost(),
    }


def to_text(report: dict[str, Any]) -> str:
    """The figures for a person."""
    a_day, cost_row = report["changes_a_day"], report["cost"]
    slow = max((value for value in report["seconds_to_symptom"].values() if value is not None), default=0)
    seen = sum(value is not None for value in report["seconds_to_symptom"].values())
    return (
        f"status changes a day on {len(report['traces'])} CPU traces of 30 s: steady {a_day['steady']}"
        f" (goal at most {report['goal']:.0f}), raw score {a_day['raw']}, inside a whole machine"
        f" {a_day['whole_machine']}\n"
        f"faults seen: {seen} of {len(report['seconds_to_symptom'])}, slowest after {slow:.0f} s\n"
        f"a sample: {cost_row['read_us']} us to read, {cost_row['judge_us']} us to judge:"
        f" {cost_row['core_percent']} % of a core at 30 s (goal 0.02)\n"
    )


def run(path: str, as_json: bool) -> int:
    """Print the figures. 0, or 1 when there is nothing to read."""
    report = evaluate(Path(path))
    if not report["traces"]:
        sys.stderr.write(f"there are no traces at {path}\n  do: name a folder with cloudcluster/*.csv\n")
        return 1
    sys.stdout.write(json.dumps(report) + "\n" if as_json else to_text(report))
    return 0
