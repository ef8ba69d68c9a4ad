"""Failed units in the journal, and when each ran again.

Refuses texts of the journal: of every entry only its kind, its unit and its time are asked for.
"""

import json
import os
import subprocess
from collections.abc import Sequence

from luminous.node.shell.past_events import Past, printable

LINES_MAX = 5000
TIMEOUT_S = 10
UNITS_ASKED_MAX = 40
# systemd says two things about one failed start; within this time they are one.
SAME_MS = 2000
# systemd's own message ids: a unit failed (two of them); a process was killed for memory; a unit started.
UNIT_STARTED = "39f53479d3a045ac8e11786248231fbf"
_FAILURES = {
    "be02cf6855d2428ba40df7e9d022f03d": "unit_failed",
    "d9b373ed55a64feb8242e02dbe79a49c": "unit_failed",
    "fe6faa94e7774663a0da52717891d8ef": "out_of_memory",
}
_KINDS = {**_FAILURES, UNIT_STARTED: "unit_recovered"}


def read(since_ms: int, missing: dict[str, str]) -> list[Past]:
    """Failures since a wall time and the first start after each; why it cannot be read goes to `missing`."""
    matches = " + ".join(f"MESSAGE_ID={message_id}" for message_id in _FAILURES).split()
    failures = _merged(_ask(matches, since_ms, missing))
    units = list(dict.fromkeys(event.what for event in reversed(failures)))[:UNITS_ASKED_MAX]
    if not units:
        return failures
    starts = _ask([f"MESSAGE_ID={UNIT_STARTED}", *(f"UNIT={unit}" for unit in units)], since_ms, missing)
    return [*failures, *_first_starts(failures, starts)]


def _ask(matches: Sequence[str], since_ms: int, missing: dict[str, str]) -> list[Past]:
    fields = "MESSAGE_ID,UNIT,USER_UNIT,_SYSTEMD_UNIT"
    argv = ["journalctl", "--quiet", "--no-pager", "-o", "json", f"--output-fields={fields}"]
    argv += [f"--since=@{since_ms // 1000}", f"--lines={LINES_MAX}", *matches]
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    try:
        ran = subprocess.run(
            argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        missing["journal"] = "this machine has no journalctl"
        return []
    except (OSError, subprocess.TimeoutExpired) as error:
        missing["journal"] = type(error).__name__
        return []
    if ran.returncode:
        missing["journal"] = printable(ran.stderr.decode("utf-8", "replace").strip()) or "journalctl failed"
        return []
    return parse_journal(ran.stdout)


def parse_journal(text: bytes) -> list[Past]:
    """The events in the output of `journalctl -o json`; lines that are not of that form are left out."""
    found = []
    for line in text.splitlines()[:LINES_MAX]:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, dict):
            continue
        kind = _KINDS.get(str(entry.get("MESSAGE_ID")))
        stamp = str(entry.get("__REALTIME_TIMESTAMP", ""))
        unit = entry.get("UNIT") or entry.get("USER_UNIT") or entry.get("_SYSTEMD_UNIT")
        if kind and stamp.isdigit() and len(stamp) < 20 and isinstance(unit, str):
            found.append(Past(int(stamp) // 1000, kind, printable(unit)))
    return found


def _merged(events: list[Past]) -> list[Past]:
    """Several messages about one failure are one event."""
    found: list[Past] = []
    last: dict[tuple[str, str], int] = {}
    for event in sorted(events, key=lambda event: (event.wall_ms, event.kind, event.what)):
        key = (event.kind, event.what)
        if event.wall_ms - last.get(key, -SAME_MS) >= SAME_MS:
            found.append(event)
        last[key] = event.wall_ms
    return found


def _first_starts(failures: list[Past], starts: list[Past]) -> list[Past]:
    """Of each unit's starts those that came first after a failure."""
    found = []
    is_failed: dict[str, bool] = {}
    for event in sorted([*failures, *starts], key=lambda e: (e.wall_ms, e.kind == "unit_recovered")):
        if event.kind != "unit_recovered":
            is_failed[event.what] = True
        elif is_failed.pop(event.what, False):
            found.append(event)
    return found
