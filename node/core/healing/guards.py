"""What holds a hand back: budgets, cool-downs, the breaker, and moments when nothing should be touched.

Refuses to forget: breakers and budgets are rebuilt from the journal, so a crash loop cannot reset them.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TARGET_PER_HOUR, TARGET_PER_DAY = 3, 6
ALL_PER_HOUR, ALL_PER_DAY = 6, 20
BREAKER_AT = 2
BREAKER_MS_MAX = DAY_MS
# Acts remembered. Bounds memory; a day's budget is far below it.
ACTS_KEPT_MAX = 256
# After a resume or a jump of the clock everything looks late for a while.
SETTLE_MS = 120_000
JUMP_MS = 5_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What goes on around, as far as it is known."""

    is_building: bool = False
    is_battery_low: bool = False
    is_quiet_time: bool = False
    is_coverage_low: bool = False


@dataclass(slots=True)
class Breaker:
    """Opens after two outcomes in a row that were not verified; then one careful try, later each time."""

    failures: int = 0
    opened: int = 0
    open_until_wall_ms: int = 0

    @property
    def is_tripped(self) -> bool:
        """Open or half-open: automatic acts are over until one is verified."""
        return self.failures >= BREAKER_AT

    def is_open(self, wall_ms: int) -> bool:
        """No act at all now, not even by consent."""
        return self.is_tripped and wall_ms < self.open_until_wall_ms

    def add(self, verified: bool, wall_ms: int) -> None:
        """An act ended."""
        if verified:
            self.failures = self.opened = self.open_until_wall_ms = 0
            return
        self.failures += 1
        if self.failures >= BREAKER_AT:
            self.open_until_wall_ms = wall_ms + min(BREAKER_MS_MAX, HOUR_MS << min(self.opened, 5))
            self.opened += 1


class Budget:
    """How often what was done, by wall time; a clock set back lends nothing."""

    def __init__(self) -> None:
        self._acts: deque[tuple[int, str, str]] = deque(maxlen=ACTS_KEPT_MAX)
        self._newest_ms = 0

    def add(self, verb: str, target: str, wall_ms: int) -> None:
        """An act was intended."""
        self._newest_ms = max(self._newest_ms, wall_ms)
        self._acts.append((self._newest_ms, verb, target))

    def refusal(self, verb: str, target: str, wall_ms: int, cool_down_ms: int) -> str:
        """Why not now; empty when there is room."""
        now_ms = max(wall_ms, self._newest_ms)
        ages = [(now_ms - at_ms, kind, name) for at_ms, kind, name in self._acts]
        same = [age for age, kind, name in ages if (kind, name) == (verb, target)]
        if same and min(same) < cool_down_ms:
            return f"{verb} {target} was tried {min(same) // 1000} s ago"
        on_target = [age for age, _, name in ages if name == target]
        limits = (
            (on_target, HOUR_MS, TARGET_PER_HOUR, f"acts on {target} in an hour"),
            (on_target, DAY_MS, TARGET_PER_DAY, f"acts on {target} in a day"),
            ([age for age, _, _ in ages], HOUR_MS, ALL_PER_HOUR, "acts in an hour"),
            ([age for age, _, _ in ages], DAY_MS, ALL_PER_DAY, "acts in a day"),
        )
        for found, span_ms, most, text in limits:
            if sum(1 for age in found if age < span_ms) >= most:
                return f"{most} {text} are enough"
        return ""


def freeze_reason(
    verb: str, surroundings: Surroundings, present: Mapping[str, object], settled_ms: int
) -> str:
    """Why nothing should be touched at this moment; empty when it may.

    ``present``: names of symptoms there now; ``settled_ms``: time since the last resume or clock jump.
    """
    if verb == "restart" and ("cpu_starved" in present or "io_pressure" in present):
        return "the machine is starved: what is slow is not broken"
    if verb in ("restart", "repair"):
        return ""  # a node without its parts cannot wait for better times
    if settled_ms < SETTLE_MS:
        return "the machine has just woken up"
    if surroundings.is_building:
        return "a build is running"
    if surroundings.is_battery_low:
        return "the battery is low"
    if surroundings.is_coverage_low:
        return "too little is measured"
    if surroundings.is_quiet_time:
        return "it is quiet time"
    return ""
