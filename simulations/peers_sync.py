"""A sync dialogue of the world: requests and answers over simulated links.

Refuses to repair a broken dialogue: what is lost ends it, as a closed stream would.
"""

from collections.abc import Callable
from typing import Protocol

from luminous.node.core import events
from luminous.node.core.effects import Compare
from luminous.node.core.instant import Instant
from luminous.node.core.peers.outcomes import Ask
from luminous.simulations.network import Network
from luminous.simulations.place import Place

ANSWER_TIMEOUT_MS = 5_000


class Surroundings(Protocol):
    """What a dialogue needs of its world."""

    now_ms: int
    network: Network
    places: list[Place]

    def at(self, time_ms: int, action: Callable[[], None]) -> None:
        """Do something at a virtual time."""

    def instant(self, place: Place) -> Instant:
        """What a machine's clocks say."""

    def soon(self, place: Place, event: events.Event) -> None:
        """Hand a node an event after the one it is handling."""

    def receive(self, place: Place, raw: bytes, *, gossiped: bool) -> None:
        """Admit bytes and hand them to the node."""

    def left(self, place: Place, raw: bytes) -> None:
        """Bytes left a machine."""


class Dialogue:
    """One node asks one peer until nothing is left to ask."""

    def __init__(self, world: Surroundings, place: Place, compare: Compare) -> None:
        self._world = world
        self._place = place
        self._peer = int(compare.peer)
        self._boots = place.boots
        sync = place.node.sync
        assert sync is not None
        ask = Ask(compare.peer, compare.wanted)
        self._session = sync.open(ask, place.node.records, world.instant(place))

    def start(self) -> None:
        """Send the first request."""
        self._next()

    @property
    def _is_alive(self) -> bool:
        return self._place.is_up and self._place.boots == self._boots

    def _next(self) -> None:
        if not self._is_alive:
            return
        request = self._session.next_request(self._world.instant(self._place))
        if request is None:
            self._world.soon(self._place, events.Synced(self._world.instant(self._place), self._session))
            return
        world, peer = self._world, self._world.places[self._peer]
        world.left(self._place, request)
        copies = world.network.deliveries_ms(self._place.index, self._peer, world.now_ms)
        if copies:
            world.at(world.now_ms + copies[0], lambda: self._serve(request))
        if not copies or not _answers(peer):
            world.at(world.now_ms + ANSWER_TIMEOUT_MS, lambda: self._answer(None))

    def _serve(self, request: bytes) -> None:
        world, peer = self._world, self._world.places[self._peer]
        if not _answers(peer):
            return
        sync = peer.node.sync
        assert sync is not None
        answer = sync.serve(str(self._place.index), request, peer.node.records, world.instant(peer))
        world.left(peer, answer)
        copies = world.network.deliveries_ms(self._peer, self._place.index, world.now_ms)
        delay_ms = copies[0] if copies else ANSWER_TIMEOUT_MS
        world.at(world.now_ms + delay_ms, lambda: self._answer(answer if copies else None))

    def _answer(self, answer: bytes | None) -> None:
        if not self._is_alive or self._session.phase.value == "over":
            return
        for raw in self._session.on_response(answer):
            self._world.receive(self._place, raw, gossiped=False)
        self._next()


def _answers(peer: Place) -> bool:
    return peer.is_up and not peer.is_asleep and not peer.is_silent
