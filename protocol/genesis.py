"""The genesis: what a network is, and therefore its id.

Refuses to change: another founder, name, rule table or vocabulary is another network.
"""

from dataclasses import dataclass

from luminous.crypto.digest import digest
from luminous.crypto.keys import PUBLIC_KEY_SIZE_BYTES, is_public_key
from luminous.protocol.codec import decode, encode
from luminous.protocol.identifiers import NETWORK_ID_SIZE_BYTES, AuthorId, NetworkId
from luminous.protocol.limits import FOUNDERS_MAX, NAME_SIZE_BYTES_MAX
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.schema import Schema, fixed, flag, integer, many, nested, text, uint

PARAMETERS_MAX = 64  # stops a genesis that hides a large table


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter's value at the start: key of the constitution's table, integer value."""

    key: str
    value: int


@dataclass(frozen=True, slots=True)
class Genesis:
    """A network's founding record. ``founders`` are the first roll; sorted and without doubles.

    ``fleet``: the machines of one owner. ``open_contribution``: anyone may contribute deltas (aggregates
    are then labelled open). ``salt`` makes two networks of one name distinct.
    """

    name: str
    founders: tuple[AuthorId, ...]
    fleet: bool
    open_contribution: bool
    parameters: tuple[Parameter, ...]
    constitution_hash: bytes
    vocabulary_hash: bytes
    created_at_ms: int
    salt: bytes


def _check(genesis: Genesis) -> Refused | None:
    if list(genesis.founders) != sorted(set(genesis.founders)):
        return Refused(Reason.MALFORMED, "founders must be sorted and different")
    if not all(is_public_key(founder) for founder in genesis.founders):
        return Refused(Reason.BAD_KEY, "a founder's key is not a valid public key")
    keys = [parameter.key for parameter in genesis.parameters]
    if keys != sorted(set(keys)):
        return Refused(Reason.MALFORMED, "parameters must be sorted and different")
    return None


_PARAMETER: Schema[Parameter] = Schema(
    Parameter,
    (1, "key", text(NAME_SIZE_BYTES_MAX, 1)),
    (2, "value", integer(-(2**53), 2**53)),
)
GENESIS: Schema[Genesis] = Schema(
    Genesis,
    (1, "name", text(NAME_SIZE_BYTES_MAX, 1)),
    (2, "founders", many(fixed(PUBLIC_KEY_SIZE_BYTES), FOUNDERS_MAX)),
    (3, "fleet", flag()),
    (4, "open_contribution", flag()),
    (5, "parameters", many(nested(_PARAMETER), PARAMETERS_MAX)),
    (6, "constitution_hash", fixed(32)),
    (7, "vocabulary_hash", fixed(32)),
    (8, "created_at_ms", uint()),
    (9, "salt", fixed(16)),
    check=_check,
)


def write_genesis(genesis: Genesis) -> bytes:
    """The canonical bytes of a genesis. Asserts that they can be read back."""
    raw = encode(GENESIS.pack(genesis))
    assert read_genesis(raw) == genesis, "a genesis that cannot be read back"
    return raw


def read_genesis(raw: bytes) -> Genesis | Refused:
    """The genesis of canonical bytes, or why not."""
    value = decode(raw)
    return value if isinstance(value, Refused) else GENESIS.parse(value)


def network_id(raw: bytes) -> NetworkId:
    """The network's id: 16 bytes of the digest of its genesis bytes."""
    return NetworkId(digest("genesis", raw, size_bytes=NETWORK_ID_SIZE_BYTES))
