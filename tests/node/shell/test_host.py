"""Host probes: the real machine, and machines planted in a folder."""

from pathlib import Path

import pytest

from luminous.node.core.health.readings import Readings
from luminous.node.core.instant import Instant
from luminous.node.shell.host import Host, read_instant


def instant(mono_ms=1_000):
    return Instant("b", mono_ms, 0)


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    for name in ("cpu", "memory", "io"):
        path = tmp_path / "proc/pressure" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "some avg10=1.50 avg60=0 avg300=0 total=1000000\nfull avg10=0.25 avg60=0 avg300=0 total=500000\n"
        )
    (tmp_path / "proc/meminfo").write_text("MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 0 kB\n")
    (tmp_path / "proc/self").mkdir()
    (tmp_path / "proc/self/mountinfo").write_text("1 1 0:1 / / rw,relatime - ext4 /dev/vda rw\n")
    return tmp_path


def test_the_real_machine_answers_with_real_values():
    readings = Host().read(read_instant())
    assert isinstance(readings, Readings)
    assert 0 < readings.values["memory_available_share"] <= 100_000
    assert 0 <= readings.values["disk_free_share:/"] <= 100_000
    assert readings.values["own_memory_mb"] > 1_000
    assert "smart_ok" in readings.unsupported


def test_stall_is_the_share_of_time_between_two_samples(planted):
    host = Host(root=planted)
    assert host.read(instant(0)).values["cpu_stall_share"] == 1_500
    cpu = planted / "proc/pressure/cpu"
    cpu.write_text(cpu.read_text().replace("total=1000000", "total=4000000"))
    assert host.read(instant(30_000)).values["cpu_stall_share"] == 10_000  # 3 s of 30 s


def test_absent_from_the_start_is_unsupported_and_gone_later_is_missing(planted):
    host = Host(root=planted)
    first = host.read(instant())
    assert "battery_share" in first.unsupported
    assert first.missing == ()
    (planted / "proc/meminfo").unlink()
    (planted / "proc/pressure/io").unlink()
    second = host.read(instant(31_000))
    assert set(second.missing) == {"memory_available_share", "io_stall_share"}
    assert "memory_available_share" not in second.values


def test_garbage_is_missing_and_never_guessed(planted):
    host = Host(root=planted)
    host.read(instant())
    (planted / "proc/meminfo").write_text("MemTotal: lots\n")
    assert "memory_available_share" in host.read(instant()).missing


def test_a_root_that_turns_read_only_is_seen(planted):
    host = Host(root=planted)
    assert host.read(instant()).values["root_writable"] == 1000
    (planted / "proc/self/mountinfo").write_text("1 1 0:1 / / ro,relatime - ext4 /dev/vda ro\n")
    assert host.read(instant()).values["root_writable"] == 0


def test_an_image_that_is_read_only_by_design_is_not_ill(planted):
    (planted / "proc/self/mountinfo").write_text("1 1 0:1 / / ro - squashfs /dev/loop0 ro\n")
    readings = Host(root=planted).read(instant())
    assert "root_writable" in readings.unsupported


def test_batteries_and_mains_are_read_where_they_are(planted):
    base = planted / "sys/class/power_supply"
    for name, kind, file, value in (("BAT0", "Battery", "capacity", "57"), ("AC", "Mains", "online", "0")):
        (base / name).mkdir(parents=True)
        (base / name / "type").write_text(kind + "\n")
        (base / name / file).write_text(value + "\n")
    values = Host(root=planted).read(instant()).values
    assert (values["battery_share"], values["on_mains"]) == (57_000, 0)


def test_own_signals_join_the_same_moment(planted):
    readings = Host(root=planted).read(instant(), {"response_ms": 1_500, "failed_units": 0})
    assert readings.values["response_ms"] == 1_500
    assert "failed_units" not in readings.unsupported
