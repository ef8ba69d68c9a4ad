"""The names of things that cross the wire, as types that cannot be mixed up.

Refuses to compute anything: digests are made where the thing is.
"""

from typing import NewType

NetworkId = NewType("NetworkId", bytes)  # 16 bytes: digest of the genesis
AuthorId = NewType("AuthorId", bytes)  # 32 bytes: Ed25519 public key of an author
EnvelopeId = NewType("EnvelopeId", bytes)  # 32 bytes: digest of the envelope's bytes
ProposalId = NewType("ProposalId", bytes)  # 32 bytes: the envelope id of the proposal
PeerId = NewType("PeerId", str)  # a libp2p peer id, base58; transport only, never an author

NETWORK_ID_SIZE_BYTES = 16
ENVELOPE_ID_SIZE_BYTES = 32


def short(identifier: bytes) -> str:
    """The first eight hexadecimal digits, for people."""
    return identifier.hex()[:8]
