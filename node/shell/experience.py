"""What was learnt about fixes, in two files for ``explain``, which opens no store: the running node's, and
the book of attempts that ``exec`` keeps without any node.

Refuses anything but counts by class and fix of the public vocabulary; a damaged file is no experience.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from luminous.node.shell.durable_file import read_private, write_private
from luminous.node.shell.failure import Failure

if TYPE_CHECKING:
    from luminous.protocol.layout import Pair

NAME = "experience.json"
BOOK_NAME = "attempts.json"
SIZE_BYTES_MAX = 256 * 1024
# More outcomes than a machine can have; stops a planted number from drowning all others.
COUNT_MAX = 1e9

Counts = dict[tuple[str, str], tuple[float, float]]


def by_fix(counts: "Mapping[Pair, tuple[float, float]]") -> Counts:
    """Counts of public pairs as counts of the catalogue's fixes; a pair may stand for several fixes."""
    from luminous.node.assets import shared_pairs  # the reading side does without the vocabulary

    return {key: counts[pair] for key, pair in shared_pairs().items() if pair in counts}


def write(
    data_dir: Path,
    local: Mapping[tuple[str, str], tuple[float, float]],
    prior: Mapping[tuple[str, str], tuple[float, float]],
) -> None:
    """Leave own counts and the discounted belief of others."""
    facts = {
        "schema": 1,
        "local": [[*key, *counts] for key, counts in sorted(local.items())],
        "prior": [[*key, *counts] for key, counts in sorted(prior.items())],
    }
    raw = json.dumps(facts).encode() + b"\n"
    if len(raw) <= SIZE_BYTES_MAX:
        write_private(data_dir / NAME, raw, "what was learnt cannot be written")


def read(data_dir: Path) -> tuple[Counts, Counts]:
    """(own counts, belief of others); empty where a file is missing or damaged.

    The node and the book count the same outcomes, so of a fix that both know the longer record is taken.
    """
    facts, book = _facts(data_dir / NAME), _facts(data_dir / BOOK_NAME)
    local, prior, own = _part(facts, "local"), _part(facts, "prior"), _part(book, "local")
    for key, counts in own.items():
        if counts[1] > local.get(key, (0.0, 0.0))[1]:
            local[key] = counts
    return local, prior


def _facts(path: Path) -> object:
    try:
        raw = read_private(path, SIZE_BYTES_MAX, "what was learnt cannot be read")
        return {} if raw is None or len(raw) > SIZE_BYTES_MAX else json.loads(raw)
    except (Failure, ValueError, RecursionError):
        return {}


def _part(facts: object, name: str) -> Counts:
    try:
        return _counts(facts[name])  # type: ignore[index]
    except (ValueError, KeyError, TypeError):
        return {}


def _counts(rows: list[list[object]]) -> Counts:
    found: Counts = {}
    for error_class, fix, successes, trials in rows:
        good, all_of_them = float(str(successes)), float(str(trials))
        if 0 <= good <= all_of_them <= COUNT_MAX:
            found[str(error_class), str(fix)] = (good, all_of_them)
    return found
