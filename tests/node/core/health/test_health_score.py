"""The score: monotone, capped, and honest about what is missing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.health import score as scores
from luminous.node.core.health.score import PARTS, Grade, compute_points, compute_score, find_cap, grade_part

LADDERS = [
    scores.CPU_STALL_SHARE,
    scores.MEMORY_AVAILABLE_SHARE,
    scores.DISK_FREE_SHARE,
    scores.DISK_FREE_GB,
    scores.ERRORS_PER_MINUTE,
    scores.INTEGRITY,
    scores.PEERS,
]
ALL = frozenset(part.name for part in PARTS)


def grades(**points: float) -> tuple[Grade, ...]:
    return tuple(Grade(part.name, points.get(part.name, 100.0), 1.0, part.signals[0]) for part in PARTS)


@given(st.sampled_from(LADDERS), st.integers(-(10**9), 10**9), st.integers(0, 10**9))
@settings(max_examples=100)
def test_points_fall_as_a_reading_worsens_and_stay_in_range(ladder, value, more):
    worse = value + more if ladder[0] < ladder[-1] else value - more
    assert 0.0 <= compute_points(worse, ladder) <= compute_points(value, ladder) <= 100.0


@pytest.mark.parametrize("ladder", LADDERS)
def test_every_rung_is_worth_what_the_table_says(ladder):
    assert [compute_points(rung, ladder) for rung in ladder] == [100.0, 75.0, 50.0, 25.0, 0.0]


def test_one_dead_disk_is_not_hidden_by_eight_healthy_parts():
    mean_alone = (100 * len(PARTS) - 100) / len(PARTS)
    assert mean_alone > 85  # what an average would have called good
    assert compute_score(grades(disk=0.0), ALL, (100, "")).points <= 50


@pytest.mark.parametrize(
    ("values", "cap"),
    [
        ({"disk_free_share:/": 0, "disk_free_gb:/": 0}, 24),
        ({"inode_free_share:/": 0}, 24),
        ({"root_writable": 0}, 24),
        ({"store_integrity": 0}, 24),
        ({"store_paths_sound": 0}, 49),
        ({"disk_free_share:/": 20_000, "disk_free_gb:/": 90_000, "root_writable": 1000}, 100),
    ],
)
def test_the_grave_caps_the_score(values, cap):
    assert find_cap(values)[0] == cap


def test_a_large_disk_at_two_percent_is_well_and_a_small_one_is_not():
    disk = next(part for part in PARTS if part.name == "disk")
    assert grade_part(disk, {"disk_free_share:/": 2_000, "disk_free_gb:/": 80_000})[0] == 100.0
    assert grade_part(disk, {"disk_free_share:/": 2_000, "disk_free_gb:/": 900})[0] <= 25.0


def test_memory_is_bad_only_when_pressure_and_availability_both_are():
    memory = next(part for part in PARTS if part.name == "memory")
    assert grade_part(memory, {"memory_stall_share": 60_000, "memory_available_share": 40_000})[0] == 100.0
    assert grade_part(memory, {"memory_stall_share": 0, "memory_available_share": 500})[0] == 100.0
    assert grade_part(memory, {"memory_stall_share": 60_000, "memory_available_share": 500})[0] == 0.0


def test_what_is_unknown_widens_the_interval_and_lowers_the_coverage():
    full = compute_score(grades(), ALL, (100, ""))
    part = compute_score(tuple(g for g in grades() if g.part != "disk"), ALL, (100, ""))
    assert (full.coverage, full.low, full.high) == (1.0, 100.0, 100.0)
    assert part.coverage < 1.0
    assert part.low < part.points <= part.high == 100.0


def test_a_signal_of_one_store_counts_like_the_plain_one():
    storage = next(part for part in PARTS if part.name == "storage")
    sound = {"store_integrity:journal": 1000, "store_integrity:state": 0, "root_writable": 1000}
    assert grade_part(storage, sound) == (0.0, "store_integrity:state")
    assert find_cap(sound) == (24, "store_integrity:state")


def test_the_worst_three_are_named_worst_first():
    found = compute_score(grades(disk=10.0, cpu=10.0, errors=60.0), ALL, (100, "")).worst
    assert [part for part, _, _ in found] == ["disk", "cpu", "errors"]


def test_nothing_measured_has_no_score():
    assert compute_score((), ALL, (100, "")).points is None


@given(st.dictionaries(st.sampled_from(sorted(ALL)), st.floats(0, 100), max_size=9), st.integers(0, 8))
@settings(max_examples=100)
def test_the_score_is_monotone_in_each_part(points, index):
    name = PARTS[index].name
    better = compute_score(grades(**points), ALL, (100, "")).points
    worse = compute_score(grades(**{**points, name: 0.0}), ALL, (100, "")).points
    assert worse <= better + 1e-9
