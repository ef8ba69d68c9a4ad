"""What differs between two looks at a configuration, and what kind of fix that is.

Refuses to guess: a difference of no known kind is `other`, no difference at all is `retried`. Never shows a
line of a file that it was not given to read now.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from luminous.node.shell.observe_files import FILE_SIZE_BYTES_MAX, Fingerprint, line_sums, unpack_sums

CHANGES_MAX = 200
LINES_SHOWN_MAX = 8
# Kinds of change, the most telling first; the first one present names the fix.
FIX_CLASSES = (
    "git_add",
    "hash_changed",
    "package_allowed",
    "import_changed",
    "option_changed",
    "lines_removed",
    "file_edited",
    "file_added",
    "file_removed",
    "lock_updated",
    "channel_updated",
    "rolled_back",
    "environment_changed",
    "space_freed",
    "generation_changed",
    "other",
    "retried",
)
SPACE_FREED_MB = 200
_HASH = re.compile(r"\b\w*(?:[hH]ash|sha256|sha512)\s*=|\bsha(?:256|512)-")
_ALLOWED = re.compile(r"\b(?:allowUnfree\w*|allowBroken|permittedInsecurePackages|allowInsecure\w*)\b")
_IMPORT = re.compile(r"^\s*(?:imports\b|import\s|\(?\.{1,2}/|<[\w./-]+>)|\./[\w./-]+\.nix")
_OPTION = re.compile(r"^\s*[\w\"'$.{}-]+(?:\.[\w\"'${}-]+)*\s*=(?!=)")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: its `kind` (of FIX_CLASSES), `what` changed, and numbers of new lines where known."""

    kind: str
    what: str
    lines: tuple[int, ...] = ()


def changes(before: Fingerprint, after: Fingerprint, root: str | None = None) -> tuple[Change, ...]:
    """Every difference, files first. `root` lets the new lines of changed files be read and told apart."""
    found = [*_file_changes(before, after, root), *_lock_changes(before, after)]
    if _map(before, "channel") != _map(after, "channel"):
        found.append(Change("channel_updated", "channel"))
    old, new = before.get("generation"), after.get("generation")
    if isinstance(old, int) and isinstance(new, int) and old != new:
        kind = "rolled_back" if new < old else "generation_changed"
        found.append(Change(kind, f"generation {old} to {new}"))
    if before.get("environment") != after.get("environment"):
        found.append(Change("environment_changed", "NIX_PATH, NIX_CONFIG or NIXPKGS_ALLOW_…"))
    free = (before.get("free_mb"), after.get("free_mb"))
    if isinstance(free[0], int) and isinstance(free[1], int) and free[1] - free[0] >= SPACE_FREED_MB:
        found.append(Change("space_freed", f"{free[1] - free[0]} MB"))
    return tuple(found[:CHANGES_MAX])


def fix_class(found: tuple[Change, ...]) -> str:
    """The kind of fix that a set of changes is."""
    kinds = {change.kind for change in found}
    return next((kind for kind in FIX_CLASSES if kind in kinds), "retried")


def to_text(found: tuple[Change, ...]) -> str:
    """One line for each change."""
    if not found:
        return "Nothing that I watch has changed: no file, lock input, channel, generation or setting."
    lines = []
    for change in found[:20]:
        where = f", new lines {', '.join(map(str, change.lines[:LINES_SHOWN_MAX]))}" if change.lines else ""
        lines.append(f"{_WORDS[change.kind]}: {printable(change.what)}{where}")
    if len(found) > 20:
        lines.append(f"and {len(found) - 20} more")
    return "\n".join(lines)


def printable(text: str, chars_max: int = 200) -> str:
    """`text` on one line without anything a terminal would obey."""
    kept = "".join(c if c.isprintable() else "·" for c in text[: chars_max + 1])
    return kept if len(kept) <= chars_max else kept[: chars_max - 1] + "…"


_WORDS = {
    "git_add": "now tracked by git",
    "hash_changed": "a hash was changed",
    "package_allowed": "a package was allowed",
    "import_changed": "imports were changed",
    "option_changed": "options were changed",
    "lines_removed": "lines were removed",
    "file_edited": "edited",
    "file_added": "new file",
    "file_removed": "removed file",
    "lock_updated": "lock input updated",
    "channel_updated": "updated",
    "rolled_back": "rolled back",
    "environment_changed": "environment changed",
    "space_freed": "space was freed",
    "generation_changed": "changed",
    "other": "changed",
    "retried": "nothing changed",
}


def _map(found: Fingerprint, part: str) -> dict[str, object]:
    value = found.get(part)
    return value if isinstance(value, dict) else {}


def _names(found: Fingerprint, part: str) -> set[str]:
    value = found.get(part)
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()


def _file_changes(before: Fingerprint, after: Fingerprint, root: str | None) -> list[Change]:
    old, new = _map(before, "files"), _map(after, "files")
    added = _names(before, "untracked") - _names(after, "untracked")
    found = [Change("git_add", name) for name in sorted(added) if root is None or Path(root, name).exists()]
    complete = not (before.get("cut") or after.get("cut"))
    for name in sorted(set(old) | set(new)):
        if name not in old:
            found += [Change("file_added", name)] if complete else []
        elif name not in new:
            found += [Change("file_removed", name)] if complete else []
        elif old[name] != new[name] and Path(name).name != "flake.lock":
            found.append(_edit(name, old[name], root))
    return found


def _edit(name: str, old: object, root: str | None) -> Change:
    """What kind of edit: the new lines are read now, the old ones are known by checksum only."""
    known = set(unpack_sums(old[1])) if isinstance(old, list) and len(old) == 2 else set()
    if root is None or not known:
        return Change("file_edited", name)
    try:
        data = Path(root, name).read_bytes()[:FILE_SIZE_BYTES_MAX]
    except OSError:
        return Change("file_edited", name)
    numbers, texts = [], []
    for number, line in enumerate(data.split(b"\n"), 1):
        sums = line_sums(line)
        if sums and sums[0] not in known:
            numbers.append(number)
            texts.append(line.decode("utf-8", "replace"))
    return Change(_kind_of_lines(texts), name, tuple(numbers[:CHANGES_MAX]))


def _kind_of_lines(texts: list[str]) -> str:
    if not texts:
        return "lines_removed"
    for kind, pattern in (
        ("hash_changed", _HASH),
        ("package_allowed", _ALLOWED),
        ("import_changed", _IMPORT),
    ):
        if any(pattern.search(text) for text in texts):
            return kind
    return "option_changed" if any(_OPTION.search(text) for text in texts) else "file_edited"


def _lock_changes(before: Fingerprint, after: Fingerprint) -> list[Change]:
    old, new = _map(before, "lock"), _map(after, "lock")
    names = sorted(name for name in set(old) | set(new) if old.get(name) != new.get(name))
    return [Change("lock_updated", name) for name in names]
