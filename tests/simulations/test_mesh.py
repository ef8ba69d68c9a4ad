"""The whole shell in virtual time: scenarios hold, runs repeat, and planted faults are found."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from luminous.node.core.peers.sync import Sync
from luminous.node.shell import libp2p_patches
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.protocol.admission import Verdict
from luminous.simulations.mesh import run_mesh
from luminous.simulations.mesh.body import Mesh
from luminous.simulations.mesh.hostile import STALL_S, silenced
from luminous.simulations.mesh.running import play
from luminous.simulations.mutants import MUTANTS
from luminous.simulations.patching import patched
from luminous.simulations.scenario import (
    Adversary,
    Crash,
    Link,
    Partition,
    Scenario,
    ScenarioError,
    Vote,
    read_scenario,
)

pytestmark = pytest.mark.slow

CUT = Scenario(
    id="mesh-cut",
    summary="A vote over a short partition, with a crash.",
    nodes=7,
    duration_ms=240_000,
    link=Link(degree=4, loss=0.01),
    partition=(Partition(from_ms=10_000, until_ms=90_000, share=0.4),),
    crash=(Crash(node=2, at_ms=40_000),),
    vote=(Vote(title="Count me", yes=5, no=2, threshold="super", closes_ms=60_000, passes=True),),
    grace_ms=30_000,
)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Play in this process; what is asserted then may not depend on the hash seed."""
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    yield
    libp2p_patches.uninstall()


# What the body must not spoil; the other checkers judge the product and have tests of their own.
MUST_HOLD = ("agreement", "liveness", "convergence", "boundedness")


def held(checks: dict[str, Any], *names: str) -> bool:
    return all(checks[name]["ok"] for name in names or MUST_HOLD)


def test_a_scenario_holds_and_repeats_and_another_seed_is_another_history() -> None:
    first, second, other = (run_mesh(CUT, seed) for seed in (3, 3, 4))
    assert held(first.checks), first.checks
    assert held(other.checks), other.checks
    assert first.digest == second.digest != other.digest
    assert first.body == "mesh" and first.figures["segments"] == second.figures["segments"]


def test_without_sync_a_cut_is_never_repaired(here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sync, "tick", lambda self, at: ())
    assert not held(play(CUT, 3)["checks"], "convergence")


def test_without_gossip_sync_alone_brings_every_record_everywhere(
    here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(self: LibP2PTransport, topic: str, data: bytes) -> None:
        """Publishes nothing."""

    monkeypatch.setattr(LibP2PTransport, "publish", silent)
    longer = msgspec.structs.replace(CUT, duration_ms=600_000)
    assert held(play(longer, 3)["checks"])


# A fifth of the time that the shipped scenario takes: same skew, same kinds, sooner closes.
SIEGE = msgspec.structs.replace(
    read_scenario("siege", 7),
    duration_ms=1_400_000,
    grace_ms=20_000,
    partition=(Partition(from_ms=200_000, until_ms=700_000, share=0.7),),
    vote=(
        Vote(
            title="Twice",
            yes=3,
            no=2,
            key="feature.command_prediction",
            value=0,
            closes_ms=620_000,
            last_minute=0.4,
        ),
    ),
)


def test_under_siege_all_show_one_outcome_where_counting_naively_splits_them(here: None) -> None:
    found = play(SIEGE, 1)
    assert {name: check for name, check in found["checks"].items() if not check["ok"]} == {}
    assert found["figures"]["naive_count_splits"] == 1


def test_under_siege_machines_that_close_by_their_own_view_disagree(here: None) -> None:
    mutant = next(one for one in MUTANTS if one.name == "every machine closes by its own view")
    with patched(mutant.patches):
        assert not held(play(SIEGE, 1)["checks"], "agreement")


def _at_once(scenario: Scenario) -> Scenario:
    """All its votes in one minute, each by another proposer."""
    votes = tuple(
        msgspec.structs.replace(vote, opens_ms=1_000 * (number + 1), closes_ms=60_000)
        for number, vote in enumerate(scenario.vote)
    )
    return msgspec.structs.replace(scenario, vote=votes, duration_ms=130_000, grace_ms=20_000)


def test_every_threshold_is_right_at_its_boundary_in_the_mesh(here: None) -> None:
    checks = play(_at_once(read_scenario("thresholds", 8)), 1)["checks"]
    assert {name: check for name, check in checks.items() if not check["ok"]} == {}
    assert checks["liveness"]["detail"] == "9 votes final on 8 nodes"


def test_a_threshold_that_is_one_vote_too_low_is_found(here: None) -> None:
    mutant = next(one for one in MUTANTS if one.name == "exactly a half is more than a half")
    with patched(mutant.patches):
        found = play(_at_once(read_scenario("thresholds", 4)), 1)
    assert (
        found["checks"]["liveness"]["detail"]
        == "'More than a half: at (2000)': passed, expected passes = False"
    )


def _two_faced(nodes: int, liars: int) -> Scenario:
    honest = nodes - liars
    return msgspec.structs.replace(
        read_scenario("siege_plus_one"),
        nodes=nodes,
        duration_ms=200_000,
        grace_ms=10_000,
        adversary=(Adversary(kind="equivocate", count=liars, every_ms=50_000),),
        partition=(Partition(from_ms=10_000, until_ms=110_000),),
        vote=(
            Vote(
                title="Twice",
                key="feature.command_prediction",
                value=0,
                yes=honest - honest // 2,
                no=honest // 2,
                closes_ms=40_000,
            ),
        ),
    )


def test_one_liar_more_than_can_be_borne_breaks_it_visibly_and_one_less_does_not(here: None) -> None:
    assert not held(play(_two_faced(4, 2), 1)["checks"], "agreement")
    assert held(play(_two_faced(4, 1), 1)["checks"])


HOSTILE = Scenario(
    id="mesh-hostile",
    summary="Liars, forgers, flooders and a stranger, all at once.",
    nodes=10,
    duration_ms=200_000,
    adversary=(
        Adversary(kind="forge", every_ms=10_000),
        Adversary(kind="flood", every_ms=40_000),
        Adversary(kind="withhold"),
        Adversary(kind="sybil", every_ms=40_000),
    ),
    vote=(Vote(title="Count us", value=0, yes=5, no=2, closes_ms=60_000, passes=True),),
    grace_ms=20_000,
)


def test_hostile_machines_change_nothing_in_the_mesh(here: None) -> None:
    found = play(HOSTILE, 1)
    assert {name: check for name, check in found["checks"].items() if not check["ok"]} == {}
    assert found["figures"]["messages_rejected"] > 0 < found["figures"]["bans"], "and they did strike"


def test_hostile_machines_are_found_out_where_signatures_are_not_looked_at(here: None) -> None:
    mutant = next(one for one in MUTANTS if one.name == "signatures are not checked")
    with patched(mutant.patches):
        assert not held(play(HOSTILE, 1)["checks"], "authenticity")


def test_a_silent_machine_hears_relays_nothing_and_answers_nobody() -> None:
    heard: list[bytes] = []

    async def answer(peer: str, data: bytes) -> bytes:
        return b"what it holds"

    callbacks = {
        "validate": lambda topic, data, peer: Verdict.ACCEPT if data == b"good" else Verdict.REJECT,
        "received": lambda topic, data, peer: heard.append(data),
        "serve": {"sync": answer},
    }
    silent = silenced(callbacks)
    assert silent["validate"]("t", b"good", "p") is Verdict.IGNORE
    assert silent["validate"]("t", b"bad", "p") is Verdict.REJECT
    assert heard == [b"good"]

    async def ask() -> bytes:
        found: bytes = await silent["serve"]["sync"]("p", b"?")
        return found

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(ask, clock=clock) == b"" and clock.current_time() >= STALL_S


def test_a_machine_cannot_sleep_in_the_mesh() -> None:
    with pytest.raises(ScenarioError, match="sleep in the world"):
        Mesh(read_scenario("sleeping_laptops", 4), 1)


@pytest.mark.long
def test_sixty_four_nodes_live_for_an_hour() -> None:
    vote = Vote(title="Count us", yes=48, no=8, threshold="super", closes_ms=300_000, passes=True)
    hour = Scenario(
        id="mesh-hour",
        summary="Sixty-four nodes, one vote, one virtual hour.",
        nodes=64,
        duration_ms=3_600_000,
        link=Link(degree=8),
        vote=(vote,),
    )
    first, second = run_mesh(hour, 1), run_mesh(hour, 1)
    print(first.figures)
    assert held(first.checks), first.checks
    assert first.digest == second.digest


def test_a_mesh_cut_in_two_for_an_hour_holds_one_set_of_records_after_healing() -> None:
    cut = Scenario(
        id="mesh-cut-hour",
        summary="Ballots are cast on both sides of an hour's cut.",
        nodes=8,
        duration_ms=4_200_000,
        link=Link(degree=4),
        partition=(Partition(from_ms=60_000, until_ms=3_660_000, share=0.5),),
        vote=(
            Vote(
                title="Both sides",
                yes=6,
                no=2,
                threshold="super",
                opens_ms=30_000,
                closes_ms=3_600_000,
                last_minute=0.0,
            ),
        ),
    )
    found = run_mesh(cut, 1)
    assert held(found.checks), found.checks


@pytest.mark.long
def test_sixty_four_under_siege_show_one_outcome() -> None:
    found = run_mesh(read_scenario("siege"), 1)
    assert found.ok, found.checks
    assert found.figures["naive_count_splits"] == 1


@pytest.mark.long
def test_twenty_two_liars_of_sixty_four_break_it() -> None:
    found = run_mesh(read_scenario("siege_plus_one"), 1)
    assert not found.checks["agreement"]["ok"]


@pytest.mark.long
def test_a_hundred_voters_in_the_mesh_are_right_at_every_boundary() -> None:
    found = run_mesh(read_scenario("thresholds", 100), 1)
    assert found.ok, found.checks
