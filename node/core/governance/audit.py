"""An election as a file, and its audit on a machine that never joined.

Refuses to trust the file: the network's id is recomputed from the genesis in it, every signature is checked,
every certificate verified and every outcome derived again. What the file leaves out cannot be missed by
mistake: a Report, Heads record or ballot that an outcome needs and that is not there is an error.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from luminous.node.core.governance.force import Force, fold
from luminous.node.core.governance.minutes import MinutesClosing
from luminous.node.core.governance.operations import Operations
from luminous.node.core.governance.pool import Held, Pool
from luminous.node.core.governance.settled import Settled
from luminous.protocol.admission import admit
from luminous.protocol.certificate import (
    Certificate,
    certify,
    mark_of,
    read_certificate,
    verify_certificate,
    write_certificate,
)
from luminous.protocol.constitution import Standing
from luminous.protocol.constitution_table import table_digest
from luminous.protocol.envelope import Admitted
from luminous.protocol.genesis import network_id, read_genesis
from luminous.protocol.identifiers import EnvelopeId, NetworkId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import Heads, heads_digest
from luminous.protocol.minutes_count import BEGINNING, Book, Minutes, Missing, Signed, decided_by, derive
from luminous.protocol.parameters import VOTING_WINDOW_MS_MIN, defaults
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.roll import Roll
from luminous.protocol.tally import Verdict

MAGIC = b"luminous-election/1\n"
# An election file. Stops files that do not fit in memory.
FILE_SIZE_BYTES_MAX = 256 * 1024 * 1024
_GENESIS, _ENVELOPE, _CERTIFICATE = 0, 1, 2
_KINDS = (Kind.PROPOSAL, Kind.BALLOT, Kind.REPORT, Kind.HEADS, Kind.OPERATION)


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found: the Minutes, the proposals, what is in force, how many signatures were checked."""

    chain: tuple[Minutes, ...]
    proposals: Mapping[ProposalId, Held]
    force: Force
    signatures: int

    def lines(self) -> tuple[str, ...]:
        """The outcomes for a person."""
        found = [f"{self.signatures} signatures verified, {len(self.chain) - 1} Minutes recomputed"]
        for minutes in self.chain[1:]:
            for outcome in minutes.outcomes:
                tally, title = outcome.tally, self.proposals[outcome.proposal].proposal.title
                label = "robust" if tally.is_robust else "fragile"
                counts = f"{tally.yes} yes, {tally.no} no, {tally.abstain} abstain, {tally.void} void"
                found.append(
                    f"{outcome.proposal.hex()[:8]} {title}: {tally.verdict.value}, "
                    f"{counts} of {tally.members}; {label}"
                )
                refusal = self.force.refusals.get(outcome.proposal)
                if tally.verdict is Verdict.PASSED and refusal is not None:
                    found.append(f"    must not be applied: {refusal.detail}")
        return tuple(found)


def export(genesis: bytes, envelopes: Iterable[Admitted], certificates: Iterable[Certificate]) -> bytes:
    """The election file of these records: what outcomes rest on, nothing else."""
    parts = [MAGIC, _frame(_GENESIS, genesis)]
    chosen = {envelope.id: envelope for envelope in envelopes if envelope.kind in _KINDS}
    parts += [_frame(_ENVELOPE, chosen[identifier].raw) for identifier in sorted(chosen)]
    parts += [_frame(_CERTIFICATE, write_certificate(certificate)) for certificate in certificates]
    return b"".join(parts)


def certificates(closing: MinutesClosing) -> tuple[Certificate, ...]:
    """The certificates of a node's final Minutes, from the Votes and Finals that it holds."""
    found: list[Certificate] = []
    for minutes in closing.chain()[1:]:
        epoch = closing.epoch(minutes.epoch)
        assert epoch.simplex.decided is not None
        h = epoch.simplex.decided[0]
        votes: list[bytes] = []
        finals: list[bytes] = []
        for (iteration, is_final, member, value), envelope in epoch.signed.items():
            if iteration == h and (is_final or value == minutes.value):
                (finals if is_final else votes).append(mark_of(envelope, member))
        reports = closing.reports_of(minutes.epoch, minutes.value) or ()
        found.append(certify(minutes.epoch, minutes.parent, h, reports, votes, finals))
    return tuple(found)


def _frame(tag: int, body: bytes) -> bytes:
    return bytes([tag]) + len(body).to_bytes(4, "big") + body


def _frames(data: bytes) -> list[tuple[int, bytes]] | Refused:
    if not data.startswith(MAGIC) or len(data) > FILE_SIZE_BYTES_MAX:
        return Refused(Reason.MALFORMED, "not an election file of this version")
    frames: list[tuple[int, bytes]] = []
    at = len(MAGIC)
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 5], "big")
        body = data[at + 5 : at + 5 + size]
        if len(body) != size or data[at] > _CERTIFICATE:
            return Refused(Reason.MALFORMED, "the file is cut or damaged")
        frames.append((data[at], body))
        at += 5 + size
    return frames


def audit(data: bytes, network: NetworkId | None = None) -> Audit | Refused:
    """Recompute every outcome of an election file; ``network``: the id it must be of, if known."""
    frames = _frames(data)
    if isinstance(frames, Refused):
        return frames
    if [tag for tag, _ in frames].count(_GENESIS) != 1 or frames[0][0] != _GENESIS:
        return Refused(Reason.MALFORMED, "the file must begin with the one genesis")
    genesis = read_genesis(frames[0][1])
    if isinstance(genesis, Refused):
        return genesis
    found = network_id(frames[0][1])
    if network is not None and found != network:
        return Refused(Reason.FOREIGN_NETWORK, f"this is an election of network {found.hex()}")
    if genesis.constitution_hash != table_digest():
        return Refused(Reason.WRONG_VERSION, "another constitution than this version's")
    law = {parameter.key: parameter.value for parameter in genesis.parameters}
    envelopes = [body for tag, body in frames[1:] if tag == _ENVELOPE]
    proofs = [body for tag, body in frames[1:] if tag == _CERTIFICATE]
    standing = Standing({**defaults(), **law}, {}, genesis.fleet)
    return audit_records(Roll(genesis.founders), found, standing, envelopes, proofs)


def audit_records(
    roll: Roll, network: NetworkId, standing: Standing, envelopes: Iterable[bytes], proofs: Iterable[bytes]
) -> Audit | Refused:
    """Check every signature, verify every certificate in turn, derive every outcome again."""
    pool, reports, heads = Pool(roll), dict[EnvelopeId, Signed](), dict[bytes, Heads]()
    operations = Operations()
    signatures, members = 0, frozenset(roll.members)
    for raw in envelopes:
        envelope = admit(raw, network, members)
        if isinstance(envelope, Refused):
            return envelope
        signatures += 1
        if envelope.kind is Kind.PROPOSAL:
            pool.hear_proposal(envelope)
        elif envelope.kind is Kind.BALLOT:
            pool.hear_ballot(envelope)
        elif envelope.kind is Kind.REPORT:
            reports[envelope.id] = (envelope.author, envelope.payload)
        elif envelope.kind is Kind.HEADS:
            heads[heads_digest(envelope.payload)] = envelope.payload
        elif envelope.kind is Kind.OPERATION:
            operations.hear(envelope)
    proposals = {identifier: held.proposal for identifier, held in pool.proposals.items()}
    chain: list[Minutes] = [BEGINNING]
    cooling_ms = standing.values[VOTING_WINDOW_MS_MIN]
    book = Book(roll, proposals, heads, pool.by_id, operations.bodies, chain, cooling_ms)
    decided: dict[ProposalId, object] = {}
    for proof in proofs:
        certificate = read_certificate(proof)
        if isinstance(certificate, Refused):
            return certificate
        deciding = book.electorate(chain[-1]).roll
        refusal = verify_certificate(certificate, network, deciding)
        if refusal is not None:
            return refusal
        signatures += 2 * deciding.quorum
        listed = certificate.report_ids()
        if any(identifier not in reports for identifier in listed):
            return Refused(Reason.NOTHING_NEW, "a Report of the Minutes is not in the file")
        minutes = derive(book, chain[-1], decided, {identifier: reports[identifier] for identifier in listed})
        if isinstance(minutes, Refused):
            return minutes
        if isinstance(minutes, Missing):
            return Refused(Reason.NOTHING_NEW, f"{len(minutes.ids)} records of the count are not in the file")
        if minutes.value != certificate.value:
            return Refused(Reason.MALFORMED, f"the certificate is not of Minutes {minutes.epoch}")
        chain.append(minutes)
        decided.update(decided_by(minutes))
    settled = [
        Settled(outcome.proposal, outcome.tally, minutes.at_ms, minutes.epoch)
        for minutes in chain
        for outcome in minutes.outcomes
    ]
    end_ms = max((minutes.at_ms for minutes in chain), default=0)
    force = fold(standing, settled, pool.proposals, end_ms)
    return Audit(tuple(chain), pool.proposals, force, signatures)
