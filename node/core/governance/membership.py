"""Coming, going and staying: what a member may ask about the roll, and what it signs for the roll's sake.

Refuses to admit anybody by itself: an admission is a proposal like any other, decided by those on the roll.
"""

from dataclasses import dataclass

from luminous.node.core.governance.operations import Operations
from luminous.node.core.governance.witness import Witness
from luminous.node.core.outcomes import Emit, Outcome
from luminous.protocol.electorate import (
    RENEW_AFTER_MS,
    Electorate,
    Signed,
    is_effective,
    objection_refusal,
    vouch_refusal,
)
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.kinds import Kind
from luminous.protocol.operations import Operation, Verb, evidence
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold, Uncertainty
from luminous.protocol.reasons import Reason, Refused

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Words:
    """What an invitation says: shown to those who vote."""

    title: str
    text: str
    closes_at_ms: int


def admission(candidate: bytes, words: Words) -> Proposal:
    """The proposal that admits ``candidate``."""
    return Proposal(
        ProposalKind.MEMBER,
        words.title,
        words.text,
        (),
        Threshold.SUPER,
        words.closes_at_ms,
        Uncertainty(0, ("no software can tell whether a key is a person",)),
        candidate=candidate,
    )


def may_admit(electorate: Electorate, candidate: bytes) -> Refused | None:
    """Why it makes no sense to ask for this admission, if it does not."""
    key = AuthorId(candidate)
    if key in electorate.roll:
        return Refused(Reason.NOTHING_NEW, "this key is on the roll already")
    if key in electorate.dormant:
        return Refused(Reason.NOTHING_NEW, "this member is dormant and returns when its node runs again")
    if key in electorate.gone:
        return Refused(Reason.BAD_KEY, "this key was given up or convicted and never returns; use a new one")
    if not electorate.is_fresh(key):
        return Refused(Reason.NOTHING_NEW, "this key is admitted already and waits for its turn")
    return None


def may_operate(electorate: Electorate, signed: Signed) -> Refused | None:
    """Why an own operation would do nothing, if it would not."""
    if signed.operation.verb is Verb.VOUCH:
        return vouch_refusal(electorate, signed.author, signed.concerns, signed.at_ms)
    if signed.operation.verb is Verb.OBJECT:
        return objection_refusal(electorate, signed.author, signed.concerns)
    if is_effective(electorate, signed, signed.at_ms):
        return None
    if signed.operation.verb is Verb.ROTATE:
        return Refused(Reason.BAD_KEY, "the new key is known here already; use one that is new")
    return Refused(Reason.NO_ROLL, "the last member cannot leave: nobody could decide any more")


def care(
    me: AuthorId, electorate: Electorate, operations: Operations, witness: Witness, wall_ms: int
) -> list[Outcome]:
    """Evidence against each member who contradicted itself, and a renewal of the own membership."""
    found: list[Outcome] = []
    is_member = me in electorate.roll
    if not is_member and me not in electorate.dormant:
        return []
    if is_member:
        accused = operations.accused()
        for author in sorted(witness.conflicts):
            if author == me or author in accused or author not in electorate.roll:
                continue
            proof = evidence(*witness.conflicts[author])
            if proof is not None:
                found.append(Emit(Kind.OPERATION, proof))
    seen_ms, renewed_ms = electorate.seen_ms(me), operations.renewed_ms(me)
    last_ms = max((ms for ms in (seen_ms, renewed_ms) if ms is not None), default=None)
    is_old = last_ms is not None and wall_ms >= last_ms + RENEW_AFTER_MS
    is_asleep = not is_member and (renewed_ms is None or wall_ms >= renewed_ms + _DAY_MS)
    if is_old or is_asleep:
        found.append(Emit(Kind.OPERATION, Operation(Verb.RENEW)))
    return found
