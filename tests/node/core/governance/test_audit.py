"""An exported election audits anywhere, and no changed byte of it does."""

import dataclasses
import random
from pathlib import Path

import pytest

from luminous.crypto.digest import digest
from luminous.node.core.governance.audit import MAGIC, Audit, audit
from luminous.node.core.governance.machine import Governance
from luminous.node.shell import verify_file
from luminous.protocol.admission import admit
from luminous.protocol.ballots import Ballot, Choice
from luminous.protocol.certificate import Certificate, certify, read_certificate, verify_certificate
from luminous.protocol.constitution_table import table_digest
from luminous.protocol.envelope import Admitted, seal
from luminous.protocol.genesis import Genesis, Parameter, network_id, write_genesis
from luminous.protocol.identifiers import AuthorId, NetworkId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.protocol.reasons import Refused
from luminous.protocol.roll import Roll
from luminous.simulations import election as simulated
from luminous.simulations.audit_bench import NETWORK, measure, synthetic
from luminous.simulations.election import LAW, START_MS, Election

CLOSES_MS = START_MS + 10_000


@pytest.fixture(scope="module")
def exported() -> bytes:
    """A finished election of four founders, as the file that one of them exports."""
    founders = tuple(sorted(AuthorId(simulated.signer_of(number).public) for number in range(4)))
    numbers = {AuthorId(simulated.signer_of(number).public): number for number in range(4)}
    genesis = write_genesis(
        Genesis(
            "audited",
            founders,
            False,
            False,
            tuple(Parameter(key, LAW[key]) for key in sorted(LAW)),
            table_digest(),
            digest("vocabulary"),
            START_MS,
            b"s" * 16,
        )
    )
    network = network_id(genesis)

    def sealed(number: int, kind: Kind, payload: object, wall_ms: int, sequence: int = 0) -> Admitted:
        packed = SCHEMAS[kind].pack(payload)
        raw = seal(simulated.signer_of(number), network, kind, sequence, wall_ms, packed)
        admitted = admit(raw, network)
        assert not isinstance(admitted, Refused)
        return admitted

    patch = pytest.MonkeyPatch()
    patch.setattr(simulated, "sealed", sealed)
    try:
        election = Election(4, lambda me, roll: Governance(me, Roll(founders), LAW))
        assert set(numbers) == set(founders)
        asked = Proposal(ProposalKind.TEXT, "audit me", "", (), Threshold.SIMPLE, CLOSES_MS)
        opening = sealed(0, Kind.PROPOSAL, asked, START_MS)
        proposal = ProposalId(opening.id)
        answers = (Choice.YES, Choice.YES, Choice.NO, Choice.YES)
        ballots = [
            sealed(number, Kind.BALLOT, Ballot(proposal, answer, 0, b""), START_MS)
            for number, answer in enumerate(answers)
        ]
        election.spread([opening, *ballots], START_MS)
        election.settle(CLOSES_MS + 2000)
        member = election.members[2]
        return member.governance.export(genesis, member.held.values())
    finally:
        patch.undo()


def test_an_exported_election_audits_on_a_machine_that_never_joined(exported: bytes) -> None:
    found = audit(exported)
    assert isinstance(found, Audit), found
    (outcome,) = found.chain[1].outcomes
    assert (outcome.tally.yes, outcome.tally.no) == (3, 1)
    assert any("audit me: passed, 3 yes, 1 no" in line for line in found.lines())
    assert isinstance(audit(exported, NetworkId(b"x" * 16)), Refused)


def test_no_changed_byte_and_no_missing_record_audits(exported: bytes) -> None:
    chance = random.Random(7)
    for _ in range(300):
        at = chance.randrange(len(MAGIC), len(exported))
        changed = bytearray(exported)
        changed[at] ^= 1 << chance.randrange(8)
        found = audit(bytes(changed))
        assert isinstance(found, Refused), at
    for cut in (len(exported) - 1, len(exported) // 2, 3):
        assert isinstance(audit(exported[:cut]), Refused)


def test_verify_file_says_what_it_found(
    exported: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "election"
    file.write_bytes(exported)
    assert verify_file.run(file) == 0
    assert "3 yes, 1 no" in capsys.readouterr().out
    file.write_bytes(exported[:-1])
    assert verify_file.run(file) == 1
    assert "does not hold" in capsys.readouterr().err
    assert verify_file.run(tmp_path / "nowhere") == 2


def test_a_certificate_needs_a_quorum_of_different_members() -> None:
    election = synthetic(7)
    good = election.certificate
    assert verify_certificate(good, NETWORK, election.roll) is None
    mark = 82
    for changed in (
        dataclasses.replace(good, votes=good.votes[mark:]),
        dataclasses.replace(good, finals=good.finals[mark:]),
        dataclasses.replace(good, votes=good.votes[mark:] + good.votes[-mark:]),
        dataclasses.replace(good, votes=good.finals, finals=good.votes),
        dataclasses.replace(good, iteration=2),
        dataclasses.replace(good, epoch=2),
        dataclasses.replace(good, reports=good.reports[32:]),
        dataclasses.replace(good, votes=good.votes[:-1]),
    ):
        assert isinstance(verify_certificate(changed, NETWORK, election.roll), Refused)
    assert isinstance(verify_certificate(good, NetworkId(b"m" * 16), election.roll), Refused)
    assert isinstance(read_certificate(b"\x00"), Refused)
    assert isinstance(certify(1, good.parent, 1, good.report_ids(), [], []), Certificate)


def test_a_synthetic_election_audits_to_its_count() -> None:
    _, found, _ = measure(100)
    tally = found.chain[1].outcomes[0].tally
    assert (tally.yes, tally.no, tally.members, found.signatures) == (66, 34, 100, 1 + 100 + 1 + 67 + 134)
