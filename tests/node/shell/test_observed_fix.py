"""Observed fixes speak the public vocabulary or stay private."""

from luminous.node.assets import public_prior, shared_pairs
from luminous.node.shell.observed_fix import _FIXES, fix_of
from luminous.protocol.layout import FIXES_1


def test_every_mapped_fix_is_a_public_pair() -> None:
    assert [key for key, fix in _FIXES.items() if (key[0], fix) not in FIXES_1.index] == []


def test_what_fits_no_pair_stays_a_private_word() -> None:
    assert fix_of("hash_mismatch", "hash_changed") == "replace_hash"
    private = fix_of("hash_mismatch", "rolled_back")
    assert ("hash_mismatch", private) not in FIXES_1.index


def test_every_shared_catalogue_fix_counts_as_a_pair_of_its_own_class() -> None:
    assert [key for key, pair in shared_pairs().items() if key[0] != pair[0]] == []
    assert len(set(shared_pairs().values())) >= 24
    assert public_prior().pairs
