"""A look ahead before a long build: what will make it fail, one line each, within 200 ms.

Reads only. Refuses to block and to guess: what cannot be read in time is left out. What will be built here
rather than fetched costs a whole evaluation, so it is asked only when a person looks ahead on purpose.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luminous.node.shell.caller import find_caller
from luminous.node.shell.command_class import bare, command_class
from luminous.node.shell.observe_files import config_root, untracked

if TYPE_CHECKING:
    from luminous.node.shell.local_builds import Expected, Unknown

BUDGET_MS = 200
STORE_FREE_MB_MIN = 2048
BOOT_FREE_MB_MIN = 64
INODES_FREE_MIN = 50_000
MEMORY_FREE_MB_MIN = 1024
NAMES_SHOWN_MAX = 3
# Where nixpkgs' switch-to-configuration looks for reasons not to switch.
INHIBITORS = "/run/current-system/switch-inhibitors"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that will probably hurt: `what` was found, and what to `do` about it."""

    id: str
    what: str
    do: str

    def to_text(self) -> str:
        """One line."""
        return f"{self.what}. {self.do}"


def look(
    argv: list[str], cwd: str, *, root_dir: str = "/", budget_ms: int = BUDGET_MS
) -> tuple[Trouble, ...]:
    """What stands in the way of this command. Never raises for any state of the machine.

    `root_dir` is the root of the file system, for tests.
    """
    end = time.monotonic() + budget_ms / 1000
    root = Path(root_dir)
    kind = command_class(argv)
    found = [*_space(root, boots=_boots(argv, kind)), *_memory(root), *_inhibitors(root, kind)]
    folder = config_root(argv, cwd, find_caller().home)
    if time.monotonic() < end and _is_flake(argv, folder):
        found += _untracked(folder)
    return tuple(found)


def _boots(argv: list[str], kind: str) -> bool:
    """Whether the command will write a boot entry."""
    return kind in ("nixos-rebuild", "nh", "colmena", "deploy") and any(
        w in ("switch", "boot", "os") for w in argv
    )


def _is_flake(argv: list[str], folder: str) -> bool:
    if command_class(argv) in ("nix-build", "nix-env", "nix-shell"):
        return False
    return any("#" in w or w == "--flake" for w in bare(argv)) or Path(folder, "flake.nix").exists()


def _space(root: Path, *, boots: bool) -> list[Trouble]:
    found = []
    places = [("store", root / "nix/store", STORE_FREE_MB_MIN)] + [
        ("boot", root / "boot", BOOT_FREE_MB_MIN)
    ] * boots
    for name, place, least_mb in places:
        try:
            seen = os.statvfs(place)
        except OSError:
            continue
        free_mb = seen.f_bavail * seen.f_frsize // (1024 * 1024)
        if free_mb < least_mb:
            do = {
                "store": "Make room first: nix-collect-garbage --delete-older-than 30d",
                "boot": "Remove old boot entries first, or the switch may stop half-way",
            }[name]
            found.append(Trouble(f"{name}_space", f"Only {free_mb} MB are free in {_shown(place, root)}", do))
        if seen.f_files and seen.f_favail < INODES_FREE_MIN:
            found.append(
                Trouble(
                    f"{name}_inodes",
                    f"Only {seen.f_favail} files can still be made in {_shown(place, root)} (inodes)",
                    "Remove many small files first: nix-collect-garbage",
                )
            )
    return found


def _shown(place: Path, root: Path) -> str:
    return f"/{place.relative_to(root)}"


def _memory(root: Path) -> list[Trouble]:
    try:
        text = (root / "proc/meminfo").read_text("ascii", "replace")
    except OSError:
        return []
    fields = {}
    for line in text.splitlines()[:100]:
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdigit():
            fields[name] = int(number[0]) // 1024
    if "MemAvailable" not in fields:
        return []
    free_mb = fields["MemAvailable"] + fields.get("SwapFree", 0)
    if free_mb >= MEMORY_FREE_MB_MIN:
        return []
    do = "Close something large, or build with fewer jobs: --max-jobs 1 --cores 1"
    return [
        Trouble(
            "memory", f"Only {free_mb} MB of memory and swap are free; evaluation alone can need more", do
        )
    ]


def _inhibitors(root: Path, kind: str) -> list[Trouble]:
    if kind not in ("nixos-rebuild", "nh"):
        return []
    try:
        with (root / INHIBITORS.lstrip("/")).open("r", encoding="utf-8", errors="replace") as file:
            text = file.read(4096).strip()
    except OSError:
        return []
    if text in ("", "{}", "[]"):
        return []
    what = "This system names reasons not to switch while it runs (switch inhibitors)"
    return [Trouble("switch_inhibitors", what, "Prefer: nixos-rebuild boot, then restart")]


def _untracked(folder: str) -> list[Trouble]:
    names = [
        name for name in untracked(folder) if name.endswith((".nix", ".lock", ".patch", ".json", ".toml"))
    ]
    if not names:
        return []
    shown = ", ".join(_word(name) for name in names[:NAMES_SHOWN_MAX])
    more = f" and {len(names) - NAMES_SHOWN_MAX} more" if len(names) > NAMES_SHOWN_MAX else ""
    what = f"A flake cannot see files that git does not track: {shown}{more}"
    return [
        Trouble(
            "untracked_files", what, f"Add them: git add -N {_word(names[0])}{' …' if len(names) > 1 else ''}"
        )
    ]


def _word(name: str) -> str:
    """A file name as a shell would need it, with nothing a terminal would obey."""
    import shlex

    return shlex.quote("".join(c if c.isprintable() else "?" for c in name[:120]))


def look_at_builds(argv: list[str], cwd: str) -> "tuple[Expected | Unknown, tuple[Trouble, ...]]":
    """What will be built here rather than fetched, and the trouble that it means."""
    from luminous.node.shell.local_builds import Expected, Unknown, expect

    found = expect(argv, cwd)
    if isinstance(found, Unknown) and found.fails:
        what = f"As it stands it fails, before anything is built: {found.fails}"
        do = "To know why: luminous-node exec -- COMMAND"
        return found, (Trouble("evaluation_fails", what, do),)
    if not isinstance(found, Expected) or not found.large:
        return found, ()
    what = f"{', '.join(found.large[:NAMES_SHOWN_MAX])} would be built here, which can take hours"
    do = "Wait until your binary cache has it, or update the input to a commit that it has"
    return found, (Trouble("large_local_build", what, do),)


def run(words: list[str]) -> int:
    """`preflight [--json] [--no-builds] [-- COMMAND…]`, by default for `nixos-rebuild switch`; 1 when there
    is trouble.
    """
    from luminous.node.shell.command_words import say, split
    from luminous.node.shell.local_builds import Expected, Unknown

    usage = "luminous-node preflight [--json] [--no-builds] [-- COMMAND…]"
    options, named = split(words, {"--json": 0, "--no-builds": 0}, usage)
    argv, cwd = named or ["nixos-rebuild", "switch"], str(Path.cwd())
    found = look(argv, cwd, budget_ms=5 * BUDGET_MS)
    builds: Expected | Unknown = Unknown("not asked")
    if "--no-builds" not in options:
        builds, more = look_at_builds(argv, cwd)
        found += more
    expected = builds.to_json() if isinstance(builds, Expected) else None
    facts = {
        "schema": 1,
        "ok": not found,
        "troubles": [{"id": t.id, "what": t.what, "do": t.do} for t in found],
        "builds": expected,
        "builds_unknown": builds.why if isinstance(builds, Unknown) else None,
    }
    lines = [t.to_text() for t in found]
    if isinstance(builds, Expected):
        lines.append(builds.to_text())
    elif "--no-builds" not in options and not builds.fails:
        lines.append(f"What would be built here I do not know: {builds.why}")
    if not found:
        lines.append("Nothing stands in the way: room, memory and files look fine.")
    say(facts, "\n".join(lines), as_json="--json" in options)
    return int(bool(found))
