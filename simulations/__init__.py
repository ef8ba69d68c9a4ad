"""Simulations: other bodies for the same node. ``Scenario`` and ``Experiment`` are the researchers' door.

Refuses to load anything until it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luminous.simulations.lab import Experiment
    from luminous.simulations.result import Result
    from luminous.simulations.scenario import Scenario, ScenarioError, Vote

__all__ = ["Experiment", "Result", "Scenario", "ScenarioError", "Vote"]

_HOMES = {
    "Experiment": "luminous.simulations.lab",
    "Result": "luminous.simulations.result",
    "Scenario": "luminous.simulations.scenario",
    "ScenarioError": "luminous.simulations.scenario",
    "Vote": "luminous.simulations.scenario",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
