"""What went wrong before the first start, read once and only with its owner's consent.

Reads, bounded: failed units in the journal and when they ran again, system generations, names of Nix's build
logs, and Nix commands in atuin's history, the only shell history that keeps exit codes. Hands kinds, unit
names and times to this machine's own node, as observations and never as trials. Refuses to run without a yes,
to read anything else, to keep a command's words or any text, and to pretend: what this machine does not have
is named.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from luminous.node.shell import past_events, past_journal, shell_history, spool
from luminous.node.shell.caller import find_caller, give_up_rights
from luminous.node.shell.past_events import EVENTS_MAX, Past, printable

DAYS_DEFAULT = 31
DAYS_MAX = 366
LOGS_MAX = 2000
GENERATIONS_MAX = 500
# A failure this soon after a new generation is told together with it.
AFTER_MS = 5 * 60_000
PROFILES = "/nix/var/nix/profiles"
LOGS = "/nix/var/log/nix/drvs"
_GENERATION = re.compile(r"system-(\d{1,9})-link")


@dataclass(frozen=True, slots=True)
class Backfilled:
    """Everything found, oldest first, for each source why it could not be read, and the time looked at."""

    events: tuple[Past, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    since_ms: int = 0
    until_ms: int = 0

    def to_json(self) -> dict[str, object]:
        """Schema 1 of `backfill --json`."""
        events = [{"wall_ms": e.wall_ms, "kind": e.kind, "what": e.what} for e in self.events]
        return {"schema": 1, "events": events, "missing": dict(self.missing)}

    def to_text(self) -> str:
        """For a person: what broke how often, and what could not be read."""
        counts: dict[tuple[str, str], list[int]] = {}
        for event in self.events:
            if event.kind in _TROUBLES:
                counts.setdefault((event.kind, event.what), []).append(event.wall_ms)
        days = max(1, (self.until_ms - self.since_ms) // 86_400_000)
        made = sum(e.kind == "generation" for e in self.events)
        few = {0: "no system generation was", 1: "one system generation was"}
        lines = [f"In the last {days} days {few.get(made, f'{made} system generations were')} made."]
        if not counts and set(self.missing) < {"journal", "shell history"}:
            lines.append("No failed unit and no failed Nix command was found.")
        for (kind, what), times in sorted(counts.items(), key=lambda item: -len(item[1]))[:12]:
            count = "once" if len(times) == 1 else f"{len(times)} times"
            around = self._around(kind, what, times)
            lines.append(f"{_TROUBLES[kind]}: {what}, {count}, last {_day(max(times))}{around}")
        lines += [f"not read: {source}: {why}" for source, why in sorted(self.missing.items())]
        return "\n".join([*lines, "Nothing was sent."])

    def _around(self, kind: str, what: str, times: list[int]) -> str:
        """What came just before the failures, and whether it works again: order, not proof."""
        made = [e.wall_ms for e in self.events if e.kind == "generation"]
        after = sum(any(0 <= at - then <= AFTER_MS for then in made) for at in times)
        said = f"; {after} of them within 5 minutes after a new generation" if after else ""
        again = [e.wall_ms for e in self.events if (e.kind, e.what) == (_RECOVERED.get(kind), what)]
        if again and max(again) > max(times):
            return f"{said}; it worked again {_day(max(again))}"
        return said


def _day(wall_ms: int) -> str:
    return time.strftime("%d %b %H:%M", time.localtime(wall_ms / 1000))


_TROUBLES = {"unit_failed": "unit failed", "out_of_memory": "killed for memory", "failed": "command failed"}
_RECOVERED = {"unit_failed": "unit_recovered", "out_of_memory": "unit_recovered", "failed": "ran"}


def backfill(
    *,
    consent: bool,
    days: int = DAYS_DEFAULT,
    now_ms: int | None = None,
    root_dir: str = "/",
    home: str = "",
) -> Backfilled:
    """Read the past `days`. Raises PermissionError without consent; any other trouble becomes a named gap.

    `root_dir` is the root of the file system, for tests; the journal is only asked on the real one.
    """
    if not consent:
        raise PermissionError("reading the past needs its owner's yes")
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    since = now - min(max(days, 1), DAYS_MAX) * 86_400_000
    root = Path(root_dir)
    missing: dict[str, str] = {}
    events: list[Past] = []
    events += _generations(root / PROFILES.lstrip("/"), since, missing)
    events += _logs(root / LOGS.lstrip("/"), since, missing)
    events += past_journal.read(since, missing)
    if home:
        events += shell_history.read(home, since, missing)
    else:
        missing[shell_history.SOURCE] = "nobody's home was named"
    kept = sorted(events, key=lambda e: (e.wall_ms, e.kind, e.what))[-EVENTS_MAX:]
    # Where the bound cut, the time before it was not looked at.
    start = kept[0].wall_ms if len(events) > EVENTS_MAX else since
    return Backfilled(tuple(kept), missing, start, now)


def _generations(folder: Path, since_ms: int, missing: dict[str, str]) -> list[Past]:
    found = []
    try:
        for path in sorted(folder.iterdir())[: 4 * GENERATIONS_MAX]:
            match = _GENERATION.fullmatch(path.name)
            if match:
                made = path.lstat().st_mtime_ns // 1_000_000
                if made >= since_ms:
                    found.append(Past(made, "generation", match[1]))
    except OSError as error:
        missing["generations"] = error.strerror or "cannot be read"
    return found[-GENERATIONS_MAX:]


def _logs(folder: Path, since_ms: int, missing: dict[str, str]) -> list[Past]:
    """Build logs: that something was built here, and when; whether it failed is not in a log's name."""
    found: list[Past] = []
    try:
        for group in sorted(folder.iterdir())[:LOGS_MAX]:
            for path in group.iterdir():
                made = path.lstat().st_mtime_ns // 1_000_000
                if made >= since_ms:
                    found.append(Past(made, "built", _package(path.name)))
                if len(found) >= LOGS_MAX:
                    return found
    except OSError as error:
        missing["nix logs"] = error.strerror or "cannot be read"
    return found


def _package(name: str) -> str:
    """The package's name without hash and version, as a log file is called `hash-name-1.2.drv.bz2`."""
    base = name.split(".drv", 1)[0]
    base = re.sub(r"^[0-9a-z]{30,32}-", "", base)
    return printable(re.sub(r"-\d[\w.+-]*$", "", base))


def hand_over(found: Backfilled, data_dir: str) -> int:
    """Leave what was found for this machine's own node; how many events. Raises OSError and ValueError."""
    made = past_events.records(found.events, found.missing, found.since_ms, found.until_ms)
    count = 0
    for record in made:
        spool.write(data_dir, record)
        events = record["events"]
        count += len(events) if isinstance(events, list) else 0
    return count


def run(words: list[str]) -> int:
    """`backfill [--json] [--days N] --yes`: asks on a terminal, refuses elsewhere without --yes."""
    import sys

    from luminous.node.shell.command_words import say, split
    from luminous.node.shell.failure import Exit, Failure

    usage = "luminous-node backfill [--json] [--days N] --yes"
    options, rest = split(words, {"--json": 0, "--days": 1, "--yes": 0}, usage)
    days = options.get("--days", [str(DAYS_DEFAULT)])[0]
    if rest or not days.isdigit() or not 1 <= int(days) <= DAYS_MAX:
        raise Failure("I did not understand that", f"--days wants 1 to {DAYS_MAX}", usage, Exit.USAGE)
    consent = "--yes" in options
    if not consent and sys.stdin.isatty() and sys.stderr.isatty():
        sys.stderr.write(
            f"May I read the last {days} days of failed units (journal), system generations, the names of\n"
            "Nix logs, and which Nix commands failed (atuin's history, if there is one)? Nothing is sent.\n"
            "Kinds, unit names and times go to your own node; no text and no command is kept. [y/N] "
        )
        sys.stderr.flush()
        consent = sys.stdin.readline(16).strip().lower() in ("y", "yes")
    if not consent:
        raise Failure("nothing was read", "reading the past needs your yes", usage, Exit.PERMISSION)
    caller = find_caller()
    found = backfill(consent=True, days=int(days), home=caller.home)
    give_up_rights(caller)  # from here on nothing is written with more than the caller's own
    try:
        handed = hand_over(found, caller.data_dir)
    except OSError as error:
        why = error.strerror or type(error).__name__
        what, do = "it was read, but not handed to your node", f"may you write to {caller.data_dir}?"
        raise Failure(what, why, do) from error
    told = f"{handed or 'No'} events were left for your node, which counts each only once."
    say({**found.to_json(), "handed_over": handed}, f"{found.to_text()}\n{told}", as_json="--json" in options)
    return 0
