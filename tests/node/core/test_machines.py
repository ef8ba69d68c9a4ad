"""What crosses between the machines of one node."""

import pytest

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import signer_from_seed
from luminous.node.core.config import Config
from luminous.node.core.health.readings import Readings
from luminous.node.core.instant import Instant
from luminous.node.core.machines import build

AT = Instant("b", 1000, 1_700_000_000_000)
MEASURED = {
    "cpu_stall_share": 0,
    "memory_stall_share": 0,
    "memory_available_share": 60_000,
    "io_stall_share": 0,
    "disk_free_share:/": 40_000,
    "disk_free_gb:/": 80_000,
    "inode_free_share:/": 90_000,
    "response_ms": 2_000,
}


def machines():
    return build(Config(signer_from_seed(bytes(32)), SeededEntropy(b"machines")))


@pytest.mark.parametrize(
    ("power", "is_low"),
    [
        ({}, False),
        ({"battery_share": 90_000, "on_mains": 0}, False),
        ({"battery_share": 10_000, "on_mains": 1000}, False),
        ({"battery_share": 10_000, "on_mains": 0}, True),
        ({"battery_share": 10_000}, True),
    ],
)
def test_healing_is_told_of_a_low_battery(power: dict[str, int], is_low: bool) -> None:
    found = machines()
    found.measure(Readings(AT, MEASURED | power), AT)
    assert found.healing.surroundings.is_battery_low is is_low
    assert not found.healing.surroundings.is_coverage_low


def test_healing_is_told_when_too_little_is_measured() -> None:
    found = machines()
    found.measure(
        Readings(AT, {"response_ms": 2_000}, missing=tuple(sorted(set(MEASURED) - {"response_ms"}))), AT
    )
    assert found.healing.surroundings.is_coverage_low


def test_the_users_own_interval_is_kept() -> None:
    config = Config(signer_from_seed(bytes(32)), SeededEntropy(b"machines"), health_interval_ms=7_000)
    assert build(config).health.interval_ms == 7_000
    assert machines().health.interval_ms == 30_000


def test_who_does_not_want_causes_learnt_keeps_no_events() -> None:
    for wish in (True, False):
        config = Config(signer_from_seed(bytes(32)), SeededEntropy(b"machines"), learns_causes=wish)
        causes = build(config).causes
        causes.add("failed:hash_mismatch", AT)
        assert bool(causes.view()["events"]) is wish
