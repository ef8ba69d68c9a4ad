"""Facts as plain text: key-value lines and tables.

Refuses to trust the text it prints: control characters, which could rewrite a terminal, are shown as ``?``.
"""

from collections.abc import Iterable, Mapping, Sequence

CELL_CHARS_MAX = 60


def safe(value: object) -> str:
    """A value as printable text on one line."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else str(value)
    return "".join(c if c.isprintable() else "?" for c in text.replace("\n", " "))


def pairs(facts: Iterable[tuple[str, object]]) -> str:
    """Lines of ``key  value`` in two columns."""
    rows = [(key, safe(value)) for key, value in facts]
    width = max((len(key) for key, _ in rows), default=0)
    return "\n".join(f"{key:<{width}}  {value}".rstrip() for key, value in rows)


def table(rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> str:
    """A table of the given columns, or of every column the rows have."""
    if not rows:
        return "(none)"
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
    cells = [[name.replace("_", " ") for name in names]]
    cells += [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def outline(facts: Mapping[str, object], indent: int = 0) -> str:
    """Any facts: plain values as lines, maps as indented blocks, lists of maps as tables."""
    lines: list[str] = []
    pad = " " * indent
    plain = [(key, value) for key, value in facts.items() if not isinstance(value, dict | list)]
    if plain:
        lines += [pad + line for line in pairs([(k.replace("_", " "), v) for k, v in plain]).splitlines()]
    for key, value in facts.items():
        title = pad + key.replace("_", " ")
        if isinstance(value, dict):
            lines += [f"{title}:", outline(value, indent + 2)] if value else [f"{title}: (none)"]
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            lines += [f"{title}:", *(" " * (indent + 2) + line for line in table(value).splitlines())]
        elif isinstance(value, list):
            lines.append(f"{title}: {', '.join(map(safe, value)) or '(none)'}")
    return "\n".join(line for line in lines if line)


def duration(seconds: object) -> str:
    """Seconds as a person says them."""
    if not isinstance(seconds, int | float):
        return "-"
    left = int(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if left >= size:
            return f"{left // size} {unit}"
    return f"{left} s"


def _cell(value: object) -> str:
    text = ", ".join(map(safe, value)) if isinstance(value, list) else safe(value)
    return text if len(text) <= CELL_CHARS_MAX else text[: CELL_CHARS_MAX - 1] + "…"
