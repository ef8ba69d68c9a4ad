"""The values that cross the transport port. Refuses behaviour and any knowledge of libp2p."""

from dataclasses import dataclass

from luminous.protocol.admission import Verdict

__all__ = ["PeerView", "Verdict"]


@dataclass(frozen=True, slots=True)
class PeerView:
    """One peer as this node sees it. ``banned`` is the reason of a ban in force, else empty.

    ``mesh`` lists the topics in whose mesh the peer is; ``strikes`` is what it did wrong, forgiven with time.
    ``banned_until_ms``: wall time of the ban's end; 0 with a reason: until somebody lifts it.
    """

    id: str
    address: str
    direction: str
    mesh: tuple[str, ...]
    score: float
    strikes: float
    bytes_in: int
    bytes_out: int
    messages_in: int
    banned: str
    banned_until_ms: int = 0
