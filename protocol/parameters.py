"""Every parameter that a network may vote on: its name, default, unit and meaning.

Refuses bounds and permissions: those are the constitution's. A decision is a default: what a machine does
is its owner's override, else the network's final value if legal, else the default here.
"""

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType


class FeatureState(IntEnum):
    """How a feature starts on a machine whose owner said nothing."""

    OFF = 0
    OPT_IN = 1  # offered, runs only when the owner turns it on
    ON = 2  # runs unless the owner turns it off


@dataclass(frozen=True, slots=True)
class Parameter:
    """A votable integer. ``unit`` is for people; features are FeatureState values."""

    key: str
    default: int
    unit: str
    meaning: str


HEALTH_INTERVAL_S = "health.interval_s"
MIN_CONTRIBUTORS = "learning.min_contributors"
WINDOW_MS = "learning.window_ms"
MIN_COSINE_MILLI = "learning.min_cosine_milli"
DIMENSION = "learning.dimension"
EPSILON_MILLI_MAX = "learning.epsilon_milli_max"
NOTIFICATIONS_PER_DAY_MAX = "notify.per_day_max"
QUIET_HOURS_MIN = "notify.quiet_hours_min"
CLOSING_GRACE_MS = "voting.grace_ms"
VOTING_WINDOW_MS_MIN = "voting.window_ms_min"

_DAY_MS = 24 * 60 * 60 * 1000

_ALL = (
    Parameter(HEALTH_INTERVAL_S, 30, "s", "how often a machine's health is measured"),
    Parameter(MIN_CONTRIBUTORS, 10, "authors", "contributors before an aggregate is used or shown"),
    Parameter(WINDOW_MS, 30 * _DAY_MS, "ms", "the length of a learning window"),
    Parameter(MIN_COSINE_MILLI, 300, "1/1000", "a release predicted noisier than this is not made"),
    Parameter(DIMENSION, 64, "coordinates", "the length of a model update"),
    Parameter(EPSILON_MILLI_MAX, 1000, "1/1000", "the privacy loss that 30 days may cost at most"),
    Parameter(NOTIFICATIONS_PER_DAY_MAX, 3, "a day", "how many notices a machine shows at most"),
    Parameter(QUIET_HOURS_MIN, 8, "h a day", "how long nothing is shown at all, at least"),
    Parameter(CLOSING_GRACE_MS, 60_000, "ms", "how long after closing ballots may still arrive"),
    Parameter(VOTING_WINDOW_MS_MIN, _DAY_MS, "ms", "how long a vote is open at least"),
    Parameter("feature.proactive_error_prevention", 1, "state", "warn before a command that failed before"),
    Parameter("feature.command_prediction", 1, "state", "suggest the next command"),
    Parameter("feature.forecast_notices", 1, "state", "announce what a forecast expects"),
    Parameter("feature.learning_paths", 1, "state", "suggest what to learn next"),
    Parameter("feature.interface_adaptation", 1, "state", "adapt the amount of detail to the user"),
    Parameter("feature.ask_network", 0, "state", "ask peers a private aggregate question"),
)

PARAMETERS: MappingProxyType[str, Parameter] = MappingProxyType({item.key: item for item in _ALL})


def defaults() -> dict[str, int]:
    """Every parameter at its default."""
    return {item.key: item.default for item in _ALL}


def is_feature(key: str) -> bool:
    """True for ``feature.*``."""
    return key.startswith("feature.")
