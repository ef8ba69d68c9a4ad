"""`bisect`: which commit of a configuration broke it, found by really running the command at each candidate.

Works in a clone that borrows the repository's objects read-only. Refuses to check anything out in, or write
anything to, the user's repository.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luminous.node.shell import replay
from luminous.node.shell.changes import printable
from luminous.node.shell.replay import CannotReplay, Outcome, Scratch
from luminous.node.shell.what_if import said

COMMITS_MAX = 4096
RUNS_MAX = 64


@dataclass(frozen=True, slots=True)
class Step:
    """One commit that was run."""

    commit: str
    subject: str
    ok: bool
    said: str


@dataclass(frozen=True, slots=True)
class Found:
    """The first bad commit, the good one before it, everything that was run, and what is between."""

    good: str | None
    bad: str | None
    steps: tuple[Step, ...]
    files: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Schema 1 of `bisect --json`."""
        steps = [{"commit": s.commit, "subject": s.subject, "ok": s.ok, "said": s.said} for s in self.steps]
        return {"schema": 1, "tier": "replayed", "good": self.good, "bad": self.bad, "steps": steps,
                "files": list(self.files)}  # fmt: skip

    def to_text(self) -> str:
        """For a person."""
        runs = f"(replayed: {len(self.steps)} runs in a clone of its own; your folder was not touched)"
        if self.bad is None:
            return f"The command works at every commit that I ran: no committed file is the cause.\n{runs}"
        step = next(s for s in self.steps if s.commit == self.bad)
        if self.good is None:
            return f"Every commit that I ran fails, the oldest is {self.bad[:12]}: {step.said}\n{runs}"
        files = ", ".join(printable(name, 60) for name in self.files[:6])
        return (
            f"It broke with {self.bad[:12]} “{step.subject}”: {step.said}\n"
            f"That commit changed: {files}\n"
            f"To see it: git show {self.bad[:12]}\n{runs}"
        )


def bisect(
    argv: Sequence[str],
    cwd: str | Path,
    *,
    good: str | None = None,
    bad: str = "HEAD",
    env: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Found:
    """Find the first commit on the first-parent line where `argv` fails as it does at `bad`.

    Without `good`, older commits are tried at doubling distances. A commit that fails in another way counts
    as failing. `tell` hears one line for each run. Raises CannotReplay.
    """
    origin = replay.top_of(Path(cwd).resolve())
    if not (origin / ".git").exists():
        raise CannotReplay(f"{origin} is not in a git repository, so it has no past to search")
    replay.harmless(argv)
    home = Path(tempfile.mkdtemp(prefix="luminous-bisect-"))
    try:
        root = home / "copy" / origin.name
        root.parent.mkdir()
        replay.git(home, "clone", "-q", "--shared", "--no-checkout", "--", str(origin), str(root))
        scratch = Scratch(origin, root, home)
        revisions = _commits(scratch, _commit(scratch, good) if good else None, _commit(scratch, bad))
        return _search(_Runner(argv, cwd, scratch, env, tell), revisions, known_good=good is not None)
    finally:
        replay.remove_tree(home)


class _Runner:
    """Runs commits, once each."""

    def __init__(
        self,
        argv: Sequence[str],
        cwd: str | Path,
        scratch: Scratch,
        env: Mapping[str, str] | None,
        tell: Callable[[str], None],
    ) -> None:
        self._argv, self._cwd, self._env, self._tell = argv, cwd, env, tell
        self.scratch = scratch
        self.steps: dict[str, Step] = {}

    def is_ok(self, commit: str) -> bool:
        """Whether the command works at a commit."""
        if commit not in self.steps:
            if len(self.steps) >= RUNS_MAX:
                raise CannotReplay(f"no answer after {RUNS_MAX} runs")
            replay.git(self.scratch.root, "checkout", "-q", "--detach", "--force", commit)
            replay.git(self.scratch.root, "clean", "-q", "-fdx")
            subject = printable(replay.git(self.scratch.root, "log", "-1", "--format=%s", commit).strip(), 80)
            outcome = self._run()
            self.steps[commit] = Step(commit, subject, outcome.ok, "" if outcome.ok else said(outcome.text))
            state = "works" if outcome.ok else "fails"
            self._tell(f"{len(self.steps):2}. {commit[:12]} {state}  {subject}")
        return self.steps[commit].ok

    def _run(self) -> Outcome:
        inside = Path(self._cwd).resolve().relative_to(self.scratch.origin)
        if not (self.scratch.root / inside).is_dir():
            return Outcome(1, f"error: {inside} does not exist at this commit", 0)
        return replay.run(self._argv, self.scratch, self._cwd, env=self._env)


def _search(runner: _Runner, commits: list[str], *, known_good: bool) -> Found:
    """`commits` oldest first; the last is the bad one."""
    if runner.is_ok(commits[-1]):
        return _found(runner, commits[-1], None)
    high = len(commits) - 1
    low, distance = 0, 1
    if not known_good:
        low = max(high - distance, 0)
        while low > 0 and not runner.is_ok(commits[low]):
            high, distance = low, distance * 2
            low = max(high - distance, 0)
    if low == high or not runner.is_ok(commits[low]):
        return _found(runner, None, commits[low])
    while high - low > 1:
        middle = (low + high) // 2
        if runner.is_ok(commits[middle]):
            low = middle
        else:
            high = middle
    return _found(runner, commits[low], commits[high])


def _found(runner: _Runner, good: str | None, bad: str | None) -> Found:
    files: tuple[str, ...] = ()
    if good is not None and bad is not None:
        names = replay.git(runner.scratch.root, "diff", "--name-only", "-z", good, bad)
        files = tuple(name for name in names.split("\0") if name)[:100]
    return Found(good, bad, tuple(runner.steps.values()), files)


def _commit(scratch: Scratch, name: str) -> str:
    if name.startswith("-"):
        raise CannotReplay(f"{printable(name)} is not a commit")
    return replay.git(scratch.root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()


def _commits(scratch: Scratch, good: str | None, bad: str) -> list[str]:
    """The first-parent line, oldest first, from `good` (or the oldest in bounds) to `bad`, both included."""
    span = [f"{good}..{bad}"] if good else [bad]
    bound = f"--max-count={COMMITS_MAX}"
    lines = replay.git(scratch.root, "rev-list", "--first-parent", bound, *span).split()
    if good and not lines:
        raise CannotReplay(f"{good[:12]} does not come before {bad[:12]}")
    return ([good] if good else []) + lines[::-1]


def run(words: list[str]) -> int:
    """`bisect [--json] [--good REV] [--bad REV] -- COMMAND…`; 0 when the commit was found, else 1."""
    import sys

    from luminous.node.shell.command_words import say, split
    from luminous.node.shell.failure import Exit, Failure

    usage = "luminous-node bisect [--json] [--good REV] [--bad REV] -- COMMAND…"
    options, argv = split(words, {"--json": 0, "--good": 1, "--bad": 1}, usage)
    if not argv:
        raise Failure("which command?", "a commit is good when the command works there", usage, Exit.USAGE)
    good, bad = options.get("--good", [None])[0], options.get("--bad", ["HEAD"])[0]

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    try:
        found = bisect(argv, Path.cwd(), good=good, bad=bad, tell=tell)
    except CannotReplay as error:
        do = "see luminous-node bisect --help; without a git history, what-changed and what-if still work"
        raise Failure("the commits could not be searched", str(error), do) from error
    say(found.to_json(), found.to_text(), as_json="--json" in options)
    return int(found.bad is None or found.good is None)
