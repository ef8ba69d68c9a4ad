"""A change of one file as a unified diff. Refuses to apply it."""

from dataclasses import dataclass

CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class Edit:
    """A proposed new text of one file, and what changed in words ("old" to "new")."""

    file: str
    before: str
    after: str
    old: str = ""
    new: str = ""


def unified(edit: Edit, shown_name: str) -> str:
    """The unified diff with one hunk, for ``patch -p1`` where ``shown_name`` starts."""
    a, b = edit.before.split("\n"), edit.after.split("\n")
    a_ends, b_ends = edit.before.endswith("\n"), edit.after.endswith("\n")
    a, b = (a[:-1] if a_ends else a), (b[:-1] if b_ends else b)
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[len(a) - 1 - end] == b[len(b) - 1 - end]:
        end += 1
    if a_ends != b_ends and end:
        end -= 1
    first = max(0, start - CONTEXT_LINES)
    tail = min(end, CONTEXT_LINES)
    old = a[first : len(a) - end + tail]
    new = b[first : len(b) - end + tail]
    lines = [f"--- a/{shown_name}", f"+++ b/{shown_name}"]
    lines.append(f"@@ -{_span(first, len(old))} +{_span(first, len(new))} @@")
    lines += [" " + text for text in a[first:start]]
    lines += _marked("-", a[start : len(a) - end], a_ends or end > 0)
    lines += _marked("+", b[start : len(b) - end], b_ends or end > 0)
    context = a[len(a) - end : len(a) - end + tail]
    lines += _marked(" ", context, a_ends or end > tail)
    return "\n".join(lines) + "\n"


def _span(first: int, count: int) -> str:
    return f"{first + 1 if count else first},{count}"


def _marked(mark: str, texts: list[str], ends_with_newline: bool) -> list[str]:
    lines = [mark + text for text in texts]
    if texts and not ends_with_newline:
        lines.append("\\ No newline at end of file")
    return lines
