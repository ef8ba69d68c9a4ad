"""Cards: what one person gives another so that two machines find each other.

Refuses to carry secrets or to grant anything: a card names a key, a network and addresses.
Written ``luminous://`` and base32, with four check bytes against typing errors.
"""

import binascii
from base64 import b32decode, b32encode
from dataclasses import dataclass

from luminous.crypto.digest import DIGEST_SIZE_BYTES, digest
from luminous.crypto.keys import PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES, is_public_key
from luminous.protocol.codec import decode, encode
from luminous.protocol.identifiers import NETWORK_ID_SIZE_BYTES, AuthorId, NetworkId
from luminous.protocol.limits import ADDRESS_SIZE_BYTES_MAX, ADDRESSES_PER_CARD_MAX, NAME_SIZE_BYTES_MAX
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.schema import Schema, fixed, many, optional, text, uint

PREFIX = "luminous://"
_CHECK_SIZE_BYTES = 4
_CARD_SIZE_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Card:
    """An author's key, and, where it has joined one, its network and the addresses it can be reached at.

    ``wish``: the author's signature that it wants to be on the roll. ``epoch``, ``minutes``: number and
    digest of the newest final Minutes where the card was made: a chain with others is not this network's.
    """

    author: AuthorId
    network: NetworkId | None
    name: str
    addresses: tuple[str, ...]
    wish: bytes = b""
    epoch: int = 0
    minutes: bytes = b""


def _check(card: Card) -> Refused | None:
    if not is_public_key(card.author):
        return Refused(Reason.BAD_KEY, "the card's key is not valid")
    if bool(card.epoch) != bool(card.minutes) or (card.epoch and card.network is None):
        return Refused(Reason.MALFORMED, "Minutes have a number, a digest and a network")
    return None


CARD: Schema[Card] = Schema(
    Card,
    (1, "author", fixed(PUBLIC_KEY_SIZE_BYTES)),
    (2, "network", optional(fixed(NETWORK_ID_SIZE_BYTES))),
    (3, "name", text(NAME_SIZE_BYTES_MAX)),
    (4, "addresses", many(text(ADDRESS_SIZE_BYTES_MAX, 1), ADDRESSES_PER_CARD_MAX)),
    check=_check,
    extras=(
        (5, "wish", fixed(SIGNATURE_SIZE_BYTES), b""),
        (6, "epoch", uint(), 0),
        (7, "minutes", fixed(DIGEST_SIZE_BYTES), b""),
    ),
)


def write_card(card: Card) -> str:
    """The card as one line of text."""
    raw = encode(CARD.pack(card))
    check = digest("card", raw, size_bytes=_CHECK_SIZE_BYTES)
    return PREFIX + b32encode(raw + check).decode("ascii").rstrip("=").lower()


def read_card(line: str) -> Card | Refused:
    """The card of a line of text, or what is wrong with it."""
    line = line.strip()
    if not line.lower().startswith(PREFIX):
        return Refused(Reason.MALFORMED, f"a card starts with {PREFIX}")
    body = line[len(PREFIX) :].upper()
    if len(body) > 2 * _CARD_SIZE_BYTES_MAX:
        return Refused(Reason.OVERSIZED, "too long for a card")
    try:
        raw = b32decode(body + "=" * (-len(body) % 8))
    except (binascii.Error, ValueError):
        return Refused(Reason.MALFORMED, "not a card: some characters are not base32")
    raw, check = raw[:-_CHECK_SIZE_BYTES], raw[-_CHECK_SIZE_BYTES:]
    if digest("card", raw, size_bytes=_CHECK_SIZE_BYTES) != check:
        return Refused(Reason.MALFORMED, "the card was changed or cut on its way")
    value = decode(raw, _CARD_SIZE_BYTES_MAX)
    return value if isinstance(value, Refused) else CARD.parse(value)
