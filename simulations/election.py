"""A small electorate in one process: real codec, real signatures, real machines; time and delivery by hand.

Refuses to model a network: who hears what, and when, is the caller's. Members' keys come from a seed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from luminous.crypto.digest import digest
from luminous.crypto.keys import Signer, signer_from_seed
from luminous.node.core.governance.machine import Governance
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Emit, Outcome
from luminous.protocol.admission import admit
from luminous.protocol.envelope import Admitted, seal
from luminous.protocol.identifiers import AuthorId, EnvelopeId, NetworkId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.parameters import CLOSING_GRACE_MS, VOTING_WINDOW_MS_MIN
from luminous.protocol.reasons import Refused
from luminous.protocol.roll import Roll

LAW = {CLOSING_GRACE_MS: 1000, VOTING_WINDOW_MS_MIN: 1000}
START_MS = 1_700_000_000_000

Build = Callable[[AuthorId, Roll], Governance]


@cache
def signer_of(number: int) -> Signer:
    """The signer of member ``number``; the same in every run."""
    return signer_from_seed(digest("simulated-member", number.to_bytes(8, "big")))


def roll_of(size: int) -> Roll:
    """A roll of ``size`` simulated members."""
    return Roll(tuple(AuthorId(signer_of(number).public) for number in range(size)))


def instant(wall_ms: int) -> Instant:
    """A moment whose clocks agree."""
    return Instant("simulated", wall_ms, wall_ms)


def sealed(
    number: int, kind: Kind, payload: object, wall_ms: int, sequence: int = 0, network: bytes = b"n" * 16
) -> Admitted:
    """An envelope of member ``number``, through the real codec and admission."""
    raw = seal(signer_of(number), NetworkId(network), kind, sequence, wall_ms, SCHEMAS[kind].pack(payload))
    admitted = admit(raw, NetworkId(network))
    assert not isinstance(admitted, Refused), admitted
    return admitted


@dataclass(slots=True)
class Member:
    """One machine with its key, clock skew, and the envelopes that it holds: what a restart replays."""

    number: int
    governance: Governance
    skew_ms: int = 0
    sequence: int = 0
    held: dict[EnvelopeId, Admitted] = field(default_factory=dict)

    def hear(self, envelope: Admitted, now_ms: int) -> None:
        """Hold and hear an envelope."""
        if envelope.id not in self.held:
            self.held[envelope.id] = envelope
            self.governance.hear(envelope, instant(now_ms + self.skew_ms))

    def perform(self, outcomes: Iterable[Outcome], now_ms: int) -> list[Admitted]:
        """Sign, append (hear) and return what the machine wants sent, in its order."""
        sent: list[Admitted] = []
        for outcome in outcomes:
            if isinstance(outcome, Emit):
                self.sequence += 1
                stamp = now_ms + self.skew_ms
                envelope = sealed(self.number, outcome.kind, outcome.payload, stamp, self.sequence)
                self.hear(envelope, now_ms)
                sent.append(envelope)
        return sent

    def tick(self, now_ms: int, *, synced: bool = True) -> list[Admitted]:
        """Let time pass; what is sent because of it."""
        return self.perform(self.governance.tick(instant(now_ms + self.skew_ms), synced=synced), now_ms)


class Election:
    """A roll of members. ``build`` makes a member's machine; commands assert that they were not refused."""

    def __init__(self, size: int, build: Build | None = None) -> None:
        self.roll = roll_of(size)
        self._build: Build = build or (lambda me, roll: Governance(me, roll, LAW))
        self.members = [
            Member(number, self._build(author, self.roll)) for number, author in enumerate(self.roll.members)
        ]

    def restart(self, number: int, order: Callable[[list[Admitted]], list[Admitted]] = list) -> None:
        """Rebuild a member's machine from what it held, heard in any order."""
        member = self.members[number]
        member.governance = self._build(AuthorId(signer_of(member.number).public), self.roll)
        for envelope in order(list(member.held.values())):
            member.governance.hear(envelope, instant(START_MS))

    def do(self, number: int, outcomes: tuple[Outcome, ...] | Refused, now_ms: int) -> list[Admitted]:
        """Perform a command's outcomes at a member; what is sent."""
        assert not isinstance(outcomes, Refused), outcomes
        return self.members[number].perform(outcomes, now_ms)

    def spread(self, envelopes: Iterable[Admitted], now_ms: int, to: Iterable[int] | None = None) -> None:
        """Deliver to all members, or to some."""
        numbers = range(len(self.members)) if to is None else to
        for number in numbers:
            for envelope in envelopes:
                self.members[number].hear(envelope, now_ms)

    def settle(
        self, now_ms: int, among: Iterable[int] | None = None, step_ms: int = 500, rounds: int = 60
    ) -> int:
        """Tick and deliver among members until nothing is sent and all are final; the time then."""
        numbers = list(range(len(self.members)) if among is None else among)
        for _ in range(rounds):
            sent = [envelope for number in numbers for envelope in self.members[number].tick(now_ms)]
            self.spread(sent, now_ms, numbers)
            if not sent and all(
                decision.is_final or decision.refusal is not None
                for number in numbers
                for decision in self.members[number].governance.proposals()
            ):
                break
            now_ms += step_ms
        return now_ms

    def outcomes(self, proposal: ProposalId, among: Iterable[int] | None = None) -> list[object]:
        """Each member's final tally of a proposal, or None."""
        numbers = range(len(self.members)) if among is None else among
        found: list[object] = []
        for number in numbers:
            decision = self.members[number].governance.decision(proposal)
            is_final = not isinstance(decision, Refused) and decision.is_final
            found.append(decision.tally if is_final and not isinstance(decision, Refused) else None)
        return found
