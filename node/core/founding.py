"""Founding a network: the genesis record and the membership it makes.

Refuses to choose: name, founders, salt and time come from the caller.
"""

from collections.abc import Iterable, Mapping

from luminous.crypto.digest import digest
from luminous.node.core.config import Membership
from luminous.protocol.constitution_table import table_digest
from luminous.protocol.genesis import Genesis, Parameter, network_id, read_genesis, write_genesis
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.layout import FIXES_1
from luminous.protocol.reasons import Reason, Refused


def vocabulary_digest() -> bytes:
    """The 32-byte digest of every public vocabulary that deltas may speak."""
    return digest("vocabulary", FIXES_1.id)


def found(
    name: str,
    founders: Iterable[bytes],
    *,
    is_fleet: bool,
    is_open: bool,
    parameters: Mapping[str, int],
    created_at_ms: int,
    salt: bytes,
) -> bytes:
    """The genesis bytes of a new network. ``parameters``: only those that differ from the defaults."""
    return write_genesis(
        Genesis(
            name=name,
            founders=tuple(sorted({AuthorId(founder) for founder in founders})),
            fleet=is_fleet,
            open_contribution=is_open,
            parameters=tuple(Parameter(key, parameters[key]) for key in sorted(parameters)),
            constitution_hash=table_digest(),
            vocabulary_hash=vocabulary_digest(),
            created_at_ms=created_at_ms,
            salt=salt,
        )
    )


def join(raw: bytes) -> Membership | Refused:
    """The membership of genesis bytes; refused when its rules or vocabularies are not this version's."""
    genesis = read_genesis(raw)
    if isinstance(genesis, Refused):
        return genesis
    if genesis.constitution_hash != table_digest():
        return Refused(
            Reason.WRONG_VERSION,
            "the network has another constitution; another version of luminous-node speaks it",
        )
    if genesis.vocabulary_hash != vocabulary_digest():
        return Refused(
            Reason.WRONG_VERSION,
            "the network has other vocabularies; another version of luminous-node speaks it",
        )
    return Membership(network_id(raw), genesis)
