"""Edits that could make a Nix text parse again: insert, close, drop.

Proposes; whether a proposal parses is for the caller to find out.
"""

import re
from collections.abc import Iterator, Mapping

from luminous.node.core.causes.diff import Edit
from luminous.node.core.causes.edit_text import replace_at, text_at
from luminous.node.core.causes.user_files import UserFiles
from luminous.node.core.causes.where import Place

# One component of an attribute path.
_PART = r"(?:[\w'-]+|\"[^\"\n]*\"|\$\{[^{}\n]*\})"
# What people write by habit of other languages, and what Nix wants.
_INSTEAD = {",": (";", ""), ":": ("=",), "==": ("=",), "=": ("==",), "=>": ("=",)}


def syntax(fix_id: str, facts: Mapping[str, str], place: Place | None, files: UserFiles) -> Iterator[Edit]:
    """Insert what was expected, close what is open, or drop or correct the token that disturbs."""
    found = text_at(files, place)
    if found is None:
        return
    file, text, offset = found
    expecting = re.findall(r"'([^']+)'", facts.get("expecting", ""))
    unexpected = facts.get("unexpected", "").strip("'\"")
    if fix_id.endswith(".close"):
        yield from _close(file, text, expecting)
    elif fix_id.endswith(".drop"):
        yield from _dropped(file, text, offset, unexpected, facts.get("line", ""))
    else:
        yield from _inserted(file, text, offset, unexpected, expecting)


def _inserted(file: str, text: str, offset: int, unexpected: str, expecting: list[str]) -> Iterator[Edit]:
    before = _end_of_code(text, offset)
    # `a = 1 ⏎ b = 2`: Nix notices at the second `=`, the `;` belongs before the name that it follows.
    name = re.search(
        r"(?:[\w'-]+|\"[^\"\n]*\"|\$\{[^{}\n]*\})(?:\.(?:[\w'-]+|\"[^\"\n]*\"|\$\{[^{}\n]*\}))*$",
        text[:before],
    )
    if name and unexpected in ("=", ":", "."):
        end = _end_of_code(text, name.start())
        yield replace_at(file, text, end, end, ";")
    odd = _odd_quote_line(text, offset)
    if odd is not None:
        for closer in ('";', '"'):
            rest = text[odd : odd + 1] == ";"
            yield replace_at(file, text, odd, odd, '"' if rest else closer)
    if ";" in expecting or not expecting:
        yield replace_at(file, text, before, before, ";")
    for token in expecting:
        if token in ("}", ")", "]", "=", "then", "else", "in", ":", "''", '"'):
            word = token.isalpha() or token == "="
            yield replace_at(file, text, before, before, f" {token}" if word else token)
            last = re.search(r"\s\S+$", text[:before])
            if word and last:
                yield replace_at(file, text, last.start(), last.start(), f" {token}")
    for token in (";", "}", ")", "]", "};", ");", "];"):
        yield replace_at(file, text, before, before, token)


def _dropped(file: str, text: str, offset: int, unexpected: str, line: str) -> Iterator[Edit]:
    if "trailing slash" in line:
        slash = text.rfind("/", 0, offset + 1)
        yield replace_at(file, text, slash, slash + 1, "")
    if unexpected and text.startswith(unexpected, offset):
        end = offset + len(unexpected)
        for instead in {",": (";", ""), ":": ("=",), "==": ("=",), "=": ("==",), "=>": ("=",)}.get(
            unexpected, ()
        ):
            yield replace_at(file, text, offset, end, instead)
        if unexpected in ("}", ")", "]", ";", ",", "in", "then", "else"):
            yield replace_at(file, text, offset, end, "")


def _close(file: str, text: str, expecting: list[str]) -> Iterator[Edit]:
    """Append closers for every open bracket; before the last closer of the file too."""
    pairs = {"{": "}", "[": "]", "(": ")"}
    stack: list[str] = []
    for char in _without_strings(text):
        if char in pairs:
            stack.append(pairs[char])
        elif stack and char == stack[-1]:
            stack.pop()
    end = len(text.rstrip())
    closers = "".join(reversed(stack))
    if closers:
        if ";" in expecting:
            yield replace_at(file, text, end, end, ";" + closers)
            # The block that was forgotten: close it on the line before the last closer.
            last = text.rstrip().rfind("\n")
            if last > 0:
                yield replace_at(file, text, last, last, "\n" + closers[0] + ";")
        yield replace_at(file, text, end, end, closers)
        for number in range(1, len(closers)):
            yield replace_at(file, text, end, end, closers[:number] + ";" + closers[number:])
    odd = _odd_quote_line(text, end)
    if odd is not None:
        yield replace_at(file, text, odd, odd, '"')
        yield replace_at(file, text, odd, odd, '";')
    if text.count("''") % 2:
        yield replace_at(file, text, end, end, "''")


def _without_strings(text: str) -> str:
    text = re.sub(r"''(?:[^']|'(?!')|'''|''\$|''\\.)*''", "", text)
    text = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    return re.sub(r"#[^\n]*|/\*[\s\S]*?\*/", "", text)


def _odd_quote_line(text: str, offset: int) -> int | None:
    """The end of the last line up to that of ``offset`` with an odd number of quotes, before its `;`."""
    stop = text.find("\n", offset)
    position = 0
    found = None
    for line in text[: stop if stop >= 0 else len(text)].split("\n"):
        bare = line.replace('\\"', "").replace("''", "")
        if bare.count('"') % 2:
            tail = re.search(r"[;)\]} ]*$", line)
            found = position + (tail.start() if tail else len(line))
        position += len(line) + 1
    return found


def _end_of_code(text: str, offset: int) -> int:
    """The end of the last token before ``offset``: blanks and comments are passed over."""
    code = re.sub(r"#[^\n]*|/\*[\s\S]*?\*/", lambda m: " " * len(m[0]), text[:offset])
    return len(code.rstrip())
