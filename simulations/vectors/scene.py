"""The cast of the vectors: four members, a stranger, their network, and how values are written as JSON.

Refuses secrecy: these seeds are public and must never sign anything real.
"""

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeAlias

from luminous.crypto.digest import digest
from luminous.crypto.keys import Signer, signer_from_seed
from luminous.protocol.admission import admit
from luminous.protocol.codec import decode, encode
from luminous.protocol.envelope import Admitted, seal
from luminous.protocol.genesis import Genesis, Parameter, network_id, write_genesis
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.messages import SCHEMAS

Json: TypeAlias = Any
File: TypeAlias = dict[str, Json]

AT_MS = 1_790_000_000_000
SEEDS = tuple(bytes([number]) * 32 for number in range(1, 6))


def _in_order() -> tuple[tuple[bytes, Signer], ...]:
    """Seeds and signers by public key: the order of a roll."""
    return tuple(sorted(((seed, signer_from_seed(seed)) for seed in SEEDS[:4]), key=lambda x: x[1].public))


MEMBER_SEEDS = tuple(seed for seed, _ in _in_order())
MEMBERS = tuple(signer for _, signer in _in_order())
STRANGER = signer_from_seed(SEEDS[4])


def founding(**changes: Any) -> Genesis:
    """The genesis of the vectors' network, with fields changed. Its hashes are no real ones, so
    that a changed constitution, which is another network, changes one constant and not every vector."""
    facts: dict[str, Any] = {
        "name": "vectors",
        "founders": tuple(AuthorId(signer.public) for signer in MEMBERS),
        "fleet": False,
        "open_contribution": False,
        "parameters": (Parameter("health.interval_s", 60),),
        "constitution_hash": digest("vector", b"constitution"),
        "vocabulary_hash": digest("vector", b"vocabulary"),
        "created_at_ms": AT_MS,
        "salt": b"s" * 16,
    }
    return Genesis(**facts | changes)


GENESIS_RAW = write_genesis(founding())
NETWORK: NetworkId = network_id(GENESIS_RAW)
OTHER_NETWORK = network_id(write_genesis(founding(name="other")))


def sealed(
    kind: Kind,
    payload: object,
    signer: Signer = MEMBERS[0],
    sequence: int = 1,
    at_ms: int = AT_MS,
    network: NetworkId = NETWORK,
) -> bytes:
    """The envelope of a payload."""
    return seal(signer, network, kind, sequence, at_ms, SCHEMAS[kind].pack(payload))


def admitted(raw: bytes) -> Admitted:
    """An envelope of the vectors' network that must be admitted."""
    found = admit(raw, NETWORK)
    assert isinstance(found, Admitted), found
    return found


def bytes_of(value: Any) -> bytes:
    """The encoding of a value that no schema vouches for."""
    return encode(value)


def fields_of(raw: bytes) -> dict[int, Any]:
    """The keys of an envelope and their values."""
    value: Any = decode(raw)
    assert isinstance(value, dict)
    return value


def shown(value: Any) -> Json:
    """A record as JSON: bytes in hexadecimal, choices by name, records by the fields that differ
    from their default (a field that later versions add is not there when it says nothing)."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: shown(getattr(value, field.name))
            for field in fields(value)
            if field.init and getattr(value, field.name) != field.default
        }
    if isinstance(value, tuple | list):
        return [shown(item) for item in value]
    assert value is None or isinstance(value, bool | int | str), type(value)
    return value
