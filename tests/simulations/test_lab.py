"""Worked examples of the researchers' door: each own part in at most twenty lines, and what it changes."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from luminous.simulations import Experiment, Scenario
from luminous.simulations.scenario import Learning, read_scenario


def small(**changes: Any) -> Scenario:
    """Calm with twelve members and nothing but what the example needs."""
    return msgspec.structs.replace(read_scenario("calm", 12), **changes)


# Example 1: an own aggregator, the coordinate-wise plain mean of clipped inputs.


def plain_mean(inputs: Any, window: int, law: Any, network: Any) -> Any:
    """The mean of all clipped inputs in the rotated frame: no trimming, so one input moves it at will."""
    from luminous.crypto.rotation import compute_signs, unrotate
    from luminous.protocol.aggregation import FRACTION, aggregate, clip_exact

    found = aggregate(inputs, window, law, network)
    if not hasattr(found, "vector"):
        return found
    signs = compute_signs(network, window, law.dimension)
    rows = [clip_exact(item.payload.vector, signs, law) for item in inputs]
    mean = [FRACTION * sum(column) // len(rows) for column in zip(*rows, strict=True)]
    return replace(found, vector=tuple(unrotate(mean, signs)))


def test_an_own_aggregator_is_what_all_machines_use() -> None:
    own, product = Experiment(small(vote=()), aggregator=plain_mean), Experiment(small(vote=()))
    assert own.run().ok and product.run().ok
    assert own.aggregates().keys() == product.aggregates().keys() != set()
    assert own.aggregates() != product.aggregates()


# Example 2: an own attack. Three of twelve members vote twice for a proposal in each other's names.


def borrow_names(world: Any, place: Any, chance: Any) -> None:
    """Sign ballots with the own key, then write the victim's name over the own."""
    from luminous.protocol.ballots import Ballot, Choice
    from luminous.protocol.identifiers import ProposalId
    from luminous.protocol.kinds import Kind
    from luminous.simulations.adversary import held, say, sign

    for item in held(place, Kind.PROPOSAL):
        raw = sign(world, place, Kind.BALLOT, Ballot(ProposalId(item.id), Choice.NO, 0, b""))
        victim = chance.choice(world.places).config.signer.public
        say(world, place, raw.replace(place.config.signer.public, victim))


def test_an_own_attack_is_carried_out_and_withstood() -> None:
    experiment = Experiment(small(learning=None), attack=borrow_names, attackers=3)
    result = experiment.run()
    assert result.ok, result.checks
    assert experiment.world is not None
    assert sum(place.role == "own" for place in experiment.world.places) == 3


# Example 3: an own noise mechanism: rounded Laplace noise instead of the discrete Gaussian.


def laplace(counts: Any, window: int, layout: Any, law: Any, network: Any, noise: int, entropy: Any) -> Any:
    """Noise of the declared standard deviation, from another distribution."""
    from math import log, sqrt

    from luminous.node.core.learning.release import build_noised

    delta = build_noised(counts, window, layout, law, network, 1, entropy)
    scale = noise * law.sensitivity / 1000 / sqrt(2)

    def draw() -> int:
        share = (int.from_bytes(entropy.take(6), "big") + 1) / (2**48 + 1) - 0.5
        return round(-scale * (1 if share > 0 else -1) * log(1 - 2 * abs(share)))

    return replace(delta, noise_milli=noise, vector=tuple(x + draw() for x in delta.vector))


def test_an_own_noise_mechanism_releases_and_keeps_the_budget() -> None:
    quiet = Learning(level="DIFFERENTIAL", window_ms=60_000, outcomes=5)
    experiment = Experiment(small(vote=(), learning=quiet), mechanism=laplace)
    result = experiment.run()
    assert result.checks["budget"]["ok"] and result.checks["aggregates"]["ok"]
    assert experiment.aggregates()
    without = Experiment(small(vote=(), learning=quiet))
    without.run()
    assert without.aggregates() == {}, "twelve members are too few for the product to release with noise"


# Example 4: an own voting rule: everybody who votes must say yes.


def unanimity(threshold: Any, members: int, yes: int, no: int, abstain: int, *rest: int) -> Any:
    """Passed only if nobody said no."""
    from luminous.protocol.tally import Verdict, decide

    found = decide(threshold, members, yes, no, abstain, *rest)
    return replace(found, verdict=Verdict.PASSED if yes and not no else Verdict.FAILED)


def test_an_own_voting_rule_decides_and_the_checkers_say_that_it_is_another() -> None:
    experiment = Experiment(small(learning=None), rule=unanimity)
    result = experiment.run()
    assert set(experiment.finals().values()) == {"failed"}
    assert result.checks["agreement"]["ok"]
    assert not result.checks["independence"]["ok"], "the product's thresholds would have passed it"
    usual = Experiment(small(learning=None))
    assert usual.run().ok and set(usual.finals().values()) == {"passed"}


@pytest.mark.parametrize("part", [plain_mean, borrow_names, laplace, unanimity])
def test_each_part_takes_at_most_twenty_lines(part: Callable[..., Any]) -> None:
    assert len(inspect.getsource(part).splitlines()) <= 20


def test_nothing_stays_behind() -> None:
    from luminous.node.core.learning import pool
    from luminous.protocol import aggregation

    assert pool.aggregate is aggregation.aggregate


def test_importing_the_package_loads_nothing() -> None:
    import subprocess
    import sys
    from pathlib import Path

    code = (
        "import sys, luminous.simulations; print([m for m in sys.modules if 'msgspec' in m or 'numpy' in m])"
    )
    source = Path(__file__).resolve().parents[2] / "src"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(source)},
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_study_of_the_guide_finds_what_the_guide_says(capsys: pytest.CaptureFixture[str]) -> None:
    from pathlib import Path

    from luminous.simulations import example

    example.main()
    lines = capsys.readouterr().out.splitlines()
    verdicts = [line[:27].strip() + " " + line[27:].split(":")[0] for line in lines]
    page = (Path(__file__).resolve().parents[2] / "docs/simulation.md").read_text()
    assert [text.split()[-1] for text in verdicts] == ["holds", "holds", "BROKEN"]
    shown = [line for line in page.splitlines() if " robustness " in line and line[0] != "|"]
    assert [line.split(":")[0] for line in shown] == [line.split(":")[0] for line in lines]
    for part in (example.plain_mean, example.plain_sum):
        assert len(inspect.getsource(part).splitlines()) <= 20
