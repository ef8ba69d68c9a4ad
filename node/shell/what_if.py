"""`what-if`: the same command with one thing changed, really run again. The tier of the answer is "replayed".

Refuses to answer from a model, and to change anything outside the copy that the run happens in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luminous.node.shell import replay
from luminous.node.shell.changes import printable
from luminous.node.shell.flake_inputs import overriding
from luminous.node.shell.observe_files import config_root
from luminous.node.shell.replay import CannotReplay, Outcome, Scratch

TIER = "replayed"
FILE_SIZE_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HadNot:
    """Line `line` of `file` had not been written."""

    file: str
    line: int

    def apply(self, scratch: Scratch) -> None:
        """Take the line out. Raises CannotReplay."""
        path = _inside(scratch, self.file)
        lines = _read(path).split("\n")
        if not 1 <= self.line <= len(lines):
            raise CannotReplay(f"{self.file} has {len(lines)} lines, not {self.line}")
        del lines[self.line - 1]
        path.write_text("\n".join(lines), "utf-8")

    def __str__(self) -> str:
        return f"line {self.line} of {printable(self.file)} had not been there"


@dataclass(frozen=True, slots=True)
class Replace:
    """`old` had been `new` in `file`: exactly one place."""

    file: str
    old: str
    new: str

    def apply(self, scratch: Scratch) -> None:
        """Replace the only occurrence. Raises CannotReplay."""
        path = _inside(scratch, self.file)
        text = _read(path)
        count = text.count(self.old) if self.old else 0
        if count != 1:
            raise CannotReplay(f"the text to replace occurs {count} times in {self.file}; it must occur once")
        path.write_text(text.replace(self.old, self.new), "utf-8")

    def __str__(self) -> str:
        new, old = printable(self.new, 60), printable(self.old, 60)
        return f"{printable(self.file)} had said {new!r} instead of {old!r}"


@dataclass(frozen=True, slots=True)
class GitAdd:
    """`file` had been added to git."""

    file: str

    def apply(self, scratch: Scratch) -> None:
        """Add it in the copy. Raises CannotReplay."""
        path = _inside(scratch, self.file)
        replay.git(scratch.root, "add", "--intent-to-add", "--", str(path.relative_to(scratch.root)))

    def __str__(self) -> str:
        return f"{printable(self.file)} had been tracked by git"


@dataclass(frozen=True, slots=True)
class Lock:
    """The flake input `input` had been locked to `reference` (a flake reference)."""

    input: str
    reference: str

    def apply(self, scratch: Scratch) -> None:
        """Nothing to do in the copy: the run is told instead."""

    def __str__(self) -> str:
        return f"input {printable(self.input)} had been {printable(self.reference)}"


Edit = HadNot | Replace | GitAdd | Lock


@dataclass(frozen=True, slots=True)
class Answer:
    """The factual run, the run with one thing changed, and what that says."""

    edit: Edit
    before: Outcome
    after: Outcome

    @property
    def verdict(self) -> str:
        """One of `same`, `fixed`, `broken`, `other_failure`, `still_works`."""
        if self.before.ok:
            return "still_works" if self.after.ok else "broken"
        if self.after.ok:
            return "fixed"
        return "same" if said(self.before.text) == said(self.after.text) else "other_failure"

    def to_json(self) -> dict[str, object]:
        """Schema 1 of `what-if --json`."""
        return {
            "schema": 1,
            "tier": TIER,
            "if": str(self.edit),
            "verdict": self.verdict,
            "before": {"exit_code": self.before.exit_code, "said": said(self.before.text)},
            "after": {"exit_code": self.after.exit_code, "said": said(self.after.text)},
            "duration_ms": self.before.duration_ms + self.after.duration_ms,
        }

    def to_text(self) -> str:
        """For a person."""
        ends = {
            "fixed": "the command would have succeeded.",
            "still_works": "it would have worked just the same.",
            "broken": f"it would have failed: {said(self.after.text)}",
            "same": f"nothing would be different: {said(self.after.text)}",
            "other_failure": f"it would have failed further on: {said(self.after.text)}",
        }
        seconds = (self.before.duration_ms + self.after.duration_ms) / 1000
        return (
            f"If {self.edit}, {ends[self.verdict]}\n"
            f"(replayed: both runs really happened, in a copy on a store of its own, {seconds:.1f} s; "
            "nothing of yours was changed)"
        )


def what_if(
    edit: Edit, argv: Sequence[str], cwd: str | Path, *, env: Mapping[str, str] | None = None, home: str = ""
) -> Answer:
    """Run `argv` twice in copies of its folder, the second time with `edit`. Raises CannotReplay."""
    root = config_root(list(argv), str(cwd), home)
    with replay.scratch_copy(root) as scratch:
        before = replay.run(argv, scratch, cwd, env=env)
    with replay.scratch_copy(root) as scratch:
        edit.apply(scratch)
        words = argv
        if isinstance(edit, Lock):
            words = overriding(argv, scratch, cwd, edit.input, edit.reference, env)
        after = replay.run(words, scratch, cwd, env=env)
    return Answer(edit, before, after)


def parse(words: Sequence[str]) -> Edit:
    """An edit from a command line: `--had-not FILE:LINE`, `--replace FILE OLD NEW`, `--lock INPUT REF`,
    `--git-add FILE`.

    Raises ValueError with what is wrong.
    """
    counts = {"--had-not": 1, "--replace": 3, "--lock": 2, "--git-add": 1}
    if not words or words[0] not in counts:
        raise ValueError(f"say what would be different: one of {', '.join(counts)}")
    verb, rest = words[0], list(words[1:])
    if len(rest) != counts[verb]:
        raise ValueError(f"{verb} takes {counts[verb]} words, not {len(rest)}")
    if verb == "--had-not":
        file, _, line = rest[0].rpartition(":")
        if not file or not line.isdigit():
            raise ValueError("--had-not wants FILE:LINE, like configuration.nix:12")
        return HadNot(file, int(line))
    if verb == "--replace":
        return Replace(*rest)
    return Lock(*rest) if verb == "--lock" else GitAdd(rest[0])


def said(text: str) -> str:
    """The line that names the failure.

    The first that says more than that something failed, without paths' noise.
    """
    lines = [line.strip() for line in text.splitlines()]
    for index, start in enumerate(lines):
        if not start.startswith("error:"):
            continue
        line = start.removeprefix("error:").strip()
        if not line:
            line = next((new for new in lines[index + 1 :] if new and not new.startswith(("…", "at "))), "")
        if line and "dependencies of derivation" not in line:
            return printable(line, 300)
    last = next((line for line in reversed(lines) if line), "")
    return printable(last, 300)


def _inside(scratch: Scratch, file: str) -> Path:
    """The copy's file that stands for a named one; never anything outside the copy."""
    named = Path(file)
    if named.is_relative_to(scratch.origin):
        named = named.relative_to(scratch.origin)
    path = scratch.root / named
    try:
        real = path.resolve(strict=True)
    except OSError as error:
        raise CannotReplay(f"{printable(file)}: {error.strerror}") from error
    if not real.is_relative_to(scratch.root.resolve()) or not real.is_file():
        raise CannotReplay(f"{printable(file)} is not a file of {scratch.origin}")
    return real


def _read(path: Path) -> str:
    if path.stat().st_size > FILE_SIZE_BYTES_MAX:
        raise CannotReplay(f"{path.name} is larger than {FILE_SIZE_BYTES_MAX // 2**20} MB")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise CannotReplay(f"{path.name} is not text") from None


def run(words: list[str]) -> int:
    """`what-if EDIT [--json] -- COMMAND…`; 0 when the command would succeed, else 1."""
    import os

    from luminous.node.shell.command_words import say, split
    from luminous.node.shell.failure import Exit, Failure

    edits_known = "--had-not FILE:LINE | --replace FILE OLD NEW | --lock INPUT REF | --git-add FILE"
    usage = f"luminous-node what-if {edits_known}"
    known = {"--had-not": 1, "--replace": 3, "--lock": 2, "--git-add": 1, "--json": 0}
    options, argv = split(words, known, f"{usage} [--json] -- COMMAND…")
    edits = [[name, *values] for name, values in options.items() if name != "--json"]
    if len(edits) != 1 or not argv:
        raise Failure("say one thing that would be different, and the command", "", usage, Exit.USAGE)
    try:
        answer = what_if(parse(edits[0]), argv, Path.cwd(), home=os.environ.get("HOME", ""))
    except ValueError as error:
        raise Failure(str(error), "", usage, Exit.USAGE) from error
    except CannotReplay as error:
        raise Failure("this cannot be replayed", str(error), "see luminous-node what-if --help") from error
    say(answer.to_json(), answer.to_text(), as_json="--json" in options)
    return int(not answer.after.ok)
