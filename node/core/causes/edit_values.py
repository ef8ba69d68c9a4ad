"""Edits of values: hashes, conversions, paths, names of derivations, builders, JSON.

Proposes only where the text names the value.
"""

import re
from collections.abc import Iterator, Mapping

from luminous.node.core.causes import hashes
from luminous.node.core.causes.diff import Edit
from luminous.node.core.causes.edit_text import replace_at, replace_everywhere, text_at
from luminous.node.core.causes.names import nearest
from luminous.node.core.causes.user_files import UserFiles
from luminous.node.core.causes.where import Place


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
    found = text_at(files, place)
    kind = facts.get("found", "")
    if found is None or not kind or "coerce" not in facts.get("message", ""):
        return
    file, text, offset = found
    start, end = text.rfind("\n", 0, offset) + 1, text.find("\n", offset)
    end = end if end >= 0 else len(text)
    inner = None
    for match in re.finditer(r"\$\{\s*([\w.'-]+)\s*\}", text[start:end]):
        if start + match.start() <= offset + 1 <= start + match.end() + 1:
            inner = match
            break
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


def current_system(files: UserFiles, system: str) -> Iterator[Edit]:
    """``builtins.currentSystem`` replaced by the name of this machine's system."""
    if re.fullmatch(r"[a-z0-9_]+-[a-z]+", system):
        yield from replace_everywhere(files, r"builtins\.currentSystem\b", f'"{system}"')


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
