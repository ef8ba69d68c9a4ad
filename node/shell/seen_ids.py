"""Message ids seen lately: bounded by number and by age, without a thread.

Refuses to let a peer keep an id alive by asking for it: age counts from the first sight.
"""

from collections import OrderedDict
from collections.abc import Callable


class SeenIds:
    """Stands in for the library's ``LastSeenCache``: ``has`` and ``add``."""

    def __init__(self, ttl_s: float, ids_max: int, clock: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._ids_max = ids_max
        self._clock = clock
        self._until_s: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until_s)

    def has(self, key: bytes) -> bool:
        """True if ``key`` was added within the time to live."""
        until_s = self._until_s.get(key)
        if until_s is None:
            return False
        if until_s <= self._clock():
            del self._until_s[key]
            return False
        return True

    def add(self, key: bytes) -> bool:
        """Remember ``key``; True if it was new. The oldest makes room."""
        if self.has(key):
            return False
        now_s = self._clock()
        self._until_s[key] = now_s + self._ttl_s
        while self._until_s:
            oldest = next(iter(self._until_s))
            if len(self._until_s) <= self._ids_max and self._until_s[oldest] > now_s:
                break
            del self._until_s[oldest]
        return True

    def length(self) -> int:
        """As the library calls it."""
        return len(self)
