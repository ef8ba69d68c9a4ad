"""The study's own claims: exact where exact is said, inside the band where noise is stated, and a study of a
wrong mechanism is found out."""

import numpy as np
import pytest

from luminous.protocol.deltas import Level
from luminous.simulations import learning_rounds
from luminous.simulations import learning_study as study


@pytest.mark.parametrize("nodes", [24, 48, 96])
def test_public_statistics_of_a_fleet_are_the_pooled_optimum(nodes: int) -> None:
    points = study.convergence((nodes,), Level.PUBLIC, seeds=(1, 2), windows=4)
    assert len(points) == 8 and all(point.error == 0.0 for point in points)


def test_noised_models_approach_the_optimum_as_stated() -> None:
    points = study.convergence((24, 96), Level.DIFFERENTIAL, seeds=(1, 2), windows=8)
    assert all(point.is_within for point in points)
    last = {(p.nodes, p.seed): p for p in points if p.window == 7}
    first = {(p.nodes, p.seed): p for p in points if p.window == 0}
    for seed in (1, 2):
        assert last[96, seed].error < last[24, seed].error
        assert last[96, seed].error < 0.6 * first[96, seed].error


def test_half_the_noise_leaves_the_band(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant adds half of the noise that it declares."""
    honest = study.build_noised
    monkeypatch.setattr(
        study,
        "build_noised",
        lambda row, window, layout, law, network, noise, entropy: study.Delta(
            window,
            Level.DIFFERENTIAL,
            layout.id,
            law.scale,
            noise,
            honest(row, window, layout, law, network, noise // 2, entropy).vector,
        ),
    )
    points = study.convergence((24,), Level.DIFFERENTIAL, seeds=(1,), windows=4)
    assert not any(point.is_within for point in points)


def test_arms_lie_between_chance_and_oracle_and_the_gate_costs_at_most_two_points() -> None:
    arms = {arm.name: arm for arm in study.alone_vs_noised_vs_cohort(nodes=300, judged=60)}
    assert arms["chance"].success < arms["alone"].success < arms["oracle"].success
    for name, arm in arms.items():
        assert arm.success <= arms["oracle"].success + 1e-9
        if "gate" in name:
            assert arm.success >= arms["alone"].success - 0.02
    assert arms["exact + gate"].success > arms["alone"].success
    assert 0.0 < arms["exact + gate"].step <= 1.0


def test_vectorised_rounds_say_what_the_product_says() -> None:
    """Same worlds, no noise: the matrices and the integer code agree; with noise, its variance does."""
    quiet = learning_rounds.run_rounds(40, 2, seed=5, noise_milli=0)
    population = study.draw_population(5)
    counts = population.observe(40, 5)
    law = study.LearningLaw()
    rows = [tuple(row) for row in counts.tolist()]
    exact = study.combine([study.build_public(row, 0, study.FIXES_1) for row in rows], 0, law)
    mine = np.array(exact.vector) / (law.scale * study.FRACTION)
    assert np.abs(quiet[0] - mine).max() < 0.02
    loud = learning_rounds.run_rounds(40, 40, seed=5)
    entropy = study.SeededEntropy(b"variance")
    sent = [study.build_noised(r, 0, study.FIXES_1, law, study.NETWORK, 4225, entropy) for r in rows]
    stated = study.combine(sent, 0, law).variance / (law.scale * study.FRACTION) ** 2
    assert np.var(loud - quiet[0]) == pytest.approx(stated, rel=0.1)


def test_speed_counts_nodes_times_rounds() -> None:
    speed = learning_rounds.measure_speed(nodes=50, rounds=4)
    assert speed.node_rounds_per_second == pytest.approx(200 / speed.seconds)
