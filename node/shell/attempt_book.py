"""The attempts at fixes on this machine and what they taught, in one private file that needs no daemon.

Refuses a damaged file (the book begins anew), words of commands and files (names of the public vocabulary,
digests and numbers only), and to grow.
"""

import fcntl
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from luminous.node.core.causes.attempts import Attempts, Ended, Verdict
from luminous.node.shell import spool
from luminous.node.shell.durable_file import read_private, write_private
from luminous.node.shell.experience import BOOK_NAME
from luminous.node.shell.failure import Failure
from luminous.node.shell.observed_fix import fix_of

NAME = BOOK_NAME
LOCK = ".attempts.lock"
SCHEMA = 1
SIZE_BYTES_MAX = 256 * 1024
# Pairs of class and fix that are counted. Stops odd names from filling the file.
PAIRS_MAX = 512
COUNT_MAX = 10**6

Counts = dict[tuple[str, str], tuple[int, int]]


def note(data_dir: str, run: Ended) -> tuple[Verdict, ...]:
    """Enter the end of a run; the attempts that it decided, already counted. Raises OSError and Failure."""
    folder = Path(data_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # two runs that end at once must not lose each other's outcome
        attempts, counts = load(folder)
        verdicts = attempts.end(run)
        for verdict in verdicts:
            _count(counts, verdict)
        _save(folder, attempts, counts)
    finally:
        os.close(handle)
    return verdicts


def follow(
    data_dir: str,
    key: str,
    before: object,
    changed: str,
    *,
    is_success: bool = False,
    mark: str = "",
    class_id: str = "",
    offers: tuple[tuple[str, int], ...] = (),
) -> None:
    """Enter the end of a run of the command `key`, and leave what it decided for the daemon.

    `before`: its failure before, if it had one; `changed`: what kind of change there was since; `mark` and
    `class_id`: how it failed now, "" when it succeeded or nobody knows. Raises OSError, ValueError, Failure.
    """
    former = before.get("error_class") if isinstance(before, dict) else None
    fix = fix_of(str(former), changed) if former and changed else ""
    if not is_success and fix == "retried":
        fix = ""  # the same again without any change was no attempt at a fix
    run = Ended(key, _now_ms(), is_success, mark, class_id, fix, offers)
    for record in records(note(data_dir, run)):
        spool.write(data_dir, record)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def load(folder: Path) -> tuple[Attempts, Counts]:
    """Open attempts and (successes, trials) by pair; both empty where the file is missing or damaged."""
    attempts = Attempts()
    try:
        raw = read_private(folder / NAME, SIZE_BYTES_MAX, "the attempts cannot be read")
        if raw is None or len(raw) > SIZE_BYTES_MAX:
            return attempts, {}
        facts = json.loads(raw)
        attempts.restore(facts)
        return attempts, _counts(facts["counts"])
    except (Failure, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Attempts(), {}


def records(verdicts: Sequence[Verdict]) -> list[spool.Record]:
    """What the daemon is told about them: names of the vocabulary, how it ended, with what chance."""
    return [
        {
            "kind": "attempt",
            "schema": spool.SCHEMA,
            **spool.now(),
            "error_class": verdict.attempt.class_id,
            "fix_observed": verdict.attempt.fix,
            "success": verdict.is_success,
            "why": verdict.why,
            "place": verdict.attempt.place,
            "propensity_milli": verdict.attempt.propensity_milli,
        }
        for verdict in verdicts
    ]


def _count(counts: Counts, verdict: Verdict) -> None:
    pair = (verdict.attempt.class_id, verdict.attempt.fix)
    if pair in counts or len(counts) < PAIRS_MAX:
        successes, trials = counts.get(pair, (0, 0))
        if trials < COUNT_MAX:
            counts[pair] = (successes + verdict.is_success, trials + 1)


def _save(folder: Path, attempts: Attempts, counts: Counts) -> None:
    facts = {
        "schema": SCHEMA,
        **attempts.facts(),
        "counts": [[*pair, *counted] for pair, counted in sorted(counts.items())],
        "local": [[*key, *counted] for key, counted in sorted(_by_fix(counts).items())],
    }
    raw = json.dumps(facts).encode() + b"\n"
    if len(raw) <= SIZE_BYTES_MAX:
        write_private(folder / NAME, raw, "the attempts cannot be written")


def _by_fix(counts: Counts) -> dict[tuple[str, str], tuple[float, float]]:
    from luminous.node.shell.experience import by_fix

    return by_fix({pair: (float(s), float(n)) for pair, (s, n) in counts.items()}) if counts else {}


def _counts(rows: Sequence[Sequence[object]]) -> Counts:
    found: Counts = {}
    for error_class, fix, successes, trials in rows[:PAIRS_MAX]:
        if not isinstance(successes, int) or not isinstance(trials, int):
            raise ValueError("not a count")
        if 0 <= successes <= trials <= COUNT_MAX:
            found[str(error_class), str(fix)] = (successes, trials)
    return found
