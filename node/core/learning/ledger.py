"""The privacy ledger: what this machine has spent, what it may still spend, and when.

Refuses to forget: a charge is added before the bytes it pays for leave and is never returned. Fails
closed: a lost journal or a charge that cannot be read counts as a spent period.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from luminous.crypto.accountant import (
    compute_budget_nano,
    compute_cost_nano,
    compute_noise_milli,
    compute_spent_epsilon,
)
from luminous.protocol.codec import Value
from luminous.protocol.deltas import (
    BUDGET_DELTA,
    BUDGET_PERIOD_MS,
    LIFETIME_EPSILON,
    Delta,
    LearningLaw,
    Level,
)
from luminous.protocol.reasons import Reason, Refused

FIELDS = ("window", "level", "cost_nano", "noise_milli", "wall_ms")


@dataclass(frozen=True, slots=True)
class Charge:
    """One release. ``cost_nano``: mu squared in nano units; 0 for PUBLIC, which no number bounds."""

    window: int
    level: int
    cost_nano: int
    noise_milli: int
    wall_ms: int

    def pack(self) -> Value:
        """The map that is appended with the envelope and recalled after a restart."""
        return {name: getattr(self, name) for name in FIELDS}


def parse_charge(body: Value) -> Charge | None:
    """The charge of a recalled map, or None if it is not one."""
    if not isinstance(body, dict):
        return None
    values: Mapping[Any, Value] = body
    found = [values.get(name) for name in FIELDS]
    numbers = [x for x in found if isinstance(x, int) and not isinstance(x, bool) and x >= 0]
    return Charge(*numbers) if len(numbers) == len(FIELDS) == len(values) else None


class Ledger:
    """Charges of a rolling 30 days and of a lifetime. ``epsilon_milli`` is this machine's own wish: it can
    lower the law's, never raise it."""

    def __init__(self, law: LearningLaw, epsilon_milli: int) -> None:
        self.law = law
        self.epsilon_milli = max(1, min(epsilon_milli, law.epsilon_milli_max))
        self.newest_window = -1
        self.newest_wall_ms = 0
        self.public_releases = 0
        self._newest_public = -1
        self._charges: dict[int, Charge] = {}
        self._folded_window = -1
        self._folded_nano = 0  # charges that no rolling period can hold any more

    @cached_property
    def budget_nano(self) -> int:
        """What a rolling period allows."""
        return compute_budget_nano(self.epsilon_milli / 1000, BUDGET_DELTA)

    @cached_property
    def lifetime_nano(self) -> int:
        """What a lifetime allows."""
        return compute_budget_nano(LIFETIME_EPSILON, BUDGET_DELTA)

    @cached_property
    def noise_milli(self) -> int:
        """The noise multiplier with which a period's releases together cost its budget."""
        return compute_noise_milli(self.epsilon_milli / 1000, BUDGET_DELTA, self.law.releases)

    def make_charge(self, window: int, level: Level, wall_ms: int) -> Charge:
        """The charge of a release at ``wall_ms``; not added."""
        if level == Level.PUBLIC:
            return Charge(window, int(level), 0, 0, wall_ms)
        return Charge(window, int(level), compute_cost_nano(self.noise_milli), self.noise_milli, wall_ms)

    def add(self, charge: Charge) -> None:
        """Count a charge. The same charge again changes nothing; another of its window counts too."""
        if charge == self._charges.get(charge.window):
            return
        if charge.level == Level.PUBLIC:
            self.public_releases += charge.window > self._newest_public
            self._newest_public = max(self._newest_public, charge.window)
        else:
            former = self._charges.get(charge.window)
            self._folded_nano += former.cost_nano if former else 0
            self._charges[charge.window] = charge
        self.newest_window = max(self.newest_window, charge.window)
        self.newest_wall_ms = max(self.newest_wall_ms, charge.wall_ms)
        for window in [w for w, c in self._charges.items() if self._is_old(c)]:
            self._folded_nano += self._charges.pop(window).cost_nano
            self._folded_window = max(self._folded_window, window)

    def _is_old(self, charge: Charge) -> bool:
        return charge.wall_ms < self.newest_wall_ms - 4 * BUDGET_PERIOD_MS

    def see_own(self, delta: Delta, issued_at_ms: int) -> None:
        """An own delta is held: what it cost can be read off it, should its charge not have been recalled."""
        self.newest_window = max(self.newest_window, delta.window)
        if delta.window in self._charges or delta.window <= self._folded_window:
            return
        cost = compute_cost_nano(delta.noise_milli) if delta.noise_milli else 0
        self.add(Charge(delta.window, int(delta.level), cost, delta.noise_milli, issued_at_ms))

    def spend_period(self, window: int, wall_ms: int) -> Charge:
        """The journal was lost or damaged: this period counts as spent, and this window as released."""
        charge = Charge(window, int(Level.DIFFERENTIAL), self.budget_nano, 0, wall_ms)
        self.add(charge)
        return charge

    def compute_spent(self, wall_ms: int) -> int:
        """Nano units spent in the 30 days before ``wall_ms``; charges dated later count as well."""
        return sum(c.cost_nano for c in self._charges.values() if c.wall_ms > wall_ms - BUDGET_PERIOD_MS)

    @property
    def lifetime_spent_nano(self) -> int:
        """Nano units spent ever."""
        return self._folded_nano + sum(c.cost_nano for c in self._charges.values())

    def refuse(self, charge: Charge) -> Refused | None:
        """None if the charge fits, else which limit it would break and when it will fit."""
        if charge.window <= self.newest_window:
            return Refused(Reason.DUPLICATE, f"window {charge.window} has been released")
        if charge.level == Level.PUBLIC:
            return None
        if self.lifetime_spent_nano + charge.cost_nano > self.lifetime_nano:
            return Refused(Reason.NO_BUDGET, f"the lifetime budget of {LIFETIME_EPSILON:g} is used up")
        if self.compute_spent(charge.wall_ms) + charge.cost_nano > self.budget_nano:
            wait_ms = self.frees_at(charge) - charge.wall_ms
            return Refused(
                Reason.NO_BUDGET,
                f"epsilon {self.epsilon_milli / 1000:g} of these 30 days is used up: the next release "
                f"fits in {max(1, -(-wait_ms // 3_600_000))} h",
            )
        return None

    def frees_at(self, charge: Charge) -> int:
        """The first wall clock at which the rolling period has room for ``charge``."""
        spent, ready_ms = self.compute_spent(charge.wall_ms), charge.wall_ms
        for held in sorted(self._charges.values(), key=lambda c: c.wall_ms):
            if spent + charge.cost_nano <= self.budget_nano:
                break
            if held.wall_ms > charge.wall_ms - BUDGET_PERIOD_MS:
                spent -= held.cost_nano
                ready_ms = held.wall_ms + BUDGET_PERIOD_MS
        return ready_ms

    def show(self, wall_ms: int) -> dict[str, Value]:
        """Plain facts for ``privacy``: epsilons in thousandths, rounded up."""
        spent = self.compute_spent(wall_ms)
        facts: dict[str, Value] = {
            "epsilon_milli_allowed": self.epsilon_milli,
            "epsilon_milli_spent": _to_milli(spent),
            "epsilon_milli_spent_replace_one": _to_milli(spent, 2.0),
            "delta": f"{BUDGET_DELTA:g}",
            "period_days": BUDGET_PERIOD_MS // 86_400_000,
            "lifetime_epsilon_milli_allowed": int(LIFETIME_EPSILON * 1000),
            "lifetime_epsilon_milli_spent": _to_milli(self.lifetime_spent_nano),
            "noise_milli": self.noise_milli,
            "public_releases": self.public_releases,
            "is_unbounded": self.public_releases > 0,
        }
        return facts

    def charges(self) -> tuple[Charge, ...]:
        """The charges of the newest periods, by window."""
        return tuple(self._charges[window] for window in sorted(self._charges))


def _to_milli(cost_nano: int, factor: float = 1.0) -> int:
    return -int(-compute_spent_epsilon(cost_nano, BUDGET_DELTA, factor) * 1000 // 1)
