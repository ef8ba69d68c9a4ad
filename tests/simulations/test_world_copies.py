"""What the world leaves out to be quick changes no history."""

import pytest

from luminous.simulations.running import play, run_world
from luminous.simulations.scenario import read_scenario
from luminous.simulations.world import World


def every_copy(world: World) -> None:
    """Queue each copy of gossiped bytes, also those that come to a machine which has them."""
    for place in world.places:
        place.never_stops = False


@pytest.mark.parametrize("name", ["calm", "lossy", "hostile_members", "late_joiner"])
def test_copies_that_nobody_hears_need_not_be_queued(name: str) -> None:
    scenario = read_scenario(name, 7)
    assert run_world(scenario, 5).digest == run_world(scenario, 5, prepare=every_copy).digest


def test_machines_that_stop_are_sent_every_copy() -> None:
    for name in ("churn", "late_joiner"):
        _, world = play(read_scenario(name, 5), 1)
        assert {place.never_stops for place in world.places} == {name != "churn"}
