"""Proposals, decisions and parameters as plain text for a screen of 80 columns, the important first.

Refuses to call a count an outcome: what is not final is marked, and its counts are provisional.
"""

import shutil
import time
from collections.abc import Mapping
from typing import Any

from luminous.node.shell.cli.printing import duration, pairs, safe, table

Facts = Mapping[str, Any]

COLUMNS_DEFAULT = 80
TITLE_CHARS_MIN = 16
THRESHOLDS = {
    "simple": "more than half of yes and no",
    "super": "more than 66 % of yes and no",
    "consensus": "more than 90 % of yes and no",
}
FEATURE_WORDS = {0: "off", 1: "opt-in", 2: "on"}


def columns() -> int:
    """How wide the screen is; 80 where there is none."""
    return shutil.get_terminal_size((COLUMNS_DEFAULT, 24)).columns


def proposed(facts: Facts) -> str:
    """What to do with a fresh proposal."""
    identifier = str(facts.get("proposal") or "")
    lines = [
        ("proposal", identifier),
        ("closes", when(facts.get("closes_at_ms"))),
        ("next", f"luminous-node vote {identifier[:8]} yes|no|abstain"),
    ]
    return pairs(lines)


def proposals(facts: Facts) -> str:
    """One line each: what is open by closing time, then what is decided, newest first."""
    rows = [row for row in facts.get("proposals") or () if isinstance(row, dict)]
    if not rows:
        return "nothing is proposed"
    waiting = [row for row in rows if not row.get("final")]
    decided = [row for row in reversed(rows) if row.get("final")]
    shown = [_line(row) for row in (*waiting, *decided)]
    widest = max(len(line) for line in table(shown).splitlines())
    longest = max(len(str(row["title"])) for row in shown)
    room = max(TITLE_CHARS_MIN, longest - max(0, widest - columns()))
    for row in shown:
        title = str(row["title"])
        row["title"] = title if len(title) <= room else title[: room - 1] + "…"
    end = "\nCounts are provisional until an outcome is final." if waiting else ""
    return table(shown) + end


def _line(row: Facts) -> dict[str, object]:
    return {
        "id": str(row.get("id", ""))[:8],
        "title": safe(row.get("title"))[:60],
        "yes": row.get("yes"),
        "no": row.get("no"),
        "of": row.get("members"),
        "needs": row.get("threshold"),
        "mine": row.get("own_choice") or "-",
        "closes": _closes(row.get("closes_at_ms")),
        "outcome": f"{safe(row.get('outcome'))}, final" if row.get("final") else safe(row.get("phase")),
    }


def decision(row: Facts) -> str:
    """One proposal: outcome first, then what it would change and what its author does not know."""
    effects = [
        f"{safe(item[0])} = {_value(str(item[0]), item[1], '')}"
        for item in row.get("effects") or ()
        if isinstance(item, list) and len(item) == 2
    ]
    words = row.get("words")
    counts = ", ".join(f"{safe(row.get(name))} {name}" for name in ("yes", "no", "abstain"))
    so_far = f"{safe(row.get('phase'))}, so far {counts} of {safe(row.get('members'))} members (provisional)"
    shown: list[tuple[str, object]] = [
        ("outcome", words if row.get("final") and words else so_far),
        ("changes", ", ".join(effects) or "nothing on any machine: a resolution in words"),
        ("needs", f"{safe(row.get('threshold'))}: {THRESHOLDS.get(str(row.get('threshold')), '')}"),
        ("closes", when(row.get("closes_at_ms"))),
        ("my vote", row.get("own_choice") or "not cast"),
    ]
    if row.get("refused_by"):
        shown.insert(1, ("forbidden", row["refused_by"]))
    if row.get("overridden"):
        shown.append(
            ("kept here", ", ".join(map(safe, row["overridden"])) + ": this machine's owner's values")
        )
    if row.get("unknowns"):
        shown.append(("unknown", "; ".join(map(safe, row["unknowns"]))))
    if row.get("text"):
        shown.append(("text", row["text"]))
    shown += [("author", str(row.get("author", ""))[:16]), ("id", row.get("id"))]
    return f"{safe(row.get('title'))}\n{pairs(shown)}"


def members(facts: Facts) -> str:
    """The roll first, then who waits, for whom some vouch, and who sleeps."""
    rows = [row for row in facts.get("members") or () if isinstance(row, dict)]
    if not rows:
        return "this network has no members who could decide"
    shown: list[dict[str, object]] = [
        {
            "member": str(row.get("author", ""))[:16] + (" (this machine)" if row.get("me") else ""),
            "last seen": when(row.get("seen_at_ms")),
        }
        for row in rows
    ]
    lines = [
        f"{len(rows)} members; {facts.get('quorum')} of them make an outcome final, "
        f"{facts.get('faulty_max')} may lie",
        table(shown),
    ]
    for row in facts.get("waiting") or ():
        by = f"{row.get('sponsors')} vouch" if row.get("sponsors") else "by vote"
        lines.append(f"waits    {str(row.get('author', ''))[:16]}  {by}; joins {when(row.get('from_ms'))}")
    for row in facts.get("vouched") or ():
        words = f"{row.get('sponsors')} of {row.get('needed')} vouch"
        lines.append(f"asks     {str(row.get('author', ''))[:16]}  {words}")
    lines += [f"dormant  {str(key)[:16]}  returns when its node runs" for key in facts.get("dormant") or ()]
    if facts.get("gone"):
        lines.append(f"{facts['gone']} keys left, were given up or convicted, and never return")
    return "\n".join(lines)


def parameters(facts: Facts) -> str:
    """What differs from the defaults with its origin and meaning, then the defaults in one line each."""
    rows = [row for row in facts.get("parameters") or () if isinstance(row, dict)]
    changed = [row for row in rows if row.get("origin") != "default"]
    lines: list[str] = []
    for row in changed:
        key = str(row.get("key"))
        unit = str(row.get("unit") or "")
        lines.append(f"{safe(key)} = {_shown(row, 'value')}")
        lines.append(f"    {_origin(row)}")
        lines.append(f"    {safe(row.get('meaning'))}{_bounds(key, row.get('rule'), unit)}")
    if changed and len(changed) < len(rows):
        lines.append("")
    if len(changed) < len(rows):
        defaults = [row for row in rows if row.get("origin") == "default"]
        width = max(len(str(row.get("key"))) for row in defaults)
        values = [_shown(row, "value") for row in defaults]
        wide = max(len(value) for value in values)
        for row, value in zip(defaults, values, strict=True):
            line = f"{safe(row.get('key')):<{width}}  {value:<{wide}}  {safe(row.get('meaning'))}"
            lines.append(line if len(line) <= columns() else line[: columns() - 1] + "…")
        lines.append("These are at their defaults. Bounds and units: --json")
    return "\n".join(lines)


def _shown(row: Facts, name: str) -> str:
    return _value(str(row.get("key")), row.get(name), str(row.get("unit") or ""))


def _value(key: str, value: object, unit: str) -> str:
    """A parameter's number as a person says it."""
    if not isinstance(value, int) or isinstance(value, bool):
        return safe(value)
    if key.startswith("feature."):
        return FEATURE_WORDS.get(value, str(value))
    if unit == "ms" or key.endswith("_ms") or "_ms_" in key:
        return f"{value} ms" if value < 1000 or value % 1000 else span(value // 1000)
    if unit == "s":
        return span(value)
    if unit == "1/1000":
        return f"{value / 1000:g}"
    return f"{value} {unit}".strip()


def _origin(row: Facts) -> str:
    default = f"default {_shown(row, 'default')}"
    if row.get("origin") == "override":
        return f"kept on this machine; network {_shown(row, 'network')}, {default}"
    return f"the network's; {default}"


def _bounds(key: str, rule: object, unit: str) -> str:
    if not isinstance(rule, Mapping) or "min" not in rule or "max" not in rule:
        return ""
    low, high = _value(key, rule["min"], unit), _value(key, rule["max"], unit)
    return f"; {low.removesuffix(f' {unit}') if high.endswith(unit) else low} to {high} by vote"


def span(seconds: int) -> str:
    """Seconds in the largest unit that divides them, so that nothing is rounded away."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def when(wall_ms: object) -> str:
    """A moment as local time, and how far it is from now."""
    if not isinstance(wall_ms, int) or isinstance(wall_ms, bool) or wall_ms <= 0:
        return "-"
    try:
        local = time.strftime("%Y-%m-%d %H:%M", time.localtime(wall_ms / 1000))
    except (OverflowError, ValueError, OSError):
        return str(wall_ms)
    return f"{local} ({_closes(wall_ms)})"


def _closes(wall_ms: object) -> str:
    if not isinstance(wall_ms, int) or isinstance(wall_ms, bool):
        return "-"
    left_s = wall_ms / 1000 - time.time()
    # A vote opened for two days a moment ago closes in "2 d", not in "1 d".
    return (
        f"in {duration(left_s + (60 if left_s > 3600 else 0))}" if left_s > 0 else f"{duration(-left_s)} ago"
    )
