"""A large synthetic election, audited: what it costs one core to check every signature and count again.

Refuses to skip anything for speed: every ballot, Report, Vote and Final has a real signature that is checked.
The roll is larger than a genesis may found; it stands for one that grew.
"""

import gc
import json
import sys
import time
from dataclasses import dataclass

from luminous.node.core.governance.audit import Audit, audit_records
from luminous.protocol.ballots import Ballot, Choice, cast_of, chains_of
from luminous.protocol.certificate import Certificate, certify, mark_of, write_certificate
from luminous.protocol.constitution import Standing
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import NetworkId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import NO_PARENT, Entry, Final, Report, Vote, freeze, heads_digest, value_of
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.protocol.roll import Roll
from luminous.simulations.election import START_MS, roll_of, sealed

CLOSES_MS = START_MS + 100_000
NETWORK = NetworkId(b"n" * 16)


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A finished election: everything that its audit reads."""

    roll: Roll
    envelopes: tuple[bytes, ...]
    certificate: Certificate

    @property
    def size_bytes(self) -> int:
        """All records together."""
        return sum(map(len, self.envelopes)) + len(write_certificate(self.certificate))


def answer_of(number: int) -> Choice:
    """Two of three members say yes."""
    return Choice.NO if number % 3 == 0 else Choice.YES


def synthetic(voters: int) -> Synthetic:
    """``voters`` members, each with a ballot; a quorum reports and finalises."""
    roll = roll_of(voters)
    asked = Proposal(ProposalKind.TEXT, "a large vote", "", (), Threshold.SUPER, CLOSES_MS)
    opening = sealed(0, Kind.PROPOSAL, asked, START_MS)
    proposal = ProposalId(opening.id)
    ballots = [
        sealed(
            number,
            Kind.BALLOT,
            Ballot(proposal, Choice.NO if number % 3 == 0 else Choice.YES, 0, b""),
            START_MS,
        )
        for number in range(voters)
    ]
    blocks = freeze(roll, chains_of(map(cast_of, ballots)))
    heads = [sealed(0, Kind.HEADS, block, CLOSES_MS) for block in blocks]
    names = tuple(map(heads_digest, blocks))
    signers = range(roll.quorum)
    report = Report(1, NO_PARENT, CLOSES_MS + 1, (Entry(proposal, names),))
    reports = [sealed(number, Kind.REPORT, report, CLOSES_MS) for number in signers]
    identifiers = sorted(envelope.id for envelope in reports)
    vote = Vote(1, 1, value_of(1, NO_PARENT, identifiers))
    votes = [mark_of(sealed(number, Kind.VOTE, vote, CLOSES_MS), number) for number in signers]
    finals = [mark_of(sealed(number, Kind.FINAL, Final(1, 1), CLOSES_MS), number) for number in signers]
    records: list[Admitted] = [opening, *ballots, *heads, *reports]
    certificate = certify(1, NO_PARENT, 1, identifiers, votes, finals)
    return Synthetic(roll, tuple(envelope.raw for envelope in records), certificate)


def measure(voters: int) -> tuple[float, Audit, int]:
    """CPU seconds of one audit, what it found, and the bytes that it read."""
    election = synthetic(voters)
    proofs = [write_certificate(election.certificate)]
    gc.disable()  # as ``verify --file`` does
    started = time.process_time()
    found = audit_records(election.roll, NETWORK, Standing(), election.envelopes, proofs)
    seconds = time.process_time() - started
    gc.enable()
    assert isinstance(found, Audit), found
    return seconds, found, election.size_bytes


def main() -> None:
    """``python -m luminous.simulations.audit_bench [VOTERS ...]``: one JSON line for each."""
    for voters in [int(argument) for argument in sys.argv[1:]] or [50, 1000, 10_000]:
        seconds, found, size_bytes = measure(voters)
        row = {
            "voters": voters,
            "cpu_s": round(seconds, 3),
            "signatures": found.signatures,
            "bytes": size_bytes,
            "goal_s": 2.0 if voters == 10_000 else None,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
