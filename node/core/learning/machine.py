"""The learning machine: observes outcomes, releases once a window, hears others, adopts what helps.

Refuses to show or use what fewer authors said than the law demands.
"""

from dataclasses import dataclass
from typing import Any

from luminous.crypto.entropy import Entropy
from luminous.node.core.instant import Instant
from luminous.node.core.learning.adoption import Adopted, Adoption, judge, predict, score
from luminous.node.core.learning.estimates import Pattern, estimate, find_patterns
from luminous.node.core.learning.ledger import parse_charge
from luminous.node.core.learning.pool import Pool
from luminous.node.core.learning.priors import PSEUDO_TRIALS_MAX, PublicPrior
from luminous.node.core.learning.records import (
    ADOPTED,
    CHARGE,
    CONSENT,
    FORGOTTEN,
    JOURNAL_LOST,
    ROLLED_BACK,
    TRIAL,
    pack_adopted,
    pack_facts,
    pack_trial,
    parse_adopted,
    parse_trial,
)
from luminous.node.core.learning.releases import Releases
from luminous.node.core.learning.statistics import Statistics, Trial
from luminous.node.core.outcomes import Keep, Outcome, Tell
from luminous.protocol.codec import Value
from luminous.protocol.deltas import LearningLaw, Level, compute_window
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1, Layout, Pair
from luminous.protocol.reasons import Reason, Refused

SETTLE_MS_MAX = 60 * 1000  # deltas come in crowds: judge after the crowd


@dataclass(frozen=True, slots=True)
class LearningConfig:
    """This machine's own wishes: they can only be stricter than the law."""

    epsilon_milli: int = 1000
    min_participants: int = 1


class Learning:
    """See the module. ``author`` is this node's own; all deadlines are wall clocks in ms."""

    def __init__(
        self,
        network: NetworkId,
        author: AuthorId,
        law: LearningLaw,
        entropy: Entropy,
        config: LearningConfig | None = None,
        prior: PublicPrior | None = None,
        layout: Layout = FIXES_1,
    ) -> None:
        assert layout.dimension == law.dimension
        self._network, self._author, self._law, self._layout = network, author, law, layout
        self._config = config or LearningConfig()
        self._prior = prior or PublicPrior()
        self.statistics = Statistics(layout)
        self.releases = Releases(network, author, law, layout, entropy, self._config.epsilon_milli)
        self.pool = Pool(network, law, layout)
        self._adoption = Adoption()
        self._judge_at_ms: int | None = None
        self._decided_min = law.contributors_min

    # What happens here

    def observe(
        self, pair: Pair, success: bool, at: Instant, propensity_milli: int = 0
    ) -> tuple[Outcome, ...]:
        """A fix was tried and its outcome verified. ``propensity_milli``: the chance, in thousandths, with
        which it had been offered first; 0 when it was not offered."""
        trial = Trial(pair, success)
        body = pack_trial(trial, at.wall_ms, self.statistics.total, propensity_milli)
        return (Keep(TRIAL, body, durable=False), *self._count(trial))

    def _count(self, trial: Trial) -> tuple[Outcome, ...]:
        current, own = self._adoption.current, self.statistics.counts()
        self.statistics.add(trial)
        if current is None or trial.pair not in self._layout.index:
            return ()
        alone = predict(trial.pair, self._layout, self._prior, own, None, 0)
        along = predict(trial.pair, self._layout, self._prior, own, current.estimates, current.step_milli)
        dropped = self._adoption.learn(score(trial, along) - score(trial, alone))
        if dropped is None:
            return ()
        facts: dict[str, Value] = {"window": dropped.window, "contributors": dropped.contributors}
        return (
            Keep(ROLLED_BACK, pack_facts(window=dropped.window), durable=False),
            Tell("learning.rolled_back", facts),
        )

    def grant(self, level: Level, at: Instant) -> tuple[Outcome, ...] | Refused:
        """The user agrees to ``level``, from the window that runs now on."""
        if level == Level.ENCRYPTED:
            return Refused(Reason.NO_ROLL, "ENCRYPTED needs a roll and cohorts: not yet")
        self.releases.consent(level, at.wall_ms)
        return (Keep(CONSENT, pack_facts(level=level.value, wall_ms=at.wall_ms)),)

    def revoke(self, at: Instant) -> tuple[Outcome, ...]:
        """The user withdraws consent: nothing leaves from now on. What was sent cannot be called back."""
        self.releases.consent(Level.LOCAL_ONLY, at.wall_ms)
        return (Keep(CONSENT, pack_facts(level=Level.LOCAL_ONLY.value, wall_ms=at.wall_ms)),)

    def forget(self, at: Instant) -> tuple[Outcome, ...]:
        """Delete counts, trials and adopted beliefs. Charges stay: they hold no content."""
        self._forget()
        return (Keep(FORGOTTEN, pack_facts(wall_ms=at.wall_ms), durable=False),)

    def _forget(self) -> None:
        self.statistics.forget()
        self._adoption.forget()

    # What others say

    def set_eligible(self, eligible: frozenset[AuthorId] | None) -> None:
        """Whose deltas count: the roll's members, or None for anyone."""
        self.pool.set_eligible(eligible)

    def set_contributors_min(self, contributors_min: int) -> None:
        """How many authors the network wants; outside a fleet never fewer than at first."""
        self._decided_min = max(contributors_min, 1 if self._law.is_fleet else self._law.contributors_min)

    def hear(self, envelope: Admitted, at: Instant) -> tuple[Outcome, ...]:
        """A delta arrived, by gossip, sync or replay: idempotent, in any order."""
        if envelope.kind != Kind.DELTA:
            return ()
        if envelope.author == self._author:
            self.releases.ledger.see_own(envelope.payload, envelope.issued_at_ms)
        if self.pool.add(envelope, compute_window(at.wall_ms, self._law)) and self._judge_at_ms is None:
            self._judge_at_ms = at.wall_ms + min(self._law.window_ms // 100, SETTLE_MS_MAX)
        return ()

    def recall(self, name: str, body: Any) -> None:
        """Replay one own record, in the order they were kept; draws no chance and has no outcome."""
        if name == CHARGE:
            charge = parse_charge(body)
            assert charge is not None, "a charge that cannot be read: report the journal as lost instead"
            self.releases.ledger.add(charge)
        elif name == JOURNAL_LOST:
            wall_ms = body["wall_ms"]
            # Only windows that have ended can have been released.
            self.releases.ledger.spend_period(compute_window(wall_ms, self._law) - 1, wall_ms)
        elif name == CONSENT:
            self.releases.consent(Level(body["level"]), body["wall_ms"])
        elif name == TRIAL:
            self._count(parse_trial(body))
        elif name == ADOPTED:
            self._adoption.adopt(parse_adopted(body))
        elif name == ROLLED_BACK:
            if self._adoption.current is not None and body == {"window": self._adoption.current.window}:
                self._adoption.roll_back()
        elif name == FORGOTTEN:
            self._forget()

    def lose_journal(self, at: Instant) -> tuple[Outcome, ...]:
        """The journal was lost or damaged: the running period counts as spent, for ever on record."""
        self.recall(JOURNAL_LOST, pack_facts(wall_ms=at.wall_ms))
        return (Keep(JOURNAL_LOST, pack_facts(wall_ms=at.wall_ms)),)

    # Time

    def deadline(self) -> int | None:
        """The wall clock (ms) at which a tick is wanted; None: none is."""
        one, other = self.releases.next_at_ms, self._judge_at_ms
        if one is None or other is None:
            return other if one is None else one
        return min(one, other)

    def tick(self, at: Instant) -> tuple[Outcome, ...]:
        """Release what is due, judge what has arrived, let go of what is over."""
        self.pool.retire(compute_window(at.wall_ms, self._law))
        outcomes = list(self.releases.release(self.statistics.vector, self.pool, at))
        if self._judge_at_ms is not None and at.wall_ms >= self._judge_at_ms:
            self._judge_at_ms = None
            outcomes.extend(self._judge())
        return tuple(outcomes)

    def _judge(self) -> tuple[Outcome, ...]:
        for window in self.pool.windows():
            aggregate = self.pool.compute_aggregate(window)
            if isinstance(aggregate, Refused) or aggregate.contributors < self.contributors_min:
                continue
            if self._adoption.is_known(aggregate.digest):
                return ()
            own = self.pool.find(window, self._author)
            part = own.payload.vector if own and aggregate.is_exact else (0,) * self._law.dimension
            beliefs = estimate(aggregate, self._law, part)
            # Strangers' aggregates, and any that no evaluation set can judge, wait for own data.
            is_trusted = self.pool.eligible is not None and not self._law.is_open
            is_trusted = is_trusted and (self._law.is_fleet or bool(self._prior.evaluation))
            # The public set is about strangers' machines; a fleet's own outcomes outrank it.
            evaluation = () if self._law.is_fleet else self._prior.evaluation
            prior = PublicPrior(self._prior.pairs, evaluation)
            step = judge(self.statistics.trials, self._layout, prior, beliefs, is_trusted)
            facts: dict[str, Value] = {"window": window, "contributors": aggregate.contributors}
            if step == 0:
                return (Tell("learning.set_aside", facts),)
            adopted = Adopted(window, aggregate.digest, step, aggregate.contributors, beliefs)
            self._adoption.adopt(adopted)
            return (
                Keep(ADOPTED, pack_adopted(adopted), durable=False),
                Tell("learning.adopted", {**facts, "step_milli": step}),
            )
        return ()

    # Questions

    @property
    def contributors_min(self) -> int:
        """Authors needed before anything is used or shown: the law's number, or more if wished here."""
        return max(self._decided_min, self._law.aggregate_min, self._config.min_participants)

    @property
    def level(self) -> Level:
        """What the user consented to."""
        return self.releases.level

    def counts(self) -> dict[Pair, tuple[int, int]]:
        """This machine's own (successes, trials) by pair, pairs outside the layout included."""
        return self.statistics.counts()

    def prior(self) -> dict[Pair, tuple[float, float]]:
        """What to believe before own outcomes: (successes, trials) in pseudo-trials, at most ten a pair."""
        current = self._adoption.current
        beliefs: dict[Pair, tuple[float, float]] = {}
        for j, pair in enumerate(self._layout.pairs):
            successes, trials = map(float, self._prior.pairs.get(pair, (0, 0)))
            if current is not None:
                successes += current.step_milli * current.estimates[j][0] / 1e6
                trials += current.step_milli * current.estimates[j][1] / 1e6
            if trials > 0:
                scale = min(1.0, PSEUDO_TRIALS_MAX / trials)
                beliefs[pair] = (successes * scale, trials * scale)
        return beliefs

    def heard(self) -> dict[Pair, tuple[float, float]]:
        """What peers alone made this node believe: ``prior`` without what shipped with it."""
        current = self._adoption.current
        if current is None:
            return {}
        step = current.step_milli / 1e6
        return {
            pair: (step * successes, step * trials)
            for pair, (successes, trials) in zip(self._layout.pairs, current.estimates, strict=True)
            if trials > 0
        }

    def wisdom(self) -> tuple[Pattern, ...] | Refused:
        """Patterns of the newest aggregate with enough contributors, or why there are none."""
        most = 0
        for window in self.pool.windows():
            aggregate = self.pool.compute_aggregate(window)
            if isinstance(aggregate, Refused):
                most = max(most, self.pool.count(window))
            elif aggregate.contributors >= self.contributors_min:
                return find_patterns(aggregate, self._layout)
            else:
                most = max(most, aggregate.contributors)
        return Refused(
            Reason.TOO_FEW, f"{most} contributors heard, at least {self.contributors_min} needed to show any"
        )

    def aggregate_digest(self, window: int) -> bytes | Refused:
        """The digest of what the held deltas of ``window`` give: equal on nodes that hold the same."""
        aggregate = self.pool.compute_aggregate(window)
        return aggregate if isinstance(aggregate, Refused) else aggregate.digest

    def preview(self, at: Instant) -> dict[str, Value]:
        """What the next release would say and cost, before noise. Draws no chance, sends nothing."""
        return self.releases.preview(self.statistics.vector, self.pool, at)

    def hear_clock(self, author: AuthorId, issued_at_ms: int, at: Instant) -> None:
        """A member's envelope of any kind came by gossip (not by sync): compare clocks."""
        if self.pool.eligible is None or author in self.pool.eligible:
            self.releases.clock.hear(author, issued_at_ms, at)

    def status(self, at: Instant) -> dict[str, Value]:
        """Plain facts for ``privacy`` and ``status``."""
        current = self._adoption.current
        return self.releases.ledger.show(at.wall_ms) | {
            "level": self.releases.level.name,
            "trials": self.statistics.total,
            "windows": [[w, self.pool.count(w)] for w in self.pool.windows()],
            "adopted_window": current.window if current else None,
            "adopted_step_milli": current.step_milli if current else 0,
            "adopted_contributors": current.contributors if current else 0,
            "not_released": self.releases.refusal[1].detail if self.releases.refusal else None,
        }
