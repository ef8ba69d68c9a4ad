"""Whether others can dial this node, judged by what they say after they tried.

Each peer that is asked dials back, at the address it sees this node at and never elsewhere. Refuses to
believe interfaces and single voices: of the peers that see this node at its widest (a neighbour on the same
site says nothing about the internet), the majority decides, and a peer that had no time to try yet does not
count.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from luminous.node.shell.address_scope import scope_of

# A peer dials back within seconds of the first question; what it says this much later is its finding.
SETTLED_S = 15.0
# Older words are not counted.
FRESH_S = 3600.0


class Reachability(StrEnum):
    """The values are shown to people and programs."""

    REACHABLE = "reachable"
    BEHIND_NAT = "behind NAT or a firewall"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Seen:
    """How one peer sees this node: at which IP address, and which of its ports it could dial.

    ``at_s`` when it said so, ``first_s`` when it was first asked; monotonic seconds.
    """

    host: str
    ports: tuple[int, ...]
    at_s: float
    first_s: float = 0.0


def is_settled(view: Seen, settled_s: float = SETTLED_S) -> bool:
    """Whether the peer had the time to find out."""
    return bool(view.ports) or view.at_s - view.first_s >= settled_s


def judged(views: Iterable[Seen], now_s: float, settled_s: float = SETTLED_S) -> Reachability:
    """What ``views`` come to."""
    fresh = [view for view in views if now_s - view.at_s < FRESH_S and is_settled(view, settled_s)]
    if not fresh:
        return Reachability.UNKNOWN
    widest = max(scope_of(view.host) for view in fresh)
    voices = [bool(view.ports) for view in fresh if scope_of(view.host) is widest]
    return Reachability.REACHABLE if sum(voices) * 2 > len(voices) else Reachability.BEHIND_NAT
