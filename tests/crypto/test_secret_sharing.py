"""Shares: any threshold recovers, fewer do not, a wrong one is seen."""

from dataclasses import replace
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.secret_sharing import PRIME, Sharing, recover, split

SECRET = bytes(range(32))


def get(sharing: Sharing, positions: tuple[int, ...]) -> bytes | None:
    held = {position: sharing.shares[position - 1] for position in positions}
    return recover(held, sharing.threshold, sharing.commitments, sharing.secret_mark)


def test_the_modulus_is_prime() -> None:
    odd, twos = PRIME - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in range(2, 60):
        x = pow(base, odd, PRIME)
        chain = [pow(x, 2**k, PRIME) for k in range(twos)]
        assert x == 1 or PRIME - 1 in chain


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 6), st.integers(0, 4), st.binary(max_size=4))
def test_any_threshold_of_shares_recovers_and_one_less_does_not(
    secret: bytes, threshold: int, more: int, seed: bytes
) -> None:
    sharing = split(SeededEntropy(seed), secret, threshold, threshold + more)
    positions = tuple(range(1, threshold + more + 1))
    for chosen in list(combinations(positions, threshold))[:6]:
        assert get(sharing, chosen) == secret
    assert get(sharing, positions[: threshold - 1]) is None


def test_a_wrong_share_is_left_out_and_others_take_its_place() -> None:
    sharing = split(SeededEntropy(b"s"), SECRET, 3, 5)
    forged = replace(sharing, shares=(bytes(33), *sharing.shares[1:]))
    assert get(forged, (1, 2, 3)) is None
    assert get(forged, (1, 2, 3, 4)) == SECRET


def test_a_dealer_whose_shares_are_on_no_polynomial_is_found_out() -> None:
    one = split(SeededEntropy(b"1"), SECRET, 2, 3)
    two = split(SeededEntropy(b"2"), bytes(32), 2, 3)
    mixed = Sharing(
        2, (one.shares[0], two.shares[1]), (one.commitments[0], two.commitments[1]), one.secret_mark
    )
    assert get(mixed, (1, 2)) is None


def test_shares_below_the_threshold_are_uniform_for_any_secret() -> None:
    """The first byte of a share of two different secrets is spread alike."""
    for secret in (bytes(32), b"\xff" * 32):
        firsts = [split(SeededEntropy(bytes([n, 7])), secret, 2, 2).shares[0][1] for n in range(250)]
        assert 90 < sum(firsts) / 250 < 165
