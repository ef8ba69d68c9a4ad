"""Run a Nix command again in a copy of its folder, on a store of its own, so that one thing can be changed.

Refuses to touch the user's folder, store, profile or boot entries: what would activate is only built, what
is not a known Nix command is not run, what is too large is not copied.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from luminous.node.shell.command_class import bare, command_class
from luminous.node.shell.observe_files import GIT

FILES_MAX = 20_000
COPY_SIZE_BYTES_MAX = 512 * 1024 * 1024
TEXT_SIZE_BYTES_MAX = 256 * 1024
RUN_TIMEOUT_S = 600
_LEFT_OUT = frozenset({".state", ".direnv", "node_modules", "__pycache__", "result"})
_NIX_VERBS = frozenset({"build", "eval", "flake"})
_FLAKE_VERBS = frozenset({"check", "show", "metadata", "prefetch"})
# Subcommands that change the machine, and the one that only builds.
_HARMLESS = {"switch": "build", "boot": "build", "test": "build", "build": "build", "dry-build": "dry-build"}


class CannotReplay(Exception):
    """This command or folder cannot be replayed safely; the text says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replayed run did: exit code, the end of its stderr, milliseconds."""

    exit_code: int
    text: str
    duration_ms: int

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Scratch:
    """A copy: `root` stands for the user's `origin`, everything else below `home` is the run's own."""

    origin: Path
    root: Path
    home: Path


def harmless(argv: Sequence[str]) -> list[str]:
    """The command that evaluates and builds what `argv` would, and activates nothing. Raises CannotReplay."""
    rest, kind = bare(list(argv)), command_class(list(argv))
    if kind in ("nix-build", "nix-instantiate"):
        return [*rest, "--no-out-link"] if kind == "nix-build" and "--no-out-link" not in rest else rest
    verbs = [word for word in rest[1:] if not word.startswith("-")]
    if kind == "nix" and verbs and verbs[0] in _NIX_VERBS:
        if verbs[0] == "flake" and (len(verbs) < 2 or verbs[1] not in _FLAKE_VERBS):
            raise CannotReplay("of `nix flake` only check, show, metadata and prefetch can be replayed")
        return [*rest, "--no-link"] if verbs[0] == "build" and "--no-link" not in rest else rest
    if kind in ("nixos-rebuild", "home-manager", "darwin-rebuild"):
        for index, word in enumerate(rest[1:], 1):
            if word in _HARMLESS:
                return [*rest[:index], _HARMLESS[word], *rest[index + 1 :]]
    name = rest[0] if rest else ""
    raise CannotReplay(f"`{name}` is not a command that I can repeat without changing the machine")


@contextmanager
def scratch_copy(origin: str | Path) -> Iterator[Scratch]:
    """A writable copy of a folder with its git state, deleted afterwards.

    Raises CannotReplay when too large.
    """
    source = top_of(Path(origin).resolve())
    _measure(source)
    home = Path(tempfile.mkdtemp(prefix="luminous-replay-"))
    try:
        root = home / "copy" / source.name
        shutil.copytree(source, root, symlinks=True, ignore=lambda _, names: _LEFT_OUT.intersection(names))
        yield Scratch(source, root, home)
    finally:
        remove_tree(home)


def run(
    argv: Sequence[str], scratch: Scratch, cwd: str | Path, *, env: Mapping[str, str] | None = None
) -> Outcome:
    """Run the harmless form of `argv` in the copy, at the place that stands for `cwd`.

    Raises CannotReplay.
    """
    words = [_moved(word, scratch) for word in harmless(argv)]
    try:
        inside = Path(cwd).resolve().relative_to(scratch.origin)
    except ValueError:
        raise CannotReplay(f"{cwd} is outside the configuration {scratch.origin}") from None
    start = time.monotonic()
    try:
        child = subprocess.Popen(
            words,
            cwd=scratch.root / inside,
            env=_environment(scratch, dict(os.environ if env is None else env)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise CannotReplay(f"{words[0]} cannot be started: {error.strerror}") from error
    tail = _read_tail(child)
    text = tail.decode("utf-8", "replace").replace(str(scratch.root), str(scratch.origin))
    return Outcome(child.returncode, text, int((time.monotonic() - start) * 1000))


def remove_tree(path: Path) -> None:
    """Delete a folder even where a store made its parts read-only."""
    for folder, _, _ in os.walk(path):
        Path(folder).chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def git(root: Path, *words: str) -> str:
    """Run git in a copy of ours; its output. Raises CannotReplay with git's own words."""
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(root), "LC_ALL": "C"}
    safe = ["-c", f"safe.directory={root}", "-c", "safe.directory=*"]
    try:
        ran = subprocess.run(
            [*GIT, *safe, *words],
            cwd=root,
            env=env,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotReplay(f"git: {error}") from error
    if ran.returncode:
        raise CannotReplay(f"git {words[0]}: {ran.stderr.decode('utf-8', 'replace').strip()[-300:]}")
    return ran.stdout.decode("utf-8", "replace")


def _read_tail(child: "subprocess.Popen[bytes]") -> bytes:
    """The end of its stderr; the whole process group ends after RUN_TIMEOUT_S."""
    import threading

    assert child.stderr is not None
    timer = threading.Timer(RUN_TIMEOUT_S, lambda: os.killpg(child.pid, signal.SIGKILL))
    timer.start()
    tail = bytearray()
    try:
        while data := child.stderr.read1(65536):  # type: ignore[attr-defined]
            tail += data
            del tail[:-TEXT_SIZE_BYTES_MAX]
        child.wait()
    except KeyboardInterrupt:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait()
        raise
    finally:
        timer.cancel()
        child.stderr.close()
    return bytes(tail)


def top_of(folder: Path) -> Path:
    """The work tree that a folder belongs to: a flake is seen through its git."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder


def _measure(source: Path) -> None:
    files = total = 0
    for folder, names, entries in os.walk(source):
        names[:] = [name for name in names if name not in _LEFT_OUT]
        for entry in entries:
            files += 1
            total += (Path(folder) / entry).lstat().st_size
            if files > FILES_MAX or total > COPY_SIZE_BYTES_MAX:
                limit = f"{FILES_MAX} files or {COPY_SIZE_BYTES_MAX // 2**20} MB"
                raise CannotReplay(f"{source} is larger than {limit}: I would have to copy it all")


def _moved(word: str, scratch: Scratch) -> str:
    """A word with the origin's path replaced by the copy's."""
    origin = str(scratch.origin)
    if word == origin or f"{origin}/" in word or f"{origin}#" in word:
        return word.replace(origin, str(scratch.root))
    return word


def _environment(scratch: Scratch, env: dict[str, str]) -> dict[str, str]:
    """The caller's environment on a store of its own; on a store of the caller's own choice, beside it."""
    home = scratch.home
    for name in ("home", "conf"):
        (home / name).mkdir(exist_ok=True)
    moved = {name: _moved(value, scratch) for name, value in env.items()}
    settings = moved.get("NIX_CONFIG", "")
    mine = "sandbox = false\nbuild-users-group =\nexperimental-features = nix-command flakes\n"
    return moved | {
        "HOME": str(home / "home"),
        "NIX_CONFIG": f"{mine}{settings}\n",
        "NIX_STORE_DIR": str(home / "store"),
        "NIX_STATE_DIR": str(home / "var"),
        "NIX_LOG_DIR": str(home / "log"),
        "NIX_LOCALSTATE_DIR": str(home / "var"),
        "NIX_REMOTE": "local",
        "XDG_CACHE_HOME": str(home / "cache"),
        "TMPDIR": str(_made(home / "tmp")),
    }


def _made(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path
