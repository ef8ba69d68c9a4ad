"""How the deltas of one window combine: one integer function of the held set and the law.

Refuses local state, floats in its result and the order of arrival: two nodes that hold the same set
reach the same bytes. Refuses to hide who was counted: the digest covers the set.

A fleet's exact counts add (docs/decisions/0001-aggregate-in-a-fleet.md). Elsewhere every input has at
most the influence of norm 1: coordinate-wise lower median below eight inputs, trimmed mean from eight
on, in the window's rotated frame, where a count that is rare among nodes is not yet a rare coordinate.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TypeAlias

from luminous.crypto.digest import digest
from luminous.crypto.rotation import compute_signs, rotate, unrotate
from luminous.protocol.deltas import Delta, LearningLaw, Level, is_lawful
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.reasons import Reason, Refused

MEDIAN_INPUTS_MAX = 7  # from eight on the trimmed mean
TRIM_DENOMINATOR = 5  # a fifth of the weight is cut at each end
# An exact input says more than a noised one, by a factor above a thousand; more than four would hand the
# aggregate to whoever claims PUBLIC.
PUBLIC_WEIGHT = 4
FRACTION = 256  # an aggregate is in 1/256 of a grid step, so that floor division costs nothing visible

Inputs: TypeAlias = tuple[Admitted, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What the authors of one window know together.

    ``is_exact``: ``vector`` is a sum of counts, ``variance`` 0. Else ``vector`` is the mean direction in
    units of 1 / (scale * 256) of the clipping norm, and ``variance`` that of the noise in one
    coordinate, in the same unit squared. ``contributors``: authors whose input was used.
    """

    window: int
    vector: tuple[int, ...]
    variance: int
    is_exact: bool
    contributors: int
    digest: bytes


def select(
    deltas: Iterable[Admitted],
    window: int,
    law: LearningLaw,
    layout_id: bytes,
    eligible: Collection[AuthorId] | None,
) -> Inputs:
    """S(w): lawful deltas of ``window`` by eligible authors (None: anyone), sorted by id, each once,
    without any author of two different ones."""
    distinct: dict[AuthorId, dict[bytes, Admitted]] = {}
    for envelope in deltas:
        if envelope.payload.window == window and (eligible is None or envelope.author in eligible):
            distinct.setdefault(envelope.author, {})[envelope.id] = envelope
    chosen = [envelope for held in distinct.values() if len(held) == 1 for envelope in held.values()]
    lawful = [envelope for envelope in chosen if is_lawful(envelope.payload, law, layout_id)]
    return tuple(sorted(lawful, key=lambda envelope: envelope.id))


def aggregate(inputs: Inputs, window: int, law: LearningLaw, network: NetworkId) -> Aggregate | Refused:
    """Combine what ``select`` chose; refused below the law's ``aggregate_min``."""
    deltas: list[Delta] = [envelope.payload for envelope in inputs]
    counts = [delta.vector for delta in deltas if delta.level == Level.PUBLIC]
    if law.is_fleet and counts:
        used, variance, vector = len(counts), 0, tuple(map(sum, zip(*counts, strict=True)))
    else:
        deltas = screen(deltas, law)
        used = len(deltas)
        if used:
            signs = compute_signs(network, window, law.dimension)
            variance, combined = _combine(deltas, signs, law)
            vector = tuple(unrotate(combined, signs))
    if used < max(1, law.aggregate_min):
        return Refused(Reason.TOO_FEW, f"{used} contributors, at least {max(1, law.aggregate_min)} needed")
    body = b"".join(x.to_bytes(8, "big", signed=True) for x in vector)
    held = digest("delta-set", *(envelope.id for envelope in inputs))
    mark = digest("aggregate", network, window.to_bytes(8, "big"), held, body)
    return Aggregate(window, vector, variance, law.is_fleet and bool(counts), used, mark)


def compute_sigma_squared(noise_milli: int, law: LearningLaw) -> int:
    """The variance of one coordinate's noise, grid steps squared, rounded down."""
    return (noise_milli * law.sensitivity) ** 2 // 10**6


def screen(deltas: Sequence[Delta], law: LearningLaw) -> list[Delta]:
    """Set aside noised deltas whose norm the declared noise cannot explain (a chi-square tail of six
    standard deviations), and all but the first of noised deltas that are nearly collinear: independent
    noise cannot be, so one hand wrote them (FoolsGold, Fung et al. 2020, with a threshold for noise)."""
    kept = [
        delta
        for delta in deltas
        if delta.level == Level.PUBLIC or sum(x * x for x in delta.vector) <= _norm_squared_max(delta, law)
    ]
    noised = [position for position, delta in enumerate(kept) if delta.level != Level.PUBLIC]
    copies = _find_copies([kept[position].vector for position in noised], law.dimension)
    dropped = {noised[copy]: None for copy in copies}
    return [delta for position, delta in enumerate(kept) if position not in dropped]


def _norm_squared_max(delta: Delta, law: LearningLaw) -> int:
    sigma_squared = compute_sigma_squared(delta.noise_milli, law)
    spread = sigma_squared * (6 * isqrt(2 * law.dimension * 10**6)) // 1000
    return law.dimension * sigma_squared + spread + law.sensitivity**2


def _find_copies(vectors: Sequence[Sequence[int]], dimension: int) -> list[int]:
    """Positions whose cosine with an earlier kept one exceeds 6 / sqrt(D). The norm test keeps every
    product below 2^63, so the matrix product is exact."""
    if len(vectors) < 2 or dimension <= 36:  # the threshold would exceed 1: nothing could be told apart
        return []
    import numpy

    matrix = numpy.array(vectors, dtype=numpy.int64)
    products = matrix @ matrix.T
    norms = [int(products[i, i]) for i in range(len(vectors))]
    copies: dict[int, None] = {}
    for i in range(len(vectors)):
        if i in copies:
            continue
        row = products[i, i + 1 :]
        for offset in numpy.flatnonzero(row > 0).tolist():
            j = i + 1 + offset
            if int(row[offset]) ** 2 * dimension > 36 * norms[i] * norms[j]:
                copies[j] = None
    return list(copies)


def _combine(deltas: Sequence[Delta], signs: Sequence[int], law: LearningLaw) -> tuple[int, tuple[int, ...]]:
    """The noise variance of one coordinate and the combined vector, both in fractions of a grid step."""
    rows: list[Sequence[int]] = []
    weights: list[int] = []
    noise = 0
    for delta in deltas:
        if delta.level == Level.PUBLIC:
            rows.append(clip_exact(delta.vector, signs, law))
            weights.append(PUBLIC_WEIGHT)
        else:
            rows.append(delta.vector)
            weights.append(1)
            noise += compute_sigma_squared(delta.noise_milli, law)
    total = sum(weights)
    variance = noise * FRACTION * FRACTION // (total * total)
    columns = zip(*rows, strict=True)
    if len(rows) <= MEDIAN_INPUTS_MAX:
        # A median of Gaussians has pi / 2 times the variance of their mean.
        return variance * 11 // 7, tuple(FRACTION * _lower_median(column, weights) for column in columns)
    # A mean trimmed by a fifth at each end has 1.15 times the variance of the mean under Gaussian noise.
    return variance * 23 // 20, tuple(_trimmed_mean(column, weights) for column in columns)


def clip_exact(counts: Sequence[int], signs: Sequence[int], law: LearningLaw) -> list[int]:
    """Exact counts as a noised author would have sent them without noise: clipped to norm 1, rotated, in
    grid steps, rounded down."""
    numerator, denominator = compute_clip(counts, law)
    return [x * numerator // denominator for x in rotate(counts, signs)]


def compute_clip(counts: Sequence[int], law: LearningLaw) -> tuple[int, int]:
    """The rational that takes an unnormalised rotation of ``counts`` to grid steps of a vector of norm at
    most 1: scale / (sqrt(D) * max(1, norm)), rounded down."""
    norm_squared = sum(x * x for x in counts)
    root = isqrt(law.dimension)
    if norm_squared <= 1:
        return law.scale, root
    norm = isqrt(norm_squared << 40) + 1  # norm * 2^20, rounded up
    return law.scale << 20, root * norm


def _lower_median(column: Sequence[int], weights: Sequence[int]) -> int:
    """The least value at which half of the weight is reached."""
    remaining = (sum(weights) + 1) // 2
    for value, weight in sorted(zip(column, weights, strict=True)):
        remaining -= weight
        if remaining <= 0:
            return value
    raise AssertionError("an empty column has no median")


def _trimmed_mean(column: Sequence[int], weights: Sequence[int]) -> int:
    """The mean of what is left when a fifth of the weight is cut at each end, floor-divided, in 1/256."""
    total = sum(weights)
    cut = total // TRIM_DENOMINATOR
    kept, passed = 0, 0
    for value, weight in sorted(zip(column, weights, strict=True)):
        inside = min(passed + weight, total - cut) - max(passed, cut)
        passed += weight
        if inside > 0:
            kept += inside * value
    return FRACTION * kept // (total - 2 * cut)
