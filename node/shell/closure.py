"""What is in a system: packages and versions of a closure, and what differs between two of them.

Asks `nix-store` for paths and reads their names itself, so that it works with every Nix. Refuses to build, to
guess a version that a name does not hold, and to show more than a person reads.
"""

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROFILES = "/nix/var/nix/profiles"
# Stops a closure of somebody's whole store from filling memory; a large desktop has some 20 000 paths.
PATHS_MAX = 100_000
OUTPUT_SIZE_BYTES_MAX = 32 * 1024 * 1024
QUERY_TIMEOUT_S = 30
CHANGES_SHOWN_MAX = 30
_PATH = re.compile(r"/(?:[^/\n]+/)+[0-9a-z]{32}-(?P<name>[^/\s]{1,211})")
# Outputs of one package; only such a last word is no part of a version.
_OUTPUTS = re.compile(
    r"-(?:bin|data|debug|dev|devdoc|dist|doc|getent|info|lib|libgcc|man|modules|out|static|terminfo|xgcc)$"
)
_GENERATION = re.compile(r"(?P<profile>[\w.+-]{1,80})-(?P<number>\d{1,9})-link")

Packages = Mapping[str, tuple[str, ...]]


class CannotCompare(Exception):
    """Two closures cannot be compared; the text says why."""


@dataclass(frozen=True, slots=True)
class PackageChange:
    """One package: its versions before and after; nothing before is new, nothing after is gone."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        return "added" if not self.before else "changed" if self.after else "removed"

    def to_text(self) -> str:
        """One line."""
        return f"{self.name}: {_versions(self.before)} → {_versions(self.after)}"


@dataclass(frozen=True, slots=True)
class ClosureDiff:
    """Everything that differs between two store paths, by name, and how many paths each needs."""

    old: str
    new: str
    paths_before: int
    paths_after: int
    changes: tuple[PackageChange, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        changes = [
            {"name": c.name, "kind": c.kind, "before": list(c.before), "after": list(c.after)}
            for c in self.changes
        ]
        return {
            "old": self.old,
            "new": self.new,
            "paths_before": self.paths_before,
            "paths_after": self.paths_after,
            "packages": changes,
        }

    def to_text(self) -> str:
        """For a person: changed packages first, then new ones, then those that are gone."""
        if not self.changes:
            return "No package was added, removed or changed in version."
        counts = {kind: sum(c.kind == kind for c in self.changes) for kind in _KINDS}
        said = ", ".join(f"{counts[kind]} {word}" for kind, word in _KINDS.items() if counts[kind])
        shown = sorted(self.changes, key=lambda c: (list(_KINDS).index(c.kind), c.name))
        lines = [f"Packages: {said}."] + [f"  {c.to_text()}" for c in shown[:CHANGES_SHOWN_MAX]]
        if len(shown) > CHANGES_SHOWN_MAX:
            lines.append(f"  and {len(shown) - CHANGES_SHOWN_MAX} more: --json has all")
        return "\n".join(lines)


_KINDS = {"changed": "changed", "added": "new", "removed": "gone"}


def compare_closures(old: str, new: str, env: Mapping[str, str] | None = None) -> ClosureDiff:
    """What differs between the closures of two store paths or links to them. Raises CannotCompare."""
    before, after = requisites(old, env), requisites(new, env)
    return ClosureDiff(old, new, len(before), len(after), diff(packages(before), packages(after)))


def requisites(path: str, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Every store path that `path` needs, itself included. Raises CannotCompare."""
    argv = ["nix-store", "--query", "--requisites", "--", path]
    try:
        ran = subprocess.run(
            argv,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=QUERY_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise CannotCompare("nix-store is not installed here") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotCompare(f"nix-store gave no answer ({type(error).__name__})") from error
    if ran.returncode:
        said = ran.stderr[-4096:].decode("utf-8", "replace").strip().splitlines()
        raise CannotCompare(_printable(said[-1] if said else f"nix-store ended with {ran.returncode}"))
    text = ran.stdout[:OUTPUT_SIZE_BYTES_MAX].decode("utf-8", "replace")
    return tuple(line for line in text.splitlines()[:PATHS_MAX] if _PATH.fullmatch(line))


def packages(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Package name to its versions, sorted; "" is the version of a name that holds none."""
    found: dict[str, dict[str, None]] = {}
    for path in paths:
        match = _PATH.fullmatch(path)
        if match:
            name, version = split_name(match["name"])
            found.setdefault(name, {})[version] = None
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def split_name(name: str) -> tuple[str, str]:
    """`openssl-3.0.2-bin` is ("openssl", "3.0.2"): the version begins at the first dash before a digit, and
    the name of an output at its end is no part of it (Nix manual, `builtins.parseDrvName`).
    """
    name = _printable(name.removesuffix(".drv"))
    match = re.search(r"-(?=\d)", name)
    if match is None:
        return _OUTPUTS.sub("", name), ""
    return name[: match.start()], _OUTPUTS.sub("", name[match.end() :])


def diff(before: Packages, after: Packages) -> tuple[PackageChange, ...]:
    """Packages whose versions differ, by name."""
    names = sorted({**before, **after})
    return tuple(
        PackageChange(name, before.get(name, ()), after.get(name, ()))
        for name in names
        if before.get(name, ()) != after.get(name, ())
    )


def generation_path(word: str, profile: str = f"{PROFILES}/system") -> str:
    """The link of a generation given by its number; any other word stays a path. Raises CannotCompare."""
    if not word.isdigit():
        return word
    path = Path(f"{profile}-{word}-link")
    if not path.is_symlink():
        raise CannotCompare(f"there is no generation {word}: {path} does not exist (any more)")
    return str(path)


def last_two(profile: str = f"{PROFILES}/system") -> tuple[str, str]:
    """The links of the generation before the current one of a profile, and of the current one.

    Raises CannotCompare.
    """
    place = Path(profile)
    try:
        current = _number(place.readlink().name, place.name)
        numbers = [_number(entry.name, place.name) for entry in place.parent.iterdir()]
    except OSError as error:
        raise CannotCompare(f"{profile}: {error.strerror}") from error
    older = [number for number in numbers if 0 < number < current]
    if not older:
        raise CannotCompare(f"{profile} has no generation before the current one")
    return f"{profile}-{max(older)}-link", f"{profile}-{current}-link"


def _number(name: str, profile: str) -> int:
    """The number of a generation of this profile, else 0."""
    match = _GENERATION.fullmatch(name)
    return int(match["number"]) if match and match["profile"] == profile else 0


def _versions(versions: tuple[str, ...]) -> str:
    return ", ".join(version or "(no version)" for version in versions) if versions else "∅"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:300])
