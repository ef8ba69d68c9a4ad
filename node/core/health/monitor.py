"""The health machine: readings in, a score with coverage, a steady status and symptoms out.

Refuses to read the host (the shell does), to guess what is missing, and to act.
"""

from collections import deque
from dataclasses import dataclass

from luminous.node.core.health.forecast import Forecasts
from luminous.node.core.health.readings import Readings, base_name
from luminous.node.core.health.score import PARTS, Grade, Score, compute_score, find_cap, grade_part
from luminous.node.core.health.status import COVERAGE_MIN, Status, SteadyStatus
from luminous.node.core.health.symptoms import SymptomWatch
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Outcome, Tell
from luminous.protocol.codec import Value

INTERVAL_MS_DEFAULT = 30_000
CHANGES_KEPT_MAX = 64
# A reading counts fully until two intervals old, then less, and nothing from six on.
FRESH_INTERVALS = 2
STALE_INTERVALS = 6
# Readings that are taken seldom: their own period instead of the interval.
SLOW_PERIODS_MS = {"smart_ok": 6 * 3_600_000, "store_integrity": 3_600_000, "store_paths_sound": 86_400_000}
_PART_OF = {signal: part.name for part in PARTS for signal in part.signals}


@dataclass(frozen=True, slots=True)
class _Held:
    value: int
    mono_ms: int


class Health:
    """How this machine is. ``deadline`` is in mono_ms: when the next readings are due."""

    def __init__(self, interval_ms: int = INTERVAL_MS_DEFAULT) -> None:
        self.interval_ms = interval_ms
        self.forecasts = Forecasts()
        self._held: dict[str, _Held] = {}
        self._offered: dict[str, None] = {}
        self._missing: tuple[str, ...] = ()
        self._unsupported: tuple[str, ...] = ()
        self._steady = SteadyStatus()
        self._watch = SymptomWatch()
        self._score: Score | None = None
        self._boot_id = ""
        self._last_mono_ms: int | None = None
        self._samples = 0
        self._changes: deque[tuple[int, str, str]] = deque(maxlen=CHANGES_KEPT_MAX)

    def set_interval(self, interval_ms: int) -> None:
        """Follow the parameter ``health.interval``; the constitution has already bounded it."""
        assert interval_ms > 0
        self.interval_ms = interval_ms

    def observe(self, readings: Readings, at: Instant) -> tuple[Outcome, ...]:
        """Take one sample. Tells ``health_changed`` and ``symptom`` (facts for healing and causes)."""
        if at.boot_id != self._boot_id:
            self._boot_id = at.boot_id
            self._held.clear()
        elif self._last_mono_ms is not None and at.mono_ms < self._last_mono_ms:
            return ()  # out of order: the newer sample already counted
        self._last_mono_ms = at.mono_ms
        self._samples += 1
        for name in sorted(readings.values):
            value = readings.values[name]
            self._held[name] = _Held(value, at.mono_ms)
            self._offered[base_name(name)] = None
        # What was offered once is missing when it is gone, never "unsupported".
        self._unsupported = tuple(n for n in readings.unsupported if base_name(n) not in self._offered)
        self._offered.update(dict.fromkeys(base_name(name) for name in readings.missing))
        self._missing = tuple(
            sorted(
                {*readings.missing, *(n for n in readings.unsupported if base_name(n) in self._offered)}
                | {name for name in self._held if name not in readings.values and not _is_slow(name)}
            )
        )
        self.forecasts.observe(readings.values, at)
        outcomes: list[Outcome] = []
        for symptom, present in self._watch.feed(readings.values):
            outcomes.append(Tell("symptom", symptom.facts(present)))
        return (*self._rescore(at), *outcomes)

    def tick(self, at: Instant) -> tuple[Outcome, ...]:
        """Let silence count: a machine whose readings stop becomes UNKNOWN rather than staying well."""
        if self._last_mono_ms is None or at.boot_id != self._boot_id:
            return ()
        if at.mono_ms - self._last_mono_ms < FRESH_INTERVALS * self.interval_ms:
            return ()
        return self._rescore(at)

    def deadline(self) -> int | None:
        """mono_ms at which the next readings are due; None before the first."""
        return None if self._last_mono_ms is None else self._last_mono_ms + self.interval_ms

    def symptoms(self) -> tuple[dict[str, Value], ...]:
        """What is wrong now, as plain facts."""
        return tuple(self._watch.present[key].facts(True) for key in sorted(self._watch.present))

    def value(self, signal: str) -> int | None:
        """The last reading of a signal in thousandths of its unit."""
        held = self._held.get(signal)
        return None if held is None else held.value

    @property
    def status(self) -> Status:
        """The steady status."""
        return self._steady.status

    @property
    def coverage(self) -> float:
        """Share of the measurable that is measured now."""
        return 0.0 if self._score is None else self._score.coverage

    def view(self) -> dict[str, Value]:
        """For people and the control API: score in points, shares in percent, readings in thousandths."""
        score = self._score
        points = None if score is None or score.points is None else score.points
        worst: list[Value] = []
        for part, value, signal in score.worst if score else ():
            lowest: dict[str, Value] = {"part": part, "points": round(value), "signal": signal}
            worst.append({**lowest, "reading": self.value(signal)})
        changes: list[Value] = []
        for wall_ms, old, new in self._changes:
            change: dict[str, Value] = {"wall_ms": wall_ms, "from": old, "to": new}
            changes.append(change)
        return {
            "score": None if points is None else round(points),
            "status": self.status.value,
            "coverage_percent": 0 if score is None else round(100 * score.coverage),
            "interval": [0, 100] if score is None else [round(score.low), round(score.high)],
            "cap": None if score is None or score.cap == 100 else score.cap,
            "cap_reason": "" if score is None else score.cap_reason,
            "worst": worst,
            "missing": list(self._missing),
            "unsupported": list(self._unsupported),
            "symptoms": list(self.symptoms()),
            "samples": self._samples,
            "changes": changes,
            "summary": self._summary(points),
        }

    def _rescore(self, at: Instant) -> tuple[Outcome, ...]:
        fresh = {name: self._freshness(name, at.mono_ms) for name in self._held}
        values = {name: self._held[name].value for name in sorted(fresh) if fresh[name] > 0}
        grades = []
        for part in PARTS:
            graded = grade_part(part, values)
            if graded:
                grades.append(Grade(part.name, graded[0], fresh[graded[1]], graded[1]))
        supported = frozenset(_PART_OF[name] for name in self._offered if name in _PART_OF)
        self._score = compute_score(tuple(grades), supported, find_cap(values))
        before = self.status
        if not self._steady.feed(self._score.points, self._score.coverage):
            return ()
        self._changes.append((at.wall_ms, before.value, self.status.value))
        points = self._score.points
        facts: dict[str, Value] = {
            "from": before.value,
            "to": self.status.value,
            "score": None if points is None else round(points),
            "summary": self._summary(points),
        }
        return (Tell("health_changed", facts),)

    def _freshness(self, name: str, mono_ms: int) -> float:
        period_ms = SLOW_PERIODS_MS.get(base_name(name), self.interval_ms)
        age_ms = mono_ms - self._held[name].mono_ms
        fresh_ms, stale_ms = FRESH_INTERVALS * period_ms, STALE_INTERVALS * period_ms
        if age_ms <= fresh_ms:
            return 1.0
        return max(0.0, (stale_ms - age_ms) / (stale_ms - fresh_ms))

    def _summary(self, points: float | None) -> str:
        score = self._score
        if score is None or points is None:
            return "Nothing is measured yet."
        if score.coverage < COVERAGE_MIN:
            return (
                f"I cannot say how this machine is: only {score.coverage:.0%} of what I can measure answers"
                f" (between {score.low:.0f} and {score.high:.0f} of 100)."
            )
        worst = ", ".join(f"{part} {value:.0f}" for part, value, _ in score.worst)
        return f"{points:.0f} of 100, {self.status.value}; {score.coverage:.0%} measured; lowest: {worst}."


def _is_slow(name: str) -> bool:
    return base_name(name) in SLOW_PERIODS_MS
