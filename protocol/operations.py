"""Operations: what members sign about the roll: leaving, another key, a renewal, proof of a lie, a word for
or against a candidate.

Refuses to admit anybody (votes and sponsors do) and to be believed: a rotation carries the new key's
signature, a vouch that of the candidate, a proof of equivocation carries both signed records. What an
operation does is ``electorate``'s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

from luminous.crypto.digest import digest
from luminous.crypto.keys import (
    PUBLIC_KEY_SIZE_BYTES,
    SIGNATURE_SIZE_BYTES,
    Signer,
    is_public_key,
    is_signed,
)
from luminous.protocol.ballots import Ballot
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import Final, Lead, Report, Vote
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.schema import Schema, blob, choice

# One record of a proof. Stops proofs that do not fit into an envelope; larger records convict nobody.
PROOF_SIZE_BYTES_MAX = 24 * 1024

Slot: TypeAlias = tuple[str, bytes, int, int]
Admit: TypeAlias = Callable[[bytes], Admitted | Refused]


class Verb(IntEnum):
    """What is done; numbered for ever."""

    LEAVE = 1  # the signer leaves the roll; its key never returns
    ROTATE = 2  # the signer's place goes to another key, which has signed too
    REVOKE = 3  # as LEAVE, signed in advance and kept offline, for a lost or stolen key
    EVIDENCE = 4  # two records that no honest member signs both; their author's key is off the roll
    RENEW = 5  # the signer is still there
    VOUCH = 6  # the signer knows the candidate, who has signed too
    OBJECT = 7  # the signer wants a vote before this vouched-for candidate joins


@dataclass(frozen=True, slots=True)
class Operation:
    """The payload of Kind.OPERATION. ``successor``, ``consent``: the key that it is about and that key's
    signature (ROTATE, VOUCH; OBJECT without a signature).

    ``first``, ``second``: bytes of two envelopes (EVIDENCE), in ascending order.
    """

    verb: Verb
    successor: bytes = b""
    consent: bytes = b""
    first: bytes = b""
    second: bytes = b""


def _check(operation: Operation) -> Refused | None:
    is_proof = operation.verb is Verb.EVIDENCE
    has_key = operation.verb in (Verb.ROTATE, Verb.VOUCH, Verb.OBJECT)
    key_size_bytes = PUBLIC_KEY_SIZE_BYTES if has_key else 0
    consent_size_bytes = SIGNATURE_SIZE_BYTES if has_key and operation.verb is not Verb.OBJECT else 0
    if (len(operation.successor), len(operation.consent)) != (key_size_bytes, consent_size_bytes):
        return Refused(
            Reason.MALFORMED, "another key and its signature belong to rotations and sponsors alone"
        )
    if has_key and not is_public_key(operation.successor):
        return Refused(Reason.BAD_KEY, "the other key is not a valid public key")
    if is_proof != bool(operation.first) or is_proof != bool(operation.second):
        return Refused(Reason.MALFORMED, "evidence, and nothing else, has two records")
    if is_proof and operation.first >= operation.second:
        return Refused(Reason.NOT_CANONICAL, "records of evidence are in ascending order")
    return None


OPERATION: Schema[Operation] = Schema(
    Operation,
    (0, "verb", choice(Verb)),
    check=_check,
    extras=(
        (1, "successor", blob(1, PUBLIC_KEY_SIZE_BYTES), b""),
        (2, "consent", blob(1, SIGNATURE_SIZE_BYTES), b""),
        (3, "first", blob(1, PROOF_SIZE_BYTES_MAX), b""),
        (4, "second", blob(1, PROOF_SIZE_BYTES_MAX), b""),
    ),
)


def _consent(network: NetworkId, before: AuthorId, after: bytes) -> bytes:
    return digest("rotate", network, before, after)


def consent_of(signer: Signer, network: NetworkId, before: AuthorId) -> bytes:
    """The new key's signature that it takes the place of ``before``."""
    return signer.sign(_consent(network, before, signer.public))


def is_consented(network: NetworkId, before: AuthorId, operation: Operation) -> bool:
    """Did the new key of a rotation sign, for this network and this place?"""
    return is_signed(operation.successor, _consent(network, before, operation.successor), operation.consent)


def _wish(network: NetworkId, candidate: bytes) -> bytes:
    return digest("candidate", network, candidate)


def wish_of(signer: Signer, network: NetworkId) -> bytes:
    """A candidate's signature that it wants to be on the roll of this network."""
    return signer.sign(_wish(network, signer.public))


def is_wished(network: NetworkId, candidate: bytes, wish: bytes) -> bool:
    """Did the candidate sign that it wants to join?"""
    return is_signed(candidate, _wish(network, candidate), wish)


def slot_of(envelope: Admitted) -> Slot | None:
    """Where an honest member signs at most one thing; None for kinds without such a place.

    A skip and a Final of one iteration share a slot: an honest member signs one of them.
    """
    payload: Any = envelope.payload
    match payload:
        case Ballot():
            return ("ballot", payload.proposal, payload.sequence, 0)
        case Report():
            return ("report", b"", payload.epoch, 0)
        case Lead():
            return ("lead", b"", payload.epoch, payload.iteration)
        case Vote() if payload.value:
            return ("vote", b"", payload.epoch, payload.iteration)
        case Vote() | Final():
            return ("end", b"", payload.epoch, payload.iteration)
    return None


def is_conflict(first: Admitted, second: Admitted) -> bool:
    """Did one author sign two different things where an honest one signs one?"""
    slot = slot_of(first)
    is_one = first.author == second.author and first.network == second.network
    return is_one and slot is not None and slot == slot_of(second) and first.payload != second.payload


def evidence(first: Admitted, second: Admitted) -> Operation | None:
    """The proof of a conflict, or None if its records are too large to be shown."""
    assert is_conflict(first, second)
    low, high = sorted((first.raw, second.raw))
    if max(len(low), len(high)) > PROOF_SIZE_BYTES_MAX:
        return None
    return Operation(Verb.EVIDENCE, first=low, second=high)


def convicted(operation: Operation, admit: Admit) -> AuthorId | Refused:
    """Who is convicted by EVIDENCE; ``admit``: admission of this network. Needs nobody's word."""
    first, second = admit(operation.first), admit(operation.second)
    if isinstance(first, Refused):
        return first
    if isinstance(second, Refused):
        return second
    if not is_conflict(first, second):
        return Refused(Reason.EQUIVOCATION, "the two records do not contradict one another")
    return first.author


def accused_of(envelope: Admitted, admit: Admit) -> AuthorId | None:
    """What a held operation stands on, checked once: whom it concerns, or None if it proves nothing."""
    assert envelope.kind is Kind.OPERATION
    operation: Operation = envelope.payload
    if operation.verb is Verb.EVIDENCE:
        found = convicted(operation, admit)
        return None if isinstance(found, Refused) else found
    if operation.verb is Verb.ROTATE and not is_consented(envelope.network, envelope.author, operation):
        return None
    if operation.verb is Verb.VOUCH and not is_wished(
        envelope.network, operation.successor, operation.consent
    ):
        return None
    if operation.verb in (Verb.VOUCH, Verb.OBJECT):
        return AuthorId(operation.successor)
    return envelope.author
