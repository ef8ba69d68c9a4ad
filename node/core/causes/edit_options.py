"""Edits of options: misspelt, of the wrong type, in conflict, not allowed.

Proposes changes of the user's own definitions only.
"""

import re
from collections.abc import Iterator, Mapping

from luminous.node.core.causes.diff import Edit
from luminous.node.core.causes.edit_text import WORD, find_definition, header_of, replace_at
from luminous.node.core.causes.names import distance, nearest
from luminous.node.core.causes.user_files import UserFiles


def option_name(facts: Mapping[str, str], files: UserFiles, names: tuple[str, ...]) -> Iterator[Edit]:
    """The misspelt part of an option's path, from Nix's suggestion or from what the files declare."""
    option = facts.get("option", "")
    known = [n.strip("'\"") for n in names]
    if not known:
        declared = {m for text in files.texts.values() for m in re.findall(r"options\.([\w.-]+)\s*=", text)}
        size = option.count(".")
        declared |= {".".join(path.split(".")[: size + 1]) for path in declared}
        for text in files.texts.values():
            paths = re.findall(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*){1,8}", text)
            declared |= {path for path in paths if path.count(".") == size and distance(path, option, 2) <= 2}
        near = nearest(option, sorted(declared))
        known = [near] if near else []
    for new in known:
        old_parts, new_parts = option.split("."), new.split(".")
        for old_part, new_part in zip(old_parts, new_parts, strict=False):
            if old_part != new_part:
                for file, text, start in find_definition(files, option, old_part):
                    yield replace_at(file, text, start, start + len(old_part), new_part)
                break


def option_removed(facts: Mapping[str, str], files: UserFiles) -> Iterator[Edit]:
    """The one line that sets the option, taken out."""
    option = facts.get("option", "")
    for file, text, offset in find_definition(files, option):
        start, end = text.rfind("\n", 0, offset) + 1, text.find("\n", offset)
        line = text[start : end if end >= 0 else len(text)]
        if re.fullmatch(r"\s*[\w.\"'-]+\s*=[^;{}\[\]]*;\s*(?:#.*)?", line):
            yield Edit(file, text, text[:start] + text[start + len(line) + 1 :], line.strip(), "")


def option_value(facts: Mapping[str, str], files: UserFiles) -> Iterator[Edit]:
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
        header = header_of(text)
        arguments = WORD.findall(header["inner"]) if header else []
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


def config_allowed(class_id: str, package: str, files: UserFiles) -> Iterator[Edit]:
    """The permit for one package, where nixpkgs is imported with an empty or given ``config``."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+?=-]{0,120}", package):
        return
    if class_id == "insecure_package":
        setting = f'permittedInsecurePackages = [ "{package}" ];'
    else:
        name = "(pkg.pname or (builtins.parseDrvName pkg.name).name)"
        setting = f'allowUnfreePredicate = pkg: builtins.elem {name} [ "{package}" ];'
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
