"""The catalogue of causes as typed values: recognisers, explanations, fixes.

Parses plain mappings (read from TOML by the shell) and refuses what does not fit: an unknown verb, a hole of
the wrong name, a class outside the closed list, a pair that the public vocabulary does not hold.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from luminous.node.core.causes.verbs import VERBS

VIEWS = ("said", "outside", "trace", "excerpt", "all")
STAGES = ("usage", "parse", "evaluate", "fetch", "build", "activate", "system")
# Where nothing else can wait behind the failure: activation is the last stage, and these end no pipeline.
STAGES_NOTHING_BEHIND = ("activate",)
CLASSES_NOTHING_BEHIND = ("path_in_use", "store_corruption")
CONDITIONS = (
    "",
    "silent",
    "total",
    "boot",
    "tmp",
    "daemon_down",
    "database",
    "first_copy",
    "wants_network",
    "store_lock",
    "in_home",
    "auto_upgrade",
    "unsure",
    "no_command",
    "flake_output",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A recogniser: every text of ``has`` (lower case) is in its view, and ``pattern``, if any, matches.

    ``belief`` is how often it is right where it holds; the highest ``rank`` decides when several hold.
    """

    class_id: str
    has: tuple[str, ...]
    pattern: str
    view: str
    belief: float
    rank: int

    def compile(self) -> re.Pattern[str]:
        """The pattern, compiled when first needed (``re`` keeps it)."""
        return re.compile(self.pattern, re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FixTemplate:
    """A fix of the catalogue: a closed verb and where its holes come from ("=x" is the constant x)."""

    id: str
    class_id: str
    verb: str
    text: str
    holes: tuple[tuple[str, str], ...]
    undo: str
    condition: str
    pair: int  # id in the public vocabulary, -1 for none


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """One class of the closed list."""

    id: str
    stage: str
    cause: str
    general: str
    unsure: str  # the cause in words while state has not told it apart from another; "" for none
    prevention: str
    asks: tuple[str, ...]
    rules: tuple[Rule, ...]
    fixes: tuple[FixTemplate, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All classes by id, in the order of the files."""

    classes: Mapping[str, ErrorClass]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every recogniser of every class."""
        return tuple(rule for entry in self.classes.values() for rule in entry.rules)


def parse_catalogue(tables: Mapping[str, Mapping[str, Any]]) -> Catalogue:
    """The catalogue from the merged TOML tables.

    Raises ValueError naming the entry that is wrong: the catalogue is part of the program.
    """
    return Catalogue({class_id: _parse_class(class_id, table) for class_id, table in tables.items()})


def _parse_class(class_id: str, table: Mapping[str, Any]) -> ErrorClass:
    if table["stage"] not in STAGES:
        raise ValueError(f"{class_id}: unknown stage {table['stage']!r}")
    return ErrorClass(
        class_id,
        table["stage"],
        table["cause"],
        table["general"],
        table.get("unsure", ""),
        table["prevention"],
        tuple(table["asks"]),
        tuple(_parse_rule(class_id, rule) for rule in table["rules"]),
        tuple(_parse_fix(class_id, fix) for fix in table["fixes"]),
    )


def _parse_rule(class_id: str, table: Mapping[str, Any]) -> Rule:
    view = table.get("view", "said")
    has = tuple(table["has"])
    if view not in VIEWS or not has or any(text != text.lower() for text in has):
        raise ValueError(f"{class_id}: bad recogniser {table!r}")
    return Rule(class_id, has, table.get("re", ""), view, float(table["p"]), int(table["rank"]))


def _parse_fix(class_id: str, table: Mapping[str, Any]) -> FixTemplate:
    fix_id, verb = table["id"], table["verb"]
    if not fix_id.startswith(class_id + "."):
        raise ValueError(f"{fix_id}: a fix is named after its class")
    if verb not in VERBS:
        raise ValueError(f"{fix_id}: {verb!r} is not a verb of the closed list")
    holes = tuple(sorted(table.get("holes", {}).items()))
    unknown = [name for name, _ in holes if name not in VERBS[verb].hole_names]
    if unknown:
        raise ValueError(f"{fix_id}: {verb} has no hole {unknown[0]!r}")
    condition = table.get("when", "")
    if condition not in CONDITIONS:
        raise ValueError(f"{fix_id}: unknown condition {condition!r}")
    return FixTemplate(
        fix_id, class_id, verb, table["text"], holes, table.get("undo", ""), condition, int(table["pair"])
    )
