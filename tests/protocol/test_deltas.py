"""Deltas on the wire: bounds, levels, nothing but counts of a closed list."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.protocol.codec import decode, encode
from luminous.protocol.deltas import DELTA, Delta, LearningLaw, Level, fleet_law, is_lawful
from luminous.protocol.layout import FIXES_1, Layout
from luminous.protocol.reasons import Reason, Refused

LAW = LearningLaw()
PUBLIC = Delta(7, Level.PUBLIC, FIXES_1.id, 1, 0, tuple(range(64)))
NOISED = Delta(7, Level.DIFFERENTIAL, FIXES_1.id, 1024, 4225, tuple(range(-32, 32)))

junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.binary(max_size=9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.integers(0, 7), inner, max_size=7),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**40),
    st.booleans(),
    st.lists(st.integers(0, 2**31 - 1), min_size=64, max_size=64).map(tuple),
)
def test_deltas_survive_the_wire(window: int, is_public: bool, vector: tuple[int, ...]) -> None:
    delta = replace(PUBLIC if is_public else NOISED, window=window, vector=vector)
    assert DELTA.parse(decode(encode(DELTA.pack(delta)))) == delta


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 6), junk)
def test_nothing_but_bounded_integers_can_be_said(key: int, value: object) -> None:
    """Whatever replaces one field: either refused, or the record holds integers and a layout id only."""
    packed = DELTA.pack(PUBLIC)
    assert isinstance(packed, dict)
    parsed = DELTA.parse({**packed, key: value})  # type: ignore[dict-item]
    if not isinstance(parsed, Refused):
        assert all(isinstance(x, int) and 0 <= x < 2**31 for x in parsed.vector)
        assert len(parsed.layout) == 8 and isinstance(parsed.window, int)


@pytest.mark.parametrize(
    ("delta", "reason"),
    [
        (replace(NOISED, level=Level.ENCRYPTED), Reason.NO_ROLL),
        (replace(NOISED, level=Level.LOCAL_ONLY), Reason.MALFORMED),
        (replace(PUBLIC, scale=2), Reason.MALFORMED),
        (replace(PUBLIC, noise_milli=1), Reason.MALFORMED),
        (replace(PUBLIC, vector=(-1, *range(63))), Reason.OUT_OF_BOUNDS),
        (replace(NOISED, noise_milli=0), Reason.MALFORMED),
        (replace(NOISED, vector=(1, 2, 3, 4, 5)), Reason.MALFORMED),
        (replace(NOISED, vector=(1, 2)), Reason.OUT_OF_BOUNDS),
        (replace(NOISED, vector=(2**31,) * 64), Reason.OUT_OF_BOUNDS),
        (replace(NOISED, vector=(0,) * 1025), Reason.OUT_OF_BOUNDS),
        (replace(NOISED, layout=b"short"), Reason.OUT_OF_BOUNDS),
    ],
)
def test_bad_deltas_are_refused_by_reason(delta: Delta, reason: Reason) -> None:
    refusal = DELTA.parse(DELTA.pack(delta))
    assert isinstance(refusal, Refused) and refusal.reason == reason


def test_lawful_is_of_the_same_layout_scale_and_bounded_noise() -> None:
    assert is_lawful(PUBLIC, LAW, FIXES_1.id) and is_lawful(NOISED, LAW, FIXES_1.id)
    assert not is_lawful(PUBLIC, LAW, Layout().id)
    assert not is_lawful(replace(NOISED, scale=1), LAW, FIXES_1.id)
    assert not is_lawful(replace(NOISED, vector=NOISED.vector[:16]), LAW, FIXES_1.id)
    assert is_lawful(replace(NOISED, noise_milli=17_000), LAW, FIXES_1.id)
    assert not is_lawful(replace(NOISED, noise_milli=17_001), LAW, FIXES_1.id)


def test_law_in_numbers() -> None:
    assert (LAW.releases, LAW.sensitivity) == (1, 1028)
    assert LearningLaw(window_ms=24 * 3600 * 1000).releases == 30
    assert fleet_law(10_000).contributors_min == 1


def test_the_first_layout_is_frozen() -> None:
    assert FIXES_1.dimension == 64 and len(FIXES_1.index) == 32
    assert FIXES_1.id.hex() == "c34973b5626c4074"


def test_the_vocabulary_file_is_the_layout() -> None:
    """One list, written twice: as data that people read and as the law that nodes hash."""
    path = Path(__file__).resolve().parents[2] / "protocol" / "vocabulary" / "fixes.toml"
    rows = tomllib.loads(path.read_text())["pair"]
    assert tuple((row["class"], row["fix"]) for row in rows) == FIXES_1.pairs
