"""The commented configuration file that ``init`` writes: every key, its default, nothing switched on.

Refuses to touch a file that is there, and to fail where the place is read-only: a node needs no file.
"""

import inspect
import os
from pathlib import Path

import msgspec

from luminous.node.shell.settings import VARIABLES, Settings

_HEAD = """\
# Settings of luminous-node. Every key is optional and shows its default.
# Order of precedence: flag, LUMINOUS_* variable, this file, default.
# `luminous-node config show` says where each value comes from; `config check` reads this file.
# A setting never shares anything by itself: that takes `luminous-node consent grant`.
"""


def template() -> str:
    """The text of the file: it reads as all defaults."""
    parts = [_HEAD]
    by_key = {key: variable for variable, key in VARIABLES.items()}
    for section in msgspec.structs.fields(Settings):
        doc = inspect.cleandoc(section.type.__doc__ or "").replace("\n\n", "\n")
        parts.append("\n" + "".join(f"# {line}\n" for line in doc.splitlines()) + f"{section.name}:\n")
        for field in msgspec.structs.fields(section.type):
            value = msgspec.json.encode(field.default).decode()
            variable = by_key.get(f"{section.name}.{field.name}")
            parts.append(f"  # {field.name}: {value}" + (f"  # or {variable}" if variable else "") + "\n")
    return "".join(parts)


def write_template(path: Path) -> str:
    """Write it unless there is a file; returns ``new``, ``kept`` or ``defaults: PATH cannot be written``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return "kept"
    except OSError as error:
        return f"defaults: it cannot be written, {error.strerror}"
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(template())
    return "new"
