"""Members that run a newer release: they say what they always said, and things that nobody else understands.

Refuses ill will: their records are signed, whole and their own. What must hold is that the other members go
on as if nothing had been said, and blame nobody for it.
"""

from typing import TYPE_CHECKING, cast

from luminous.protocol.codec import Value, encode
from luminous.protocol.envelope import WIRE_VERSION, seal
from luminous.protocol.kinds import Kind
from luminous.simulations.adversary import say
from luminous.simulations.place import Place

if TYPE_CHECKING:
    from luminous.simulations.world import World

EVERY_MS = 20_000
# A kind that no release of today has; numbers are never given twice, so the highest that fits one byte.
KIND = cast("Kind", 255)
_SEQUENCE_FIRST = 1 << 40


def schedule_newer(world: "World") -> None:
    """Let the last members of the scenario speak as a newer release would, for three quarters of the time."""
    scenario = world.scenario
    members = [place for place in world.places[: scenario.nodes] if not place.role]
    for place in members[len(members) - scenario.newer :]:
        _speak_again(world, place, EVERY_MS)


def _speak_again(world: "World", place: Place, at_ms: int) -> None:
    def speak() -> None:
        if place.is_up and not place.is_asleep:
            for raw in (_new_kind(world, place), _new_version(world, place)):
                place.said_newer.append(raw)
                say(world, place, raw)
        if at_ms + EVERY_MS < world.scenario.duration_ms * 3 // 4:
            _speak_again(world, place, at_ms + EVERY_MS)

    world.at(at_ms + place.index, speak)


def _new_kind(world: "World", place: Place) -> bytes:
    """A well-signed envelope of this version and a kind that it does not have."""
    sequence, wall_ms = _SEQUENCE_FIRST + world.now_ms, world.instant(place).wall_ms
    return seal(
        place.config.signer, place.network, KIND, sequence, wall_ms, cast("Value", {0: b"of a newer release"})
    )


def _new_version(world: "World", place: Place) -> bytes:
    """An envelope of the next version: its fields are not ours to read."""
    fields = {0: WIRE_VERSION + 1, 1: place.network, 2: place.config.signer.public, 3: world.now_ms}
    return encode(cast("Value", fields))
