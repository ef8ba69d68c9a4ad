"""From raw records to a derivation: what a reader of the Minutes vectors has to do first.

Refuses a store: everything is in the arguments.
"""

from collections.abc import Iterable

from luminous.protocol.ballots import Cast, cast_of
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import heads_digest
from luminous.protocol.minutes_count import BEGINNING, Book, Minutes, Missing, derive
from luminous.protocol.reasons import Refused
from luminous.protocol.roll import Roll
from luminous.simulations.vectors.scene import Json, shown


def derive_from(
    roll: Roll, envelopes: Iterable[Admitted], reports: Iterable[bytes], decided: Iterable[bytes]
) -> Minutes | Missing | Refused:
    """The first Minutes of a network from its records and the ids of the agreed Reports."""
    held = {item.id: item for item in envelopes}
    casts: dict[ProposalId, dict[EnvelopeId, Cast]] = {}
    for item in held.values():
        if item.kind is Kind.BALLOT:
            casts.setdefault(item.payload.proposal, {})[item.id] = cast_of(item)
    book = Book(
        roll,
        {ProposalId(item.id): item.payload for item in held.values() if item.kind is Kind.PROPOSAL},
        {heads_digest(item.payload): item.payload for item in held.values() if item.kind is Kind.HEADS},
        lambda proposal: casts.get(proposal, {}),
    )
    chosen = {EnvelopeId(name): held[EnvelopeId(name)] for name in reports}
    signed = {name: (item.author, item.payload) for name, item in chosen.items()}
    return derive(book, BEGINNING, {ProposalId(name): None for name in decided}, signed)


def minutes_shown(found: Minutes | Missing | Refused) -> Json:
    """A derivation as JSON: what these Minutes decide, not whom the next ones are decided by."""
    if isinstance(found, Refused):
        return {"refused": found.reason.value}
    if isinstance(found, Missing):
        return {"missing": [item.hex() for item in found.ids]}
    return {name: shown(getattr(found, name)) for name in ("epoch", "parent", "value", "at_ms", "outcomes")}
