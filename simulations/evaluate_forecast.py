"""``luminous-sim evaluate forecast``: half an hour ahead on real traces, beside "as now" and single methods.

Error of a series = mean absolute error over the whole half hour, divided by that of "as now"; a set's figure
is the geometric mean over its series. Every origin is forecast from the past alone; the first half day of a
series is not scored. Refuses to tune.
"""

import csv
import json
import sys
import time
from collections.abc import Iterator
from math import exp, log
from pathlib import Path
from typing import Any

from luminous.node.core.health.disk_fill import DiskFill
from luminous.node.core.health.forecast import Forecaster
from luminous.node.core.health.forecast_methods import METHODS, Pace

GOALS = {"cloudcluster": 0.85, "nab": 0.65, "bitbrains": 0.70}
STEP_MS = {"cloudcluster": 30_000, "nab": 300_000, "bitbrains": 300_000}
ORIGIN_EVERY_MS = 300_000
WARM_UP_MS = 43_200_000
BITBRAINS_COLUMNS = {3: "cpu", 6: "memory", 7: "disk_read", 8: "disk_write", 9: "net_in", 10: "net_out"}

Series = tuple[str, list[float]]


def read_series(folder: Path, kind: str) -> Iterator[Series]:
    """All series of one kind of trace. Bitbrains rows closer than half a step to the last are left out: one
    file interleaves two recordings."""
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as stream:
            if kind == "cloudcluster":
                yield path.stem[:24], [float(row[3]) for row in csv.reader(stream)]
            elif kind == "nab":
                yield path.stem, [float(row[1]) for row in list(csv.reader(stream))[1:]]
            else:
                rows: list[list[str]] = []
                for row in list(csv.reader(stream, delimiter=";"))[1:]:
                    if not rows or int(row[0]) - int(rows[-1][0]) >= STEP_MS[kind] // 2000:
                        rows.append(row)
                for column, name in BITBRAINS_COLUMNS.items():
                    yield f"{path.stem}.{name}", [float(row[column]) for row in rows]


def score(values: list[float], step_ms: int) -> dict[str, float] | None:
    """Errors and coverage over one series; None when "as now" is never wrong."""
    pace = Pace.of(step_ms)
    every = ORIGIN_EVERY_MS // step_ms
    forecaster = Forecaster(pace, every)
    ours = naive = 0.0
    alone = [0.0] * len(METHODS)
    inside = shown = origins = 0
    for index, value in enumerate(values[: -pace.horizon]):
        path = forecaster.observe(value)
        if path is None or index * step_ms < WARM_UP_MS:
            continue
        origins += 1
        ahead = values[index + 1 : index + 1 + pace.horizon]
        ours += sum(abs(step.point - actual) for step, actual in zip(path, ahead, strict=True))
        naive += sum(abs(value - actual) for actual in ahead)
        for method, points in enumerate(forecaster.latest_paths()):
            alone[method] += sum(abs(a - b) for a, b in zip(points, ahead, strict=True))
        for step in range(every - 1, pace.horizon, every):
            low, high = path[step].low, path[step].high
            if low is not None and high is not None:
                shown += 1
                inside += low <= ahead[step] <= high
    if naive <= 0:
        return None
    found = {"error": ours / naive, "coverage": inside / max(1, shown), "origins": float(origins)}
    return {**found, **{name: alone[i] / naive for i, (name, _) in enumerate(METHODS)}}


def score_set(folder: Path, kind: str) -> dict[str, Any] | None:
    """Figures of one set of traces; None when there are none."""
    began = time.perf_counter()
    rows = {}
    for name, values in read_series(folder, kind):
        found = score(values, STEP_MS[kind])
        if found is not None:
            rows[name] = found
    if not rows:
        return None
    origins = sum(row["origins"] for row in rows.values())
    coverage = [row["coverage"] for row in rows.values()]
    return {
        "series": len(rows),
        "origins": int(origins),
        "error_to_naive": _mean([row["error"] for row in rows.values()]),
        "goal": GOALS[kind],
        "coverage_mean": round(sum(coverage) / len(coverage), 3),
        "coverage_worst": round(min(coverage), 3),
        "better_than_naive": sum(row["error"] < 1 for row in rows.values()),
        "alone": {name: _mean([row[name] for row in rows.values()]) for name, _ in METHODS},
        "us_a_forecast": round(1e6 * (time.perf_counter() - began) / max(1, origins)),
        "each": {name: round(row["error"], 3) for name, row in rows.items()},
    }


def _mean(ratios: list[float]) -> float:
    return round(exp(sum(log(max(1e-9, ratio)) for ratio in ratios) / len(ratios)), 3)


def disk_study(runs: int = 50) -> dict[str, Any]:
    """The disk-full rule on made-up days of free space, beside a least-squares line through an hour."""
    from luminous.crypto.entropy import SeededEntropy, uniform_below

    kinds = ("leak", "download", "build_and_clean", "idle")
    told = {kind: {"rule": 0, "line": 0, "lead_h": []} for kind in kinds}
    for kind in kinds:
        for run in range(runs):
            chance = SeededEntropy(f"disk/{kind}/{run}".encode())
            free = _free_space(kind, chance, uniform_below)
            disk, first_rule, first_line = DiskFill(), None, None
            for index, gb in enumerate(free):
                disk.observe(gb, index * 300_000)
                if first_rule is None and gb >= 1_000 and disk.full_in_ms() is not None:
                    first_rule = index
                if first_line is None and index >= 12 and _line_says_full(free[index - 12 : index + 1]):
                    first_line = index
            told[kind]["rule"] += first_rule is not None  # type: ignore[operator]
            told[kind]["line"] += first_line is not None  # type: ignore[operator]
            if kind == "leak" and first_rule is not None:
                told[kind]["lead_h"].append((len(free) - first_rule) / 12)  # type: ignore[attr-defined]
    leads = sorted(told["leak"]["lead_h"])  # type: ignore[call-overload]
    return {
        "runs": runs,
        "told": {kind: {"rule": told[kind]["rule"], "line": told[kind]["line"]} for kind in kinds},
        "lead_h_median": round(leads[len(leads) // 2], 1) if leads else None,
    }


def _free_space(kind: str, chance: Any, below: Any) -> list[int]:
    """A day of free space every 5 minutes, in thousandths of a GB; a leak ends when the disk is full."""
    free, series = 30_000 + below(chance, 50_000), []
    rate = 150 + below(chance, 350)
    start = below(chance, 200)
    for index in range(288):
        free += below(chance, 41) - 20
        if kind == "leak":
            free -= rate + below(chance, rate)
        elif kind == "download" and start <= index < start + 8:
            free -= 1_000 + below(chance, 1_000)
        elif kind == "build_and_clean":
            free += -400 if index % 24 < 16 else 800
        if free <= 0:
            break
        series.append(free)
    return series


def _line_says_full(window: list[int]) -> bool:
    n = len(window)
    middle = (n - 1) / 2
    mean = sum(window) / n
    slope = sum((i - middle) * (value - mean) for i, value in enumerate(window)) / sum(
        (i - middle) ** 2 for i in range(n)
    )
    return slope < 0 and window[-1] / -slope * 300_000 < 12 * 3_600_000


def evaluate(path: Path) -> dict[str, Any]:
    """All figures for the traces at ``path`` (a folder with cloudcluster, nab, bitbrains)."""
    sets = {kind: score_set(path / kind, kind) for kind in GOALS if (path / kind).is_dir()}
    return {
        "schema": 1,
        "sets": {kind: found for kind, found in sets.items() if found is not None},
        "disk_full": disk_study(),
    }


def to_text(report: dict[str, Any]) -> str:
    """The figures for a person."""
    lines = ['30 minutes ahead; error beside that of "as now" (1.00), geometric mean over series']
    for kind, row in report["sets"].items():
        met = "met" if row["error_to_naive"] <= row["goal"] else "not met"
        lines.append(
            f"  {kind:13} {row['error_to_naive']:.3f} (goal {row['goal']:.2f}, {met}); better on"
            f" {row['better_than_naive']} of {row['series']} series; 90 % intervals cover"
            f" {row['coverage_mean']:.3f}, worst {row['coverage_worst']:.3f}; {row['origins']} origins,"
            f" {row['us_a_forecast']} us each"
        )
        alone = ", ".join(f"{name} {value:.2f}" for name, value in row["alone"].items())
        lines.append(f"    alone: {alone}")
    disk = report["disk_full"]
    told = ", ".join(f"{kind} {row['rule']} (line {row['line']})" for kind, row in disk["told"].items())
    lines.append(f"  disk full within 12 h, told in {disk['runs']} made-up runs of each kind: {told}")
    lines.append(f"    median lead on leaks {disk['lead_h_median']} h")
    return "\n".join(lines) + "\n"


def run(path: str, as_json: bool) -> int:
    """Print the figures. 0, or 1 when there is nothing to read."""
    report = evaluate(Path(path))
    if not report["sets"]:
        sys.stderr.write(f"there are no traces at {path}\n  do: name a folder with nab, bitbrains, …\n")
        return 1
    sys.stdout.write(json.dumps(report) + "\n" if as_json else to_text(report))
    return 0
