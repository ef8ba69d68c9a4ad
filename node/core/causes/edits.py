"""Edits of the user's own files that could end a failure, most plausible first.

Each function looks at the facts and the files and proposes whole new texts; the caller keeps the first that
parses. Refuses to touch a file that is not the user's, and proposes nothing it cannot point at.
"""

import re
from collections.abc import Iterator, Mapping

from luminous.node.core.causes import hashes
from luminous.node.core.causes.diff import Edit
from luminous.node.core.causes.names import nearest
from luminous.node.core.causes.user_files import UserFiles, offset_of
from luminous.node.core.causes.where import Place

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*")
_MODULE_ARGUMENTS = ("lib", "pkgs", "config", "options", "modulesPath", "inputs")
# A few names everybody takes from `lib` by mistake without it.
_LIB_NAMES = (
    "mkIf mkForce mkDefault mkOption mkEnableOption mkMerge mkOverride mkBefore mkAfter types optional optionals "
    "optionalString optionalAttrs mapAttrs' filterAttrs concatStringsSep recursiveUpdate genAttrs getExe mkOrder "
    "concatMapStringsSep hasPrefix hasSuffix removePrefix removeSuffix flatten unique imap0 nameValuePair licenses "
    "maintainers platforms fakeHash fakeSha256 cleanSource escapeShellArg makeBinPath versionAtLeast"
).split()


def replace_at(file: str, text: str, start: int, end: int, new: str) -> Edit:
    """``text`` with the span replaced."""
    return Edit(file, text, text[:start] + new + text[end:], text[start:end], new)


def _at(files: UserFiles, place: Place | None) -> tuple[str, str, int] | None:
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


def syntax(facts: Mapping[str, str], place: Place | None, files: UserFiles) -> Iterator[Edit]:
    """Insert what was expected, close what is open, or drop or correct the token that disturbs."""
    found = _at(files, place)
    if found is None:
        return
    file, text, offset = found
    expecting = re.findall(r"'([^']+)'", facts.get("expecting", ""))
    unexpected = facts.get("unexpected", "").strip("'\"")
    at_end = "end of file" in unexpected or not text[offset:].strip()
    before = _end_of_code(text, offset)
    if "path has a trailing slash" in facts.get("line", ""):
        slash = text.rfind("/", 0, offset + 1)
        yield replace_at(file, text, slash, slash + 1, "")
    if at_end:
        yield from _close(file, text, expecting)
    if ";" in expecting or not expecting:
        yield replace_at(file, text, before, before, ";")
        odd = _odd_quote_line(text, offset)
        if odd is not None:
            yield replace_at(file, text, odd, odd, '";' if ";" in expecting else '"')
    for token in expecting:
        if token in ("}", ")", "]", "=", "then", "else", "in", ":", "''", '"'):
            yield replace_at(
                file, text, before, before, f" {token}" if token.isalpha() or token == "=" else token
            )
    if unexpected and text.startswith(unexpected, offset):
        end = offset + len(unexpected)
        if unexpected == ",":
            yield replace_at(file, text, offset, end, ";")
        if unexpected in (":", "=="):
            yield replace_at(file, text, offset, end, "=")
        yield replace_at(file, text, offset, end, "")
    yield replace_at(file, text, before, before, ";")
    for token in ("}", ")", "]"):
        yield replace_at(file, text, before, before, token)
        yield replace_at(file, text, before, before, token + ";")
    yield from _close(file, text, expecting)


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
    """The end of the last line up to ``offset`` that has an odd number of double quotes, before its `;`."""
    position = 0
    found = None
    for line in text[: max(offset, 1)].split("\n"):
        bare = line.replace('\\"', "").replace("''", "")
        if bare.count('"') % 2:
            found = position + len(line.rstrip().rstrip(";"))
        position += len(line) + 1
    return found


def _end_of_code(text: str, offset: int) -> int:
    """The end of the last token before ``offset``: blanks and comments are passed over."""
    code = re.sub(r"#[^\n]*|/\*[\s\S]*?\*/", lambda m: " " * len(m[0]), text[:offset])
    return len(code.rstrip())


def _header(text: str) -> re.Match[str] | None:
    """The argument set in the first code of a file: ``{ a, b, ... }:``."""
    return re.match(
        r"(?:\s|#[^\n]*\n|/\*[\s\S]*?\*/)*(?:[\w-]+\s*@\s*)?\{(?P<inner>[^{}]*)\}(?:\s*@\s*[\w-]+)?\s*:", text
    )


def undefined_variable(
    fix_id: str, facts: Mapping[str, str], place: Place | None, files: UserFiles
) -> Iterator[Edit]:
    """A near name that is bound, a new argument of the file, or a qualified name."""
    found = _at(files, place)
    name = facts.get("name", "")
    if found is None or not name:
        return
    file, text, offset = found
    span = word_at(text, offset, name)
    header = _header(text)
    arguments = _WORD.findall(header["inner"]) if header else []
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
    if not _WORD.fullmatch(name):
        return
    options = [n for n in names if _WORD.fullmatch(n)]
    if not options:
        known = {w for text in files.texts.values() for w in re.findall(r"([A-Za-z_][\w'-]*)\s*=(?!=)", text)}
        near = nearest(name, sorted(known))
        options = [near] if near else []
    found = _at(files, place)
    if found is not None:
        file, text, offset = found
        span = word_at(text, offset, name)
        for new in options:
            if span:
                yield replace_at(file, text, *span, new)
        return
    for new in options:
        yield from _replace_everywhere(files, rf"(?<=\.){re.escape(name)}(?![\w'-])", new)


def renamed(facts: Mapping[str, str], files: UserFiles) -> Iterator[Edit]:
    """The old name of a package replaced by the new one, where it is used."""
    old, new = facts.get("name", ""), facts.get("new_name", "").rstrip(".")
    if _WORD.fullmatch(old) and re.fullmatch(r"[A-Za-z_][\w.'-]*", new) and old != new:
        yield from _replace_everywhere(files, rf"(?<![\w'-]){re.escape(old)}(?![\w'-])(?!\s*=)", new)


def _replace_everywhere(files: UserFiles, pattern: str, new: str) -> Iterator[Edit]:
    for file in sorted(files.texts):
        if file.endswith(".nix"):
            match = re.search(pattern, files.texts[file])
            if match:
                yield replace_at(file, files.texts[file], match.start(), match.end(), new)


def option_name(facts: Mapping[str, str], files: UserFiles, names: tuple[str, ...]) -> Iterator[Edit]:
    """The misspelt part of an option's path, from Nix's suggestion or from what the files declare."""
    option = facts.get("option", "")
    known = [n.strip("'\"") for n in names]
    if not known:
        declared = {m for text in files.texts.values() for m in re.findall(r"options\.([\w.-]+)\s*=", text)}
        declared |= {".".join(d.split(".")[: option.count(".") + 1]) for d in declared}
        near = nearest(option, sorted(declared))
        known = [near] if near else []
    for new in known:
        old_parts, new_parts = option.split("."), new.split(".")
        for old_part, new_part in zip(old_parts, new_parts, strict=False):
            if old_part != new_part:
                for file, text, start in find_definition(files, option, old_part):
                    yield replace_at(file, text, start, start + len(old_part), new_part)
                break


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


def option_removed(facts: Mapping[str, str], files: UserFiles) -> Iterator[Edit]:
    """The one line that sets the option, taken out."""
    option = facts.get("option", "")
    for file, text, offset in find_definition(files, option):
        start, end = text.rfind("\n", 0, offset) + 1, text.find("\n", offset)
        line = text[start : end if end >= 0 else len(text)]
        if re.fullmatch(r"\s*[\w.\"'-]+\s*=[^;{}\[\]]*;\s*(?:#.*)?", line):
            yield Edit(file, text, text[:start] + text[start + len(line) + 1 :], line.strip(), "")


def option_value(facts: Mapping[str, str], files: UserFiles, shown: str) -> Iterator[Edit]:
    """The value turned into the wanted type: quotes off, quotes on, a list, a near choice."""
    wanted, option = facts.get("wanted", ""), facts.get("option", "")
    for file, text, offset in find_definition(files, option):
        match = re.compile(r"[^=;]*?=\s*(?P<value>[^;]*?)\s*;").match(text, offset)
        if not match:
            continue
        value = match["value"]
        new = convert(value, wanted)
        if new and new != value:
            yield replace_at(file, text, match.start("value"), match.end("value"), new)
    del shown


def convert(value: str, wanted: str) -> str | None:
    """``value`` (Nix text) as the type that the module system calls ``wanted``; None when unclear."""
    bare = value.strip().strip('"')
    choices = re.findall(r'"([^"]+)"', wanted)
    if wanted.startswith("one of") and choices:
        return f'"{nearest(bare, choices) or choices[0]}"'
    if "boolean" in wanted:
        if bare.lower() in ("yes", "true", "on", "1", "enable", "enabled"):
            return "true"
        if bare.lower() in ("no", "false", "off", "0", "disable", "disabled"):
            return "false"
        return None
    if wanted.startswith("list of") and not value.startswith("["):
        return f"[ {value} ]" if re.fullmatch(r'"[^"]*"|[\w./-]+', value) else f"[ ({value}) ]"
    if re.search(r"integer|number|port|float", wanted) and re.fullmatch(r"-?\d+(?:\.\d+)?", bare):
        return bare if bare != value else None
    if re.search(r"string|lines|text", wanted) and re.fullmatch(r"-?[\d.]+|true|false", value):
        return f'"{value}"'
    if re.search(r"string", wanted) and re.fullmatch(r'\[\s*("[^"]*")\s*\]', value):
        return value.strip("[] \n")
    if "path" in wanted and value.startswith('"/'):
        return bare if re.fullmatch(r"[\w./+-]+", bare) else None
    return None


def option_forced(facts: Mapping[str, str], files: UserFiles, named: tuple[str, ...]) -> Iterator[Edit]:
    """``lib.mkForce`` before the user's own value, or one of two own definitions taken out."""
    option = facts.get("option", "")
    spots = list(find_definition(files, option))
    own = [files.own(name) for name in named]
    spots.sort(key=lambda spot: own.index(spot[0]) if spot[0] in own else len(own))
    for file, text, offset in spots:
        match = re.compile(r"[^=;]*?=\s*(?P<value>[^;]*?)\s*;").match(text, offset)
        if not match or "mkForce" in match["value"]:
            continue
        header = _header(text)
        arguments = _WORD.findall(header["inner"]) if header else []
        value = match["value"]
        forced = (
            f"lib.mkForce {value}"
            if re.fullmatch(r'"[^"]*"|[\w./-]+|\[[^\]]*\]', value)
            else f"lib.mkForce ({value})"
        )
        after = text[: match.start("value")] + forced + text[match.end("value") :]
        if "lib" in arguments or re.search(r"(?<![\w.])lib\s*=", text):
            yield Edit(file, text, after, value, forced)
        elif header and "..." in header["inner"]:
            start = header.start("inner")
            yield Edit(file, text, after[:start] + " lib," + after[start:], value, forced)
        elif not header and text.lstrip().startswith("{"):
            yield Edit(file, text, "{ lib, ... }:\n" + after, value, forced)
    if len(spots) > 1:
        for file, text, offset in reversed(spots):
            match = re.compile(r"[^=;\n]*=[^;\n]*;").match(text, offset)
            start = (
                max(text.rfind("\n", 0, offset), text.rfind(";", 0, offset), text.rfind("{", 0, offset)) + 1
            )
            if match and text[start:offset].strip().replace(".", "").replace("_", "").isalnum() | (
                not text[start:offset].strip()
            ):
                yield Edit(
                    file, text, text[:start] + text[match.end() :], text[start : match.end()].strip(), ""
                )


def hash_replaced(facts: Mapping[str, str], files: UserFiles) -> Iterator[Edit]:
    """The recorded hash, in whatever spelling the file has it, replaced by the one that was got."""
    specified, got = hashes.decode(facts.get("specified", "")), hashes.decode(facts.get("got", ""))
    if specified is None or got is None:
        return
    sri = hashes.spellings(*got)[0]
    for spelling in hashes.spellings(*specified):
        for file in sorted(files.texts):
            if file.endswith(".lock"):
                continue
            text = files.texts[file]
            start = text.find(spelling)
            if start >= 0 and text.count(spelling) == 1:
                yield replace_at(file, text, start, start + len(spelling), sri)
    if not any(specified[1]):
        for file in sorted(files.texts):
            text = files.texts[file]
            matches = list(
                re.finditer(
                    r'(?:pkgs\.)?lib\.fake(?:Hash|Sha256|Sha512)|(?<=[hH]ash = )""|(?<=sha256 = )""', text
                )
            )
            if len(matches) == 1:
                yield replace_at(file, text, *matches[0].span(), f'"{sri}"')


def hash_faked(facts: Mapping[str, str], files: UserFiles) -> Iterator[Edit]:
    """A malformed hash replaced by one of the right shape, so that the next run names the true one."""
    bad = facts.get("specified", "")
    for file in sorted(files.texts):
        start = files.texts[file].find(f'"{bad}"') if bad else -1
        if start >= 0:
            yield replace_at(file, files.texts[file], start + 1, start + 1 + len(bad), hashes.FAKE_SRI)


def string_conversion(
    fix_id: str, facts: Mapping[str, str], place: Place | None, files: UserFiles
) -> Iterator[Edit]:
    """``toString`` around a number, one attribute out of a set, a list joined."""
    found = _at(files, place)
    kind = facts.get("found", "")
    if found is None or not kind or "coerce" not in facts.get("message", ""):
        return
    file, text, offset = found
    start, end = text.rfind("\n", 0, offset) + 1, text.find("\n", offset)
    end = end if end >= 0 else len(text)
    inner = next((m for m in re.finditer(r"\$\{\s*([\w.'-]+)\s*\}", text[start:end]) if start + m.start() <= offset + 1 <= start + m.end() + 1), None)  # fmt: skip
    if fix_id.endswith("to_string") and re.match(
        r"an? (?:integer|float|number)|the (?:integer)|a Boolean", kind
    ):
        if inner:
            yield replace_at(file, text, start + inner.start(1), start + inner.end(1), f"toString {inner[1]}")
        else:
            token = re.compile(r"[\w.'-]+").match(text, offset)
            if token and token[0] not in ("builtins", "toString"):
                yield replace_at(file, text, *token.span(), f"(toString {token[0]})")
            after = re.compile(r"\+\s*([\w.'-]+)").match(text, offset)
            if after:
                yield replace_at(file, text, *after.span(1), f"(toString {after[1]})")
    if fix_id.endswith("select") and kind.startswith("a set") and inner:
        name = inner[1].split(".")[-1]
        body = re.search(rf"(?<![\w.]){re.escape(name)}\s*=\s*\{{([^{{}}]*)\}}", text)
        names = re.findall(r"([A-Za-z_][\w'-]*)\s*=", body[1]) if body else []
        order = [n for n in ("outPath", "name", "path", "value") if n in names] + names
        for member in order[:1]:
            yield replace_at(file, text, start + inner.start(1), start + inner.end(1), f"{inner[1]}.{member}")
    if fix_id.endswith("to_string") and kind.startswith("a list") and inner:
        yield replace_at(file, text, start + inner.start(1), start + inner.end(1), f"toString {inner[1]}")


def missing_path(
    fix_id: str, facts: Mapping[str, str], files: UserFiles, listing: tuple[str, ...]
) -> Iterator[Edit]:
    """The reference to a missing file corrected to a near one that is there, or taken out of its list."""
    path = facts.get("path", "").rstrip("/")
    base = path.rsplit("/", 1)[-1]
    if not base:
        return
    near = nearest(base, listing) if fix_id.endswith("near") else None
    for file in sorted(files.texts):
        if not file.endswith(".nix"):
            continue
        text = files.texts[file]
        for match in re.finditer(
            rf"(?P<path>(?:\.{{1,2}}|/)[\w./+-]*/{re.escape(base)}|\./{re.escape(base)})(?![\w.-])", text
        ):
            if fix_id.endswith("near"):
                if near:
                    start = match.end() - len(base)
                    yield replace_at(file, text, start, match.end(), near)
            elif _in_list(text, match.start()):
                end = match.end()
                start = match.start()
                lone = text[text.rfind("\n", 0, start) + 1 : start].strip() == "" and text[end:].lstrip(
                    " "
                ).startswith("\n")
                if lone:
                    start = text.rfind("\n", 0, start)
                elif text[start - 1 : start] == " ":
                    start -= 1
                yield Edit(file, text, text[:start] + text[end:], match[0], "")


def _in_list(text: str, offset: int) -> bool:
    depth = 0
    for char in reversed(_blank_strings(text[:offset])):
        if char in "])}":
            depth += 1
        elif char in "[({":
            if depth == 0:
                return char == "["
            depth -= 1
    return False


def _blank_strings(text: str) -> str:
    return re.sub(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*', lambda m: " " * len(m[0]), text)


def duplicate_removed(facts: Mapping[str, str], place: Place | None, files: UserFiles) -> Iterator[Edit]:
    """The second definition of an attribute, when it stands alone up to its `;`."""
    found = _at(files, place)
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
    found = _at(files, place)
    if found is None:
        return
    file, text, offset = found
    match = re.compile(r"(?:[\w-]+\s*@\s*)?\{(?P<inner>[^{}]*)\}").match(text, offset)
    if match and "..." not in match["inner"]:
        inner = match["inner"].rstrip().rstrip(",")
        new = f"{inner}, ... " if inner.strip() else " ... "
        yield replace_at(file, text, match.start("inner"), match.end("inner"), new)


def current_system(files: UserFiles, system: str) -> Iterator[Edit]:
    """``builtins.currentSystem`` replaced by the name of this machine's system."""
    if re.fullmatch(r"[a-z0-9_]+-[a-z]+", system):
        yield from _replace_everywhere(files, r"builtins\.currentSystem\b", f'"{system}"')


def builder_replaced(facts: Mapping[str, str], files: UserFiles) -> Iterator[Edit]:
    """A builder that does not exist replaced by /bin/sh, which every sandbox has."""
    path = facts.get("path", "")
    if path and not path.startswith("/nix/store/"):
        for file in sorted(files.texts):
            start = files.texts[file].find(f'"{path}"')
            if start >= 0:
                yield replace_at(file, files.texts[file], start + 1, start + 1 + len(path), "/bin/sh")


def name_cleaned(facts: Mapping[str, str], files: UserFiles) -> Iterator[Edit]:
    """A derivation's name with the illegal characters turned into dashes."""
    name = re.sub(r"^[0-9a-z]{32}-", "", facts.get("name", ""))
    new = re.sub(r"[^A-Za-z0-9+._?=-]+", "-", name).strip("-") or "unnamed"
    for file in sorted(files.texts):
        start = files.texts[file].find(f'"{name}"') if name else -1
        if start >= 0:
            yield replace_at(file, files.texts[file], start + 1, start + 1 + len(name), new)


def path_unquoted(facts: Mapping[str, str], place: Place | None, files: UserFiles) -> Iterator[Edit]:
    """A relative path in quotes as a path literal."""
    name = facts.get("name", "")
    if not re.fullmatch(r"[\w./+-]{1,200}", name) or name.startswith("/"):
        return
    literal = name if name.startswith(("./", "../")) else f"./{name}"
    order = sorted(files.texts, key=lambda f: (place is None or f != place.file, f))
    for file in order:
        start = files.texts[file].find(f'"{name}"')
        if start >= 0 and file.endswith(".nix"):
            yield replace_at(file, files.texts[file], start, start + len(name) + 2, literal)


def json_comma(files: UserFiles) -> Iterator[Edit]:
    """A comma before a closing bracket in a JSON file."""
    for file in sorted(files.texts):
        if file.endswith(".json"):
            match = re.search(r",(?=\s*[}\]])", files.texts[file])
            if match:
                yield replace_at(file, files.texts[file], match.start(), match.end(), "")


def config_allowed(class_id: str, package: str, files: UserFiles) -> Iterator[Edit]:
    """The permit for one package, where nixpkgs is imported with an empty or given ``config``."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+?=-]{0,120}", package):
        return
    if class_id == "insecure_package":
        setting = f'permittedInsecurePackages = [ "{package}" ];'
    else:
        setting = f'allowUnfreePredicate = pkg: builtins.elem (pkg.pname or (builtins.parseDrvName pkg.name).name) [ "{package}" ];'
    for file in sorted(files.texts):
        text = files.texts[file]
        if not file.endswith(".nix") or "permittedInsecurePackages" in text or "allowUnfreePredicate" in text:
            continue
        base = file.rsplit("/", 1)[-1]
        off = re.search(r"allowUnfree\s*=\s*false", text)
        if off and class_id == "unfree_license":
            yield replace_at(file, text, *off.span(), setting.rstrip(";"))
            continue
        config = re.search(r"(?<![\w.])config\s*=\s*\{", text)
        imported = re.search(r"import\s+(?:<nixpkgs>|inputs\.nixpkgs|nixpkgs)\s*\{", text)
        body = (
            re.search(r"^(?:[^{}]|\{[^{}]*\}\s*:)*?\{", text)
            if base in ("configuration.nix", "home.nix")
            else None
        )
        if config and imported:
            yield replace_at(file, text, config.end(), config.end(), f" {setting}")
        elif imported:
            yield replace_at(file, text, imported.end(), imported.end(), f" config.{setting}")
        elif body:
            yield replace_at(file, text, body.end(), body.end(), f"\n  nixpkgs.config.{setting}")
