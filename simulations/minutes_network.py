"""Elections over a bad network: real codec, signatures and machines; delays, partitions, skew and liars.

Refuses to trust its liars to follow anything: each runs as two machines with one key that talk to different
halves (so it votes, reports and leads twice), votes for, skips and finalises everything it hears of, and
signs back-dated ballots after the close. Time is virtual; a run is a pure function of its arguments.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from luminous.node.core.governance.machine import Governance
from luminous.node.core.governance.minutes import MinutesClosing
from luminous.protocol.ballots import Ballot, Choice, cast_of
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.minutes import Final, Lead, Vote, value_of
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.protocol.reasons import Refused
from luminous.protocol.roll import Roll
from luminous.protocol.tally import Tally, count
from luminous.simulations.election import LAW, START_MS, Member, roll_of, sealed

CLOSES_MS = START_MS + 20_000
HEALS_MS = CLOSES_MS + 40_000
_ENDS_MS = HEALS_MS + 600_000
_PACE_MS = 3_000

Build = Callable[[AuthorId, Roll], Governance]


def _honest(me: AuthorId, roll: Roll) -> Governance:
    return Governance(me, roll, LAW, pace_ms=_PACE_MS)


class _Shameless(MinutesClosing):
    """A liar's machine: goes on although its key signs elsewhere."""

    def is_double(self) -> bool:
        """Looks away."""
        return False


class _Liar(Governance):
    """Goes on although its evidence is everywhere."""

    @property
    def is_halted(self) -> bool:
        """Looks away."""
        return False


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run. ``naive_split``: counting at the own deadline gave members different verdicts."""

    is_split: bool
    is_stuck: bool
    naive_split: bool
    lost: int
    forged: int
    iterations: int
    deliveries: int


@dataclass(slots=True)
class _World:
    chance: random.Random
    bodies: list[Member]
    halves: list[int]
    honest: int
    queue: list[tuple[int, int, int, Admitted | None]] = field(default_factory=list)
    tie: int = 0
    deliveries: int = 0

    def push(self, at_ms: int, body: int, envelope: Admitted | None) -> None:
        self.tie += 1
        heappush(self.queue, (at_ms, self.tie, body, envelope))


def run(n: int, f: int, seed: int, build: Build = _honest) -> Run:
    """One near-tied election of ``n`` members, the last ``f`` liars, until all honest ones are final."""
    chance = random.Random(seed * 7919 + n * 31 + f)
    roll = roll_of(n)
    honest = n - f
    bodies = [Member(number, build(roll.members[number], roll)) for number in range(honest)]
    for number in range(honest, n):
        for _ in range(2):
            member = roll.members[number]
            bodies.append(Member(number, _Liar(member, roll, LAW, pace_ms=_PACE_MS, build=_Shameless)))
    for body in bodies:
        body.skew_ms = chance.randint(-1500, 1500)
    halves = [chance.randint(0, 1) if index < honest else index % 2 for index in range(len(bodies))]
    world = _World(chance, bodies, halves, honest)
    asked = Proposal(ProposalKind.TEXT, "near tie", "", (), Threshold.SIMPLE, CLOSES_MS)
    opening = sealed(0, Kind.PROPOSAL, asked, START_MS)
    for index in range(len(bodies)):
        world.push(START_MS + chance.randint(0, 3000), index, opening)
        world.push(CLOSES_MS, index, None)
    proposal = ProposalId(opening.id)
    forged = _vote(world, proposal, honest)
    naive, at_freeze = _loop(world, proposal, asked, roll, honest)
    return _judge(world, proposal, roll, honest, naive, at_freeze, forged)


def _vote(world: _World, proposal: ProposalId, honest: int) -> dict[EnvelopeId, None]:
    """Honest ballots, a fifth at the last moment; liars equivocate, and forge late ones. Returns the late."""
    chance = world.chance
    for number in range(honest):
        at_ms = CLOSES_MS - (chance.randint(0, 600) if chance.random() < 0.3 else chance.randint(700, 15_000))
        ballot = Ballot(proposal, Choice.YES if chance.random() < 0.5 else Choice.NO, 0, b"")
        _broadcast(world, sealed(number, Kind.BALLOT, ballot, at_ms - 5), number, at_ms)
    late: dict[EnvelopeId, None] = {}
    for index in range(honest, len(world.bodies)):
        number = world.bodies[index].number
        choice = Choice.YES if index % 2 else Choice.NO
        mode = chance.random()
        if mode < 0.5:
            at_ms = CLOSES_MS + chance.randint(-500, 2500)
        else:
            at_ms = CLOSES_MS + 30_000
        envelope = sealed(number, Kind.BALLOT, Ballot(proposal, choice, 0, b""), CLOSES_MS - 10)
        if mode >= 0.5:
            late[envelope.id] = None
            for other in range(honest, len(world.bodies)):
                world.push(CLOSES_MS - 1, other, envelope)
        _broadcast(world, envelope, index, at_ms)
    return late


def _broadcast(world: _World, envelope: Admitted, origin: int, now_ms: int) -> None:
    """To all, each at its own delay; across the partition only when it heals. Liars keep to one half."""
    is_liar = origin >= world.honest
    for index in range(len(world.bodies)):
        if index != origin and not (is_liar and world.halves[index] != world.halves[origin]):
            _send(world, envelope, origin, index, now_ms)


def _send(world: _World, envelope: Admitted, origin: int, index: int, now_ms: int) -> None:
    delay = world.chance.randint(10, 900)
    is_apart = world.halves[origin] != world.halves[index] and now_ms < HEALS_MS
    if is_apart and now_ms > CLOSES_MS - 2000:
        delay += HEALS_MS - now_ms
    world.push(now_ms + delay, index, envelope)


def _loop(
    world: _World, proposal: ProposalId, asked: Proposal, roll: Roll, honest: int
) -> tuple[dict[int, Tally], dict[int, dict[EnvelopeId, None]]]:
    naive: dict[int, Tally] = {}
    at_freeze: dict[int, dict[EnvelopeId, None]] = {}
    while world.queue:
        now_ms, _, index, envelope = heappop(world.queue)
        if now_ms > _ENDS_MS:
            break
        body = world.bodies[index]
        if envelope is not None:
            world.deliveries += 1
            if envelope.id in body.held:
                continue
            body.hear(envelope, now_ms)
            if index < honest and envelope.author != roll.members[index]:
                _relay(world, envelope, index, now_ms, honest)
            elif index >= honest:
                _lie(world, envelope, index, now_ms)
        own_ms = now_ms + body.skew_ms
        if index < honest and index not in naive and own_ms >= CLOSES_MS + 1000:
            ballots = [held for held in body.held.values() if held.kind is Kind.BALLOT]
            naive[index] = count(asked, roll, [cast_of(ballot) for ballot in ballots])
            at_freeze[index] = {ballot.id: None for ballot in ballots}
        _act(world, index, now_ms)
        if all(_final(world.bodies[number].governance, proposal) is not None for number in range(honest)):
            break
    return naive, at_freeze


def _relay(world: _World, envelope: Admitted, index: int, now_ms: int, honest: int) -> None:
    """What one honest member holds, the others get: liars cannot keep a record from half of them for ever."""
    for other in range(honest):
        if other != index and envelope.id not in world.bodies[other].held:
            _send(world, envelope, index, other, now_ms)


def _lie(world: _World, envelope: Admitted, index: int, now_ms: int) -> None:
    """Vote for, skip and finalise whatever is led, towards one's half."""
    if envelope.kind is not Kind.LEAD or not isinstance(envelope.payload, Lead):
        return
    lead = envelope.payload
    body = world.bodies[index]
    closing = body.governance._closing
    assert isinstance(closing, MinutesClosing)
    chain = closing.chain()
    if lead.epoch > len(chain):
        return
    value = value_of(lead.epoch, chain[lead.epoch - 1].value, lead.reports)
    for kind, payload in (
        (Kind.VOTE, Vote(lead.epoch, lead.iteration, value)),
        (Kind.VOTE, Vote(lead.epoch, lead.iteration, b"")),
        (Kind.FINAL, Final(lead.epoch, lead.iteration)),
    ):
        body.sequence += 1
        act = sealed(body.number, kind, payload, now_ms, body.sequence)
        for other in range(len(world.bodies)):
            _send(world, act, index, other, now_ms)


def _act(world: _World, index: int, now_ms: int) -> None:
    body = world.bodies[index]
    for _ in range(20):
        for envelope in body.tick(now_ms):
            _broadcast(world, envelope, index, now_ms)
        deadline = body.governance.deadline()
        if deadline is None or deadline > now_ms + body.skew_ms:
            break
    if deadline is not None:
        world.push(max(now_ms + 1, deadline - body.skew_ms), index, None)


def _final(governance: Governance, proposal: ProposalId) -> Tally | None:
    decision = governance.decision(proposal)
    return None if isinstance(decision, Refused) or not decision.is_final else decision.tally


def _judge(
    world: _World,
    proposal: ProposalId,
    roll: Roll,
    honest: int,
    naive: dict[int, Tally],
    at_freeze: dict[int, dict[EnvelopeId, None]],
    late: dict[EnvelopeId, None],
) -> Run:
    finals = [_final(world.bodies[number].governance, proposal) for number in range(honest)]
    reached = [tally for tally in finals if tally is not None]
    chains = []
    for number in range(honest):
        closing = world.bodies[number].governance._closing
        assert isinstance(closing, MinutesClosing)
        chains.append([minutes for minutes in closing.chain() if minutes.outcomes])
    longest = max(chains, key=len)
    counted = {ballot for minutes in longest for outcome in minutes.outcomes for ballot in outcome.counted}
    void = {tally.void for tally in reached}
    everywhere = [
        ballot
        for ballot in at_freeze.get(0, {})
        if all(ballot in at_freeze.get(number, {}) for number in range(honest))
    ]
    own = {roll.members[number] for number in range(honest)}
    held = world.bodies[0].held
    lost = sum(held[ballot].author in own and ballot not in counted for ballot in everywhere)
    iterations = 0
    for body in world.bodies[:honest]:
        for envelope in body.held.values():
            if envelope.kind is Kind.LEAD:
                iterations = max(iterations, envelope.payload.iteration)
    return Run(
        is_split=len({repr(tally) for tally in reached}) > 1 or len(void) > 1,
        is_stuck=len(reached) < honest,
        naive_split=len({tally.verdict for tally in naive.values()}) > 1,
        lost=lost if reached else 0,
        forged=sum(ballot in counted for ballot in late),
        iterations=iterations,
        deliveries=world.deliveries,
    )


def main() -> None:
    """The long run: ``python -m luminous.simulations.minutes_network RUNS [SEED]``; n = 4, 7, 10."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    for n, f, share in ((4, 1, 90), (7, 2, 8), (10, 3, 2)):
        results = [run(n, f, first + number) for number in range(runs * share // 100)]
        print(
            f"n={n} f={f}: {len(results)} runs, {sum(one.is_split for one in results)} split, "
            f"{sum(one.is_stuck for one in results)} stuck, {sum(one.naive_split for one in results)} naive "
            f"splits, {sum(one.lost for one in results)} lost, {sum(one.forged for one in results)} forged, "
            f"at most {max((one.iterations for one in results), default=0)} iterations",
            flush=True,
        )


if __name__ == "__main__":
    main()
