"""The constitution as data: one row per thing that a vote or an update may touch, predicates as values.

Refuses logic: ``constitution`` interprets it. The digest of its canonical encoding is part of a network's
identity, so a changed table is another network. Tier 0 rows and predicates cannot be voted on at all;
tier 2 values can, within their row. Nothing here can express code, an address or a command.
"""

from types import MappingProxyType
from typing import TypeAlias, cast

from luminous.crypto.digest import digest
from luminous.protocol.codec import Value, encode

Predicate: TypeAlias = "int | bool | str | list[str] | dict[str, str]"
Row: TypeAlias = "dict[str, Predicate]"

INTERPRETER_VERSION = 1

_HOUR_MS = 60 * 60 * 1000
_DAY_MS = 24 * _HOUR_MS


def _votable(low: int, high: int, needs: Predicate = "simple", **more: Predicate) -> Row:
    row: Row = {"votable": True, "min": low, "max": high, "needs": needs, "opt_out": "always"}
    return {**row, **more}


def _feature(high: int = 2, **more: Predicate) -> Row:
    """Off and opt-in by simple majority; on for everybody who said nothing needs two thirds."""
    return _votable(0, high, {"up": "super", "down": "simple"}, **more)


_ENTRENCHED: Row = {"votable": False, "forced": "never", "opt_out": "always"}

_TABLE: dict[str, Row] = {
    # Parameters. Keys are those of ``parameters``.
    "health.interval_s": _votable(10, 3600),
    "learning.min_contributors": _votable(10, 1000, min_fleet=1),
    "learning.window_ms": _votable(
        10_000,
        90 * _DAY_MS,
        "super",
        cooldown=10_000,
        opt_out="shared",
        amend_min=30 * _DAY_MS,
        amend_max=180 * _DAY_MS,
    ),
    "learning.min_cosine_milli": _votable(50, 1000, "super", max_step=250),
    "learning.dimension": _votable(64, 1024, "super", opt_out="shared"),
    "learning.epsilon_milli_max": _votable(
        0,
        1000,
        {"up": "consensus", "down": "simple"},
        max_step=250,
        cooldown=7 * _DAY_MS,
        amend_min=250,
        amend_max=1000,
    ),
    "notify.per_day_max": _votable(0, 6, amend_min=1, amend_max=6),
    "notify.quiet_hours_min": _votable(8, 16, monotone="up"),
    "voting.grace_ms": _votable(0, _HOUR_MS, "super", opt_out="shared"),
    "voting.window_ms_min": _votable(
        1000, 30 * _DAY_MS, "super", opt_out="shared", amend_min=7 * _DAY_MS, amend_max=60 * _DAY_MS
    ),
    # Features.
    "feature.proactive_error_prevention": _feature(),
    "feature.command_prediction": _feature(),
    "feature.forecast_notices": _feature(),
    "feature.learning_paths": _feature(),
    "feature.interface_adaptation": _feature(),
    "feature.ask_network": _feature(forced="never"),
    # What no vote may ever set: consent, what is shared, what is done unasked, when a person is at rest.
    "consent.network": _ENTRENCHED,
    "consent.learning": _ENTRENCHED,
    "share.raw_text": _ENTRENCHED,
    "healing.unattended": _ENTRENCHED,
    "notify.quiet_hours": {"votable": False, "local_only": True, "opt_out": "always"},
    # Procedure.
    "proposal.parameter": {"requires": ["uncertainty"], "rate": 3, "window_min": 1000, "code_exec": "never"},
    "proposal.feature": {"requires": ["uncertainty"], "rate": 3, "window_min": 1000, "code_exec": "never"},
    "proposal.text": {"rate": 3, "window_min": 1000, "code_exec": "never"},
    "proposal.member": {
        "needs": "super",
        "requires": ["uncertainty"],
        "rate": 3,
        "window_min": 1000,
        "code_exec": "never",
    },
    "proposal.amendment": {
        "needs": "consensus",
        "requires": ["uncertainty"],
        "rate": 3,
        "window_min": 1000,
        "cooldown": 14 * _DAY_MS,
        "code_exec": "never",
    },
    "threshold.simple": {"votable": False},
    "threshold.super": {"votable": False},
    "threshold.consensus": {"votable": False},
    "roll": {"votable": False, "growth_cap": 2},
    # Learning updates.
    "update.level": {
        "enum": ["public", "differential", "encrypted"],
        "forced": "never",
        "code_exec": "never",
    },
    "update.dimension": {"min": 1, "max": 1024},
    "update.coordinate": {"min": -(2**31 - 1), "max": 2**31 - 1},
}

TABLE: MappingProxyType[str, Row] = MappingProxyType(_TABLE)

# The five boundaries, each with the rules that hold it. A test proves that every rule named here exists.
BOUNDARIES: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "agency": (
            "consent.network.votable",
            "consent.learning.votable",
            "healing.unattended.forced",
            "feature.ask_network.forced",
            "feature.proactive_error_prevention.opt_out",
        ),
        "privacy": (
            "learning.epsilon_milli_max.max",
            "learning.epsilon_milli_max.max_step",
            "learning.min_contributors.min",
            "share.raw_text.votable",
            "update.level.enum",
        ),
        "limits": ("proposal.parameter.requires", "proposal.feature.requires"),
        "trust": (
            "proposal.parameter.code_exec",
            "proposal.feature.code_exec",
            "proposal.text.code_exec",
            "proposal.member.needs",
            "proposal.amendment.needs",
            "proposal.amendment.cooldown",
            "threshold.simple.votable",
            "roll.growth_cap",
        ),
        "flow": (
            "notify.per_day_max.max",
            "notify.quiet_hours_min.monotone",
            "notify.quiet_hours.local_only",
            "proposal.text.rate",
            "proposal.text.window_min",
        ),
    }
)


def table_digest(table: MappingProxyType[str, Row] = TABLE) -> bytes:
    """The 32-byte digest that a genesis pins: interpreter version and every row, canonically encoded."""
    rows = cast(dict[str, Value], {key: dict(row) for key, row in table.items()})
    return digest("constitution", encode([INTERPRETER_VERSION, rows]))
