"""The last good run of a command against its last failing one, as `exec` remembered them.

Refuses to compare what was not seen: of a command that never worked, or never failed, while watched, it says
so.
"""

from dataclasses import dataclass
from pathlib import Path

from luminous.node.shell import run_memory
from luminous.node.shell.caller import find_caller
from luminous.node.shell.changes import Change, changes, fix_class, printable, to_text
from luminous.node.shell.command_words import say, split
from luminous.node.shell.run_memory import State


@dataclass(frozen=True, slots=True)
class LastRun:
    """What is known of a command, and the changes between its two runs where both were seen."""

    state: State
    found: tuple[Change, ...] | None

    @property
    def is_known(self) -> bool:
        """Whether there was something to compare."""
        return self.found is not None

    def to_json(self) -> dict[str, object]:
        """Schema 1 of `what-changed --json`."""
        found = self.found or ()
        return {
            "schema": 1,
            "command": self.state.get("command"),
            "command_class": self.state.get("command_class"),
            "good_wall_ms": _part(self.state, "good").get("wall_ms"),
            "failed_wall_ms": _part(self.state, "failed").get("wall_ms"),
            "error_class": _part(self.state, "failed").get("error_class"),
            "compared": self.is_known,
            "changes": [{"kind": c.kind, "what": c.what, "lines": list(c.lines)} for c in found],
            "kind": fix_class(found) if self.is_known else None,
        }

    def to_text(self) -> str:
        """For a person."""
        if not self.state:
            return (
                "I have not seen this command fail.\n"
                "  do: run it as luminous-node exec -- COMMAND; from then on I remember how things were."
            )
        name = printable(str(self.state.get("command") or "the command"))
        if self.found is not None:
            return f"Since “{name}” last worked:\n{to_text(self.found)}\nNothing was sent."
        if "failed" not in self.state:
            return f"“{name}” worked the last time that I saw it."
        return f"“{name}” has never worked while I watched, so there is nothing to compare with."


def compare(argv: list[str], cwd: str, data_dir: str | None = None) -> LastRun:
    """What changed for this command in this folder; without a command, for the one that failed last."""
    folder = data_dir or find_caller().data_dir
    state = run_memory.load(folder, run_memory.key_of(argv, cwd)) if argv else run_memory.newest(folder)
    good, failed = _part(state, "good"), _part(state, "failed")
    if not good or not failed:
        return LastRun(state, None)
    root = failed.get("root")
    found = changes(_part(good, "fingerprint"), _part(failed, "fingerprint"), str(root) if root else None)
    return LastRun(state, found)


def _part(state: State, name: str) -> State:
    value = state.get(name)
    return value if isinstance(value, dict) else {}


def run(words: list[str]) -> int:
    """`what-changed [--json] [-- COMMAND…]`: the last good run against the failing one; 1 without both."""
    options, argv = split(words, {"--json": 0}, "luminous-node what-changed [--json] [-- COMMAND…]")
    answer = compare(argv, str(Path.cwd()))
    say(answer.to_json(), answer.to_text(), as_json="--json" in options)
    return int(not answer.is_known)
