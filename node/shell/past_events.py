"""One thing that happened before the node watched, and how such things are handed to the node.

Refuses words and paths: a kind of the closed list, a name in a narrow alphabet, a time. What is handed over
is checked again where it is taken.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luminous.node.shell import spool

RECORD_KIND = "past"
EVENTS_MAX = 2000
# Events of one spooled record; keeps it below the size of a record.
CHUNK_MAX = 250
NAME_CHARS_MAX = 80
# Where each kind was read.
SOURCES = {
    "generation": "generations",
    "built": "nix logs",
    "unit_failed": "journal",
    "out_of_memory": "journal",
    "unit_recovered": "journal",
    "failed": "shell history",
    "ran": "shell history",
}
_KINDS = "changed|unit_failed|out_of_memory|unit_recovered|failed|ran"
_NAME = re.compile(rf"(?:{_KINDS}):[A-Za-z0-9@._:\\-]{{1,80}}")
_WALL_MS_MAX = 2**48


@dataclass(frozen=True, slots=True)
class Past:
    """When (wall ms), what kind, to what (a unit, a generation, a package, a class of commands)."""

    wall_ms: int
    kind: str
    what: str

    @property
    def source(self) -> str:
        """Where it was read."""
        return SOURCES[self.kind]

    @property
    def name(self) -> str:
        """The kind of event that it is for the node; "" when it says nothing about cause and effect."""
        if self.kind == "built":
            return ""
        if self.kind == "generation":
            return "changed:generation"
        return "failed:unknown" if self.kind == "failed" else f"{self.kind}:{self.what}"


def records(
    found: Sequence[Past], missing: Mapping[str, str], since_ms: int, until_ms: int
) -> list[spool.Record]:
    """What was found, oldest first, as spool records: each with the stretch of time that it covers."""
    kept = [event for event in found if _NAME.fullmatch(event.name) and since_ms <= event.wall_ms < until_ms]
    sources = sorted({*SOURCES.values()} - set(missing) - {"nix logs"})
    made: list[spool.Record] = []
    start_ms = since_ms
    for first in range(0, max(1, len(kept)), CHUNK_MAX):
        is_last = first + CHUNK_MAX >= len(kept)
        end_ms = until_ms if is_last else max(start_ms, kept[first + CHUNK_MAX].wall_ms)
        # Of one millisecond's events that two chunks share, the later chunk has them all.
        inside = [event for event in kept if start_ms <= event.wall_ms < end_ms]
        rows = [[event.wall_ms, event.source, event.name] for event in inside]
        read = {source: [start_ms, end_ms] for source in sources}
        made.append(
            {"schema": spool.SCHEMA, "kind": RECORD_KIND, **spool.now(), "events": rows, "read": read}
        )
        start_ms = end_ms
    return made


def checked(record: Mapping[str, object]) -> dict[str, Any]:
    """The facts of a spooled record with all that does not fit left out."""
    events, read = record.get("events"), record.get("read")
    now_ms = time.time_ns() // 1_000_000
    spans = {
        source: [span[0], min(span[1], now_ms)]
        for source, span in (read.items() if isinstance(read, dict) else ())
        if source in SOURCES.values()
        and isinstance(span, list)
        and len(span) == 2
        and all(_is_time(part) for part in span)
        and span[0] <= span[1]
    }
    rows = [
        row
        for row in (events[:EVENTS_MAX] if isinstance(events, list) else ())
        if isinstance(row, list)
        and len(row) == 3
        and _is_time(row[0])
        and row[1] in spans
        and isinstance(row[2], str)
        and _NAME.fullmatch(row[2])
    ]
    return {"events": rows, "read": spans}


def printable(text: str) -> str:
    """A name on one line without anything a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text[:NAME_CHARS_MAX])


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _WALL_MS_MAX
