"""The status: a word that changes seldom, made from a score that changes often.

Median of five, then a dwell before it worsens (two minutes at 30 s) and a longer one before it improves.
Refuses to improve because a signal went missing, and refuses any word but UNKNOWN below 0.6 coverage.
"""

from collections import deque
from enum import StrEnum

COVERAGE_MIN = 0.6
WORSEN_SAMPLES = 4
PLUNGE_SAMPLES = 2
IMPROVE_SAMPLES = 20
IMPROVE_MARGIN_POINTS = 3.0
MEDIAN_SAMPLES = 5
# Who recovers and falls back within four hours must hold twice as long the next time, up to 80 minutes.
RELAPSE_SAMPLES = 480
PATIENCE_MAX = 8
# A status held down by a signal that stays missing is let go after this many samples (an hour at 30 s).
HELD_SAMPLES_MAX = 120


class Status(StrEnum):
    """How the machine is. Values are shown to people and in --json."""

    EXCELLENT = "excellent"  # 90 or more
    GOOD = "good"  # 75 or more
    DEGRADED = "degraded"  # 50 or more
    CRITICAL = "critical"  # 25 or more
    FAILED = "failed"  # less
    UNKNOWN = "unknown"  # too little is measured to say


FLOORS: tuple[tuple[Status, float], ...] = (
    (Status.EXCELLENT, 90.0),
    (Status.GOOD, 75.0),
    (Status.DEGRADED, 50.0),
    (Status.CRITICAL, 25.0),
    (Status.FAILED, 0.0),
)
_RANK = {status: rank for rank, (status, _) in enumerate(FLOORS)}
_FLOOR = dict(FLOORS)


def band_of(points: float) -> Status:
    """The raw band of a score, without memory."""
    for status, floor in FLOORS:
        if points >= floor:
            return status
    return Status.FAILED


class SteadyStatus:
    """Turns scores into a status that a person can trust to mean something."""

    def __init__(self) -> None:
        self.status = Status.UNKNOWN
        self._recent: deque[float] = deque(maxlen=MEDIAN_SAMPLES)
        self._patience = 1
        self._since_better = RELAPSE_SAMPLES
        self._worse = self._much_worse = self._better = self._held = 0
        self._coverage_at_worst = 0.0

    def feed(self, points: float | None, coverage: float) -> bool:
        """Take one sample; True when the status changed."""
        before = self.status
        if points is None or coverage < COVERAGE_MIN:
            self._recent.clear()
            self._settle(Status.UNKNOWN, coverage)
            return self.status is not before
        self._recent.append(points)
        median = sorted(self._recent)[len(self._recent) // 2]
        band = band_of(median)
        if self.status is Status.UNKNOWN:
            if len(self._recent) >= PLUNGE_SAMPLES:
                self._settle(band, coverage)
            return self.status is not before
        self._since_better += 1
        step = _RANK[band] - _RANK[self.status]
        self._worse = self._worse + 1 if step > 0 else 0
        self._much_worse = self._much_worse + 1 if step > 1 else 0
        self._count_better(median, coverage)
        if self._worse >= WORSEN_SAMPLES or self._much_worse >= PLUNGE_SAMPLES:
            relapsed = self._since_better < RELAPSE_SAMPLES
            self._patience = min(PATIENCE_MAX, 2 * self._patience) if relapsed else 1
            self._settle(band, coverage)
        elif self._better >= IMPROVE_SAMPLES * self._patience:
            self._settle(_best_with_margin(median), coverage)
            self._since_better = 0
        return self.status is not before

    def _count_better(self, median: float, coverage: float) -> None:
        if _RANK[_best_with_margin(median)] >= _RANK[self.status]:
            self._better = self._held = 0
            return
        if coverage + 1e-9 < self._coverage_at_worst and self._held < HELD_SAMPLES_MAX:
            # What made it bad may merely have gone silent: no credit for that.
            self._held += 1
            return
        self._better += 1

    def _settle(self, status: Status, coverage: float) -> None:
        if status is not self.status:
            self._coverage_at_worst = coverage
        self.status = status
        self._worse = self._much_worse = self._better = self._held = 0


def _best_with_margin(median: float) -> Status:
    for status, floor in FLOORS:
        if median > floor + IMPROVE_MARGIN_POINTS:
            return status
    return Status.FAILED
