"""Which Reports a leader proposes: by their ids, or for a large roll by a bit and a short mark each.

Refuses to guess: marks that do not add up to the digest that the leader signed name nothing. After the short
transaction ids of BIP 152.
"""

from collections.abc import Mapping, Sequence

from luminous.crypto.digest import digest
from luminous.protocol.identifiers import EnvelopeId
from luminous.protocol.minutes import LEAD_MARKS_MAX, LEAD_REPORTS_MAX, MARK_SIZE_BYTES, Lead, value_of


def mark_of(value: bytes, report: EnvelopeId) -> bytes:
    """A Report's short name in one leader's proposal.

    It depends on the whole set, so nobody can make two Reports with one mark before the set is chosen.
    """
    return digest("lead-mark", value, report, size_bytes=MARK_SIZE_BYTES)


def lead_of(
    epoch: int, iteration: int, parent_iteration: int, parent: bytes, reports: Mapping[EnvelopeId, int]
) -> Lead:
    """The proposal of these Reports, each with its author's number on the roll."""
    ids = tuple(sorted(reports))
    if len(ids) <= LEAD_REPORTS_MAX:
        return Lead(epoch, iteration, parent_iteration, ids)
    assert len(ids) <= LEAD_MARKS_MAX
    value = value_of(epoch, parent, ids)
    order = sorted(ids, key=lambda identifier: reports[identifier])
    bits = bytearray(reports[order[-1]] // 8 + 1)
    for number in reports.values():
        bits[number // 8] |= 0x80 >> number % 8
    marks = b"".join(mark_of(value, identifier) for identifier in order)
    return Lead(epoch, iteration, parent_iteration, (), value, bytes(bits), marks)


def reports_of(
    lead: Lead, parent: bytes, held: Mapping[int, Sequence[EnvelopeId]]
) -> tuple[EnvelopeId, ...] | None:
    """The Reports that ``lead`` names, of those held by member; None: some are not held, or it is none.

    Of Reports named by their ids nothing is asked here.
    """
    if not lead.value:
        return lead.reports
    size, found = MARK_SIZE_BYTES, list[EnvelopeId]()
    for place, number in enumerate(lead.numbers()):
        mark = lead.marks[place * size : (place + 1) * size]
        found += [item for item in held.get(number, ()) if mark_of(lead.value, item) == mark]
    ids = tuple(sorted(found))
    return ids if value_of(lead.epoch, parent, ids) == lead.value else None
