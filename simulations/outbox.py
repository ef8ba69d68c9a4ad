"""The outbox of a simulated machine: a node's effects, carried into its world.

Refuses to block or to fail, as the port demands.
"""

from typing import Protocol

from luminous.node.core.effects import Apply, Compare, Note, Report
from luminous.simulations import sickness
from luminous.simulations.peers_sync import Dialogue
from luminous.simulations.peers_sync import Surroundings as Near
from luminous.simulations.place import Place


class Surroundings(Near, sickness.Ward, Protocol):
    """What an outbox needs of its world."""

    def mark(self, what: bytes, index: int, body: bytes) -> None:
        """Add to the trace digest."""

    def publish(self, place: Place, raw: bytes) -> None:
        """Bytes that a machine offers to the network."""


class WorldOutbox:
    """Carries a node's effects into the world."""

    def __init__(self, world: Surroundings, place: Place) -> None:
        self._world = world
        self._place = place

    def publish(self, raw: bytes) -> None:
        """Gossip it."""
        self._world.publish(self._place, raw)

    def compare(self, compare: Compare) -> None:
        """Hold the dialogue over simulated links."""
        Dialogue(self._world, self._place, compare).start()

    def apply(self, act: Apply) -> None:
        """Healing acts take a while and cure what they can cure."""
        self._world.mark(b"apply", self._place.index, act.verb.encode())
        sickness.treat(self._world, self._place, act)

    def report(self, report: Report) -> None:
        """Remember what people were told."""
        self._place.reports.append(report)
        self._world.mark(b"report", self._place.index, repr(report).encode())

    def note(self, note: Note) -> None:
        """Readings are not kept in the world."""
