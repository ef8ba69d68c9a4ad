"""The next 30 minutes of a reading: the weighted median of simple forecasters, by how each did lately.

Intervals are adaptive conformal (Gibbs and Candes 2021): their width follows the errors really made, so
that 90 % means 90 % without a model of the noise. Refuses to alarm or act: forecasts schedule and advise.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

from luminous.node.core.health.disk_fill import DiskFill
from luminous.node.core.health.forecast_methods import METHODS, History, Pace
from luminous.node.core.health.readings import base_name
from luminous.node.core.instant import Instant
from luminous.protocol.codec import Value

TEMPERATURE = 4.0
DECAY = 0.97
MISS_RATE = 0.1
ADAPTATION = 0.02
RESIDUES_MAX = 200
# Before so many forecasts have met their outcome no interval is shown.
ORIGINS_MIN = 40
# What is worth forecasting; switches and counts of a kind that jumps are not.
FORECAST_SIGNALS = (
    "cpu_busy_share",
    "cpu_stall_share",
    "disk_free_gb",
    "io_stall_share",
    "load_average",
    "memory_available_share",
    "memory_stall_share",
    "own_memory_mb",
    "response_ms",
)
# Signals forecast at once; the rest is measured but not forecast. Bounds memory and time.
FORECASTS_MAX = 25
STEP_MS = 300_000


@dataclass(frozen=True, slots=True)
class Forecast:
    """One step ahead: the point and, once enough outcomes were met, the 90 % interval."""

    point: float
    low: float | None
    high: float | None


class Band:
    """Adaptive conformal half-width for one step ahead."""

    def __init__(self) -> None:
        self._order: deque[float] = deque()
        self._sorted: list[float] = []
        self._miss_rate = MISS_RATE
        self.met = 0

    def width(self) -> float | None:
        """The half-width now; None while learning."""
        if self.met < ORIGINS_MIN:
            return None
        size = len(self._sorted)
        rank = int((size + 1) * (1 - self._miss_rate))
        if rank >= size:
            return self._sorted[-1] * (1.0 + max(0.0, -self._miss_rate))
        return self._sorted[max(0, rank)]

    def meet(self, residue: float, width: float | None) -> None:
        """A forecast of half-width ``width`` met its outcome, off by ``residue``."""
        size = abs(residue)
        if width is not None:
            missed = 1.0 if size > width else 0.0
            self._miss_rate = min(0.5, max(-1.0, self._miss_rate + ADAPTATION * (MISS_RATE - missed)))
        self.met += 1
        self._order.append(size)
        insort(self._sorted, size)
        if len(self._order) > RESIDUES_MAX:
            del self._sorted[bisect_left(self._sorted, self._order.popleft())]


@dataclass(slots=True)
class _Pending:
    made_at: int
    paths: list[list[float]]
    mixed: list[float]
    widths: list[float | None]


def weighted_median(values: list[float], weights: list[float]) -> float:
    """The value with half of the weight on either side: what an absolute error asks of a mix."""
    reached = 0.0
    order = sorted(range(len(values)), key=lambda index: values[index])
    for index in order:
        reached += weights[index]
        if reached >= 0.5 - 1e-9:
            return values[index]
    return values[order[-1]]


class Forecaster:
    """Forecasts one series. ``origin_every`` steps a forecast is made and later held to account."""

    def __init__(self, pace: Pace, origin_every: int = 1) -> None:
        self.pace = pace
        self.history = History(pace)
        self.weights = [1.0 / len(METHODS)] * len(METHODS)
        self._every = origin_every
        # Bands stand at a few steps ahead: one for each origin distance is enough and cheap.
        self._bands = [Band() for _ in range(max(1, pace.horizon // origin_every))]
        self._losses = [0.0] * len(METHODS)
        self._pending: deque[_Pending] = deque()

    def observe(self, value: float) -> list[Forecast] | None:
        """Take the next reading; the path ahead when a forecast is due, else None."""
        self.history.add(value)
        self._settle()
        if self.history.count % self._every or self.history.count < 6 * self.history.block:
            return None
        paths = [method(self.history) for _, method in METHODS]
        mixed = [
            weighted_median([path[step] for path in paths], self.weights) for step in range(self.pace.horizon)
        ]
        widths = [self._bands[self._band(step)].width() for step in range(self.pace.horizon)]
        self._pending.append(_Pending(self.history.count, paths, mixed, widths))
        return [
            Forecast(
                point, None if width is None else point - width, None if width is None else point + width
            )
            for point, width in zip(mixed, widths, strict=True)
        ]

    def latest_paths(self) -> list[list[float]]:
        """What each method alone said at the last origin, in the order of ``METHODS``; for evaluation."""
        return self._pending[-1].paths if self._pending else []

    def _band(self, step: int) -> int:
        return min(len(self._bands) - 1, step // self._every)

    def _settle(self) -> None:
        """Hold the forecast whose horizon has just passed to account: weights and bands."""
        horizon = self.pace.horizon
        while self._pending and self._pending[0].made_at + horizon <= self.history.count:
            pending = self._pending.popleft()
            values = self.history.values
            actual = [values[index] for index in range(-horizon, 0)]
            for method, path in enumerate(pending.paths):
                error = sum(abs(a - b) for a, b in zip(actual, path, strict=True)) / horizon
                self._losses[method] = DECAY * self._losses[method] + (1 - DECAY) * error
            for index in range(len(self._bands)):
                step = min(horizon - 1, (index + 1) * self._every - 1)
                self._bands[index].meet(actual[step] - pending.mixed[step], pending.widths[step])
            least = min(self._losses)
            if least <= 0:
                raw = [1.0 if loss <= 0 else 0.0 for loss in self._losses]
            else:
                raw = [exp(-TEMPERATURE * (loss / least - 1)) for loss in self._losses]
            total = sum(raw)
            self.weights = [value / total for value in raw]


class Forecasts:
    """The forecasters of this machine's signals, fed with five-minute means, and the disk rule per mount."""

    def __init__(self) -> None:
        self._pace = Pace.of(STEP_MS)
        self._series: dict[str, Forecaster] = {}
        self._paths: dict[str, list[Forecast]] = {}
        self._sums: dict[str, tuple[int, int]] = {}
        self._disks: dict[str, DiskFill] = {}
        self._block_at_ms: int | None = None

    def observe(self, values: Mapping[str, int], at: Instant) -> None:
        """Take one sample of readings (thousandths of their units)."""
        for name in sorted(values):
            if base_name(name) == "disk_free_gb":
                self._disks.setdefault(name, DiskFill()).observe(values[name], at.mono_ms)
            if base_name(name) not in FORECAST_SIGNALS:
                continue
            if name in self._sums or len(self._sums) < FORECASTS_MAX:
                total, count = self._sums.get(name, (0, 0))
                self._sums[name] = (total + values[name], count + 1)
        if self._block_at_ms is None or at.mono_ms < self._block_at_ms:
            self._block_at_ms = at.mono_ms
        if at.mono_ms - self._block_at_ms < STEP_MS:
            return
        if at.mono_ms - self._block_at_ms >= 3 * STEP_MS:
            self._series.clear()  # slept: yesterday's slots no longer line up
        self._block_at_ms = at.mono_ms
        for name in sorted(self._sums):
            total, count = self._sums[name]
            if count:
                path = self._series.setdefault(name, Forecaster(self._pace)).observe(total / count)
                if path is not None:
                    self._paths[name] = path
            self._sums[name] = (0, 0)

    def full_in_ms(self) -> dict[str, int]:
        """Mount to milliseconds until full, only where the rule says so."""
        told = {name.partition(":")[2]: self._disks[name].full_in_ms() for name in sorted(self._disks)}
        return {mount: left for mount, left in told.items() if left is not None}

    def view(self) -> dict[str, Value]:
        """For people: per signal the half hour ahead (thousandths), or that it is still learning."""
        signals: dict[str, Value] = {}
        for name in sorted(self._paths):
            end = self._paths[name][-1]
            told: dict[str, Value] = {
                "in_30_min": round(end.point),
                "low": None if end.low is None else round(end.low),
                "high": None if end.high is None else round(end.high),
            }
            signals[name] = told
        full: dict[str, Value] = {mount: left // 60_000 for mount, left in self.full_in_ms().items()}
        return {
            "horizon_min": 30,
            "signals": signals,
            "learning": [name for name in sorted(self._sums) if name not in self._paths],
            "full_in_min": full,
            "note": "Forecasts advise; they never raise an alarm and never act.",
        }
