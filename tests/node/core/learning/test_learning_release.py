"""What is sent: norm, noise, usefulness, and an audit of the claim from outside."""

from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.accountant import compute_delta
from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.rotation import compute_signs
from luminous.node.core.learning import release
from luminous.node.core.learning.release import (
    build_noised,
    build_public,
    compute_contributors_needed,
    compute_cosine,
    refuse_if_useless,
)
from luminous.protocol.deltas import Delta, LearningLaw, Level
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.layout import FIXES_1
from luminous.protocol.reasons import Reason

LAW = LearningLaw()
NETWORK = NetworkId(bytes(16))
counts = st.lists(st.integers(0, 10**6), min_size=64, max_size=64).map(tuple)


def noised(vector: tuple[int, ...], seed: bytes, noise_milli: int = 4225) -> Delta:
    return build_noised(vector, 3, FIXES_1, LAW, NETWORK, noise_milli, SeededEntropy(seed))


@settings(max_examples=50, deadline=None)
@given(counts, st.binary(max_size=4))
def test_without_noise_the_norm_is_within_the_sensitivity(vector: tuple[int, ...], seed: bytes) -> None:
    """One thousandth of noise on a sensitivity of 1 028 is one grid step: the norm shows through it."""
    sent = noised(vector, seed, noise_milli=1).vector
    assert sum(x * x for x in sent) <= (LAW.sensitivity + 8 * sqrt(64)) ** 2


def test_noise_has_the_size_that_is_declared() -> None:
    values = [x for n in range(60) for x in noised((0,) * 64, bytes([n])).vector]
    sigma = sqrt(sum(x * x for x in values) / len(values))
    assert sigma == pytest.approx(4.225 * 1028, rel=0.05)


def test_nodes_with_and_without_events_send_the_same_shape() -> None:
    empty, full = noised((0,) * 64, b"a"), noised((9,) * 64, b"b")
    assert (empty.window, empty.level, empty.noise_milli) == (full.window, full.level, full.noise_milli)
    assert len(empty.vector) == len(full.vector) == 64


def test_public_is_the_counts() -> None:
    delta = build_public(tuple(range(64)), 3, FIXES_1)
    assert delta.vector == tuple(range(64)) and delta.level == Level.PUBLIC


def test_predicted_use_is_that_of_the_table() -> None:
    """Values of the design's table, s = .5, D = 64, z = 4.225."""
    predicted = {n: round(compute_cosine(n, 64, 4225), 2) for n in (10, 30, 100, 300, 1000, 3000, 10_000)}
    assert predicted == {10: 0.05, 30: 0.08, 100: 0.15, 300: 0.25, 1000: 0.42, 3000: 0.63, 10_000: 0.83}
    assert compute_contributors_needed(300, 64, 4225) == 452


def test_useless_releases_are_refused_and_useful_ones_are_not() -> None:
    refusal = refuse_if_useless(12, LAW, 4225)
    assert refusal is not None and refusal.reason == Reason.NOT_USEFUL
    assert refusal.detail == ("predicted cosine 0.05 < 0.30, budget kept: 12 contributors, about 452 needed")
    assert refuse_if_useless(451, LAW, 4225) is not None
    assert refuse_if_useless(452, LAW, 4225) is None


def _lower_bound(sent: list[tuple[int, ...]], empty: list[tuple[int, ...]], direction: list[int]) -> float:
    """A lower bound on mu from samples with and without one person's data: project on the direction that
    tells them apart best, take the threshold's true and false positive rates, less three standard
    deviations of sampling, and invert the Gaussian trade-off."""
    from statistics import NormalDist

    def project(vectors: list[tuple[int, ...]]) -> list[int]:
        return [sum(x * d for x, d in zip(v, direction, strict=True)) for v in vectors]

    a, b = project(sent), project(empty)
    threshold = (sum(a) + sum(b)) // (len(a) + len(b))
    true = sum(x > threshold for x in a) / len(a)
    false = sum(x > threshold for x in b) / len(b)
    low, high = (
        NormalDist().inv_cdf(min(max(false, 0.001), 0.999)),
        NormalDist().inv_cdf(min(max(true, 0.001), 0.999)),
    )
    return high - low - 3 * sqrt(2 * 1.6 / len(a))


SAMPLES = 500
PERSON = (0, 900) + (0,) * 62


def _audit(noise_milli: int) -> float:
    from luminous.crypto.rotation import rotate

    direction = rotate(PERSON, compute_signs(NETWORK, 3, 64))
    one = [noised(PERSON, b"in" + n.to_bytes(2, "big"), noise_milli).vector for n in range(SAMPLES)]
    none = [noised((0,) * 64, b"out" + n.to_bytes(2, "big"), noise_milli).vector for n in range(SAMPLES)]
    return _lower_bound(one, none, direction)


@pytest.mark.slow
def test_audit_stays_below_the_claim_and_finds_half_of_it() -> None:
    """At a multiplier of 0.5 (mu = 2) so that few samples suffice; the mechanism is the same."""
    bound = _audit(500)
    assert 1.0 <= bound <= 2.0
    assert compute_delta(1.0, bound) <= compute_delta(1.0, 2.0)


@pytest.mark.slow
def test_audit_exceeds_the_claim_for_half_the_noise_and_for_no_clipping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exact = release.discrete_gaussian
    monkeypatch.setattr(release, "discrete_gaussian", lambda e, a, b: exact(e, max(1, a // 4), b))
    assert _audit(500) > 2.0
    monkeypatch.undo()
    monkeypatch.setattr(release, "compute_clip", lambda c, law: (law.scale, 8))
    monkeypatch.setattr(release, "round_conditionally", lambda e, xs, d, m: tuple(x // d for x in xs))
    assert _audit(500) > 2.0
