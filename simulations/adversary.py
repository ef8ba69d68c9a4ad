"""Hostile machines: what they send, and to whom.

Refuses to break the world's rules: an adversary has its own key, its links, what it heard, and nothing else.
An attack is a function of the stage, its place and the chance; it strikes every few seconds.
"""

import random
from collections.abc import Callable
from typing import TypeAlias

from luminous.node.core.governance.minutes import MinutesClosing
from luminous.protocol.ballots import Ballot, Choice
from luminous.protocol.bindings import Binding
from luminous.protocol.deltas import Delta, Level, compute_window
from luminous.protocol.envelope import Admitted, seal
from luminous.protocol.identifiers import ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ENVELOPE_SIZE_BYTES_MAX
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.minutes import Final, Lead, Vote, value_of
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, Uncertainty
from luminous.simulations.place import Place
from luminous.simulations.world import World

Attack: TypeAlias = Callable[[World, Place, random.Random], None]

# Own sequence numbers of attacks start here, far from what the node beneath uses.
_SEQUENCE_FIRST = 1 << 40
DELTA_STUFFED = 1_000_000


def sign(
    world: World,
    place: Place,
    kind: Kind,
    payload: object,
    issued_at_ms: int | None = None,
    sequence: int | None = None,
) -> bytes:
    """An envelope with the adversary's own, valid signature around any payload."""
    wall_ms = world.instant(place).wall_ms if issued_at_ms is None else issued_at_ms
    if sequence is None:
        sequence = _SEQUENCE_FIRST + len(place.published) + world.now_ms * 1_000
    body = SCHEMAS[kind].pack(payload)
    return seal(place.config.signer, place.network, kind, sequence, wall_ms, body)


def say(world: World, place: Place, raw: bytes) -> None:
    """Gossip bytes to all neighbours, whatever they are."""
    world.mark(b"attack", place.index, raw)
    for peer in world.network.neighbours[place.index]:
        world.send(place, peer, raw)


def held(place: Place, kind: Kind) -> list[Admitted]:
    """What the machine holds of a kind."""
    return [item for item in place.node.records.envelopes() if item.kind is kind]


def replay(world: World, place: Place, chance: random.Random) -> None:
    """Send old envelopes again, also with one bit changed."""
    known = place.node.records.envelopes()
    for item in chance.sample(known, min(8, len(known))):
        say(world, place, item.raw)
        at = chance.randrange(len(item.raw))
        say(world, place, item.raw[:at] + bytes([item.raw[at] ^ 1]) + item.raw[at + 1 :])


def equivocate(world: World, place: Place, chance: random.Random) -> None:
    """Beside living twice (``roles``): two first ballots, each to half of the neighbours; vote for, skip and
    finalise everything that was led."""
    for item in held(place, Kind.PROPOSAL)[-2:]:
        # Where a partition parts the twins, each keeps to its own story; else one tells both.
        if not world.scenario.partition and item.payload.closes_at_ms > world.instant(place).wall_ms:
            neighbours = world.network.neighbours[place.index]
            for half, choice in enumerate((Choice.YES, Choice.NO)):
                ballot = Ballot(ProposalId(item.id), choice, 0, b"")
                # One date and one number: each choice is one envelope however often it is sent.
                raw = sign(world, place, Kind.BALLOT, ballot, item.issued_at_ms + 1, sequence=half + 1)
                for peer in neighbours[half::2]:
                    world.send(place, peer, raw)
    governance = place.node.machines.governance
    assert governance is not None
    closing = governance._closing
    assert isinstance(closing, MinutesClosing)
    for item in held(place, Kind.LEAD)[-4:]:
        lead: Lead = item.payload
        if lead.epoch > len(closing.chain()):
            continue
        value = value_of(lead.epoch, closing.chain()[lead.epoch - 1].value, lead.reports)
        for kind, act in (
            (Kind.VOTE, Vote(lead.epoch, lead.iteration, value)),
            (Kind.VOTE, Vote(lead.epoch, lead.iteration, b"")),
            (Kind.FINAL, Final(lead.epoch, lead.iteration)),
        ):
            say(world, place, sign(world, place, kind, act))


def forge(world: World, place: Place, chance: random.Random) -> None:
    """Ballots in others' names, signed with the own key; others' envelopes with another choice."""
    me = place.config.signer.public
    for proposal in held(place, Kind.PROPOSAL)[-2:]:
        ballot = Ballot(ProposalId(proposal.id), chance.choice(list(Choice)), 0, b"")
        raw = sign(world, place, Kind.BALLOT, ballot)
        for victim in chance.sample(world.places[: world.scenario.nodes], 2):
            say(world, place, raw.replace(me, victim.config.signer.public))
    for item in held(place, Kind.BALLOT)[-4:]:
        ballot = item.payload
        say(world, place, item.raw.replace(ballot.proposal, bytes(len(ballot.proposal))))


def stuff(world: World, place: Place, chance: random.Random) -> None:
    """Ballots on proposals that do not exist, and one that nobody else sees before the close."""
    for _ in range(4):
        nowhere = ProposalId(chance.randbytes(32))
        say(world, place, sign(world, place, Kind.BALLOT, Ballot(nowhere, Choice.YES, 0, b"")))
    for item in held(place, Kind.PROPOSAL)[-2:]:
        identifier = ProposalId(item.id)
        closes_at_ms = item.payload.closes_at_ms
        dated = Ballot(identifier, Choice.YES, 0, b"")
        raw = sign(world, place, Kind.BALLOT, dated, closes_at_ms - 1, sequence=1)
        wait_ms = closes_at_ms - world.instant(place).wall_ms
        if wait_ms <= 0:
            say(world, place, raw)
        else:
            world.at(world.now_ms + wait_ms, _pocket(world, place, raw))


def _pocket(world: World, place: Place, raw: bytes) -> Callable[[], None]:
    """Hold a ballot alone, just in time to list it in the own Report."""

    def pocket() -> None:
        if place.is_up and not place.is_asleep:
            world.receive(place, raw, gossiped=False)

    return pocket


def backdate(world: World, place: Place, chance: random.Random) -> None:
    """After the close, a ballot that claims to be from before it, first to one neighbour and then to all."""
    for item in held(place, Kind.PROPOSAL)[-2:]:
        closes_at_ms = item.payload.closes_at_ms
        if world.instant(place).wall_ms <= closes_at_ms:
            continue
        choice = Choice.YES if place.index % 2 else Choice.NO
        ballot = Ballot(ProposalId(item.id), choice, 0, b"")
        # One envelope however often it is sent: a second one would only convict its author.
        raw = sign(world, place, Kind.BALLOT, ballot, closes_at_ms - 1, sequence=1)
        world.receive(place, raw, gossiped=False)
        neighbours = world.network.neighbours[place.index]
        world.send(place, neighbours[chance.randrange(len(neighbours))], raw)
        if chance.random() < 0.5:
            say(world, place, raw)


def poison(world: World, place: Place, chance: random.Random) -> None:
    """A delta for each window: a million times the wrong fixes worked and the right ones failed."""
    learning = place.node.machines.learning
    if world.scenario.learning is None or learning is None:
        return
    law, layout = place.node.machines.law, place.config.layout
    window = compute_window(world.instant(place).wall_ms, law) - 1
    if any(
        item.author == place.node.me and item.payload.window == window for item in held(place, Kind.DELTA)
    ):
        return
    rates = world.scenario.learning.success
    vector: list[int] = []
    for number in range(len(layout.pairs)):
        is_good = rates[number % len(rates)] >= 0.5
        vector += [0, DELTA_STUFFED] if is_good else [DELTA_STUFFED, 0]
    delta = Delta(window, Level.PUBLIC, layout.id, 1, 0, tuple(vector[: law.dimension]))
    raw = sign(world, place, Kind.DELTA, delta)
    world.receive(place, raw, gossiped=False)
    say(world, place, raw)


def flood(world: World, place: Place, chance: random.Random) -> None:
    """Too many proposals, chains without beginning, bindings without end, random and oversized bytes."""
    closes_at_ms = world.instant(place).wall_ms + 3_600_000
    for _ in range(3):
        effects = (Effect("feature.learning_paths", 0),)
        proposal = Proposal(
            ProposalKind.FEATURE,
            f"flood {chance.random()}",
            "x" * 2_000,
            effects,
            Threshold.SIMPLE,
            closes_at_ms,
            Uncertainty(0, ("everything",)),
        )
        say(world, place, sign(world, place, Kind.PROPOSAL, proposal))
    for item in held(place, Kind.PROPOSAL)[-2:]:
        orphan = Ballot(ProposalId(item.id), Choice.YES, 5, chance.randbytes(32))
        say(world, place, sign(world, place, Kind.BALLOT, orphan))
    for _ in range(20):
        binding = Binding(f"peer-{chance.random()}", closes_at_ms)
        say(world, place, sign(world, place, Kind.BINDING, binding))
    say(world, place, chance.randbytes(200))
    say(world, place, bytes(ENVELOPE_SIZE_BYTES_MAX + 1))


def withhold(world: World, place: Place, chance: random.Random) -> None:
    """Nothing at all: it listens, relays nothing and answers nobody (``Place.is_silent``)."""


def sybil(world: World, place: Place, chance: random.Random) -> None:
    """A stranger with a key of its own: votes, proposes, reports and teaches as if it were a member."""
    for item in held(place, Kind.PROPOSAL)[-2:]:
        ballot = Ballot(ProposalId(item.id), Choice.NO, 0, b"")
        say(world, place, sign(world, place, Kind.BALLOT, ballot))
    poison(world, place, chance)
    flood(world, place, chance)


ATTACKS: dict[str, Attack] = {
    "replay": replay,
    "equivocate": equivocate,
    "forge": forge,
    "stuff": stuff,
    "backdate": backdate,
    "poison": poison,
    "flood": flood,
    "withhold": withhold,
    "sybil": sybil,
}


def unleash(world: World) -> None:
    """Let every hostile machine strike again and again, until three quarters of the time."""
    every_ms = {item.kind: item.every_ms for item in world.scenario.adversary}
    for place in world.places:
        if place.role in every_ms:
            _strike(world, place, ATTACKS[place.role], every_ms[place.role])


def _strike(world: World, place: Place, attack: Attack, every_ms: int) -> None:
    chance = random.Random(f"{world.seed}/{place.index}/attack")

    def strike() -> None:
        if place.is_up and not place.is_asleep:
            attack(world, place, chance)
        # The last quarter is calm: what must hold in the end must be able to.
        if world.now_ms + every_ms < world.scenario.duration_ms * 3 // 4:
            world.at(world.now_ms + every_ms, strike)

    world.at(1_000 + chance.randrange(every_ms), strike)


__all__ = ["ATTACKS", "Attack", "held", "say", "sign", "unleash"]
