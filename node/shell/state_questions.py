"""Questions to this machine's state: read-only, bounded in time and size, none over the network.

Refuses to change anything, to follow a path out of the working tree into something large, and to run more
than a few short commands.
"""

import os
import platform
import re
import socket
import subprocess
import time
from pathlib import Path

from luminous.node.core.causes.answer import Asked
from luminous.node.core.causes.state import MachineState

COMMAND_TIMEOUT_S = 0.5
LISTING_MAX = 500
DAEMON_SOCKET = Path("/nix/var/nix/daemon-socket/socket")
# Less than this is full: Nix itself warns below 8 MiB.
SPACE_FREE_BYTES_MIN = 8 * 1024 * 1024
INODES_FREE_MIN = 16
CHANNEL_PLACES = (
    "/nix/var/nix/profiles/per-user/root/channels",
    "/root/.nix-defexpr/channels",
    "/etc/nixos",
)
_SAFE_RELATIVE = re.compile(r"(?!-)(?!/)(?!.*(?:^|/)\.\.(?:/|$))[^\x00-\x1f]{1,400}")


def ask_state(asks: tuple[str, ...], facts: dict[str, str], root: Path | None) -> MachineState:
    """Answer the questions ``asks`` (ids of the catalogue) as far as this machine can."""
    asked: list[Asked] = []
    git_path = git_file = full_space = full_inodes = daemon = channel = ""
    listing: tuple[str, ...] = ()
    if "git_status" in asks and root is not None and facts.get("path"):
        git_path, git_file = _git_state(facts["path"], root)
        if git_path:
            asked.append(Asked(f"git, about {git_file}", git_path))
        listing = _listing(facts["path"], root)
    if "space" in asks or "inodes" in asks:
        full_space, full_inodes, words = _space(facts.get("where", ""), root)
        asked.append(Asked("free space and inodes", words))
    if "daemon" in asks and DAEMON_SOCKET.parent.exists():
        daemon = find_daemon()
        asked.append(Asked("the Nix daemon", daemon))
    if "channels" in asks and facts.get("name"):
        channel = _channel(facts["name"].split("/")[0])
        asked.append(Asked(f"<{facts['name']}> elsewhere on this machine", channel or "not found"))
    if "channel_age" in asks:
        age = _channel_age()
        if age:
            asked.append(Asked("age of the system's channel", age))
    if "units" in asks and facts.get("unit"):
        state = _unit(facts["unit"])
        if state:
            asked.append(Asked(f"the unit {facts['unit']} now", state))
    if "memory" in asks:
        words = _memory()
        if words:
            asked.append(Asked("memory", words))
    if "clock" in asks:
        asked.append(Asked("this machine's clock", time.strftime("%Y-%m-%d %H:%M %Z")))
    return MachineState(
        git_path, git_file, full_space, full_inodes, daemon, channel, listing, _system(), tuple(asked)
    )


def _system() -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    return f"{machine}-{platform.system().lower()}"


def _run(argv: list[str]) -> str | None:
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=COMMAND_TIMEOUT_S, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout[:65536].decode("utf-8", "replace") if done.returncode == 0 else None


def _git_state(named: str, root: Path) -> tuple[str, str]:
    """What git says of the file that ``named`` means, and its path relative to ``root``."""
    copy = re.match(r"^/(?:\S*?/)?[0-9a-z]{20,40}-source/(.+)$", named.replace("\n", ""))
    relative = copy[1] if copy else named
    if not copy and named.startswith("/"):
        try:
            relative = str(Path(named).relative_to(root))
        except ValueError:
            return "", ""
    if not _SAFE_RELATIVE.fullmatch(relative):
        return "", ""
    git = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(root)]
    if _run([*git, "rev-parse", "--is-inside-work-tree"]) is None:
        return "", ""
    here = root / relative
    exists = os.path.lexists(here)
    if _run([*git, "ls-files", "--error-unmatch", "--", relative]) is not None:
        return ("tracked" if exists else "deleted"), relative
    if not exists:
        return "absent", relative
    return (
        "ignored" if _run([*git, "check-ignore", "-q", "--", relative]) is not None else "untracked"
    ), relative


def _listing(named: str, root: Path) -> tuple[str, ...]:
    """Names beside a missing file, inside the root only."""
    copy = re.match(r"^/(?:\S*?/)?[0-9a-z]{20,40}-source/(.+)$", named)
    path = root / copy[1] if copy else Path(named)
    try:
        folder = path.parent if path.is_absolute() else root
        if not folder.is_dir() or not folder.resolve().is_relative_to(root.resolve()):
            return ()
        return tuple(sorted(entry.name for entry in list(os.scandir(folder))[:LISTING_MAX]))
    except OSError:
        return ()


def _space(where: str, root: Path | None) -> tuple[str, str, str]:
    """(mount without space, mount without inodes, words) over the places that matter."""
    places = ["/nix/store", "/nix/var/nix", os.environ.get("TMPDIR", "/tmp"), "/boot", "/boot/efi"]
    if where.startswith("/"):
        folder = Path(where)
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        places.insert(0, str(folder))
    if root is not None:
        places.append(str(root))
    space = inodes = ""
    words: list[str] = []
    for place in places:
        try:
            info = os.statvfs(place)
        except OSError:
            continue
        free = info.f_bavail * info.f_frsize
        if free < SPACE_FREE_BYTES_MIN and not space:
            space = place
        if info.f_files and info.f_favail < INODES_FREE_MIN and not inodes:
            inodes = place
        if len(words) < 3:
            left = f", {info.f_favail} inodes" if info.f_files else ""
            words.append(f"{place} {free // 1048576} MiB{left}")
    return space, inodes, "; ".join(words) + " free"


def find_daemon() -> str:
    """``running``, ``stopped`` or ``absent``; empty where this user may not ask."""
    if not DAEMON_SOCKET.exists():
        return "absent"
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(COMMAND_TIMEOUT_S)
        try:
            link.connect(str(DAEMON_SOCKET))
        except PermissionError:
            return ""
        except OSError:
            return "stopped"
    return "running"


def _channel(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][\w+-]{0,40}", name):
        return ""
    home = os.environ.get("HOME", "")
    places = [*CHANNEL_PLACES, f"{home}/.nix-defexpr/channels", f"{home}/.local/state/nix/defexpr/channels"]
    for place in places:
        for folder in (name, "nixos" if name == "nixpkgs" else name):
            path = Path(place) / folder
            try:
                if (path / "default.nix").exists():
                    return str(path)
            except OSError:
                continue
    return ""


def _channel_age() -> str:
    """Age in days of the system's nixpkgs, from the profile link."""
    for path in ("/nix/var/nix/profiles/per-user/root/channels", "/nix/var/nix/profiles/system"):
        try:
            days = int((time.time() - os.lstat(path).st_mtime) // 86400)
        except OSError:
            continue
        return f"{days} days"
    return ""


def _unit(unit: str) -> str:
    if not re.fullmatch(r"[\w@:.\\-]{1,120}", unit) or unit.startswith("-"):
        return ""
    out = _run(["systemctl", "show", "--property=ActiveState,Result", "--", unit])
    return " ".join(out.split()) if out else ""


def _memory() -> str:
    try:
        text = Path("/proc/meminfo").read_text("ascii")
        kills = re.search(r"^oom_kill (\d+)", Path("/proc/vmstat").read_text("ascii"), re.M)
    except (OSError, UnicodeDecodeError):
        return ""
    total = re.search(r"MemTotal:\s+(\d+)", text)
    free = re.search(r"MemAvailable:\s+(\d+)", text)
    if not total or not free:
        return ""
    words = f"{int(free[1]) // 1024} of {int(total[1]) // 1024} MiB free"
    return words + (f", {kills[1]} processes killed for memory since boot" if kills else "")
