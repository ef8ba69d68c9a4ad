"""Members of a newer release among others: not understood, not held, not blamed; in world and mesh."""

import msgspec
import pytest

from luminous.node.shell import libp2p_patches
from luminous.protocol.admission import admit
from luminous.protocol.reasons import Reason, Refused
from luminous.simulations.mesh.running import play as play_mesh
from luminous.simulations.patching import patched
from luminous.simulations.running import play
from luminous.simulations.scenario import Scenario, ScenarioError, check, read_scenario

BLAMING = (("luminous.protocol.admission", "_NEWER", frozenset()),)


def mixed(nodes: int, duration_ms: int) -> Scenario:
    """The shipped scenario, smaller."""
    scenario = read_scenario("mixed_versions", nodes)
    return msgspec.structs.replace(scenario, duration_ms=duration_ms, learning=None)


def test_half_of_the_members_say_what_this_release_does_not_know() -> None:
    result, world = play(mixed(6, 300_000), 1)
    assert result.ok, result.checks
    assert [bool(place.said_newer) for place in world.places] == [False] * 3 + [True] * 3
    reasons = set()
    for place in world.places:
        for raw in place.said_newer:
            refused = admit(raw, place.network)
            assert isinstance(refused, Refused)
            reasons.add(refused.reason)
    assert reasons == {Reason.UNKNOWN_KIND, Reason.WRONG_VERSION}


@pytest.mark.slow
def test_the_mesh_bans_nobody_for_it_and_would_if_it_were_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    try:
        good = play_mesh(mixed(6, 240_000), 1)
        with patched(BLAMING):
            blamed = play_mesh(mixed(6, 240_000), 1)
    finally:
        libp2p_patches.uninstall()
    assert good["ok"], good["checks"]
    assert good["figures"]["messages_ignored"] > 0
    assert good["figures"]["messages_rejected"] == good["figures"]["bans"] == 0
    assert blamed["figures"]["messages_rejected"] > 0 and not blamed["checks"]["tolerance"]["ok"]


def test_somebody_runs_the_release_before() -> None:
    with pytest.raises(ScenarioError, match="release before"):
        check(msgspec.structs.replace(mixed(6, 300_000), newer=6), "mine")
