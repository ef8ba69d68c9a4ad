"""Where `exec` and the shell hook leave what happened, one small file each, until the daemon takes it.

Refuses to open a store, to follow a link, to read a file that another user owns or could have written, and to
grow: the oldest files give way, a file too large is reported and not read. Canonical JSON, mode 0600.
"""
# ruff: noqa: PTH101, PTH102, PTH103, PTH105, PTH108, PTH118, PTH119, PTH123
# pathlib costs 8 ms before every command that `exec` wraps.

import contextlib
import errno
import os
import stat
import time

SCHEMA = 1
FOLDER = "spool"
SUFFIX = ".json"
# Bounds of the folder. Stop a failing loop (`watch exec -- …`) from filling the disk of an absent daemon.
FILES_MAX = 256
TOTAL_SIZE_BYTES_MAX = 4 * 1024 * 1024
# Bounds of one record. Stop a log from becoming a record.
RECORD_SIZE_BYTES_MAX = 48 * 1024
EVIDENCE_SIZE_BYTES_MAX = 16 * 1024
# Names looked at in one reading. Stops a folder stuffed by somebody else from holding the daemon.
ENTRIES_MAX = 4096
# What a record may say besides; readers rely on the kinds.
_OPTIONAL: dict[str, type] = {
    "command_class": str,
    "duration_ms": int,
    "error_class": str,
    "evidence": str,
    "exit_code": int,
    "fix_observed": str,
    "signature": str,
    "source": str,
}

Record = dict[str, object]


class Unreadable:
    """A file that was not taken, and why; its bytes are never trusted."""

    __slots__ = ("path", "why")

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why

    def __repr__(self) -> str:
        return f"Unreadable({os.path.basename(self.path)!r}, {self.why!r})"


def boot_id() -> str:
    """This boot's id, or "" where the kernel has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read(64).strip()
    except (OSError, UnicodeDecodeError):
        return ""


def now() -> Record:
    """The instant of a record, in milliseconds."""
    wall, mono = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
    return {"wall_ms": wall, "mono_ms": mono, "boot_id": boot_id()}


def encode(record: Record) -> bytes:
    """Canonical JSON: sorted keys, no spaces, ASCII. Raises ValueError when the record is too large."""
    import json

    data = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(data) > RECORD_SIZE_BYTES_MAX:
        raise ValueError(f"a record of {len(data)} bytes, at most {RECORD_SIZE_BYTES_MAX}")
    return data


def write(data_dir: str, record: Record) -> str:
    """Drop one record into `data_dir`/spool, whole or not at all; the path. Raises OSError or ValueError."""
    data = encode(record)
    folder = private_folder(data_dir, FOLDER)
    name = f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
    replace_file(folder, name, data)
    _give_way(folder)
    return os.path.join(folder, name)


def private_folder(data_dir: str, name: str) -> str:
    """`data_dir`/`name`, made 0700 where absent. Raises PermissionError when it is a link or not ours."""
    os.makedirs(data_dir, mode=0o700, exist_ok=True)
    folder = os.path.join(data_dir, name)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "not a folder of ours", folder)
    if found.st_mode & 0o077:
        os.chmod(folder, 0o700)
    return folder


def replace_file(folder: str, name: str, data: bytes) -> None:
    """Write 0600, then rename: a reader sees the old file, the new one, or none, never a part."""
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(data)
        os.replace(temporary, os.path.join(folder, name))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def read_all(data_dir: str) -> tuple[list[tuple[str, Record]], list[Unreadable]]:
    """What waits, oldest first, as (path, record), and what was refused. Takes nothing away; never raises.

    A missing folder is an empty one.
    """
    folder = os.path.join(data_dir, FOLDER)
    try:
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return [], [Unreadable(folder, "the spool is not a folder of this user")]
        names = _names(folder)
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [Unreadable(folder, error.strerror or "cannot be read")]
    records: list[tuple[str, Record]] = []
    refused: list[Unreadable] = []
    for name in names:
        path = os.path.join(folder, name)
        record = read(path)
        if isinstance(record, Unreadable):
            if not _is_being_written(path):
                refused.append(record)
        else:
            records.append((path, record))
    return records, refused


def read(path: str) -> Record | Unreadable:
    """One record, or why not.

    A link, a device, a foreign or writable-by-others or oversized file is refused.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Unreadable(
            path, "a link" if error.errno == errno.ELOOP else error.strerror or "cannot be opened"
        )
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return Unreadable(path, "not a plain file")
        if found.st_uid != os.geteuid() or found.st_mode & 0o022 or found.st_nlink != 1:
            return Unreadable(path, "another user could have written it")
        if found.st_size > RECORD_SIZE_BYTES_MAX:
            return Unreadable(path, f"{found.st_size} bytes, at most {RECORD_SIZE_BYTES_MAX}")
        data = os.read(fd, RECORD_SIZE_BYTES_MAX + 1)
    except OSError as error:
        return Unreadable(path, error.strerror or "cannot be read")
    finally:
        os.close(fd)
    return _decode(path, data)


def take(path: str) -> Record | Unreadable:
    """Read a record and delete its file; a refused file of the spool is deleted too, so it is reported once.

    Never follows a link: what is deleted is the name in the spool.
    """
    record = read(path)
    try:
        os.unlink(path)
    except OSError as error:
        if not isinstance(record, Unreadable):
            return Unreadable(path, f"cannot be deleted: {error.strerror}")
    return record


def _decode(path: str, data: bytes) -> Record | Unreadable:
    import json

    try:
        record = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return Unreadable(path, "not a record")
    if not isinstance(record, dict):
        return Unreadable(path, "not a record")
    if record.get("schema") != SCHEMA:
        return Unreadable(path, f"schema {str(record.get('schema'))[:20]}, known is {SCHEMA}")
    for key, kind in (("kind", str), ("wall_ms", int), ("mono_ms", int), ("boot_id", str)):
        if not _is(record.get(key), kind):
            return Unreadable(path, f"{key} is missing or of the wrong kind")
    for key, wanted in _OPTIONAL.items():
        if record.get(key) is not None and not _is(record[key], wanted):
            return Unreadable(path, f"{key} is of the wrong kind")
    return record


def _is_being_written(path: str) -> bool:
    """A shell opens its note a moment before it writes it: an empty file of this minute is not there yet."""
    try:
        found = os.lstat(path)
    except OSError:
        return True  # taken meanwhile
    return stat.S_ISREG(found.st_mode) and found.st_size == 0 and abs(time.time() - found.st_mtime) < 60


def _is(value: object, kind: type) -> bool:
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
    return isinstance(value, kind)


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _names(folder: str) -> list[str]:
    """Names of records, oldest first; the clock in the name orders them."""
    found: list[str] = []
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= ENTRIES_MAX:
                break
            if entry.name.endswith(SUFFIX) and not entry.name.startswith("."):
                found.append(entry.name)
    return sorted(found)


def _give_way(folder: str) -> None:
    """Delete the oldest records until both bounds hold, and temporary files that a crash left."""
    sizes: list[tuple[str, int]] = []
    hour_ago = time.time() - 3600
    with os.scandir(folder) as entries:
        for entry in entries:
            found = entry.stat(follow_symlinks=False)
            if not entry.name.startswith("."):
                sizes.append((entry.name, found.st_size))
            elif found.st_mtime < hour_ago:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
    sizes.sort()
    total = sum(size for _, size in sizes)
    while sizes and (len(sizes) > FILES_MAX or total > TOTAL_SIZE_BYTES_MAX):
        name, size = sizes.pop(0)
        total -= size
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, name))
