"""The user's own command again with one thing changed.

Refuses a command whose words a shell could read as more than words, and every change that is not a hole of
the verb.
"""

import re
from collections.abc import Mapping

from luminous.node.core.causes.catalogue import FixTemplate
from luminous.node.core.causes.holes import fits
from luminous.node.core.causes.names import nearest
from luminous.node.core.causes.user_files import UserFiles
from luminous.node.core.causes.verbs import Verb, fill

WORDS_MAX = 64
_WORD = re.compile(r"[A-Za-z0-9_@%+=:,./~^#?&()*<>{}\[\]!'\"; -]{1,400}")
# Programs that take Nix's common options.
_NIX_PROGRAMS = re.compile(
    r"(?:.*/)?(?:nix|nix-(?:build|shell|env|store|instantiate)|nixos-rebuild|home-manager|darwin-rebuild)"
)
_KNOWN_FLAGS = (
    "--no-out-link", "--out-link", "--show-trace", "--keep-going", "--keep-failed", "--verbose",
    "--quiet", "--option", "--dry-run", "--attr", "--arg", "--argstr", "--file", "--expr", "--eval",
    "--strict", "--json", "--refresh", "--offline", "--no-link", "--print-build-logs", "--max-jobs",
    "--cores", "--fallback", "--check", "--repair", "--rebuild", "--system", "--include", "--help",
    "--version", "--flake", "--upgrade", "--switch", "--rollback", "--recursive", "--raw",
    "--no-write-lock-file", "--update-input", "--override-input",
)  # fmt: skip


def rerun_argv(
    verb: Verb,
    template: FixTemplate,
    values: dict[str, str],
    facts: Mapping[str, str],
    command: tuple[str, ...],
    files: UserFiles,
) -> tuple[str, ...] | None:
    """The changed command, or None when the command is unknown, unfit, or nothing better is known.

    Fills ``values`` with what it chose (``old`` and ``new``).
    """
    if not command or len(command) > WORDS_MAX or not all(_WORD.fullmatch(word) for word in command):
        return None
    if command[0] in ("sudo", "doas") or not _NIX_PROGRAMS.fullmatch(command[0]):
        return None
    if verb.id == "rerun_attribute":
        return _other_attribute(values, facts, command, files)
    if verb.id == "rerun_flag":
        return _other_flag(values, facts, command)
    if verb.id == "rerun_feature":
        feature = values.get("feature", "")
        if not fits("feature", feature):
            return None
        both = "nix-command flakes" if feature in ("nix-command", "flakes") else feature
        # After a list that the command itself sets, or it would be replaced by it.
        set_here = command.index("--experimental-features") + 2 if "--experimental-features" in command else 1
        return (*command[:set_here], "--extra-experimental-features", both, *command[set_here:])
    added = fill(verb, values)
    if added is None:
        return None
    if verb.id == "rerun_with" and values["option"] in ("timeout", "max-silent-time"):
        # Nix takes the last of repeated flags; drop the old ones so that the new limit is plain to see.
        command = _without(command, "--" + values["option"])
    return (*command, *added)


def _without(command: tuple[str, ...], flag: str) -> tuple[str, ...]:
    words = list(command)
    while flag in words:
        place = words.index(flag)
        del words[place : place + 2]
    return tuple(words)


def _other_attribute(
    values: dict[str, str], facts: Mapping[str, str], command: tuple[str, ...], files: UserFiles
) -> tuple[str, ...] | None:
    asked = [word for word in command[1:] if not word.startswith("-")]
    known: set[str] = set()
    for file in sorted(files.texts):
        known |= set(re.findall(r"([A-Za-z_][\w'-]*)\s*=(?!=)", files.texts[file]))
    for word in asked:
        head, hash_mark, name = word.rpartition("#")
        old = name if hash_mark else word
        if not fits("attribute", old) or (not hash_mark and old != facts.get("name", "")):
            continue
        last = old.rsplit(".", 1)[-1]
        near = nearest(last, sorted(known - {last}))
        if near:
            new = old[: len(old) - len(last)] + near
            values |= {"old": old, "new": new}
            changed = f"{head}{hash_mark}{new}" if hash_mark else new
            return tuple(changed if w == word else w for w in command)
    return None


def _other_flag(
    values: dict[str, str], facts: Mapping[str, str], command: tuple[str, ...]
) -> tuple[str, ...] | None:
    flag = facts.get("flag", "").strip("'\" ")
    if flag not in command or not fits("flag", flag):
        return None
    near = nearest(flag, _KNOWN_FLAGS)
    values |= {"old": flag, "new": near or "nothing"}
    return tuple(near if word == flag and near else word for word in command if word != flag or near)
