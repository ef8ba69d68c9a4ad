"""Which fix is offered first, when it may be another than the best known one, and with what chance.

Refuses to explore with a fix that cannot be undone, with one that is clearly worse, and where nothing was
ever tried: then the catalogue's order stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from luminous.node.core.causes.ranking import Ranked

# At most this share of offers begins with another fix than the best.
EXPLORED_MILLI = 100
# A fix that is this much less likely to help is not offered first: exploring costs at most 1.5 in 100.
MEAN_GAP_MAX = 0.15
SAFE = ("read-only", "reversible")


@dataclass(frozen=True, slots=True)
class Offer:
    """``order``: positions of the fixes as shown; ``chances_milli``: of each fix (by its own position), the
    chance with which it is offered first.
    """

    order: tuple[int, ...]
    chances_milli: tuple[int, ...]


def offer(ranked: Sequence[Ranked], safeties: Sequence[str], was_tried: bool, draw: int) -> Offer:
    """``ranked``: fixes in the order of what is known; ``safeties``: what trying each can cost;
    ``was_tried``: whether any has outcomes; ``draw``: a number below 1000, drawn by chance.
    """
    assert len(ranked) == len(safeties) and 0 <= draw < 1000
    rivals = [
        place
        for place, (fix, safety) in enumerate(zip(ranked, safeties, strict=True))
        if safety in SAFE and ranked[0].mean - fix.mean <= MEAN_GAP_MAX
    ]
    size = len(ranked)
    if not was_tried or len(rivals) < 2 or rivals[0] != 0:
        return Offer(tuple(range(size)), tuple(1000 if place == 0 else 0 for place in range(size)))
    share = EXPLORED_MILLI // len(rivals)
    chances = [share if place in rivals else 0 for place in range(size)]
    chances[0] = 1000 - share * (len(rivals) - 1)
    first, passed = 0, chances[0]
    for place in rivals[1:]:
        if passed <= draw < passed + share:
            first = place
        passed += share
    order = (first, *(place for place in range(size) if place != first))
    return Offer(order, tuple(chances))
