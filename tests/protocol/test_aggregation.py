"""Aggregation: equal sets reach equal bytes, bad inputs have bounded say, a fleet's counts add."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.digest import digest
from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.noise import discrete_gaussian
from luminous.crypto.rotation import compute_signs
from luminous.protocol import aggregation
from luminous.protocol.aggregation import (
    FRACTION,
    Aggregate,
    Inputs,
    aggregate,
    clip_exact,
    compute_sigma_squared,
    screen,
    select,
)
from luminous.protocol.deltas import Delta, LearningLaw, Level, fleet_law
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1
from luminous.protocol.reasons import Reason, Refused

NETWORK = NetworkId(bytes(16))
WINDOW = 5
SMALL = LearningLaw(dimension=16, aggregate_min=1)
LAW = LearningLaw()
FROZEN = ["a2dfbbf9c80591ab", "670509a1ac8513a8", "8ba0ed3cf9f85b00"]
FIRST = [(43, 48, 42, 47), (30912, 46144, 30208, 36096), (33709, 37971, 21405, 22857)]
SIGNS = compute_signs(NETWORK, WINDOW, 64)


def author(number: int) -> AuthorId:
    return AuthorId(digest("test-author", number.to_bytes(4, "big")))


def admitted(number: int, delta: Delta) -> Admitted:
    mark = EnvelopeId(digest("test-delta", author(number), repr(delta).encode()))
    return Admitted(mark, NETWORK, Kind.DELTA, author(number), 1, 0, delta, b"")


def public(number: int, counts: Sequence[int], window: int = WINDOW) -> Admitted:
    return admitted(number, Delta(window, Level.PUBLIC, FIXES_1.id, 1, 0, tuple(counts)))


def noised(number: int, counts: Sequence[int], noise_milli: int = 4225, law: LearningLaw = LAW) -> Admitted:
    entropy = SeededEntropy(b"noised" + number.to_bytes(4, "big"))
    variance = (noise_milli * law.sensitivity) ** 2
    vector = tuple(x + discrete_gaussian(entropy, variance, 10**6) for x in clip_exact(counts, SIGNS, law))
    return admitted(number, Delta(WINDOW, Level.DIFFERENTIAL, FIXES_1.id, law.scale, noise_milli, vector))


def chosen(deltas: Sequence[Admitted], law: LearningLaw = LAW) -> Inputs:
    return select(deltas, WINDOW, law, FIXES_1.id, None)


def combined(deltas: Sequence[Admitted], law: LearningLaw = LAW) -> Aggregate:
    result = aggregate(chosen(deltas, law), WINDOW, law, NETWORK)
    assert isinstance(result, Aggregate)
    return result


pools = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.sampled_from([4, 5]),
        st.lists(st.integers(0, 9), min_size=16, max_size=16),
        st.booleans(),
    ),
    max_size=16,
)


def build(pool: list[tuple[int, int, list[int], bool]]) -> list[Admitted]:
    made = []
    for number, window, counts, is_public in pool:
        level, scale, noise = (Level.PUBLIC, 1, 0) if is_public else (Level.DIFFERENTIAL, 1024, 4225)
        made.append(admitted(number, Delta(window, level, FIXES_1.id, scale, noise, tuple(counts))))
    return made


def law_of(is_fleet: bool) -> LearningLaw:
    return LearningLaw(dimension=16, aggregate_min=1, is_fleet=is_fleet)


@settings(max_examples=100, deadline=None)
@given(pools, pools, st.randoms(use_true_random=False), st.booleans())
def test_order_doubles_and_splits_do_not_matter(
    first: list, second: list, chance: random.Random, is_fleet: bool
) -> None:
    law = law_of(is_fleet)
    one, two = build(first), build(second)
    straight = chosen(one + two, law)
    shuffled = two + one + one
    chance.shuffle(shuffled)
    assert chosen(shuffled, law) == straight == chosen(straight, law)
    assert aggregate(chosen(shuffled, law), WINDOW, law, NETWORK) == aggregate(straight, WINDOW, law, NETWORK)
    authors = [envelope.author for envelope in straight]
    assert len(set(authors)) == len(authors)
    assert all(envelope.payload.window == WINDOW for envelope in straight)


def test_two_deltas_of_one_author_count_for_nothing_and_one_repeated_counts_once() -> None:
    honest = [public(n, [n] * 64) for n in range(3)]
    assert len(chosen([*honest, public(2, [9] * 64)])) == 2
    assert chosen([*honest, *honest]) == chosen(honest)


def test_only_eligible_authors_count() -> None:
    deltas = [public(n, [1] * 64) for n in range(4)]
    held = select(deltas, WINDOW, LAW, FIXES_1.id, frozenset({author(1), author(2)}))
    assert {envelope.author for envelope in held} == {author(1), author(2)}
    refusal = aggregate(held, WINDOW, LAW, NETWORK)
    assert refusal == Refused(Reason.TOO_FEW, "2 contributors, at least 3 needed")


def test_a_fleet_adds_exactly_and_the_sum_is_the_pooled_optimum() -> None:
    chance = random.Random(1)
    rows = [[chance.randrange(50) for _ in range(64)] for _ in range(24)]
    total = combined([public(n, row) for n, row in enumerate(rows)], fleet_law(10_000))
    assert total.vector == tuple(map(sum, zip(*rows, strict=True)))
    assert total.is_exact and total.variance == 0 and total.contributors == 24


def test_the_digest_names_set_vector_window_and_network() -> None:
    deltas = [public(n, [n + 1] * 64) for n in range(3)]
    base = combined(deltas)
    assert combined(deltas).digest == base.digest
    assert combined([*deltas, public(9, [1] * 64)]).digest != base.digest
    same_vector_other_set = combined([*deltas[:2], public(7, [3] * 64)])
    assert same_vector_other_set.vector == base.vector and same_vector_other_set.digest != base.digest
    elsewhere = aggregate(chosen(deltas), WINDOW, LAW, NetworkId(bytes([1]) * 16))
    assert isinstance(elsewhere, Aggregate) and elsewhere.digest != base.digest


@pytest.mark.parametrize("count", [3, 7, 8, 24])
def test_agreeing_authors_are_recovered(count: int) -> None:
    counts = [3, 4] + [0] * 62
    result = combined([public(n, counts) for n in range(count)])
    unit = LAW.scale * FRACTION
    assert result.vector[0] == pytest.approx(0.6 * unit, rel=0.02)
    assert result.vector[1] == pytest.approx(0.8 * unit, rel=0.02)
    assert all(abs(x) <= 0.02 * unit for x in result.vector[2:])


@pytest.mark.parametrize(("honest", "liars"), [(5, 2), (12, 3)])
def test_stuffed_counts_do_not_move_a_community_and_would_move_a_sum(honest: int, liars: int) -> None:
    right, wrong = [5, 0] + [0] * 62, [0, 10**9] + [0] * 62
    deltas = [public(n, right) for n in range(honest)] + [public(50 + n, wrong) for n in range(liars)]
    result = combined(deltas)
    assert result.vector[0] > 0.5 * LAW.scale * FRACTION > 5 * abs(result.vector[1])
    fleet = combined(deltas, fleet_law(10_000))
    assert fleet.vector[1] > 10**7 * fleet.vector[0]


def test_noise_is_averaged_within_its_stated_variance() -> None:
    counts = [3, 4] + [0] * 62
    result = combined([noised(n, counts) for n in range(60)])
    signal = [0.6 * LAW.scale * FRACTION, 0.8 * LAW.scale * FRACTION] + [0.0] * 62
    squares = sum((x - s) ** 2 for x, s in zip(result.vector, signal, strict=True))
    assert squares / 64 == pytest.approx(result.variance, rel=0.5)
    half = [noised(n, counts, noise_milli=2112) for n in range(60)]
    lower = combined(half)
    assert lower.variance < 0.3 * result.variance


def test_norms_that_noise_cannot_explain_are_set_aside() -> None:
    honest = [noised(n, [1] * 64).payload for n in range(20)]
    loud = Delta(WINDOW, Level.DIFFERENTIAL, FIXES_1.id, 1024, 4225, (8000,) * 64)
    kept = screen([*honest, loud], LAW)
    assert kept == honest
    assert sum(x * x for x in loud.vector) > 64 * compute_sigma_squared(4225, LAW)


def test_copies_collapse_to_one_and_independent_noise_does_not() -> None:
    honest = [noised(n, [1] * 64).payload for n in range(20)]
    copies = [
        Delta(WINDOW, Level.DIFFERENTIAL, FIXES_1.id, 1024, 4225, tuple(x + n for x in honest[0].vector))
        for n in range(10)
    ]
    assert len(screen(honest, LAW)) == 20
    assert len(screen([*honest[1:], *copies], LAW)) == 20


def test_frozen_results() -> None:
    """One aggregate of each rule, byte for byte: another implementation must reach the same."""
    rows = [[(7 * n + 3 * i) % 11 for i in range(64)] for n in range(9)]
    fleet = combined([public(n, row) for n, row in enumerate(rows)], fleet_law(10_000))
    median = combined([public(n, row) for n, row in enumerate(rows[:5])])
    mixed = [public(n, row) if n % 2 else noised(n, row) for n, row in enumerate(rows)]
    trimmed = combined(mixed)
    assert [x.digest.hex()[:16] for x in (fleet, median, trimmed)] == FROZEN
    assert fleet.vector[:4] == FIRST[0] and median.vector[:4] == FIRST[1] and trimmed.vector[:4] == FIRST[2]


def test_an_order_dependent_mutant_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant takes the first input of each column for its median."""
    deltas = [public(n, [n + 1, 9 - n, n * n] + [0] * 61) for n in range(5)]
    monkeypatch.setattr(aggregation, "_lower_median", lambda column, weights: column[0])
    inputs = chosen(deltas)
    one = aggregate(inputs, WINDOW, LAW, NETWORK)
    two = aggregate(tuple(reversed(inputs)), WINDOW, LAW, NETWORK)
    assert isinstance(one, Aggregate) and isinstance(two, Aggregate) and one.vector != two.vector
    monkeypatch.undo()
    one = aggregate(inputs, WINDOW, LAW, NETWORK)
    two = aggregate(tuple(reversed(inputs)), WINDOW, LAW, NETWORK)
    assert isinstance(one, Aggregate) and isinstance(two, Aggregate) and one.vector == two.vector
