"""Edits of names: misspelt, renamed, out of scope, defined twice, not taken as an argument.

Proposes only names that the text or the user's files know.
"""

import re
from collections.abc import Iterator, Mapping

from luminous.node.core.causes.diff import Edit
from luminous.node.core.causes.edit_text import (
    WORD,
    header_of,
    replace_at,
    replace_everywhere,
    text_at,
    word_at,
)
from luminous.node.core.causes.names import nearest
from luminous.node.core.causes.user_files import UserFiles
from luminous.node.core.causes.where import Place

_MODULE_ARGUMENTS = ("lib", "pkgs", "config", "options", "modulesPath", "inputs")
# A few names everybody takes from `lib` by mistake without it.
_LIB_NAMES = (
    "mkIf", "mkForce", "mkDefault", "mkOption", "mkEnableOption", "mkMerge", "mkOverride", "mkBefore",
    "mkAfter", "types", "optional", "optionals", "optionalString", "optionalAttrs", "mapAttrs'",
    "filterAttrs", "getExe", "concatStringsSep", "recursiveUpdate", "genAttrs", "mkOrder",
    "concatMapStringsSep", "hasPrefix", "hasSuffix", "removePrefix", "removeSuffix", "flatten",
    "unique", "imap0", "nameValuePair", "licenses", "maintainers", "platforms", "fakeHash",
    "fakeSha256", "cleanSource", "escapeShellArg", "makeBinPath", "versionAtLeast",
)  # fmt: skip


def undefined_variable(
    fix_id: str, facts: Mapping[str, str], place: Place | None, files: UserFiles
) -> Iterator[Edit]:
    """A near name that is bound, a new argument of the file, or a qualified name."""
    found = text_at(files, place)
    name = facts.get("name", "")
    if found is None or not name:
        return
    file, text, offset = found
    span = word_at(text, offset, name)
    header = header_of(text)
    arguments = WORD.findall(header["inner"]) if header else []
    if fix_id.endswith(".correct") and span:
        bound = set(re.findall(r"(?<![\w.])([A-Za-z_][\w'-]*)\s*=(?!=)", text)) | set(arguments)
        bound |= set(re.findall(r"(?<![\w.])([A-Za-z_][\w'-]*)\s*:\s", text))
        near = nearest(name, sorted(bound))
        if near and not (name in _MODULE_ARGUMENTS and header):
            yield replace_at(file, text, *span, near)
    if fix_id.endswith(".argument"):
        if header and (name in _MODULE_ARGUMENTS or "..." in header["inner"]) and name not in _LIB_NAMES:
            if name not in _MODULE_ARGUMENTS and "pkgs" in arguments:
                return
            start = header.start("inner")
            inner = header["inner"]
            lead = inner[: len(inner) - len(inner.lstrip())] or " "
            yield replace_at(
                file,
                text,
                start,
                start,
                f"{lead.rstrip(chr(10))}{name},".rstrip() if inner.strip() else f" {name} ",
            )
        elif not header and name in _MODULE_ARGUMENTS and text.lstrip().startswith("{"):
            yield Edit(file, text, f"{{ {name}, ... }}:\n" + text, "", name)
    if fix_id.endswith(".qualify") and span:
        has_lib = "lib" in arguments or re.search(r"(?<![\w.])lib\s*=", text) or "with lib" in text
        has_pkgs = "pkgs" in arguments or re.search(r"(?<![\w.])pkgs\s*=", text)
        if name in _LIB_NAMES and has_lib:
            yield replace_at(file, text, *span, f"lib.{name}")
        elif name in _LIB_NAMES and has_pkgs:
            yield replace_at(file, text, *span, f"pkgs.lib.{name}")
        elif has_pkgs:
            yield replace_at(file, text, *span, f"pkgs.{name}")


def attribute(
    facts: Mapping[str, str], place: Place | None, files: UserFiles, names: tuple[str, ...]
) -> Iterator[Edit]:
    """Nix's own suggestion, or a near name from the files, at the place or anywhere it is used."""
    name = facts.get("name", "").strip('"')
    if not WORD.fullmatch(name):
        return
    options = [n for n in names if WORD.fullmatch(n)]
    if not options:
        known = {w for text in files.texts.values() for w in re.findall(r"([A-Za-z_][\w'-]*)\s*=(?!=)", text)}
        near = nearest(name, sorted(known))
        options = [near] if near else []
    found = text_at(files, place)
    if found is not None:
        file, text, offset = found
        span = word_at(text, offset, name)
        for new in options:
            if span:
                yield replace_at(file, text, *span, new)
        return
    for new in options:
        yield from replace_everywhere(files, rf"(?<=\.){re.escape(name)}(?![\w'-])", new)


def renamed(facts: Mapping[str, str], files: UserFiles) -> Iterator[Edit]:
    """The old name of a package replaced by the new one, where it is used."""
    old, new = facts.get("name", ""), facts.get("new_name", "").rstrip(".")
    if WORD.fullmatch(old) and re.fullmatch(r"[A-Za-z_][\w.'-]*", new) and old != new:
        yield from replace_everywhere(files, rf"(?<![\w'-]){re.escape(old)}(?![\w'-])(?!\s*=)", new)


def duplicate_removed(facts: Mapping[str, str], place: Place | None, files: UserFiles) -> Iterator[Edit]:
    """The second definition of an attribute, when it stands alone up to its `;`."""
    found = text_at(files, place)
    if found is None:
        return
    file, text, offset = found
    match = re.compile(r"[^;{}\n]*;").match(text, offset)
    if not match:
        return
    start = max(text.rfind(mark, 0, offset) for mark in ("\n", ";", "{")) + 1
    lone = text[start:offset].strip() == "" and text[match.end() :].lstrip(" ").startswith("\n")
    end = match.end() + (len(text[match.end() :]) - len(text[match.end() :].lstrip(" ")) + 1 if lone else 0)
    if lone and text[start - 1 : start] != "\n":
        end -= 1
    yield Edit(file, text, text[:start] + text[end:], text[start : match.end()].strip(), "")


def arguments_opened(place: Place | None, files: UserFiles) -> Iterator[Edit]:
    """``...`` at the end of a function's argument set."""
    found = text_at(files, place)
    if found is None:
        return
    file, text, offset = found
    match = re.compile(r"(?:[\w-]+\s*@\s*)?\{(?P<inner>[^{}]*)\}").match(text, offset)
    if match and "..." not in match["inner"]:
        inner = match["inner"].rstrip().rstrip(",")
        new = f"{inner}, ... " if inner.strip() else " ... "
        yield replace_at(file, text, match.start("inner"), match.end("inner"), new)
