"""Judges the samples of a soak: does memory drift, do tasks, threads or descriptors leak, did records arrive.

A series is cut into ``BLOCKS`` blocks of equal length; the least-squares slope through their means has a 95 %
interval with ``BLOCKS - 2`` degrees of freedom. Memory is flat if the upper end of its drift stays below
``DRIFT_SHARE_MAX``. A count leaks if its lower end is above nothing and it grew by one at least. Refuses a
verdict on fewer samples than blocks, and one on the warm-up.
"""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

BLOCKS = 20
STUDENT_95 = 2.101  # two-sided, 18 degrees of freedom
DRIFT_SHARE_MAX = 0.02
LEAK_MIN = 1.0
ARRIVED_SHARE_MIN = 0.99
COUNTS = ("threads", "descriptors", "tasks", "objects")
LEAKS = COUNTS[:3]


@dataclass(frozen=True, slots=True)
class Drift:
    """Change over the judged time, in the unit of the series, with its 95 % interval."""

    mean: float
    drift: float
    low: float
    high: float

    @property
    def share_high(self) -> float:
        """The upper end as a share of the mean."""
        return self.high / self.mean if self.mean else 0.0


def fit_drift(at_s: Sequence[float], values: Sequence[float]) -> Drift:
    """The drift of a series over its time; at least ``BLOCKS`` samples in order of time."""
    assert len(at_s) == len(values) >= BLOCKS
    edges = [len(values) * i // BLOCKS for i in range(BLOCKS + 1)]
    spans = list(itertools.pairwise(edges))
    xs = [statistics.fmean(at_s[a:b]) for a, b in spans]
    ys = [statistics.fmean(values[a:b]) for a, b in spans]
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    error = STUDENT_95 * sqrt(rest / (BLOCKS - 2) / spread)
    lasting = at_s[-1] - at_s[0]
    return Drift(
        statistics.fmean(values), slope * lasting, (slope - error) * lasting, (slope + error) * lasting
    )


def judge(samples: Sequence[Mapping[str, Any]], warm_up_s: float) -> dict[str, Any]:
    """Verdict and figures. Each sample has ``at_s``, ``rss_mb``, ``COUNTS``, ``due`` and ``arrived``."""
    warm = [sample for sample in samples if sample["at_s"] >= warm_up_s]
    lasted_s = samples[-1]["at_s"] if samples else 0.0
    if len(warm) < BLOCKS:
        return {
            "ok": None,
            "why": [f"{len(warm)} samples after warm-up: too few to judge"],
            "lasted_s": lasted_s,
        }
    at_s = [float(sample["at_s"]) for sample in warm]
    memory = fit_drift(at_s, [sample["rss_mb"] for sample in warm])
    counts = {name: fit_drift(at_s, [float(sample[name]) for sample in warm]) for name in COUNTS}
    due = warm[-1]["due"] - warm[0]["due"]
    arrived = warm[-1]["arrived"] - warm[0]["arrived"]
    why = []
    if memory.share_high >= DRIFT_SHARE_MAX:
        why.append(f"memory may drift by {memory.share_high:.2%}")
    why += [
        f"{name} leak: {drift.drift:+.1f}"
        for name, drift in counts.items()
        if name in LEAKS and drift.low > 0 and drift.drift >= LEAK_MIN
    ]
    if not due or arrived / due < ARRIVED_SHARE_MIN:
        why.append(f"{arrived} of {due} records arrived")
    return {
        "ok": not why,
        "why": why,
        "lasted_s": lasted_s,
        "judged_s": round(at_s[-1] - at_s[0], 1),
        "samples": len(warm),
        "rss_drift_share": [round(v / memory.mean, 5) for v in (memory.drift, memory.low, memory.high)],
        "rss_mb": asdict(memory),
        "counts": {name: asdict(drift) for name, drift in counts.items()},
        "records": {"due": due, "arrived": arrived},
        "reconnects": warm[-1]["hung_up"],
    }
