"""Arithmetic on edwards25519, to make keys and signatures that no honest library makes.

Refuses secrets: it is slow, not constant in time, and exists for vectors only. Source: RFC 8032, section 5.1.
"""

from functools import cache
from typing import TypeAlias

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, P - 2, P) % P
_ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point: TypeAlias = tuple[int, int]

NEUTRAL: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    """The sum of two points; complete, so doubling is no special case."""
    (x1, y1), (x2, y2) = a, b
    k = _D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P
    return x, y


def multiply(scalar: int, point: Point) -> Point:
    """``scalar`` times ``point``; the scalar is not reduced."""
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def recover_x(y: int, sign: int) -> int | None:
    """The x of a point with this y and parity, or None if there is none."""
    square = (y * y - 1) * pow(_D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * _ROOT_OF_MINUS_ONE % P
    if x * x % P != square:
        return None
    return P - x if x % 2 != sign and x else x


def encode(point: Point) -> bytes:
    """The canonical 32 bytes."""
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def encode_raw(y: int, sign: int) -> bytes:
    """32 bytes of any y below 2^255, canonical or not."""
    return (y | sign << 255).to_bytes(32, "little")


def decode(data: bytes) -> Point:
    """The point of canonical bytes; asserts that there is one."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    x = recover_x(y, sign)
    assert x is not None and y < P
    return x, y


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = recover_x(_BASE_Y, 0)
assert _BASE_X is not None
BASE: Point = (_BASE_X, _BASE_Y)


@cache
def torsion_generator() -> Point:
    """A point of order 8: the part of the first curve point that the prime order does not kill."""
    for y in range(2, 100):
        x = recover_x(y, 0)
        if x is not None:
            point = multiply(ORDER, (x, y))
            if multiply(4, point) != NEUTRAL:
                return point
    raise AssertionError("one point in two has an eighth part")
