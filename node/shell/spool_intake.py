"""What ``exec`` and the shell hook left in the spool, taken in: events for the node, text for the evidence.

Refuses to trust a record's words: names outside the closed vocabulary become ``other`` or nothing, numbers
are bounded. A file is deleted only when what it said is durable.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from luminous.node.core import events, observing
from luminous.node.core.effects import Report
from luminous.node.core.instant import Instant
from luminous.node.ports import StoreError
from luminous.node.shell import past_events, spool
from luminous.node.shell.command_class import COMMAND_CLASSES
from luminous.node.shell.evidence import Evidence, Failed
from luminous.node.shell.service import Service

INTERVAL_S = 2.0
# Files handed to the node before it is waited for.
CHUNK_MAX = 64
DURATION_MS_MAX = 7 * 24 * 3600 * 1000
# Names of classes, fixes and signatures; a sentence, a path or a secret does not fit.
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class Intake:
    """Empties the spool of one data directory into one node."""

    def __init__(
        self,
        data_dir: Path,
        service: Service,
        evidence: Evidence | None,
        tell: Callable[[Report], None],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = str(data_dir)
        self._service = service
        self._evidence = evidence
        self._tell = tell
        self._beat = beat

    async def run(self) -> None:
        """Look every other second until cancelled; while the journal cannot be written, all waits."""
        while True:
            if not self._service.is_mute:
                await self._empty()
            self._beat()
            await trio.sleep(INTERVAL_S)

    async def _empty(self) -> None:
        records, refused = spool.read_all(self._folder)
        for item in refused:
            self._tell(Report(0, "spool_refused", {"why": item.why}))
            _drop(Path(item.path))
        for first in range(0, len(records), CHUNK_MAX):
            await self._take(records[first : first + CHUNK_MAX])
            self._beat()

    async def _take(self, records: list[tuple[str, spool.Record]]) -> None:
        now = self._service.clock.now()
        for _, record in records:
            for event in spool_events(record, now):
                await self._service.put(event)
            self._keep_text(record, now)
        await self._service.ask(lambda node: None)  # answered after the events were handled and are durable
        while self._service.is_mute:  # what was taken waits with the node for room on the disk
            self._beat()
            await trio.sleep(INTERVAL_S)
        for path, _ in records:
            spool.take(path)

    def _keep_text(self, record: spool.Record, now: Instant) -> None:
        text = record.get("evidence")
        if self._evidence is None or not isinstance(text, str) or not text:
            return
        failed = Failed(now.wall_ms, _name(record.get("error_class")), _name(record.get("signature")), text)
        try:
            self._evidence.add(failed)
        except StoreError as error:
            self._tell(Report(0, "evidence_not_kept", {"why": str(error)}))


def spool_events(record: spool.Record, now: Instant) -> list[events.Event]:
    """What a spooled record tells the node: a command's end, or how an attempt at a fix ended.

    Of several fixes that were tried in one episode only the first counts for others: the later ones met only
    failures that had withstood the first.
    """
    if record.get("kind") == "attempt":
        return _attempt_events(record, now)
    if record.get("kind") == past_events.RECORD_KIND:
        return [events.Observed(now, observing.PAST, past_events.checked(record))]
    command, error_class = str(record.get("command_class")), _name(record.get("error_class"))
    facts: dict[str, Any] = {
        "command": command if command in COMMAND_CLASSES else "other",
        "success": record.get("kind") not in ("failure", "hook"),
        "class": error_class,
        "signature": _name(record.get("signature")),
        "duration_ms": _bounded(record.get("duration_ms"), DURATION_MS_MAX),
    }
    happened: list[events.Event] = [events.Observed(now, observing.COMMAND_ENDED, facts)]
    return happened


def _attempt_events(record: spool.Record, now: Instant) -> list[events.Event]:
    error_class, fix = _name(record.get("error_class")), _name(record.get("fix_observed"))
    if not error_class or not fix or record.get("place") != 1 or not isinstance(record.get("success"), bool):
        return []
    tried: dict[str, Any] = {
        "class": error_class,
        "fix": fix,
        "success": record["success"],
        "propensity_milli": _bounded(record.get("propensity_milli"), 1000),
    }
    return [events.Observed(now, observing.FIX_TRIED, tried)]


def _name(value: object) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def _bounded(value: object, most: int) -> int:
    return min(most, max(0, value)) if isinstance(value, int) else 0


def _drop(path: Path) -> None:
    """Delete a refused file of the spool, so that it is told once. The name only: no link is followed."""
    try:
        if path.parent.name == spool.FOLDER and not path.is_dir():
            path.unlink(missing_ok=True)
    except OSError:
        return  # another user's folder: the refusal was told
