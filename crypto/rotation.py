"""The randomised Hadamard rotation in exact integers: every node computes the same bytes.

Refuses to normalise with fractions: the dimension must be a power of four, so that its root is an
integer. It spreads a vector's energy over all coordinates, which is what makes one scale fit every
vector and a coordinate-wise trimmed mean see a dense sample instead of rare non-zeros.

Source: Ailon, Chazelle, "The fast Johnson-Lindenstrauss transform", 2009; used for quantised private
sums by Kairouz, Liu, Steinke 2021. Signs are public: they hide nothing.
"""

from collections.abc import Sequence
from math import isqrt

from luminous.crypto.digest import digest


def is_dimension(dimension: int) -> bool:
    """True for 4, 16, 64, 256, 1024, ...: what can be rotated exactly."""
    return dimension >= 4 and dimension & (dimension - 1) == 0 and isqrt(dimension) ** 2 == dimension


def compute_signs(network: bytes, window: int, dimension: int) -> tuple[int, ...]:
    """The +1 and -1 of one window, from H(network, window): the same for all, new each window."""
    assert is_dimension(dimension)
    signs: list[int] = []
    block = 0
    while len(signs) < dimension:
        bits = digest("rotation", network, window.to_bytes(8, "big"), block.to_bytes(4, "big"))
        signs.extend(1 - 2 * (byte >> shift & 1) for byte in bits for shift in range(8))
        block += 1
    return tuple(signs[:dimension])


def hadamard(vector: Sequence[int]) -> list[int]:
    """The Walsh-Hadamard transform without normalisation; applied twice it multiplies by the dimension."""
    values = list(vector)
    size = len(values)
    step = 1
    while step < size:
        for start in range(0, size, 2 * step):
            for i in range(start, start + step):
                a, b = values[i], values[i + step]
                values[i], values[i + step] = a + b, a - b
        step *= 2
    return values


def rotate(vector: Sequence[int], signs: Sequence[int]) -> list[int]:
    """sqrt(D) times the rotated vector, exactly; divide by ``isqrt(D)`` where the rounding is decided."""
    assert len(vector) == len(signs)
    return hadamard([value * sign for value, sign in zip(vector, signs, strict=True)])


def unrotate(vector: Sequence[int], signs: Sequence[int]) -> list[int]:
    """The inverse of the normalised rotation, each coordinate floor-divided by sqrt(D) after the signs:
    exact where the quotient is an integer, else below the true value by less than one."""
    root = isqrt(len(vector))
    return [value * sign // root for value, sign in zip(hadamard(vector), signs, strict=True)]
