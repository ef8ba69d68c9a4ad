"""What Reports of an epoch mean, from what this node holds.

Refuses to decide which Reports are the Minutes: the agreement does.
"""

from collections.abc import Mapping

from luminous.node.core.governance.epochs import Epochs
from luminous.node.core.governance.frozen import Frozen
from luminous.node.core.governance.operations import Operations
from luminous.node.core.governance.pool import Pool
from luminous.protocol.identifiers import EnvelopeId, ProposalId
from luminous.protocol.minutes_count import Book, Minutes, Missing, decided_by, derive
from luminous.protocol.reasons import Refused


def derive_epoch(
    epochs: Epochs,
    pool: Pool,
    frozen: Frozen,
    operations: Operations,
    number: int,
    reports: tuple[EnvelopeId, ...],
) -> Minutes | Missing | Refused:
    """The Minutes of epoch ``number`` if these Reports are it, or what is missing, or why they are none."""
    held = epochs.at(number).reports
    missing = tuple(identifier for identifier in reports if identifier not in held)
    if missing:
        return Missing(missing)
    book = Book(
        pool.roll,
        {identifier: item.proposal for identifier, item in pool.proposals.items()},
        frozen.heads,
        pool.by_id,
        operations.bodies,
        epochs.chain,
        pool.cooling_ms,
    )
    chosen = {identifier: held[identifier] for identifier in reports}
    return derive(book, epochs.chain[number - 1], _decided_before(epochs, number), chosen)


def _decided_before(epochs: Epochs, number: int) -> Mapping[ProposalId, object]:
    if number == epochs.number:
        return epochs.decided
    earlier: dict[ProposalId, object] = {}
    for minutes in epochs.chain[:number]:
        earlier.update(decided_by(minutes))
    return earlier
