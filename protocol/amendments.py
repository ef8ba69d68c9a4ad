"""Amendments (tier 1): a bound of the constitution changes by two consensus votes at least 14 days apart.

Refuses everything but the largest value of rows that say how far it may move (``amend_min``, ``amend_max``):
thresholds, quorums, opt-ins, what is never votable and these two limits themselves are entrenched. Judged
under the rules in force, never under those that it would bring; no amendment touches how amendments are made.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from luminous.protocol.constitution_table import Row

_PREFIX, _SUFFIX = "rule.", ".max"
_DAY_MS = 24 * 60 * 60 * 1000
# A second vote later than this is a first one again: people have changed.
SECOND_VOTE_WITHIN_MS = 90 * _DAY_MS


@dataclass(frozen=True, slots=True)
class FirstVote:
    """A bound that one consensus vote wants, and when (agreed wall ms)."""

    value: int
    at_ms: int


def amended_row(key: str) -> str | None:
    """The row whose largest value ``key`` names (``rule.ROW.max``), or None for any other key."""
    if not (key.startswith(_PREFIX) and key.endswith(_SUFFIX)):
        return None
    return key[len(_PREFIX) : -len(_SUFFIX)]


def rule_key(row: str) -> str:
    """The name of a row's largest value in an amendment."""
    return f"{_PREFIX}{row}{_SUFFIX}"


def limits(row: Row) -> tuple[int, int] | None:
    """How far the row's largest value may ever move; None: it is entrenched."""
    low, high = row.get("amend_min"), row.get("amend_max")
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None


def is_second(first: FirstVote | None, value: int, at_ms: int) -> bool:
    """Does a vote at ``at_ms`` repeat the one before, in time?"""
    return first is not None and first.value == value and at_ms - first.at_ms <= SECOND_VOTE_WITHIN_MS


def bound_of(key: str, row: Row, rules: Mapping[str, int]) -> object:
    """The largest value of a row now: as amended, else as written."""
    return rules.get(rule_key(key), row.get("max"))
