"""What the sync machine wants done, and what a dialogue came to.

Refuses behaviour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from luminous.protocol.reasons import Refused


class RecordIndex(Protocol):
    """What sync needs to know about the records a node holds. ``Records`` is one."""

    def ids_sorted(self) -> Sequence[tuple[int, bytes]]:
        """(issued_at_ms, id), ascending."""
        ...

    def raw(self, identifier: bytes) -> bytes | None:
        """The bytes of a held envelope."""
        ...

    def digest(self) -> bytes:
        """Changes when what is held changes."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """Hold a dialogue with ``peer`` now. ``wanted``: ids it offered; empty: compare everything."""

    peer: str
    wanted: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """What a dialogue came to.

    ``is_caught_up``: this node was given everything the peer has and this node wants;
    ``is_equal``: nothing differed at all. ``received`` and ``offered`` count envelopes, ``withheld`` ids
    that the peer claimed and did not send. ``refused``: why it ended early, if it did.
    """

    peer: str
    is_equal: bool
    is_caught_up: bool
    received: int
    offered: int
    withheld: int
    size_bytes: int
    refused: Refused | None
