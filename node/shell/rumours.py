"""Addresses that other peers told and nobody here has reached yet.

Refuses trust: a rumour is dialled at most twice, a source may have few of them waiting, sources take turns
(one that tells garbage delays nobody else's), and no host is dialled more than once in a while, so that a
lying peer cannot make this node knock at a stranger's door.
"""

import random
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from luminous.node.shell.guards import Bucket, Rate
from luminous.node.shell.reach import address_group, host_of, peer_of, relay_of
from luminous.protocol.peer_exchange import ADDRESSES_MAX

# Rumours waiting, of one source and altogether. Stops lying sources from filling memory and time.
OF_SOURCE_MAX = ADDRESSES_MAX
RUMOURS_MAX = 256
TRIES_MAX = 2
# Dials of rumours, and the pause between two dials of one host (loopback excepted).
DIALS = Rate(2.0, 16.0)
HOST_PAUSE_S = 20.0
RETRY_PAUSE_S = 5.0
# A source is not listened to while this many more of its rumours failed than came true fourfold.
FAILURES_MAX = 24
SOURCES_MAX = 256


@dataclass(slots=True)
class _Rumour:
    source: str
    tries: int = 0
    not_before_s: float = 0.0


class Rumours:
    """What was told by whom, and what is worth a dial now. Time is an argument, in monotonic seconds."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._waiting: dict[str, _Rumour] = {}
        self._bad: OrderedDict[str, int] = OrderedDict()  # source to failures minus fourfold successes
        self._hosts: OrderedDict[str, float] = OrderedDict()
        self._dials = Bucket(DIALS, 0.0)

    def __len__(self) -> int:
        return len(self._waiting)

    def tell(self, source: str, addresses: Iterable[str]) -> int:
        """Take what ``source`` told (already filtered by ``address_scope.fitting``); how many are new."""
        if self._bad.get(source, 0) >= FAILURES_MAX:
            return 0
        held = sum(1 for rumour in self._waiting.values() if rumour.source == source)
        before = len(self._waiting)
        for address in addresses:
            if held >= OF_SOURCE_MAX or len(self._waiting) >= RUMOURS_MAX:
                break
            if address not in self._waiting:
                self._waiting[address] = _Rumour(source)
                held += 1
        return len(self._waiting) - before

    def due(self, held: Iterable[str], count: int, now_s: float) -> tuple[str, ...]:
        """At most ``count`` addresses to dial now, of peers that are not ``held``, sources in turn."""
        connected = frozenset(held)
        taken = set(connected)
        by_source: dict[str, list[str]] = {}
        for address, rumour in self._waiting.items():
            if rumour.not_before_s <= now_s and peer_of(address) not in taken:
                by_source.setdefault(rumour.source, []).append(address)
        queues = [self._chance.sample(found, len(found)) for found in by_source.values()]
        self._chance.shuffle(queues)
        found: list[str] = []
        while queues and len(found) < count:
            for queue in list(queues):
                address = queue.pop()
                if not queue:
                    queues.remove(queue)
                peer = peer_of(address)
                is_known_door = relay_of(address) in connected  # a stream on a connection that is there
                if len(found) >= count or peer in taken or not self._may_dial(address, now_s, is_known_door):
                    continue
                taken.add(peer)
                self._waiting[address].not_before_s = now_s + RETRY_PAUSE_S
                found.append(address)
        return tuple(found)

    def _may_dial(self, address: str, now_s: float, is_known_door: bool) -> bool:
        group = address_group(host_of(address))
        if not is_known_door and not group.startswith(("127.", "::1")):
            if now_s - self._hosts.get(group, -HOST_PAUSE_S) < HOST_PAUSE_S:
                return False
            self._hosts[group] = now_s
            self._hosts.move_to_end(group)
            if len(self._hosts) > RUMOURS_MAX:
                self._hosts.popitem(last=False)
        if self._dials.take(1, now_s) > 0:
            self._dials.take(-1, now_s)
            return False
        return True

    def failed(self, address: str) -> None:
        """A dial did not find the peer; the second time the rumour is forgotten and its source blamed."""
        rumour = self._waiting.get(address)
        if rumour is None:
            return
        rumour.tries += 1
        if rumour.tries >= TRIES_MAX:
            del self._waiting[address]
            self._judge(rumour.source, 1)

    def reached(self, address: str) -> None:
        """A dial found the peer: no rumour any more."""
        rumour = self._waiting.pop(address, None)
        if rumour is not None:
            self._judge(rumour.source, -4)

    def _judge(self, source: str, change: int) -> None:
        self._bad[source] = max(0, self._bad.get(source, 0) + change)
        self._bad.move_to_end(source)
        if len(self._bad) > SOURCES_MAX:
            self._bad.popitem(last=False)
