"""The texts of failures: bounded in age and size, gone when cleared, never in the way."""

from pathlib import Path

import pytest

from luminous.node.ports import StoreError
from luminous.node.shell.evidence import DAY_MS, TEXT_SIZE_BYTES_MAX, Evidence, Failed

NOW_MS = 1_800_000_000_000


def failed(text: str, wall_ms: int = NOW_MS) -> Failed:
    return Failed(wall_ms, "hash_mismatch", "0" * 16, text)


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path / "evidence.sqlite", days=7, size_bytes_max=100_000)


def test_the_newest_come_first_and_the_file_is_private(evidence: Evidence) -> None:
    for number in range(3):
        evidence.add(failed(f"text {number}", NOW_MS + number))
    assert [item.text for item in evidence.newest()] == ["text 2", "text 1", "text 0"]
    assert evidence.path.stat().st_mode & 0o777 == 0o600


def test_what_is_a_week_old_goes(evidence: Evidence) -> None:
    evidence.add(failed("old"))
    evidence.add(failed("young", NOW_MS + 1))
    evidence.trim(NOW_MS + 7 * DAY_MS)
    assert len(evidence.newest()) == 2, "not a moment too early"
    evidence.trim(NOW_MS + 7 * DAY_MS + 1)
    assert [item.text for item in evidence.newest()] == ["young"]


def test_the_oldest_give_way_and_the_file_does_not_grow(evidence: Evidence) -> None:
    for number in range(200):
        evidence.add(failed(f"{number} " + "x" * 10_000))
    kept = evidence.newest(1000)
    assert kept[0].text.startswith("199 ")
    assert 5 <= len(kept) <= 9
    assert evidence.path.stat().st_size < 250_000


def test_a_text_too_long_keeps_its_end(evidence: Evidence) -> None:
    evidence.add(failed("start" + "é" * TEXT_SIZE_BYTES_MAX + "end"))
    (item,) = evidence.newest()
    assert item.text.endswith("end")
    assert len(item.text.encode()) <= TEXT_SIZE_BYTES_MAX


def test_cleared_is_gone_from_the_file(evidence: Evidence) -> None:
    evidence.add(failed("canary-5e1f"))
    assert b"canary-5e1f" in evidence.path.read_bytes()
    evidence.clear()
    assert b"canary-5e1f" not in evidence.path.read_bytes()
    assert evidence.newest() == ()


def test_a_damaged_file_starts_anew_and_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(b"not a database at all, only bytes" * 100)
    assert Evidence(tmp_path / "damaged", days=7, size_bytes_max=1000).newest() == ()
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        Evidence(tmp_path / "folder", days=7, size_bytes_max=1000)
