"""Hostile members: what they send, and to whom.

Refuses to break the world's rules: an adversary has its own key, its links, and nothing else.
"""

from luminous.simulations.world import World


def unleash(world: World) -> frozenset[int]:
    """Schedule what the scenario's adversaries do; the indexes of the places they hold."""
    return frozenset()
