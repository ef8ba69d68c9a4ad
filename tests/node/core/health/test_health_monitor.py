"""The machine: steady, honest when readings stop, and deaf to tricks of the clock."""

import itertools

from luminous.node.core.health.monitor import Health
from luminous.node.core.health.readings import Readings
from luminous.node.core.health.status import Status, SteadyStatus, band_of
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Tell
from luminous.protocol.codec import encode

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
FULL = {**WELL, "disk_free_share:/": 100, "disk_free_gb:/": 20}


def at(sample, boot_id="b"):
    return Instant(boot_id, sample * 30_000, 1_700_000_000_000 + sample * 30_000)


def feed(health, values, first, count, **more):
    told = []
    for sample in range(first, first + count):
        told += health.observe(Readings(at(sample), values, **more), at(sample))
    return [tell for tell in told if sample > 4 or tell.name != "symptom"]  # without the first all-clear


def test_a_well_machine_is_excellent_with_its_coverage_and_three_lowest():
    health = Health()
    told = feed(health, WELL, 0, 3)
    view = health.view()
    assert (view["status"], view["score"], view["coverage_percent"]) == ("excellent", 100, 100)
    assert len(view["worst"]) == 3
    assert [tell.name for tell in told] == ["health_changed"]
    encode(view)
    encode(health.forecasts.view())


def test_a_full_disk_is_told_within_two_minutes_and_capped():
    health = Health()
    feed(health, WELL, 0, 10)
    told = feed(health, FULL, 10, 4)
    symptoms = [tell.facts for tell in told if tell.name == "symptom"]
    assert [(s["name"], s["target"], s["present"]) for s in symptoms] == [("disk_full", "/", True)]
    feed(health, FULL, 14, 2)
    assert health.view()["score"] <= 24
    assert health.status is Status.FAILED


def test_a_single_bad_sample_changes_nothing():
    health = Health()
    feed(health, WELL, 0, 10)
    assert feed(health, FULL, 10, 1) + feed(health, WELL, 11, 10) == []


def test_silence_becomes_unknown_and_not_well():
    health = Health()
    feed(health, WELL, 0, 10)
    told = [tell for sample in range(10, 20) for tell in health.tick(at(sample))]
    assert health.status is Status.UNKNOWN
    assert isinstance(told[0], Tell)
    assert "cannot say" in health.view()["summary"]


def test_missing_signals_lower_the_coverage_until_the_status_is_unknown():
    health = Health()
    feed(health, WELL, 0, 10)
    few = {"cpu_stall_share": 0, "io_stall_share": 0}
    feed(health, few, 10, 8)
    assert health.view()["coverage_percent"] < 60
    assert health.status is Status.UNKNOWN
    assert "memory_available_share" in health.view()["missing"]


def test_what_was_never_offered_counts_neither_way_and_is_listed():
    health = Health()
    feed(health, WELL, 0, 4, unsupported=("smart_ok", "failed_units"))
    assert health.view()["coverage_percent"] == 100
    assert health.view()["unsupported"] == ["smart_ok", "failed_units"]


def test_a_signal_that_was_offered_cannot_become_unsupported():
    health = Health()
    feed(health, WELL, 0, 4)
    less = {name: value for name, value in WELL.items() if name != "io_stall_share"}
    feed(health, less, 4, 8, unsupported=("io_stall_share",))
    assert health.view()["missing"] == ["io_stall_share"]
    assert health.view()["coverage_percent"] < 100


def test_a_bad_signal_that_goes_silent_earns_no_recovery():
    health = Health()
    feed(health, WELL, 0, 10)
    feed(health, FULL, 10, 10)
    assert health.status is Status.FAILED
    silent = {name: value for name, value in WELL.items() if not name.startswith(("disk", "inode"))}
    feed(health, silent, 20, 60)
    assert health.status is Status.FAILED
    feed(health, WELL, 80, 26)
    assert health.status is Status.EXCELLENT


def test_a_clock_that_jumps_back_or_a_new_boot_does_no_harm():
    health = Health()
    feed(health, WELL, 100, 5)
    assert health.observe(Readings(at(3), FULL), at(3)) == ()
    health.observe(Readings(at(0, "c"), WELL), at(0, "c"))
    assert health.deadline() == 30_000
    assert health.status is Status.EXCELLENT


def test_the_interval_follows_its_parameter():
    health = Health(30_000)
    feed(health, WELL, 0, 1)
    health.set_interval(60_000)
    assert health.deadline() == 60_000


def test_hysteresis_holds_at_a_band_edge_where_the_raw_band_flaps():
    steady, raw, changes = SteadyStatus(), [], 0
    steady.feed(92.0, 1.0)
    steady.feed(92.0, 1.0)
    for sample in range(400):
        points = 91.0 if sample % 3 else 88.0
        raw.append(band_of(points))
        changes += steady.feed(points, 1.0)
    assert sum(a is not b for a, b in itertools.pairwise(raw)) > 200
    assert changes <= 1


def test_recovery_is_believed_after_ten_minutes_and_not_before():
    health = Health()
    feed(health, WELL, 0, 10)
    feed(health, FULL, 10, 10)
    feed(health, WELL, 20, 15)
    assert health.status is Status.FAILED
    feed(health, WELL, 35, 15)
    assert health.status is Status.EXCELLENT


def test_what_is_well_at_the_start_is_said_once_and_what_stays_bad_is_repeated():
    health = Health()
    clear = []
    for sample in range(12):
        clear += health.observe(Readings(at(sample), WELL), at(sample))
    names = [tell.facts["name"] for tell in clear if tell.name == "symptom"]
    assert "store_damaged" in names
    assert len(names) == len(set(names))
    assert not any(tell.facts["present"] for tell in clear if tell.name == "symptom")
    told = [tell.facts["present"] for tell in feed(health, FULL, 12, 60) if tell.name == "symptom"]
    assert told == [True] * 4  # at first, and every ten minutes
