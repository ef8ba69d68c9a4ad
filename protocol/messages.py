"""Which schema each kind of envelope has: the closed vocabulary of the wire.

Refuses kinds that are not listed: what is not here cannot be expressed.
"""

from typing import Any

from luminous.protocol.ballots import BALLOT
from luminous.protocol.bindings import BINDING
from luminous.protocol.closing import CLOSE
from luminous.protocol.deltas import DELTA
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import FINAL, HEADS, LEAD, REPORT, VOTE
from luminous.protocol.operations import OPERATION
from luminous.protocol.proposals import PROPOSAL
from luminous.protocol.schema import Schema

SCHEMAS: dict[int, Schema[Any]] = {
    Kind.PROPOSAL: PROPOSAL,
    Kind.BALLOT: BALLOT,
    Kind.CLOSE: CLOSE,
    Kind.REPORT: REPORT,
    Kind.HEADS: HEADS,
    Kind.LEAD: LEAD,
    Kind.VOTE: VOTE,
    Kind.FINAL: FINAL,
    Kind.OPERATION: OPERATION,
    Kind.DELTA: DELTA,
    Kind.BINDING: BINDING,
}
