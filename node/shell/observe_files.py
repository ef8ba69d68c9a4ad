"""What a configuration looked like at one moment, small enough to keep: digests, never contents.

Reads the *.nix files and locks of the folder that a command works on, the channel, the generation and the git
state; bounded in files, bytes and time. Refuses to keep text: lines are remembered as checksums, so that a
later look can say which lines are new without knowing what the old ones said.
"""

import base64
import hashlib
import json
import os
import struct
import subprocess
import time
import zlib
from pathlib import Path

from luminous.node.shell.command_class import bare, command_class

SCHEMA = 1
FILES_MAX = 400
FOLDERS_MAX = 400
DEPTH_MAX = 8
FILE_SIZE_BYTES_MAX = 256 * 1024
LINES_MAX = 3000
TOTAL_SIZE_BYTES_MAX = 8 * 1024 * 1024
UNTRACKED_MAX = 100
INPUTS_MAX = 200
BUDGET_MS = 250
GIT_TIMEOUT_S = 0.5
_SUFFIXES = (".nix", ".json", ".toml", ".lock", ".yaml")
_SKIPPED = frozenset({".git", ".hg", ".direnv", ".state", "node_modules", "__pycache__", "target", ".venv"})
# Git may neither run the repository's own programs nor touch its index.
GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks")

Fingerprint = dict[str, object]


def config_root(argv: list[str], cwd: str, home: str) -> str:
    """The folder a command's configuration lies in.

    Named by a flake reference or a file, else the usual place.
    """
    words = bare(argv)
    for index, word in enumerate(words[1:], 1):
        previous = words[index - 1]
        if previous in ("-I", "--arg", "--argstr", "-A", "--attr", "--option", "-o", "--out-link"):
            continue
        place = word.split("#", 1)[0].removeprefix("path:").removeprefix("git+file://").split("?", 1)[0]
        names_file = previous in ("--flake", "-f", "--file") or "#" in word or word.endswith(".nix")
        if (names_file or place.startswith(("/", "./", "../")) or place in (".", "..")) and place:
            folder = _folder_of(Path(cwd, place))
            if folder is not None:
                return folder
    kind = command_class(argv)
    usual = {"nixos-rebuild": "/etc/nixos", "home-manager": f"{home}/.config/home-manager"}.get(kind, "")
    if usual and "--flake" not in words:
        return _folder_of(Path(usual)) or cwd
    return cwd


def _folder_of(path: Path) -> str | None:
    """The folder that a path is, or lies in; None when there is nothing or it may not be seen."""
    try:
        if path.is_dir():
            return str(path.resolve())
        return str(path.resolve().parent) if path.is_file() else None
    except OSError:
        return None


def fingerprint(root: str, *, home: str = "", budget_ms: int = BUDGET_MS) -> Fingerprint:
    """What there is now, as plain JSON values.

    Never raises for any state of the folder; says `cut` when bounded.
    """
    end = time.monotonic() + budget_ms / 1000
    files, cut = _files(Path(root), end)
    return {
        "schema": SCHEMA,
        "files": files,
        "cut": cut,
        "lock": _lock_inputs(Path(root) / "flake.lock"),
        "untracked": untracked(root),
        "channel": _channels(home),
        "generation": _generation(),
        "free_mb": _free_mb(),
        "environment": _environment(),
    }


def summary(found: Fingerprint) -> dict[str, object]:
    """One digest for each part: what leaves this folder with a record."""
    parts = ("files", "lock", "channel", "untracked", "environment")
    digests: dict[str, object] = {
        part: _digest(json.dumps(found.get(part), sort_keys=True)) for part in parts
    }
    return digests | {"generation": found.get("generation")}


def untracked(root: str) -> list[str]:
    """Files git does not track and does not ignore, as paths below `root`.

    Empty when there is no repository.
    """
    try:
        if not any((folder / ".git").exists() for folder in (Path(root), *Path(root).parents)):
            return []
    except OSError:
        return []
    argv = [*GIT, "ls-files", "--others", "--exclude-standard", "-z", "--", "."]
    env = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C",
    }
    try:
        ran = subprocess.run(
            argv,
            cwd=root,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    names = [name.decode("utf-8", "replace") for name in ran.stdout.split(b"\0") if name]
    return sorted(names)[:UNTRACKED_MAX]


def line_sums(text: bytes) -> list[int]:
    """A checksum for each line without its indentation; blank lines count for nothing."""
    stripped = (line.strip() for line in text.split(b"\n")[:LINES_MAX])
    return [zlib.crc32(line) for line in stripped if line]


def pack_sums(sums: list[int]) -> str:
    """Checksums as text for a state file."""
    return base64.b85encode(struct.pack(f"<{len(sums)}I", *sums)).decode("ascii")


def unpack_sums(text: object) -> list[int]:
    """The checksums of `pack_sums`; empty for anything else."""
    if not isinstance(text, str):
        return []
    try:
        raw = base64.b85decode(text)
        return list(struct.unpack(f"<{len(raw) // 4}I", raw))
    except (ValueError, struct.error):
        return []


def _digest(text: str | bytes) -> str:
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def _files(root: Path, end: float) -> tuple[dict[str, list[str]], bool]:
    """Relative path to (digest, packed line sums), and whether a bound cut it short."""
    found: dict[str, list[str]] = {}
    total, folders = 0, 0
    for folder, names, files in os.walk(root, followlinks=False):
        folders += 1
        depth = len(Path(folder).relative_to(root).parts)
        names[:] = sorted(
            n for n in names if n not in _SKIPPED and not n.startswith(".") and depth < DEPTH_MAX
        )
        for name in sorted(files):
            if not name.endswith(_SUFFIXES):
                continue
            if len(found) >= FILES_MAX or total > TOTAL_SIZE_BYTES_MAX or time.monotonic() > end:
                return found, True
            data = _read(Path(folder) / name)
            if data is not None:
                total += len(data)
                sums = line_sums(data) if name.endswith(".nix") else []
                found[str((Path(folder) / name).relative_to(root))] = [_digest(data), pack_sums(sums)]
        if folders >= FOLDERS_MAX:
            return found, True
    return found, False


def _read(path: Path) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, FILE_SIZE_BYTES_MAX)
    except OSError:
        return None  # a folder, or a pipe that nobody writes to
    finally:
        os.close(fd)


def _lock_inputs(path: Path) -> dict[str, str]:
    """Name of each locked input to a digest of what it is locked to."""
    data = _read(path)
    if not data:
        return {}
    try:
        nodes = json.loads(data)["nodes"]
        items = sorted((str(k)[:80], v) for k, v in nodes.items() if isinstance(v, dict) and "locked" in v)
        return {
            name: _digest(json.dumps(node["locked"], sort_keys=True)) for name, node in items[:INPUTS_MAX]
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"(unreadable)": _digest(data)}


def _channels(home: str) -> dict[str, str]:
    """Where the channels of root and of this person point."""
    places = ["/nix/var/nix/profiles/per-user/root/channels"]
    if home:
        places += [f"{home}/.nix-defexpr/channels", f"{home}/.local/state/nix/profiles/channels"]
    found = {}
    for index, place in enumerate(places):
        path = Path(place)
        try:
            if path.exists():
                found[str(index)] = _digest(str(path.resolve()))
        except OSError:
            continue
    return found


def _generation() -> int | None:
    """The number of the system generation that is current."""
    try:
        name = Path("/nix/var/nix/profiles/system").readlink().name
    except OSError:
        return None
    parts = name.split("-")
    return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else None


def _free_mb() -> int | None:
    for place in ("/nix/store", "/"):
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize // (1024 * 1024)
    return None


def _environment() -> str:
    """One digest over the variables that change what Nix does."""
    names = (
        "NIX_PATH",
        "NIX_CONFIG",
        "NIXPKGS_ALLOW_UNFREE",
        "NIXPKGS_ALLOW_BROKEN",
        "NIXPKGS_ALLOW_INSECURE",
    )
    return _digest("\0".join(f"{name}={os.environ.get(name, '')}" for name in names))
