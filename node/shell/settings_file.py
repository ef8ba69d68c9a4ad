"""Reads settings from flag, variable, file and default, in that order, and remembers where each came from.

Refuses to guess: what it cannot read exactly is an error (file) or a warning (unknown variable) with the
line and the nearest name. Never writes.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from luminous.node.shell.dial_address import flaws
from luminous.node.shell.failure import Exit, Failure, of_os_error
from luminous.node.shell.settings import OTHER_VARIABLES, VARIABLES, WITHOUT_EFFECT, Settings

FILE_SIZE_BYTES_MAX = 1024 * 1024
PREFIX = "LUMINOUS_"
SECTIONS: dict[str, type[msgspec.Struct]] = {
    field.name: field.type for field in msgspec.structs.fields(Settings)
}
KEYS: dict[str, msgspec.structs.FieldInfo] = {
    f"{section}.{field.name}": field
    for section, struct in SECTIONS.items()
    for field in msgspec.structs.fields(struct)
}
_WORDS = {
    "yes": True,
    "on": True,
    "true": True,
    "1": True,
    "no": False,
    "off": False,
    "false": False,
    "0": False,
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, the origin of each key (``flag``, ``LUMINOUS_X``, ``file:line``, ``default``), warnings."""

    settings: Settings
    origins: dict[str, str]
    warnings: tuple[str, ...]

    @property
    def chosen(self) -> frozenset[str]:
        """The keys that somebody set."""
        return frozenset(key for key, origin in self.origins.items() if origin != "default")

    @property
    def idle(self) -> tuple[str, ...]:
        """A line for each key that was set and changes nothing in this version."""
        return tuple(
            f"{key} ({self.origins[key]}) changes nothing in this version"
            for key in sorted(WITHOUT_EFFECT & self.chosen)
        )


def load(file: Path, environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Loaded:
    """The settings in force. ``flags``: ``section.key`` to text. A missing file is an empty one."""
    values: dict[str, object] = {}
    origins = dict.fromkeys(KEYS, "default")
    for key, value, line in _from_file(file):
        values[key] = _typed(key, value, f"{file}:{line}", strict=True)
        origins[key] = f"{file}:{line}"
    warnings: list[str] = []
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        key = _key_of(name)
        if key:
            values[key] = _typed(key, environ[name], name, strict=False)
            origins[key] = name
        elif name not in OTHER_VARIABLES:
            known = [*VARIABLES, *OTHER_VARIABLES, *(_nested_name(key) for key in KEYS)]
            warnings.append(f"{name} is not a variable of luminous-node{_nearest(name, known)}; ignored")
    for key, text in (flags or {}).items():
        if key not in KEYS:
            raise _wrong(f"there is no setting {key}{_nearest(key, KEYS)}", f"the flag for {key}")
        values[key] = _typed(key, text, f"the flag for {key}", strict=False)
        origins[key] = "flag"
    nested: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        section, name = key.split(".")
        nested.setdefault(section, {})[name] = value
    settings = msgspec.convert(nested, Settings)
    for address, flaw in flaws(settings.network.bootstrap):
        where = origins["network.bootstrap"]
        warnings.append(f"network.bootstrap ({where}): {address!r} is never dialled: {flaw}")
    return Loaded(settings, origins, tuple(warnings))


def flat(settings: Settings) -> dict[str, object]:
    """Every ``section.key`` and its value."""
    return {key: getattr(getattr(settings, key.split(".")[0]), key.split(".")[1]) for key in KEYS}


def _from_file(file: Path) -> Iterator[tuple[str, object, int]]:
    """Key, value and line of every setting in ``file``."""
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise of_os_error("the configuration cannot be read", file, error) from error
    if len(raw) > FILE_SIZE_BYTES_MAX:
        raise _wrong(f"it is larger than {FILE_SIZE_BYTES_MAX} bytes", str(file))
    for section, body, line in _pairs(_compose(raw, file), file):
        if section not in SECTIONS:
            raise _wrong(f"there is no section {section}{_nearest(section, SECTIONS)}", f"{file}:{line}")
        if _is_empty(body):
            continue
        names = [key.split(".")[1] for key in KEYS if key.startswith(section + ".")]
        for name, node, at in _pairs(body, file):
            if name not in names:
                why = f"there is no key {name} in section {section}{_nearest(name, names)}"
                raise _wrong(why, f"{file}:{at}")
            yield f"{section}.{name}", _plain(node, f"{file}:{at}"), at


def _compose(raw: bytes, file: Path) -> yaml.Node | None:
    try:
        return yaml.compose(raw.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise _wrong(f"it is not UTF-8 text (byte {error.start})", str(file)) from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else str(file)
        raise _wrong(f"it is not YAML: {getattr(error, 'problem', None) or 'unreadable'}", where) from error


def _pairs(node: yaml.Node | None, file: Path) -> Iterator[tuple[str, yaml.Node, int]]:
    """Key, value and line of a YAML map; an absent document is an empty map."""
    if node is None or _is_empty(node):
        return
    if not isinstance(node, yaml.MappingNode):
        raise _wrong("a map of keys was expected here", f"{file}:{node.start_mark.line + 1}")
    seen: set[str] = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise _wrong("a key must be a plain word", f"{file}:{line}")
        if key.value in seen:
            raise _wrong(f"{key.value} is there twice", f"{file}:{line}")
        seen.add(key.value)
        yield key.value, value, line


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _plain(node: yaml.Node, where: str) -> object:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _wrong("this value cannot be read", where) from error
    finally:
        loader.dispose()


def _typed(key: str, value: object, where: str, *, strict: bool) -> object:
    kind = KEYS[key].type
    if isinstance(value, str):
        if not strict and kind is bool:
            value = _WORDS.get(value.strip().lower(), value)
        elif not strict and kind == tuple[str, ...]:
            value = [part.strip() for part in value.split(",") if part.strip()]
        elif key in ("federated.privacy_level", "consent.learning"):
            value = value.strip().lower().replace("-", "_")
    if strict and kind == tuple[str, ...] and isinstance(value, str):
        value = [value]
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise _wrong(f"{key} does not take {value!r}: {error}", where) from error


def _key_of(variable: str) -> str:
    """The key that a variable sets; empty if none."""
    if variable in VARIABLES:
        return VARIABLES[variable]
    key = variable.removeprefix(PREFIX).lower().replace("__", ".", 1)
    return key if key in KEYS and "__" in variable else ""


def _nested_name(key: str) -> str:
    return PREFIX + key.replace(".", "__").upper()


def _nearest(name: str, names: Mapping[str, object] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _wrong(why: str, where: str) -> Failure:
    return Failure(
        f"the configuration is wrong at {where}",
        why,
        "luminous-node config check shows every key",
        Exit.CONFIGURATION,
    )
