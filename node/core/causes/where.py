"""Where the failure is: the innermost place in the user's own files that the text names.

Frames in nixpkgs, in the store, or in a string are passed over while a better one exists. Knows the wordings
of Nix 2.3 (", at FILE:1:2"), 2.4 to 2.8 (message first) and later (trace first, message last). Refuses to
invent a line.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from luminous.node.core.causes.text import FailureText, LineKind

PLACES_MAX = 400


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; ``line`` and ``column`` count from 1, 0 where the text names none."""

    file: str
    line: int
    column: int = 0


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    name = r"(?:~|\.{1,2})?/?[^\s:'\"«»(),<>|]+"
    return (
        re.compile(rf"(?:^|[\s'\"(,])(?P<file>{name}\.(?:nix|json|toml|lock|conf|service)):(?P<line>\d+)(?::(?P<column>\d+))?"),
        re.compile(r"at: \((?P<line>\d+):(?P<column>\d+)\) in file: (?P<file>\S+)"),
        re.compile(r"\b(?:at|in) (?P<file>/[^\s:'\"«»]+):(?P<line>\d+)(?::(?P<column>\d+))?"),
        re.compile(r"\bin ['\"](?P<file>/[^'\"\n]+?)['\"](?!\s*:\s*Permission)", re.I),
    )  # fmt: skip


def find_places(failure: FailureText) -> tuple[Place, ...]:
    """Every place with a line that the text names, innermost first."""
    with_line, in_file, bare, _ = _patterns()
    before: list[Place] = []
    after: list[Place] = []
    last_error = _last_message(failure)
    for number, line in enumerate(failure.lines):
        if "already defined at" in line.text:
            continue  # names the other definition, not the one that is wrong
        if line.kind in (LineKind.EXCERPT, LineKind.LOG) or len(before) + len(after) > PLACES_MAX:
            continue
        match = in_file.search(line.text) or with_line.search(line.text) or bare.search(line.text)
        if match:
            place = Place(match["file"], int(match["line"]), int(match["column"] or 0))
            (after if number >= last_error else before).append(place)
    return tuple(after + before[::-1])


def find_files(failure: FailureText) -> tuple[str, ...]:
    """Files that the text names without a line (definitions of an option), in order."""
    found: list[str] = []
    for line in failure.lines:
        if line.kind is LineKind.SAID:
            for match in _patterns()[3].finditer(line.text):
                if match["file"] not in found and len(found) < PLACES_MAX:
                    found.append(match["file"])
    return tuple(found)


def is_foreign(file: str) -> bool:
    """Whether a path is in the store or in a channel: not the user's to edit."""
    return (
        file.startswith("/nix/") or "/channels/" in file or "nixpkgs/lib/" in file or "/.nix-defexpr/" in file
    )


def _is_library(file: str) -> bool:
    return any(
        part in file for part in ("/lib/", "/pkgs/", "/nixos/modules/", "/nixos/lib/", "/modules/lib/")
    )


def choose(failure: FailureText, own: Callable[[str], str | None] = lambda file: None) -> Place | None:
    """The best place: an own file with a line, an own file without, a flake's copy, then anything.

    ``own`` maps a named path to the user's file behind it (a flake's copy in the store), or None.
    """
    places = find_places(failure)
    mapped = [(own(place.file), place) for place in places]
    for file, place in mapped:
        if file is not None and not (is_foreign(file) and _is_library(file)):
            return Place(file, place.line, place.column)
    for place in places:
        if not is_foreign(place.file) and not place.file.startswith(("<", "(")):
            return place
    for name in find_files(failure):
        file = own(name) or (None if is_foreign(name) else name)
        if file is not None:
            return Place(file, 0)
    for place in places:
        if "-source/" in place.file and not _is_library(place.file):
            return place
    return places[0] if places else None


def _last_message(failure: FailureText) -> int:
    found = 0
    for number, line in enumerate(failure.lines):
        if line.kind is LineKind.SAID and line.text.lstrip().startswith("error:"):
            found = number
    return found
