"""What one epoch of Minutes costs one member: bytes heard, signatures checked and CPU, for any roll.

Refuses to count what a network adds (framing, duplicates of gossip): one member is real and hears each of the
others' records once, from the first ballot to the final outcome.
"""

import json
import sys
import time
from dataclasses import dataclass

from luminous.node.core.governance.machine import Governance
from luminous.protocol.admission import admit
from luminous.protocol.ballots import Ballot, Choice
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import NetworkId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.leads import lead_of
from luminous.protocol.minutes import NO_PARENT, Final, Report, Vote, value_of
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.protocol.reasons import Refused
from luminous.protocol.simplex import leader_of
from luminous.simulations.election import LAW, START_MS, Member, roll_of, sealed

CLOSES_MS = START_MS + 100_000
_NETWORK = NetworkId(b"n" * 16)


@dataclass(slots=True)
class Cost:
    """What one member spent."""

    cpu_s: float = 0.0
    records: int = 0
    size_bytes: int = 0


def measure(members: int) -> Cost:
    """One proposal on which all vote, closed by all; the member with number 0 is real."""
    roll = roll_of(members)
    one, cost = Member(0, Governance(roll.members[0], roll, LAW)), Cost()
    others = range(1, members)
    asked = Proposal(ProposalKind.TEXT, "what does it cost", "", (), Threshold.SIMPLE, CLOSES_MS)
    opening = sealed(1, Kind.PROPOSAL, asked, START_MS)
    proposal = ProposalId(opening.id)
    ballots = [
        sealed(number, Kind.BALLOT, Ballot(proposal, Choice(number % 2), 0, b""), START_MS)
        for number in range(members)
    ]
    _hear(one, [opening, *ballots], CLOSES_MS, cost)
    own = _tick(one, CLOSES_MS + 1_100, cost)
    report = next(item.payload for item in own if item.kind is Kind.REPORT)
    assert isinstance(report, Report)
    reports = [item for item in own if item.kind is Kind.REPORT]
    reports += [sealed(number, Kind.REPORT, report, CLOSES_MS) for number in others]
    numbers = {item.id: roll.index_of(item.author) or 0 for item in reports}
    names = tuple(sorted(numbers))
    leader = leader_of(NO_PARENT, 1, members)
    assert leader, "the real member must not lead: its own Lead would come too early"
    lead = sealed(leader, Kind.LEAD, lead_of(1, 1, 0, NO_PARENT, numbers), CLOSES_MS)
    _hear(one, [*reports[1:], lead], CLOSES_MS + 1_200, cost)
    _tick(one, CLOSES_MS + 1_200, cost)
    vote = Vote(1, 1, value_of(1, NO_PARENT, names))
    _hear(one, [sealed(number, Kind.VOTE, vote, CLOSES_MS) for number in others], CLOSES_MS + 1_300, cost)
    _tick(one, CLOSES_MS + 1_300, cost)
    finals = [sealed(number, Kind.FINAL, Final(1, 1), CLOSES_MS) for number in others]
    _hear(one, finals, CLOSES_MS + 1_400, cost)
    _tick(one, CLOSES_MS + 1_400, cost)
    decision = one.governance.decision(proposal)
    assert not isinstance(decision, Refused) and decision.is_final, decision
    assert decision.tally.turnout == members
    return cost


def _hear(one: Member, envelopes: list[Admitted], now_ms: int, cost: Cost) -> None:
    raws = [envelope.raw for envelope in envelopes]
    started = time.process_time()
    for raw in raws:
        envelope = admit(raw, _NETWORK)
        assert not isinstance(envelope, Refused)
        one.hear(envelope, now_ms)
    cost.cpu_s += time.process_time() - started
    cost.records += len(raws)
    cost.size_bytes += sum(map(len, raws))


def _tick(one: Member, now_ms: int, cost: Cost) -> list[Admitted]:
    started = time.process_time()
    sent = one.tick(now_ms)
    cost.cpu_s += time.process_time() - started
    return sent


def main() -> None:
    """``python -m luminous.simulations.closing_cost [MEMBERS ...]``: one JSON line for each."""
    for members in [int(word) for word in sys.argv[1:]] or [50, 1000, 10_000]:
        cost = measure(members)
        row = {
            "members": members,
            "records": cost.records,
            "bytes": cost.size_bytes,
            "cpu_s": round(cost.cpu_s, 3),
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
