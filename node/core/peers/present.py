"""Which peers are here, and how recently each gave all it has.

Refuses to count absent peers: what left vouches for nothing.
"""

from luminous.node.core.instant import Instant

FRESH_MS = 120_000
VOUCHERS = 3


class Present:
    """The connected peers of one node."""

    def __init__(self) -> None:
        self._since_ms: dict[str, int] = {}
        self._caught_up_ms: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._since_ms)

    def names(self) -> tuple[str, ...]:
        """The connected peers, in the order they came."""
        return tuple(self._since_ms)

    def join(self, peer: str, at: Instant) -> None:
        """A peer is connected."""
        self._since_ms[peer] = at.mono_ms

    def leave(self, peer: str) -> None:
        """A peer is gone."""
        self._since_ms.pop(peer, None)
        self._caught_up_ms.pop(peer, None)

    def caught_up(self, peer: str, at: Instant) -> None:
        """A dialogue with ``peer`` brought everything it has."""
        if peer in self._since_ms:
            self._caught_up_ms[peer] = at.mono_ms

    def is_synced(self, at: Instant, faulty_max: int) -> bool:
        """True after three peers, or all but ``faulty_max``, gave all they have within two minutes.

        Waiting for all there are would let one silent member stop every closing.
        """
        recent = sum(1 for mono_ms in self._caught_up_ms.values() if mono_ms >= at.mono_ms - FRESH_MS)
        return recent >= min(VOUCHERS, max(1, len(self._since_ms) - faulty_max))
