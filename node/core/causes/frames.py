"""What stands around the lines of a pasted text: clocks, names of machines, quoting, a terminal's edge.

Takes off frames that no tool of Nix prints itself, and mends lines that a terminal broke. Refuses to touch
the words.
"""

import re
from functools import lru_cache

WIDTH_CHARS_MIN = 60
WIDTH_CHARS_MAX = 300


def unframed(lines: list[str]) -> list[str]:
    """``lines`` without a log's clock, level or machine before each, and without a mail's quoting."""
    frame = _frame()
    bare = [frame.sub("", line, count=1) if line[:1] not in (" ", "") else line for line in lines]
    told = [line for line in bare if line.strip()]
    if told and all(line.startswith(">") for line in told):
        bare = [line.removeprefix(">").removeprefix(" ") for line in bare]
    return bare


def unwrapped(text: str) -> str | None:
    """``text`` with lines joined that end at the edge of a terminal; None if none seems to."""
    lines = text.split("\n")
    width = max(map(len, lines))
    if not WIDTH_CHARS_MIN <= width <= WIDTH_CHARS_MAX:
        return None
    joined: list[str] = []
    open_line = False
    for line in lines:
        if open_line and line and not line.startswith(("error:", "warning:")):
            joined[-1] += line
        else:
            joined.append(line)
        open_line = len(line) == width
    return "\n".join(joined) if len(joined) < len(lines) else None


@lru_cache(maxsize=1)
def _frame() -> re.Pattern[str]:
    return re.compile(
        r"^(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*(?: |$)|\[\d\d:\d\d:\d\d\] ?"
        r"|\[(?:ERROR|INFO|WARN|DEBUG) *\] ?(?: *(?:stderr|stdout|failure)\) ?)?"
        r"|[A-Za-z][\w.-]{0,40} +\| ?)"
    )
