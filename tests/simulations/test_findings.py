"""What campaigns found, kept as seeds, each beside the fault put back."""

import pytest

from luminous.node.core.peers.sync import Sync
from luminous.simulations.campaign import play_seed

FULL_DISK_SEED = 1117
MUTE_SEED = 100_033


def test_what_no_disk_took_is_not_handed_out_by_sync() -> None:
    """A ballot signed on a full disk was fetched by peers; after a crash its author knew nothing of it."""
    assert play_seed((FULL_DISK_SEED, 4, 10)).broken == ()


def test_the_campaign_finds_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    never = property(lambda self: False, lambda self, value: None)
    monkeypatch.setattr(Sync, "is_mute", never, raising=False)
    assert any("authenticity" in text for text in play_seed((FULL_DISK_SEED, 4, 10)).broken)


def test_a_flood_that_ends_leaves_equal_records() -> None:
    assert play_seed((1215, 4, 10)).broken == ()


def test_a_machine_that_was_cut_off_in_quiet_times_comes_back_before_the_next_quiet_round() -> None:
    assert play_seed((1468, 4, 10)).broken == ()


def test_a_machine_whose_disk_was_full_asks_what_it_missed_as_soon_as_it_can_write() -> None:
    assert play_seed((MUTE_SEED, 4, 10)).broken == ()


def test_the_campaign_finds_a_machine_that_waits_for_its_next_quiet_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Sync, "woke", lambda self, at: None)
    assert any("convergence" in text for text in play_seed((MUTE_SEED, 4, 10)).broken)
