"""A delta: one author's statistics of one window, as integers over a closed layout.

Refuses text of any kind: a delta can say nothing but counts of pairs that the layout lists. Refuses
ENCRYPTED deltas, which need a roll and cohorts.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from math import isqrt

from luminous.protocol.layout import LAYOUT_ID_SIZE_BYTES
from luminous.protocol.limits import DELTA_COORDINATE_MAX, DELTA_DIMENSION_MAX
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.schema import Schema, choice, fixed, integer, many, uint

DAY_MS = 24 * 3600 * 1000
BUDGET_PERIOD_MS = 30 * DAY_MS  # the rolling period over which epsilon is joint
BUDGET_DELTA = 1e-6
LIFETIME_EPSILON = 8.0
WINDOWS_HELD = 2  # a window counts for what is learnt until this many windows after its own end
WINDOWS_KEPT = 8  # and retires so many after it: until then who comes late can recompute the agreed sum
SCALE_MAX = 2**20
NOISE_MILLI_MAX = 10**7
# Four times the multiplier of one release at epsilon 1: who adds more noise than that helps nobody.
_NOISE_RANGE_MILLI = 17_000


class Level(IntEnum):
    """How much of this machine's experience may leave it, and in which form."""

    LOCAL_ONLY = 0  # nothing leaves
    PUBLIC = 1  # exact counts
    DIFFERENTIAL = 2  # clipped, rotated, noised by the author
    ENCRYPTED = 3  # only a cohort's noised sum is readable: not yet


@dataclass(frozen=True, slots=True)
class LearningLaw:
    """What every node of a network must agree on about learning.

    ``scale``: grid steps of the clipping norm 1. ``contributors_min``: authors before an aggregate is
    adopted or shown; ``aggregate_min``: before there is one. ``is_fleet``: all machines have one owner.
    ``is_open``: authors outside the roll count too.
    """

    window_ms: int = BUDGET_PERIOD_MS
    dimension: int = 64
    scale: int = 1024
    min_cosine_milli: int = 300
    aggregate_min: int = 3
    contributors_min: int = 10
    epsilon_milli_max: int = 1000
    is_fleet: bool = False
    is_open: bool = False

    @property
    def releases(self) -> int:
        """Releases that one budget period must pay for."""
        return -(-BUDGET_PERIOD_MS // self.window_ms)

    @property
    def sensitivity(self) -> int:
        """The largest L2 norm of a rounded, noiseless vector in grid steps: scale + sqrt(D) / 2."""
        return self.scale + isqrt(self.dimension) // 2

    @property
    def noise_milli_max(self) -> int:
        """Deltas with a larger noise multiplier are set aside: integers only, so that all agree."""
        return _noise_milli_max(self.releases, self.epsilon_milli_max)


@lru_cache(maxsize=64)
def _noise_milli_max(releases: int, epsilon_milli_max: int) -> int:
    """Asked for each delta, by laws that are few."""
    return isqrt(releases * _NOISE_RANGE_MILLI**2) * 1000 // max(1, epsilon_milli_max)


def fleet_law(window_ms: int, aggregate_min: int = 1) -> LearningLaw:
    """The law of one owner's machines: one is enough, statistics add exactly."""
    return LearningLaw(
        window_ms=window_ms, aggregate_min=aggregate_min, contributors_min=aggregate_min, is_fleet=True
    )


@dataclass(frozen=True, slots=True)
class Delta:
    """``window``: the author's wall clock at its end, divided by the window's length, minus one.

    PUBLIC: counts in the layout's order, ``scale`` 1 and ``noise_milli`` 0. DIFFERENTIAL: grid steps
    after the window's rotation; ``noise_milli`` is the noise's standard deviation in thousandths of the
    law's sensitivity.
    """

    window: int
    level: Level
    layout: bytes
    scale: int
    noise_milli: int
    vector: tuple[int, ...]


def _check(delta: Delta) -> Refused | None:
    if delta.level == Level.ENCRYPTED:
        return Refused(Reason.NO_ROLL, "ENCRYPTED needs a roll and cohorts: not yet")
    if delta.level == Level.LOCAL_ONLY:
        return Refused(Reason.MALFORMED, "LOCAL_ONLY statistics never leave a machine")
    if len(delta.vector) % 2:
        return Refused(Reason.MALFORMED, "successes and failures come in pairs")
    if delta.level == Level.PUBLIC:
        if delta.scale != 1 or delta.noise_milli != 0:
            return Refused(Reason.MALFORMED, "PUBLIC deltas are counts without noise")
        if min(delta.vector) < 0:
            return Refused(Reason.OUT_OF_BOUNDS, "a count below zero")
    elif delta.noise_milli == 0:
        return Refused(Reason.MALFORMED, "DIFFERENTIAL deltas have noise")
    return None


DELTA: Schema[Delta] = Schema(
    Delta,
    (1, "window", uint(2**40)),
    (2, "level", choice(Level)),
    (3, "layout", fixed(LAYOUT_ID_SIZE_BYTES)),
    (4, "scale", integer(1, SCALE_MAX)),
    (5, "noise_milli", uint(NOISE_MILLI_MAX)),
    (6, "vector", many(integer(-DELTA_COORDINATE_MAX, DELTA_COORDINATE_MAX), DELTA_DIMENSION_MAX, low=4)),
    check=_check,
)


def compute_window(wall_ms: int, law: LearningLaw) -> int:
    """The window that a wall clock is in."""
    return wall_ms // law.window_ms


def is_lawful(delta: Delta, law: LearningLaw, layout_id: bytes) -> bool:
    """True if the delta is of the law's layout, dimension and scale: only such ones can be combined."""
    return (
        delta.layout == layout_id
        and len(delta.vector) == law.dimension
        and delta.scale == (1 if delta.level == Level.PUBLIC else law.scale)
        and delta.noise_milli <= law.noise_milli_max
    )
