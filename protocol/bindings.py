"""A binding: an author says which transport identity is its own, and until when.

Refuses to be more than a hint for people: nothing is counted by transport identity.
"""

from dataclasses import dataclass

from luminous.protocol.schema import Schema, text, uint

PEER_ID_SIZE_BYTES_MAX = 128


@dataclass(frozen=True, slots=True)
class Binding:
    """``peer`` is the libp2p peer id; valid until ``not_after_ms`` of the wall clock."""

    peer: str
    not_after_ms: int


BINDING: Schema[Binding] = Schema(
    Binding, (1, "peer", text(PEER_ID_SIZE_BYTES_MAX, 1)), (2, "not_after_ms", uint())
)
