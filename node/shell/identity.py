"""Who this node is, for people: author id, four words for it, and the peer id of its transport.

Refuses libp2p: the peer id is computed from the seed (libp2p's peer-id specification), so that ``init`` and
``id`` stay quick and open nothing.
"""

from dataclasses import dataclass

from luminous.crypto.keys import signer_from_seed
from luminous.node.shell.author_words import words_of
from luminous.node.shell.keyfile import Seeds

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
# A protobuf PublicKey{Type: Ed25519, Data: 32 bytes}, inside an identity multihash of 36 bytes.
_PEER_ID_PREFIX = bytes((0x00, 0x24, 0x08, 0x01, 0x12, 0x20))


@dataclass(frozen=True, slots=True)
class Identity:
    """``author``: 32-byte public key; ``words``: four pronounceable words of it; ``peer_id``: base58."""

    author: bytes
    words: str
    peer_id: str


def identity_of(seeds: Seeds) -> Identity:
    """The public side of three seeds."""
    author = signer_from_seed(seeds.author).public
    transport = signer_from_seed(seeds.transport).public
    return Identity(author, words_of(author), base58(_PEER_ID_PREFIX + transport))


def base58(raw: bytes) -> str:
    """Base58 with Bitcoin's alphabet; leading zero bytes become ones."""
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return _BASE58[0] * (len(raw) - len(raw.lstrip(b"\0"))) + text
