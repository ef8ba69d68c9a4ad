"""Names that are almost the same: edit distance, and what Nix itself suggests.

Refuses a suggestion that shares too little with what was written.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

NAME_CHARS_MAX = 100
NAMES_MAX = 20_000


def distance(a: str, b: str, limit: int = 8) -> int:
    """Optimal string alignment distance (Damerau 1964), cut at ``limit + 1``."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row, older = row, [i], before
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        before = last
        if min(row) > limit:
            return limit + 1
    return row[-1]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to ``name``, or None when all differ by more than a third of its length."""
    name = name[:NAME_CHARS_MAX]
    limit = max(1, (len(name) + 1) // 3)
    best: tuple[int, str] | None = None
    for count, other in enumerate(known):
        if count > NAMES_MAX:
            break
        if other == name or len(other) > NAME_CHARS_MAX:
            continue
        steps = 0 if other.lower() == name.lower() else distance(name, other, limit)
        if steps <= limit and (best is None or (steps, other) < best):
            best = (steps, other)
    return best[1] if best else None


@lru_cache(maxsize=1)
def _suggestion() -> re.Pattern[str]:
    return re.compile(r"did you mean (?:one of )?([^\n?]+)\?", re.I)


def suggested(text: str) -> tuple[str, ...]:
    """What "Did you mean …?" names, in order; empty when the text has none."""
    match = _suggestion().search(text)
    if not match:
        return ()
    parts = re.split(r",\s*|\s+or\s+", match[1])
    names = (part.strip().strip("'\"`") for part in parts)
    return tuple(name for name in names if name and re.fullmatch(r"[\w.\"'<>*+-]{1,200}", name))
