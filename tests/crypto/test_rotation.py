"""The rotation is exact, public, and keeps lengths."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.rotation import compute_signs, hadamard, is_dimension, rotate, unrotate

NETWORK = bytes(16)
vectors = st.sampled_from([4, 16, 64]).flatmap(
    lambda size: st.lists(st.integers(-(2**31), 2**31), min_size=size, max_size=size)
)


@settings(max_examples=80, deadline=None)
@given(vectors, st.integers(0, 2**40))
def test_rotating_back_gives_the_vector(vector: list[int], window: int) -> None:
    signs = compute_signs(NETWORK, window, len(vector))
    root = int(len(vector) ** 0.5)
    assert unrotate(rotate(vector, signs), signs) == [value * root for value in vector]
    assert hadamard(hadamard(vector)) == [value * len(vector) for value in vector]


@settings(max_examples=80, deadline=None)
@given(vectors, st.integers(0, 2**40))
def test_lengths_are_kept(vector: list[int], window: int) -> None:
    rotated = rotate(vector, compute_signs(NETWORK, window, len(vector)))
    assert sum(x * x for x in rotated) == len(vector) * sum(x * x for x in vector)


def test_one_coordinate_is_spread_over_all() -> None:
    signs = compute_signs(NETWORK, 3, 64)
    assert {abs(x) for x in rotate([5] + [0] * 63, signs)} == {5}


def test_signs_depend_on_network_and_window_and_are_frozen() -> None:
    signs = compute_signs(NETWORK, 1, 64)
    assert signs == compute_signs(NETWORK, 1, 64) == compute_signs(NETWORK, 1, 256)[:64]
    assert signs != compute_signs(NETWORK, 2, 64)
    assert signs != compute_signs(bytes([1]) * 16, 1, 64)
    assert 16 < signs.count(1) < 48
    frozen = "".join("+" if s > 0 else "-" for s in signs)
    assert frozen == "+-+--------+-+---+---+++-----++-+-++++++---++--+--+-++--+++-+-+-"


@pytest.mark.parametrize(("dimension", "ok"), [(4, True), (64, True), (1024, True), (32, False), (2, False)])
def test_only_powers_of_four(dimension: int, ok: bool) -> None:
    assert is_dimension(dimension) == ok
