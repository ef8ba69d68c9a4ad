"""What a command would build on this machine rather than fetch, as Nix itself says in a dry run.

Refuses to build, fetch or activate, to look at commands whose dry run it does not know, and to guess how long
a build takes: it counts, and names what is known to be large. A dry run evaluates the configuration, so it
happens only when a person asks for it, with a time limit.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luminous.node.shell.command_class import bare, command_class
from luminous.node.shell.replay import CannotReplay, harmless
from luminous.node.shell.what_if import said

TIME_LIMIT_S = 120
# What is read of a dry run. Stops an endless one; a system of 20 000 paths says less than this.
TEXT_SIZE_BYTES_MAX = 8 * 1024 * 1024
PATHS_MAX = 50_000
NAMES_SHOWN_MAX = 6
# Packages whose build takes from half an hour to a day on an ordinary machine.
LARGE = frozenset(
    [
        "chromium",
        "electron",
        "firefox",
        "firefox-unwrapped",
        "gcc",
        "ghc",
        "libreoffice",
        "linux",
        "llvm",
        "mongodb",
        "nodejs",
        "pytorch",
        "qtwebengine",
        "rustc",
        "rustc-wrapper",
        "swift",
        "tensorflow",
        "texlive",
        "thunderbird-unwrapped",
        "torch",
        "tor-browser",
        "ungoogled-chromium",
        "webkitgtk",
        "zfs-kernel",
    ]
)
_BUILT = re.compile(r"(?:this|these)(?: \d+)? derivations? will be built:?$")
_FETCHED = re.compile(r"(?:this|these)(?: \d+)? paths? will be fetched(?: \((?P<size>[^)]{1,60})\))?:?$")
_UNKNOWN = re.compile(r"don't know how to build (?:this|these) (?:path|derivation)s?\b")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?) (?P<unit>[KMGT]i?B) download")
_PATH = re.compile(r"/\S*/[0-9a-z]{32}-(?P<name>\S+?)(?:\.drv)?$")
_UNITS = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a dry run announced: names to build here, how many paths to fetch, and MiB to download."""

    built: tuple[str, ...]
    fetched: int
    download_mb: int | None

    @property
    def large(self) -> tuple[str, ...]:
        """Those to build here that are known to take long."""
        return tuple(name for name in self.built if _base(name) in LARGE)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "built": list(self.built[:1000]),
            "built_count": len(self.built),
            "fetched_count": self.fetched,
            "download_mb": self.download_mb,
            "large": list(self.large),
        }

    def to_text(self) -> str:
        """One line."""
        size = f" ({self.download_mb} MB)" if self.download_mb is not None else ""
        fetched = f"{self.fetched} will be fetched{size}" if self.fetched else "nothing has to be fetched"
        if not self.built:
            return f"Nothing has to be built here; {fetched}."
        order = [*self.large, *(name for name in self.built if _base(name) not in LARGE)]
        more = "" if len(order) <= NAMES_SHOWN_MAX else f" and {len(order) - NAMES_SHOWN_MAX} more"
        shown = ", ".join("".join(c if c.isprintable() else "?" for c in n) for n in order[:NAMES_SHOWN_MAX])
        return f"{len(self.built)} will be built here: {shown}{more}; {fetched}."


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is known, and why; ``fails`` when the evaluation itself failed, with what it said."""

    why: str
    fails: str = ""


def parse_dry_run(text: str) -> Expected:
    """The announcement in a dry run's output, in the wording of Nix 2.3 to 2.3x. Never raises."""
    built: list[str] = []
    fetched, size, part = 0, None, ""
    for raw in text.splitlines():
        line = raw.strip()
        head = line.removeprefix("warning: ").removeprefix("error: ")
        if _BUILT.match(head):
            part = "built"
        elif match := _FETCHED.match(head):
            part, size = "fetched", _mb(match["size"] or "")
        elif _UNKNOWN.match(head):
            part = "unknown"
        elif match := _PATH.match(line):
            if part == "built" and len(built) < PATHS_MAX:
                built.append(match["name"][:120])
            elif part == "fetched":
                fetched = min(fetched + 1, PATHS_MAX)
        else:
            part = ""
    return Expected(tuple(sorted(dict.fromkeys(built))), fetched, size)


def expect(
    argv: Sequence[str],
    cwd: str,
    *,
    env: Mapping[str, str] | None = None,
    time_limit_s: float = TIME_LIMIT_S,
) -> Expected | Unknown:
    """Dry-run `argv` in `cwd`. Never raises; a command that fails or takes too long is `Unknown`."""
    try:
        words = dry(argv)
    except CannotReplay as error:
        return Unknown(str(error))
    try:
        child = subprocess.Popen(
            words,
            cwd=cwd,
            env=dict(os.environ if env is None else env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError:
        return Unknown(f"{words[0]} is not installed here")
    except OSError as error:
        return Unknown(f"{words[0]} cannot be started: {error.strerror}")
    text, ended = _read(child, time.monotonic() + time_limit_s)
    if not ended:
        return Unknown(f"its evaluation took more than {time_limit_s:g} s or said too much")
    if child.returncode:
        why = said(text) or f"exit code {child.returncode}"
        return Unknown(f"the dry run failed: {why}", why)
    return parse_dry_run(text)


def dry(argv: Sequence[str]) -> list[str]:
    """The command that only announces what `argv` would build. Raises CannotReplay."""
    words = harmless(argv)
    kind = command_class(list(argv))
    verbs = [word for word in bare(words)[1:] if not word.startswith("-")]
    if kind in ("nixos-rebuild", "darwin-rebuild"):
        return [("dry-build" if word == "build" else word) for word in words]
    if kind in ("nix-build", "home-manager") or (kind == "nix" and verbs[:1] == ["build"]):
        return words if "--dry-run" in words else [*words, "--dry-run"]
    raise CannotReplay(f"`{words[0]}` builds nothing that a dry run would tell")


def _read(child: "subprocess.Popen[bytes]", end: float) -> tuple[str, bool]:
    """All it says, within bounds of time and size, and whether it ended by itself."""
    import select

    assert child.stdout is not None
    heard, fd = bytearray(), child.stdout.fileno()
    waiter = select.poll()
    waiter.register(fd, select.POLLIN | select.POLLHUP)
    try:
        while True:
            left_ms = (end - time.monotonic()) * 1000
            if left_ms <= 0 or len(heard) > TEXT_SIZE_BYTES_MAX or not waiter.poll(left_ms):
                return heard.decode("utf-8", "replace"), False
            data = os.read(fd, 1 << 16)
            if not data:
                return heard.decode("utf-8", "replace"), True
            heard += data
    finally:
        if time.monotonic() >= end or len(heard) > TEXT_SIZE_BYTES_MAX:
            _stop(child)
        child.stdout.close()
        child.wait()


def _stop(child: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # ended by itself meanwhile


def _mb(text: str) -> int | None:
    match = _SIZE.search(text)
    return round(float(match["number"]) * _UNITS[match["unit"][0]]) if match else None


def _base(name: str) -> str:
    """The package's name without its version."""
    return re.split(r"-\d", name, maxsplit=1)[0]
