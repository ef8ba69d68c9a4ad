"""Edits of one text: spans, words, definitions; the ground that the edits of each class stand on.

Refuses to touch a file that is not the user's.
"""

import re
from collections.abc import Iterator

from luminous.node.core.causes.diff import Edit
from luminous.node.core.causes.user_files import UserFiles, offset_of
from luminous.node.core.causes.where import Place

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*")


def replace_at(file: str, text: str, start: int, end: int, new: str) -> Edit:
    """``text`` with the span replaced."""
    return Edit(file, text, text[:start] + new + text[end:], text[start:end], new)


def text_at(files: UserFiles, place: Place | None) -> tuple[str, str, int] | None:
    if place is None or place.file not in files.texts or not place.line:
        return None
    text = files.texts[place.file]
    offset = offset_of(text, place.line, place.column)
    return None if offset is None else (place.file, text, offset)


def word_at(text: str, offset: int, name: str) -> tuple[int, int] | None:
    """The span of ``name`` as a whole word on the line of ``offset``, the nearest one to it."""
    start, end = text.rfind("\n", 0, offset) + 1, text.find("\n", offset)
    line = text[start : end if end >= 0 else len(text)]
    spans = [m.span() for m in re.finditer(rf"(?<![\w'-]){re.escape(name)}(?![\w'-])", line)]
    if not spans:
        return None
    a, b = min(spans, key=lambda span: abs(start + span[0] - offset))
    return start + a, start + b


def header_of(text: str) -> re.Match[str] | None:
    """The argument set in the first code of a file: ``{ a, b, ... }:``."""
    return re.match(
        r"(?:\s|#[^\n]*\n|/\*[\s\S]*?\*/)*(?:[\w-]+\s*@\s*)?\{(?P<inner>[^{}]*)\}(?:\s*@\s*[\w-]+)?\s*:", text
    )


def replace_everywhere(files: UserFiles, pattern: str, new: str) -> Iterator[Edit]:
    for file in sorted(files.texts):
        if file.endswith(".nix"):
            match = re.search(pattern, files.texts[file])
            if match:
                yield replace_at(file, files.texts[file], match.start(), match.end(), new)


def find_definition(files: UserFiles, option: str, part: str | None = None) -> Iterator[tuple[str, str, int]]:
    """Where ``option`` (or its component ``part``) is set: (file, text, offset of that component)."""
    parts = option.split(".")
    wanted = part or parts[-1]
    place = parts.index(wanted) if wanted in parts else len(parts) - 1
    for strict in (True, False):
        for file in sorted(files.texts):
            text = files.texts[file]
            if not file.endswith(".nix"):
                continue
            lead = r"\.".join(re.escape(p) for p in parts[:place])
            pattern = rf"(?<![\w'-])(?:{lead}\.)" if strict and lead else r"(?<![\w'-])"
            for match in re.finditer(pattern + rf"({re.escape(wanted)})(?=\s*(?:=|\.[\w\"])(?!=))", text):
                if (
                    "mkOption" not in text[match.end() : match.end() + 60]
                    and "options." not in text[max(0, match.start() - 10) : match.end()]
                ):
                    yield file, text, match.start(1)
