"""Which body plays a scenario: the world, the mesh, the wire, hosts of their own or the scale model.

Refuses scenarios that wait for a feature, and bodies that do not exist.
"""

from luminous.simulations.playable import BODIES as PLAYING
from luminous.simulations.playable import why_not
from luminous.simulations.result import Result
from luminous.simulations.scenario import Scenario, ScenarioError

BODIES = (*PLAYING, "scale")


def run(scenario: Scenario, body: str, seed: int) -> Result:
    """Play a scenario. Raises ScenarioError if the body cannot."""
    why = why_not(scenario, body) if body in PLAYING else ""
    if why:
        raise ScenarioError(f"{scenario.id}: {why}")
    # Each body is loaded alone: the world must not pay for libp2p.
    if body == "world":
        from luminous.simulations.running import run_world

        return run_world(scenario, seed)
    if body == "wire":
        from luminous.simulations.wire import run_wire

        return run_wire(scenario, seed)
    if body == "hosts":
        from luminous.simulations.hosts_play import run_hosts

        return run_hosts(scenario, seed)
    if body == "mesh":
        from luminous.simulations.mesh import run_mesh

        return run_mesh(scenario, seed)
    why = "is not there yet" if body in BODIES else "is no body"
    raise ScenarioError(f"{body} {why}; there are {', '.join(PLAYING)}")
