"""The last good run of a command against its last failing one, as `exec` remembered them; or what differs
between the packages of two generations or store paths.

Refuses to compare what was not seen: of a command that never worked, or never failed, while watched, it says
so.
"""

from dataclasses import dataclass
from pathlib import Path

from luminous.node.shell import run_memory
from luminous.node.shell.caller import find_caller
from luminous.node.shell.changes import Change, changes, fix_class, printable, to_text
from luminous.node.shell.closure import (
    PROFILES,
    CannotCompare,
    ClosureDiff,
    compare_closures,
    generation_path,
    last_two,
)
from luminous.node.shell.command_words import say, split
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.run_memory import State


@dataclass(frozen=True, slots=True)
class LastRun:
    """What is known of a command, and the changes between its two runs where both were seen; with the
    packages that differ when the system's generation did and both are still there.
    """

    state: State
    found: tuple[Change, ...] | None
    closure: ClosureDiff | None = None

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
            "closure": self.closure.to_json() if self.closure else None,
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
            closure = f"{self.closure.to_text()}\n" if self.closure else ""
            return f"Since “{name}” last worked:\n{to_text(self.found)}\n{closure}Nothing was sent."
        if "failed" not in self.state:
            return f"“{name}” worked the last time that I saw it."
        return (
            f"“{name}” has never worked while I watched, so there is nothing to compare with.\n"
            "  do: luminous-node exec -- COMMAND once it works; luminous-node bisect searches a git history."
        )


def compare(argv: list[str], cwd: str, data_dir: str | None = None) -> LastRun:
    """What changed for this command in this folder; without a command, for the one that failed last."""
    folder = data_dir or find_caller().data_dir
    state = run_memory.load(folder, run_memory.key_of(argv, cwd)) if argv else run_memory.newest(folder)
    good, failed = _part(state, "good"), _part(state, "failed")
    if not good or not failed:
        return LastRun(state, None)
    root = failed.get("root")
    before, after = _part(good, "fingerprint"), _part(failed, "fingerprint")
    found = changes(before, after, str(root) if root else None)
    return LastRun(state, found, _closure(before.get("generation"), after.get("generation")))


def _closure(old: object, new: object) -> ClosureDiff | None:
    """The packages that differ between two generations of the system, where that can be told."""
    if not isinstance(old, int) or not isinstance(new, int) or old == new:
        return None
    try:
        return compare_closures(generation_path(str(old)), generation_path(str(new)))
    except CannotCompare:
        return None  # a generation that was deleted since: its number alone is told


def _part(state: State, name: str) -> State:
    value = state.get(name)
    return value if isinstance(value, dict) else {}


def run(words: list[str]) -> int:
    """`what-changed [--json] [-- COMMAND…]`: the last good run against the failing one; 1 without both.

    `--generations`: the packages of the current generation against those of the one before;
    `--closure OLD NEW`: of two generations (numbers) or store paths. `--profile PATH`: of which profile.
    """
    usage = "luminous-node what-changed [--json] [--generations | --closure OLD NEW] [-- COMMAND…]"
    known = {"--json": 0, "--generations": 0, "--closure": 2, "--profile": 1}
    options, argv = split(words, known, usage)
    as_json = "--json" in options
    if "--generations" in options or "--closure" in options:
        return _tell_closure(options, argv, usage, as_json=as_json)
    answer = compare(argv, str(Path.cwd()))
    say(answer.to_json(), answer.to_text(), as_json=as_json)
    return int(not answer.is_known)


def _tell_closure(options: dict[str, list[str]], argv: list[str], usage: str, *, as_json: bool) -> int:
    if argv or ("--generations" in options and "--closure" in options):
        why = "--generations and --closure each stand alone, without a command"
        raise Failure("I did not understand that", why, usage, Exit.USAGE)
    profile = options.get("--profile", [f"{PROFILES}/system"])[0]
    try:
        if "--closure" in options:
            old, new = (generation_path(word, profile) for word in options["--closure"])
        else:
            old, new = last_two(profile)
        found = compare_closures(old, new)
    except CannotCompare as error:
        do = "see which there are: nixos-rebuild list-generations, or name a profile: --profile PATH"
        raise Failure("the two cannot be compared", str(error), do) from error
    text = f"From {printable(old)} to {printable(new)}:\n{found.to_text()}\nNothing was sent."
    say({"schema": 1, **found.to_json()}, text, as_json=as_json)
    return 0
