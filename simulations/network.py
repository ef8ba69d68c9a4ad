"""The simulated network: who is linked to whom, how long bytes take, and what is lost.

Refuses to know messages; every draw comes from the world's seeded chance.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import log

from luminous.simulations.scenario import Link, Partition


def random_links(count: int, degree: int, chance: random.Random) -> list[tuple[int, ...]]:
    """A connected random graph of about ``degree`` neighbours a node: a ring, then random chords."""
    links: list[set[int]] = [set() for _ in range(count)]
    order = list(range(count))
    chance.shuffle(order)
    for place, node in enumerate(order):
        other = order[(place + 1) % count]
        if other != node:
            links[node].add(other)
            links[other].add(node)
    for node in range(count):
        tries = 0
        while len(links[node]) < min(degree, count - 1) and tries < 10 * degree:
            tries += 1
            other = chance.randrange(count)
            if other != node and len(links[other]) < 2 * degree:
                links[node].add(other)
                links[other].add(node)
    return [tuple(sorted(neighbours)) for neighbours in links]


@dataclass(frozen=True, slots=True)
class Cut:
    """A partition with the nodes of its first side."""

    partition: Partition
    side: frozenset[int]


class Network:
    """Link physics between numbered nodes.

    ``twins``: machines with a key that another has too, by number to that other's. Each pair stands on both
    sides of every partition, one machine on each. ``clogs``: from and until when a node's links delay
    everything; it all arrives at the end.
    """

    def __init__(
        self,
        count: int,
        link: Link,
        partitions: tuple[Partition, ...],
        chance: random.Random,
        twins: Mapping[int, int] | None = None,
    ) -> None:
        self.link = link
        self.neighbours = random_links(count, link.degree, chance)
        self.clogs: dict[int, list[tuple[int, int]]] = {}
        self._chance = chance
        extra_ms = link.delay_ms_mean - link.delay_ms_min
        self._extra_rate = 1 / extra_ms if extra_ms else 0.0
        pairs = twins or {}
        doubled = {*pairs, *pairs.values()}
        order = [node for node in range(count) if node not in doubled]
        chance.shuffle(order)
        first = list(pairs)
        self.cuts = [
            Cut(item, frozenset([*order[: round(item.share * len(order))], *first])) for item in partitions
        ]

    def is_cut(self, source: int, target: int, at_ms: int) -> bool:
        """True while a partition keeps bytes of ``source`` from ``target``."""
        for cut in self.cuts:
            part = cut.partition
            is_between = (source in cut.side) != (target in cut.side)
            if part.from_ms <= at_ms < part.until_ms and is_between:
                is_lost = not part.one_way or source in cut.side
                if is_lost:
                    return True
        return False

    def clogged_ms(self, source: int, target: int, at_ms: int) -> int:
        """How long bytes of this moment wait at either end."""
        if not self.clogs:
            return 0
        ends = (*self.clogs.get(source, ()), *self.clogs.get(target, ()))
        return max((until_ms - at_ms for from_ms, until_ms in ends if from_ms <= at_ms < until_ms), default=0)

    def delay_ms(self) -> int:
        """How long one delivery takes."""
        if not self._extra_rate:
            return self.link.delay_ms_min
        # As ``Random.expovariate`` draws: a call less for each of a run's million deliveries.
        return self.link.delay_ms_min + round(-log(1.0 - self._chance.random()) / self._extra_rate)

    def deliveries_ms(self, source: int, target: int, at_ms: int) -> list[int]:
        """Delays of the copies that arrive: none when cut or lost, two when duplicated."""
        if self.cuts and self.is_cut(source, target, at_ms):
            return []
        draw, link = self._chance.random, self.link
        if draw() < link.loss:
            return []
        is_double = draw() < link.duplicate
        wait_ms = self.clogged_ms(source, target, at_ms) if self.clogs else 0
        first_ms = wait_ms + self.delay_ms()
        return [first_ms, wait_ms + self.delay_ms()] if is_double else [first_ms]
