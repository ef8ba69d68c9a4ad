"""Wisdom: seven kinds of claims, each with the counts that justify it and the test that grants it.

Refuses CAUSATION without trials: however strong, an observed link is a CORRELATION, because a common cause
that leaves no events cannot be ruled out by watching. What trials granted, worse trials take back.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, lgamma, log, sqrt

from luminous.protocol.codec import Value

TRIALS_MIN = 6
GRANT_FACTOR = 10.0
REVOKE_FACTOR = 3.0
SUPPORT_MIN = 5
LIFT_MIN = 1.5
PEERS_MIN = 5
SUCCESS_MIN = 0.6
ROBUST_Z_MIN = 8.0
DRIFT_CHI2 = 6.635


class Wisdom(StrEnum):
    """The seven kinds. Values are stable: they appear in snapshots and --json."""

    PATTERN = "pattern"  # comes together more often than chance
    PRINCIPLE = "principle"  # confirmed by independent peers, contradicted by none
    HEURISTIC = "heuristic"  # a fix that works
    CORRELATION = "correlation"  # a link that was only watched
    CAUSATION = "causation"  # a link that trials confirmed
    ANOMALY = "anomaly"  # far outside its own history
    EVOLUTION = "evolution"  # what held has changed


@dataclass(frozen=True, slots=True)
class Claim:
    """One piece of wisdom: what, its kind, and its counts."""

    kind: Wisdom
    statement: str
    evidence: dict[str, Value] = field(default_factory=dict)


@dataclass(slots=True)
class Trials:
    """Interventions on one pair: how often the effect came with the cause set, and with it removed."""

    set_n: int = 0
    set_seen: int = 0
    removed_n: int = 0
    removed_seen: int = 0
    granted: bool = False

    def add(self, was_set: bool, seen: bool) -> None:
        """Count one trial; grant at ten to one, take back below three to one."""
        if was_set:
            self.set_n += 1
            self.set_seen += seen
        else:
            self.removed_n += 1
            self.removed_seen += seen
        factor = self.factor()
        enough = min(self.set_n, self.removed_n) >= TRIALS_MIN
        if enough and factor >= GRANT_FACTOR:
            self.granted = True
        elif factor < REVOKE_FACTOR:
            self.granted = False

    def factor(self) -> float:
        """Bayes factor of "two rates, the higher with the cause" against "one rate" (uniform priors)."""
        if not self.set_n or not self.removed_n:
            return 1.0
        if self.set_seen * self.removed_n <= self.removed_seen * self.set_n:
            return 0.0
        apart = _log_beta(self.set_seen, self.set_n) + _log_beta(self.removed_seen, self.removed_n)
        together = _log_beta(self.set_seen + self.removed_seen, self.set_n + self.removed_n)
        return exp(min(60.0, apart - together))

    def facts(self) -> dict[str, Value]:
        """Plain counts for people."""
        return {
            "set": self.set_n,
            "seen_when_set": self.set_seen,
            "removed": self.removed_n,
            "seen_when_removed": self.removed_seen,
        }


def wilson_low(successes: int, n: int, z: float = 1.96) -> float:
    """The lower end of Wilson's 95 % interval of a share."""
    if n == 0:
        return 0.0
    share = successes / n
    middle = share + z * z / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (middle - spread) / (1 + z * z / n))


def is_pattern(together: int, first: int, second: int, total: int) -> bool:
    """Support of at least 5 and a lift whose 95 % interval lies above 1.5."""
    if together < SUPPORT_MIN or not first or not second or not total:
        return False
    lift = together * total / (first * second)
    return log(lift) - 1.96 * sqrt(1 / together - 1 / total) > log(LIFT_MIN)


def is_principle(confirming_peers: int, contradicting_peers: int) -> bool:
    """Five independent peers say so and none says otherwise. Who admitted them is the caller's to know."""
    return confirming_peers >= PEERS_MIN and contradicting_peers == 0


def is_heuristic(successes: int, attempts: int) -> bool:
    """At least five attempts and a success share whose lower bound is 0.6."""
    return attempts >= SUPPORT_MIN and wilson_low(successes, attempts) >= SUCCESS_MIN


def is_anomaly(value: float, median: float, spread: float) -> bool:
    """More than eight robust deviations from its own history."""
    return spread > 0 and abs(value - median) / spread > ROBUST_Z_MIN


def is_evolution(old_seen: int, old_n: int, new_seen: int, new_n: int) -> bool:
    """Two halves differ (p < .01): what held before does not hold alike now."""
    if min(old_n, new_n) < SUPPORT_MIN:
        return False
    pooled = (old_seen + new_seen) / (old_n + new_n)
    spread = pooled * (1 - pooled) * (1 / old_n + 1 / new_n)
    return spread > 0 and (old_seen / old_n - new_seen / new_n) ** 2 / spread > DRIFT_CHI2


def _log_beta(seen: int, n: int) -> float:
    return lgamma(seen + 1) + lgamma(n - seen + 1) - lgamma(n + 2)
