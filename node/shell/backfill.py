"""What went wrong before the first start, read once and only with its owner's consent.

Reads, bounded: failed units in the journal, system generations, names of Nix's build logs. Refuses to run
without a yes, to read anything else, to keep text, and to pretend: what this machine does not have is named.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DAYS_DEFAULT = 31
DAYS_MAX = 366
EVENTS_MAX = 2000
JOURNAL_LINES_MAX = 5000
JOURNAL_TIMEOUT_S = 10
LOGS_MAX = 2000
GENERATIONS_MAX = 500
NAME_CHARS_MAX = 80
PROFILES = "/nix/var/nix/profiles"
LOGS = "/nix/var/log/nix/drvs"
# systemd's own message ids: a unit failed; a process was killed for memory.
_UNIT_FAILED = "be02cf6855d2428ba40df7e9d022f03d"
_UNIT_RESULT = "d9b373ed55a64feb8242e02dbe79a49c"
_OUT_OF_MEMORY = "fe6faa94e7774663a0da52717891d8ef"
_KINDS = {_UNIT_FAILED: "unit_failed", _UNIT_RESULT: "unit_failed", _OUT_OF_MEMORY: "out_of_memory"}
_GENERATION = re.compile(r"system-(\d{1,9})-link")


@dataclass(frozen=True, slots=True)
class Past:
    """One thing that happened: when (wall ms), what kind, to what (a unit, a generation, a package)."""

    wall_ms: int
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Backfilled:
    """Everything found, oldest first, and for each source why it could not be read."""

    events: tuple[Past, ...]
    missing: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Schema 1 of `backfill --json`."""
        events = [{"wall_ms": e.wall_ms, "kind": e.kind, "what": e.what} for e in self.events]
        return {"schema": 1, "events": events, "missing": dict(self.missing)}

    def to_text(self) -> str:
        """For a person: what broke how often, and what could not be read."""
        counts: dict[tuple[str, str], list[int]] = {}
        for event in self.events:
            if event.kind != "generation":
                counts.setdefault((event.kind, event.what), []).append(event.wall_ms)
        lines = [f"{sum(e.kind == 'generation' for e in self.events)} system generations were made."]
        for (kind, what), times in sorted(counts.items(), key=lambda item: -len(item[1]))[:12]:
            day = time.strftime("%d %b %H:%M", time.localtime(max(times) / 1000))
            lines.append(f"{kind.replace('_', ' ')}: {what}, {len(times)} times, last {day}")
        lines += [f"not read: {source}: {why}" for source, why in sorted(self.missing.items())]
        return "\n".join([*lines, "Nothing was sent."])


def backfill(
    *, consent: bool, days: int = DAYS_DEFAULT, now_ms: int | None = None, root_dir: str = "/"
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
    events += _journal(since, missing)
    return Backfilled(tuple(sorted(events, key=lambda e: (e.wall_ms, e.kind, e.what))[-EVENTS_MAX:]), missing)


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
    return _printable(re.sub(r"-\d[\w.+-]*$", "", base))


def _journal(since_ms: int, missing: dict[str, str]) -> list[Past]:
    matches = " + ".join(f"MESSAGE_ID={message_id}" for message_id in _KINDS).split()
    fields = "MESSAGE_ID,UNIT,USER_UNIT,_SYSTEMD_UNIT"
    argv = ["journalctl", "--quiet", "--no-pager", "-o", "json", f"--output-fields={fields}"]
    argv += [f"--since=@{since_ms // 1000}", f"--lines={JOURNAL_LINES_MAX}", *matches]
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    try:
        ran = subprocess.run(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=JOURNAL_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        missing["journal"] = "this machine has no journalctl"
        return []
    except (OSError, subprocess.TimeoutExpired) as error:
        missing["journal"] = type(error).__name__
        return []
    if ran.returncode:
        missing["journal"] = _printable(ran.stderr.decode("utf-8", "replace").strip()) or "journalctl failed"
        return []
    return parse_journal(ran.stdout)


def parse_journal(text: bytes) -> list[Past]:
    """The failures in the output of `journalctl -o json`; lines that are not of that form are left out."""
    found = []
    for line in text.splitlines()[:JOURNAL_LINES_MAX]:
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
            found.append(Past(int(stamp) // 1000, kind, _printable(unit)))
    return found


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:NAME_CHARS_MAX])


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
            f"May I read the last {days} days of failed units (journal), system generations and the names\n"
            "of Nix logs? "
            "Nothing is sent and no text is kept. [y/N] "
        )
        consent = sys.stdin.readline(16).strip().lower() in ("y", "yes")
    if not consent:
        raise Failure("nothing was read", "reading the past needs your yes", usage, Exit.PERMISSION)
    found = backfill(consent=True, days=int(days))
    say(found.to_json(), found.to_text(), as_json="--json" in options)
    return 0
