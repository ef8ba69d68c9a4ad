"""Forecasts: better than "as now" where there is something to know, honest while learning."""

from math import pi, sin

from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.entropy import SeededEntropy, uniform_below
from luminous.node.core.health.disk_fill import DiskFill
from luminous.node.core.health.forecast import ORIGINS_MIN, Band, Forecaster, Forecasts, weighted_median
from luminous.node.core.health.forecast_methods import METHODS, Pace
from luminous.node.core.instant import Instant

PACE = Pace.of(300_000)


def noise(seed, count):
    entropy = SeededEntropy(seed)
    return [uniform_below(entropy, 1000) / 100 for _ in range(count)]


def errors_of(series):
    forecaster, mixed, naive = Forecaster(PACE), 0.0, 0.0
    inside = shown = 0
    for index, value in enumerate(series[: -PACE.horizon]):
        path = forecaster.observe(value)
        if path is None or index < 288:
            continue
        ahead = series[index + 1 : index + 1 + PACE.horizon]
        mixed += sum(abs(step.point - actual) for step, actual in zip(path, ahead, strict=True))
        naive += sum(abs(value - actual) for actual in ahead)
        if path[-1].low is not None:
            shown += 1
            inside += path[-1].low <= ahead[-1] <= path[-1].high
    return mixed / naive, inside / shown


def test_noise_and_a_daily_rhythm_are_forecast_better_than_as_now():
    jitter = noise(b"rhythm", 1500)
    series = [50 + 20 * sin(2 * pi * index / 288) + jitter[index] for index in range(1500)]
    ratio, inside = errors_of(series)
    assert ratio < 0.85
    assert 0.86 <= inside <= 0.94


def test_a_random_walk_cannot_be_beaten_and_is_not_made_much_worse():
    level, series = 100.0, []
    for step in noise(b"walk", 1500):
        level += step - 5
        series.append(level)
    ratio, inside = errors_of(series)
    assert 0.9 < ratio < 1.1
    assert 0.85 <= inside <= 0.95


def test_no_interval_before_enough_forecasts_met_their_outcome():
    band = Band()
    for _ in range(ORIGINS_MIN - 1):
        band.meet(1.0, band.width())
    assert band.width() is None
    band.meet(1.0, None)
    assert band.width() == 1.0


def test_bands_widen_when_errors_grow():
    band = Band()
    for index in range(100):
        band.meet(1.0 + index % 3, band.width())
    calm = band.width()
    for _ in range(100):
        band.meet(10.0, band.width())
    assert band.width() > calm


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.booleans())
@settings(max_examples=50, deadline=None)
def test_every_method_answers_a_whole_finite_path_for_any_series(series, repeated):
    forecaster = Forecaster(PACE)
    for value in series * (4 if repeated else 1):
        forecaster.observe(value)
    for name, method in METHODS:
        path = method(forecaster.history)
        assert len(path) == PACE.horizon, name
        assert all(abs(value) < 1e9 for value in path), name
    assert abs(sum(forecaster.weights) - 1) < 1e-9


def test_the_weighted_median_is_a_value_of_the_mix():
    assert weighted_median([3.0, 1.0, 2.0], [0.1, 0.1, 0.8]) == 2.0
    assert weighted_median([3.0, 1.0], [0.9, 0.1]) == 3.0


def fill(disk, hours, per_hour, start=100_000, pattern=None):
    free, said = start, []
    for minute in range(hours * 60):
        free -= per_hour / 60 if pattern is None else pattern(minute)
        disk.observe(int(free), minute * 60_000)
        if disk.full_in_ms() is not None:
            said.append(minute)
    return said


def test_a_leak_is_told_hours_before_the_disk_is_full():
    said = fill(DiskFill(), 10, 10_000)
    assert said
    assert 600 - said[0] >= 120


def test_one_download_is_no_leak_and_a_build_that_is_cleaned_up_is_none():
    assert fill(DiskFill(), 10, 0, pattern=lambda minute: 1_000 if 100 <= minute < 130 else 0) == []
    assert fill(DiskFill(), 10, 0, pattern=lambda minute: 400 if minute % 60 < 30 else -400) == []


def test_below_the_watermark_it_is_said_without_any_trend():
    disk = DiskFill()
    disk.observe(900, 0)
    assert disk.full_in_ms() == 0


def test_the_machine_shows_what_it_is_still_learning():
    forecasts = Forecasts()
    values = {"cpu_busy_share": 10_000, "store_integrity": 1000}
    for sample in range(200):
        forecasts.observe(values, Instant("b", sample * 30_000, 0))
    view = forecasts.view()
    assert view["signals"]["cpu_busy_share"] == {"in_30_min": 10_000, "low": None, "high": None}
    assert "store_integrity" not in view["signals"]
