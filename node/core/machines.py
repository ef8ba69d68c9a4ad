"""The machines of one node, built together, and the values that cross between them.

Refuses to sign and to store. Each machine knows only its own matter; what one learns and another needs
passes through here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from luminous.node.core.causes.events_graph import Causes
from luminous.node.core.config import Config, Membership
from luminous.node.core.governance.machine import KINDS as GOVERNANCE_KINDS
from luminous.node.core.governance.machine import Governance
from luminous.node.core.governance.minutes import MinutesClosing
from luminous.node.core.governance.notices import NAME as NOTICED
from luminous.node.core.governance.notices import Notices
from luminous.node.core.healing.guards import Surroundings
from luminous.node.core.healing.machine import Healing
from luminous.node.core.healing.outcomes import Act
from luminous.node.core.health.monitor import INTERVAL_MS_DEFAULT, Health
from luminous.node.core.health.readings import Readings
from luminous.node.core.instant import Instant
from luminous.node.core.learning.machine import Learning, LearningConfig
from luminous.node.core.outcomes import Outcome, Tell
from luminous.node.core.peers.records import Records
from luminous.protocol import parameters
from luminous.protocol.codec import Value
from luminous.protocol.deltas import WINDOWS_KEPT, LearningLaw, Level, compute_window
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId
from luminous.protocol.kinds import Kind
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.roll import Roll

Outcomes = tuple[Outcome | Act, ...]

# Below these nothing is touched unasked: thousandths of a percent of charge, and a share of what is measured.
BATTERY_LOW_MILLI = 20_000
COVERAGE_LOW = 0.5


@dataclass(slots=True)
class Machines:
    """Governance and learning exist only in a network; health, healing and causes always do."""

    config: Config
    health: Health
    healing: Healing
    causes: Causes
    roll: Roll
    governance: Governance | None
    learning: Learning | None
    law: LearningLaw
    notices: Notices
    retired_before: int = 0

    def refusal(self, envelope: Admitted, at: Instant) -> Refused | None:
        """Why an envelope is not held: only members' records are, and deltas of anyone in an open network."""
        if envelope.kind is Kind.DELTA and envelope.payload.window < self._oldest_window(at):
            return Refused(Reason.RETIRED, "its window is over")
        if self.is_known(envelope.author) or (envelope.kind is Kind.DELTA and self.law.is_open):
            return None
        return Refused(Reason.NOT_A_MEMBER, "")

    def is_known(self, author: AuthorId) -> bool:
        """Is or was ``author`` on the roll? What a former member signed still counts where it was asked."""
        return author in self.roll or (self.governance is not None and self.governance.is_known(author))

    def hear(self, envelope: Admitted, at: Instant, *, gossiped: bool = False) -> tuple[Outcome, ...]:
        """An envelope, to whom it concerns."""
        if self.learning is not None and gossiped and envelope.author in self.roll:
            self.learning.hear_clock(envelope.author, envelope.issued_at_ms, at)
        if envelope.kind is Kind.DELTA and self.learning is not None:
            return self.learning.hear(envelope, at)
        if envelope.kind in GOVERNANCE_KINDS and self.governance is not None:
            return self.governance.hear(envelope, at)
        return ()

    def recall(self, name: str, body: Value) -> None:
        """An own kept record, to the machine whose name it bears."""
        if name == NOTICED:
            self.notices.recall(body)
            return
        area = name.removeprefix("snapshot.").partition(".")[0]
        owners = {
            "governance": self.governance,
            "learning": self.learning,
            "healing": self.healing,
            "causes": self.causes,
        }
        owner = owners.get(area)
        if owner is not None:
            owner.recall(name, body)

    def tick(self, at: Instant, synced: bool, may_sign: bool) -> Outcomes:
        """Let every machine do what is due."""
        outcomes: list[Outcome | Act] = [*self.health.tick(at), *self.healing.tick(at), *self.causes.tick(at)]
        if self.governance is not None and may_sign:
            if self.learning is not None and synced and not self.law.is_fleet:
                self.governance.offer(self.learning.pool.over(compute_window(at.wall_ms, self.law)))
            outcomes.extend(self.governance.tick(at, synced=synced))
            if self.learning is not None:
                self.learning.pool.set_agreed(self.governance.agreed_windows())
            self._follow_roll(self.governance.roll())
            effective = self.governance.parameters(at.wall_ms)
            if self.config.health_interval_ms is None:
                self.health.set_interval(effective[parameters.HEALTH_INTERVAL_S] * 1000)
            if self.learning is not None:
                self.learning.set_contributors_min(effective[parameters.MIN_CONTRIBUTORS])
            if not self.law.is_fleet:
                outcomes.extend(self.notices.tick(self.governance, at))
        if self.learning is not None and may_sign:
            outcomes.extend(self.learning.tick(at))
        return tuple(outcomes)

    def _follow_roll(self, roll: Roll) -> None:
        """The roll changed by Minutes: who may contribute changes with it."""
        if roll != self.roll:
            self.roll = roll
            if self.learning is not None and not self.law.is_open:
                self.learning.set_eligible(frozenset(roll.members))

    def deadlines(self) -> tuple[int | None, int | None]:
        """The next wall_ms and the next mono_ms at which some machine wants a tick."""
        return (
            _sooner(
                None if self.governance is None else self.governance.deadline(),
                None if self.learning is None else self.learning.deadline(),
            ),
            _sooner(self.healing.deadline(), self.causes.deadline()),
        )

    def measure(self, readings: Readings, at: Instant) -> Outcomes:
        """Readings of the host; healing learns from them when to keep its hands off."""
        outcomes = self.health.observe(readings, at)
        self.healing.surround(self._surroundings())
        return outcomes

    def _surroundings(self) -> Surroundings:
        battery, mains = self.health.value("battery_share"), self.health.value("on_mains")
        return Surroundings(
            is_battery_low=battery is not None and battery < BATTERY_LOW_MILLI and not mains,
            is_coverage_low=self.health.coverage < COVERAGE_LOW,
        )

    def told(self, tell: Tell, at: Instant) -> Outcomes:
        """What one machine told people that another must hear: symptoms and heals are events too."""
        if tell.name == "symptom":
            return (*self.healing.symptom(tell.facts, at), *self.causes.symptom(tell.facts, at))
        if tell.name in ("healed", "heal_failed"):
            self.causes.add(f"{tell.name}:{tell.facts.get('verb')!s}", at)
        return ()

    def grant(self, level: str, at: Instant) -> tuple[Outcome, ...] | Refused:
        """Consent to release at a level, or its withdrawal."""
        if level not in Level.__members__:
            return Refused(Reason.MALFORMED, f"{level!r:.20} is no privacy level")
        if self.learning is None:
            return (
                () if level == Level.LOCAL_ONLY.name else Refused(Reason.NO_NETWORK, "join a network first")
            )
        chosen = Level[level]
        return self.learning.revoke(at) if chosen is Level.LOCAL_ONLY else self.learning.grant(chosen, at)

    def forget(self, at: Instant) -> tuple[Outcome, ...]:
        """Delete what was learnt from this machine."""
        self.causes.forget()
        return () if self.learning is None else self.learning.forget(at)

    def heal(self, intent: str, *, undo: bool, at: Instant) -> Outcomes | Refused:
        """A person agrees to a proposed act, or wants one undone."""
        return self.healing.undo(intent, at) if undo else self.healing.agree(intent, at)

    def retired(self, records: Records, at: Instant) -> Iterable[EnvelopeId]:
        """Deltas whose window is over: sync need not carry them any more."""
        oldest = self._oldest_window(at)
        if oldest == self.retired_before:
            return ()
        self.retired_before = oldest
        return records.deltas_before(oldest)

    def take_agreed(self) -> tuple[EnvelopeId, ...]:
        """Records that Minutes rest on, of the Minutes that became final since the last time."""
        return () if self.governance is None else self.governance.closing.take_agreed()

    def _oldest_window(self, at: Instant) -> int:
        return compute_window(at.wall_ms, self.law) - WINDOWS_KEPT


def _sooner(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def build(config: Config) -> Machines:
    """All machines of a node, with the values of its network."""
    membership = config.membership
    members = membership.genesis.founders if membership else ()
    roll = Roll(members)
    law = learning_law(membership) if membership else LearningLaw()
    return Machines(
        config=config,
        health=Health(config.health_interval_ms or INTERVAL_MS_DEFAULT),
        healing=Healing(config.heal_consent),
        causes=Causes(is_learning=config.learns_causes),
        roll=roll,
        governance=_governance(config, membership, roll) if membership else None,
        learning=_learning(config, membership, law, members) if membership else None,
        law=law,
        notices=Notices(AuthorId(config.signer.public)),
    )


def _governance(config: Config, membership: Membership, roll: Roll) -> Governance:
    me = AuthorId(config.signer.public)
    values = {parameter.key: parameter.value for parameter in membership.genesis.parameters}
    closing = partial(MinutesClosing, known=membership.known)
    return Governance(me, roll, values, is_fleet=membership.genesis.fleet, build=closing)


def learning_law(membership: Membership) -> LearningLaw:
    """What the network's genesis says about learning."""
    genesis = membership.genesis
    values = {
        **parameters.defaults(),
        **{parameter.key: parameter.value for parameter in genesis.parameters},
    }
    return LearningLaw(
        window_ms=values[parameters.WINDOW_MS],
        dimension=values[parameters.DIMENSION],
        min_cosine_milli=values[parameters.MIN_COSINE_MILLI],
        aggregate_min=1 if genesis.fleet else 3,
        contributors_min=values[parameters.MIN_CONTRIBUTORS],
        epsilon_milli_max=values[parameters.EPSILON_MILLI_MAX],
        is_fleet=genesis.fleet,
        is_open=genesis.open_contribution,
    )


def _learning(
    config: Config, membership: Membership, law: LearningLaw, members: tuple[AuthorId, ...]
) -> Learning:
    learning = Learning(
        membership.id,
        AuthorId(config.signer.public),
        law,
        config.entropy,
        LearningConfig(config.epsilon_milli_max, max(1, config.min_participants)),
        config.prior,
        config.layout,
    )
    learning.set_eligible(None if membership.genesis.open_contribution else frozenset(members))
    return learning
