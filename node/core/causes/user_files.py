"""The user's own Nix files as values, and which of them a name in an error text means.

Refuses to read anything: the shell has read a bounded set.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

FLAKE_COPY = re.compile(r"^/(?:[^\s]*?/)?[0-9a-z\s]{20,80}-source/(.+)$")


@dataclass(frozen=True, slots=True)
class UserFiles:
    """Texts by absolute path; ``root`` is the directory that the command worked in ("" when unknown)."""

    root: str
    texts: Mapping[str, str]

    def own(self, named: str) -> str | None:
        """The user's file that ``named`` means: itself, or the original of a flake's copy, or a like path."""
        if named in self.texts:
            return named
        if not self.root:
            return None
        copy = FLAKE_COPY.match(named)
        if copy:
            candidate = f"{self.root}/{copy[1]}"
            return candidate if candidate in self.texts else None
        if named.startswith("/nix/"):
            return None
        parts = [part for part in named.split("/") if part not in ("", ".", "..", "~")]
        for start in range(len(parts)):
            candidate = "/".join([self.root, *parts[start:]])
            if candidate in self.texts:
                return candidate
        return None

    def shown(self, file: str) -> str:
        """The name of ``file`` in a diff: relative to the root when it lies there."""
        prefix = self.root.rstrip("/") + "/"
        return file[len(prefix) :] if self.root and file.startswith(prefix) else file.lstrip("/")


def offset_of(text: str, line: int, column: int) -> int | None:
    """The offset of a 1-based line and column, None when the text has no such line."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return None
    return sum(len(t) + 1 for t in lines[: line - 1]) + min(max(column, 1) - 1, len(lines[line - 1]))
