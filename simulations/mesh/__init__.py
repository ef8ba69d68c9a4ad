"""The mesh: the real shell and unmodified GossipSub in virtual time, over simulated links."""

from typing import TYPE_CHECKING

from luminous.simulations.scenario import Scenario

if TYPE_CHECKING:
    from luminous.simulations.running import Result

__all__ = ["run_mesh"]


def run_mesh(scenario: Scenario, seed: int) -> "Result":
    """Play a scenario in the mesh. Raises ``ScenarioError`` if this body cannot."""
    # Loaded late: the world, the mesh's sibling, must not pay for libp2p.
    from luminous.simulations.mesh.running import play_anywhere
    from luminous.simulations.running import Result

    found = play_anywhere(scenario, seed)
    return Result(scenario.id, "mesh", seed, scenario.nodes, **found)
