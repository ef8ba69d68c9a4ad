"""What is remembered of a command between its runs: the last failure and the last success, one file a
command.

A command is its words and its folder, known by digest. Refuses to grow (files and bytes are bounded, the
oldest give way) and to keep words that look like secrets.
"""

import contextlib
import hashlib
import json
import os
import stat
from pathlib import Path

from luminous.node.shell import spool

SCHEMA = 1
FOLDER = "exec"
FILES_MAX = 64
STATE_SIZE_BYTES_MAX = 1024 * 1024
SHOWN_CHARS_MAX = 200

State = dict[str, object]


def key_of(argv: list[str], cwd: str) -> str:
    """The same words in the same folder give the same key."""
    h = hashlib.blake2b(b"luminous/exec/1\0", digest_size=16)
    for word in (cwd, *argv):
        data = word.encode("utf-8", "surrogateescape")
        h.update(len(data).to_bytes(8, "big") + data)
    return h.hexdigest()


def load(data_dir: str, key: str) -> State:
    """The state of a command; empty when there is none or it cannot be trusted. Never raises."""
    path = Path(data_dir, FOLDER, f"{key}.json")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return {}
        data = json.loads(os.read(fd, STATE_SIZE_BYTES_MAX + 1))
    except (ValueError, RecursionError, OSError):
        return {}
    finally:
        os.close(fd)
    return data if isinstance(data, dict) and data.get("schema") == SCHEMA else {}


def save(data_dir: str, key: str, state: State) -> None:
    """Keep a state, or drop it when it is too large. Raises OSError."""
    data = json.dumps(state | {"schema": SCHEMA}, sort_keys=True, separators=(",", ":")).encode("ascii")
    if len(data) > STATE_SIZE_BYTES_MAX:
        return
    folder = spool.private_folder(data_dir, FOLDER)
    spool.replace_file(folder, f"{key}.json", data)
    _give_way(Path(folder))


def newest(data_dir: str, *, with_failure: bool = True) -> State:
    """The state touched last, of those that hold a failure; empty when there is none."""
    folder = Path(data_dir, FOLDER)
    try:
        paths = [path for path in folder.iterdir() if path.suffix == ".json" and not path.is_symlink()]
        paths.sort(key=lambda path: path.lstat().st_mtime_ns, reverse=True)
    except OSError:
        return {}
    for path in paths[:FILES_MAX]:
        state = load(data_dir, path.stem)
        if state and ("failed" in state or not with_failure):
            return state
    return {}


def shown(argv: list[str]) -> str:
    """The command for its owner's eyes, secrets masked, bounded."""
    from luminous.node.core.causes.redact import hide_secrets

    text = hide_secrets(" ".join(argv[:50])[:2000])
    return text.encode("utf-8", "replace").decode("utf-8")[:SHOWN_CHARS_MAX]


def _give_way(folder: Path) -> None:
    found = [(path.lstat().st_mtime_ns, path) for path in folder.iterdir()]
    for _, path in sorted(found)[: max(len(found) - FILES_MAX, 0)]:
        with contextlib.suppress(OSError):
            path.unlink()
