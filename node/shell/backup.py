"""``backup`` and ``restore``: what can be made good again, in one tar file with a manifest.

Refuses the journal in both directions: a node that signs from an old journal signs twice. Keys are copied
only when asked for, twice. Consent is never copied: it was given on one machine. Nothing is overwritten, and
a file that does not match its manifest is not restored.
"""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luminous import __version__
from luminous.node.ports import StoreError
from luminous.node.shell import keyfile, networks, stores
from luminous.node.shell.durable_file import sync_directory, write_private
from luminous.node.shell.failure import Exit, Failure, of_os_error
from luminous.node.shell.identity import identity_of
from luminous.node.shell.paths import Paths, make_private

SCHEMA = 1
MANIFEST = "manifest.json"
STATE, PEERS, CONFIG = "state.sqlite", "peers.sqlite", "phase4.yaml"
DATABASES = (PEERS, STATE)  # the state store comes last: its presence says that all is there
NETWORK = ("network/genesis", "network/card")  # not where the old machine was reachable
KEYS = tuple(f"keys/{name}.seed" for name in keyfile.NAMES)
NAMES = frozenset({MANIFEST, CONFIG, *DATABASES, *NETWORK, *KEYS})
# Stop a file from somewhere else from filling the disk.
SMALL_SIZE_BYTES_MAX = 1024 * 1024
DATABASE_SIZE_BYTES_MAX = 4 * 1024**3
IDENTITY_WARNING = (
    "This file holds the keys of this node. Whoever reads it can act in its name, and two machines that run "
    "one key stop each other from signing. Keep it as you keep a password."
)
HALTED_NOTE = (
    "The journal is never restored, so what this key signed before is not known: this node reads, relays and "
    "syncs, and signs nothing. The machine that still has the journal must be the one that signs."
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A backup file that was read and agrees with its manifest; its databases lie in ``folder``."""

    manifest: dict[str, Any]
    small: dict[str, bytes]
    folder: Path

    def has(self, name: str) -> bool:
        """True if the backup holds it."""
        return name in self.manifest["files"]


def backup(paths: Paths, target: Path, *, with_keys: bool) -> dict[str, Any]:
    """Write a backup file at ``target`` (mode 0600, must not exist), also while the node runs."""
    what = "no backup was made"
    if target.exists():
        raise Failure(what, f"{target} is there already", "name another file, or move it away", Exit.USAGE)
    seeds = keyfile.load(paths.keys)
    if seeds is None:
        raise Failure(what, f"there is no node in {paths.data}", "luminous-node init", Exit.USAGE)
    small = {name: content for name in NETWORK if (content := _read(paths.data / name)) is not None}
    config = _read(paths.config)
    if config is not None:
        small[CONFIG] = config
    if with_keys:
        small |= {f"keys/{name}.seed": getattr(seeds, name) for name in keyfile.NAMES}
    network = networks.network_of(paths.data)
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "version": __version__,
        "author": identity_of(seeds).author.hex(),
        "network": None if network is None else network.hex(),
        "created_at_ms": time.time_ns() // 1_000_000,
        "identity": with_keys,
    }
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.absolute().parent) as folder:
            copies = [
                _copy_database(paths.data / name, Path(folder) / name)
                for name in DATABASES
                if (paths.data / name).exists()
            ]
            facts["files"] = {name: _about(content) for name, content in small.items()} | {
                copy.name: _about_file(copy) for copy in copies
            }
            draft = Path(folder) / "backup.tar"
            _write_tar(draft, facts, small, copies)
            draft.rename(target)
            sync_directory(target.absolute().parent)
    except OSError as error:
        raise of_os_error(what, target, error) from error
    return facts | {"file": str(target), "size": target.stat().st_size}


def restore(paths: Paths, source: Path, *, with_keys: bool) -> dict[str, Any]:
    """Bring a backup into an empty data directory; the caller holds its lock. Nothing is overwritten."""
    _refuse_overwriting(paths, with_keys)
    make_private(paths.data, "nothing was restored")
    try:
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=paths.data) as folder:
            opened = _open(source, Path(folder))
            if with_keys and not opened.manifest["identity"]:
                why = "this backup was made without the keys"
                raise Failure("nothing was restored", why, "restore it without --identity", Exit.USAGE)
            is_same_key = with_keys or _author(paths) == opened.manifest["author"]
            if opened.has(STATE):
                stores.mark_restored(opened.folder / STATE, is_same_key=is_same_key)
            restored = _place(paths, opened, with_keys)
    except StoreError as error:
        raise Failure("nothing was restored", str(error), "take another backup file") from error
    except OSError as error:
        raise of_os_error("the backup was not restored", source, error) from error
    return {
        "restored": restored,
        "author": opened.manifest["author"] if is_same_key else None,
        "network": opened.manifest["network"],
        "made_at_ms": opened.manifest["created_at_ms"],
        "signing": "halted" if is_same_key and STATE in restored else "as a new key",
        "notes": [HALTED_NOTE] if is_same_key and STATE in restored else [_new_key_note(opened)],
    }


def _new_key_note(opened: Opened) -> str:
    if opened.manifest["network"] is None:
        return "This machine has a key of its own; consent was not restored."
    return (
        "This machine has a key of its own, which the network's roll does not hold: it reads and relays, and "
        "its votes do not count. Consent was not restored."
    )


def _refuse_overwriting(paths: Paths, with_keys: bool) -> None:
    places = [paths.journal, *(paths.data / name for name in DATABASES), paths.data / networks.FOLDER]
    held = [place for place in (*places, *([paths.keys] if with_keys else [])) if place.exists()]
    if held:
        raise Failure(
            "nothing was restored",
            f"{held[0]} is there already, and nothing is overwritten",
            "restore into an empty directory: luminous-node --data-dir DIR restore FILE",
            Exit.USAGE,
        )


def _author(paths: Paths) -> str:
    seeds = keyfile.load(paths.keys)
    return "" if seeds is None else identity_of(seeds).author.hex()


def _place(paths: Paths, opened: Opened, with_keys: bool) -> list[str]:
    """Put every part where it belongs; the state store last."""
    what = "the backup was not restored"
    restored: list[str] = []
    if with_keys:
        draft = opened.folder / "keys"
        draft.mkdir(mode=0o700)
        for name in KEYS:
            write_private(draft.parent / name, opened.small[name], what)
        draft.rename(paths.keys)
        restored.append("keys")
    for name in NETWORK:
        if opened.has(name):
            make_private(paths.data / networks.FOLDER, what)
            write_private(paths.data / name, opened.small[name], what)
            restored.append(name)
    if opened.has(CONFIG) and not paths.config.exists():
        paths.config.parent.mkdir(parents=True, exist_ok=True)
        write_private(paths.config, opened.small[CONFIG], what)
        restored.append(str(paths.config))
    for name in DATABASES:
        if opened.has(name):
            (opened.folder / name).rename(paths.data / name)
            restored.append(name)
    sync_directory(paths.data)
    return restored


def _open(source: Path, folder: Path) -> Opened:
    """Read and check the whole file before anything is placed. Names come from a closed list."""
    try:
        with tarfile.open(source, "r:") as tar:
            members = {member.name: member for member in tar if member.isfile() and member.name in NAMES}
            manifest = _manifest(tar, members)
            small: dict[str, bytes] = {}
            for name, about in manifest["files"].items():
                file = tar.extractfile(members[name])
                assert file is not None, "members are files"
                if name in DATABASES:
                    with (folder / name).open("xb") as out:
                        os.fchmod(out.fileno(), 0o600)
                        shutil.copyfileobj(file, out)
                        out.flush()
                        os.fsync(out.fileno())
                    found = _about_file(folder / name)
                else:
                    small[name] = file.read(SMALL_SIZE_BYTES_MAX + 1)
                    found = _about(small[name])
                if found != about:
                    raise _unreadable(source, f"{name} is not what the manifest says: it was changed or cut")
            return Opened(manifest, small, folder)
    except (tarfile.TarError, KeyError, TypeError, ValueError, AttributeError, EOFError) as error:
        raise _unreadable(source, f"{type(error).__name__}: {error}") from error


def _manifest(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> dict[str, Any]:
    file = tar.extractfile(members[MANIFEST])
    assert file is not None, "members are files"
    facts: dict[str, Any] = json.loads(file.read(SMALL_SIZE_BYTES_MAX))
    if facts["schema"] != SCHEMA:
        raise ValueError(f"schema {facts['schema']}, this version reads {SCHEMA}")
    for name in facts["files"]:
        limit = DATABASE_SIZE_BYTES_MAX if name in DATABASES else SMALL_SIZE_BYTES_MAX
        if name not in NAMES - {MANIFEST} or members[name].size > limit:
            raise ValueError(f"{str(name)[:40]!r} does not belong here or is too large")
    if facts["identity"] != all(name in facts["files"] for name in KEYS):
        raise ValueError("some of the keys are missing")
    return {
        "files": dict(facts["files"]),
        "identity": facts["identity"] is True,
        "author": str(facts["author"]),
        "network": facts["network"],
        "created_at_ms": int(facts["created_at_ms"]),
    }


def _unreadable(source: Path, why: str) -> Failure:
    return Failure("nothing was restored", f"{source} is no sound backup: {why}", "take another backup file")


def _copy_database(path: Path, copy: Path) -> Path:
    """A consistent copy through a connection of its own; a damaged database is not copied."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as held:
            damage = [str(row[0]) for row in held.execute("PRAGMA integrity_check(1)")]
            if damage != ["ok"]:
                raise sqlite3.DatabaseError(damage[0])
            with closing(sqlite3.connect(copy)) as fresh:
                held.backup(fresh)
                fresh.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise Failure(
            "no backup was made",
            f"{path} is not sound: {error}",
            "start the node, which repairs it: luminous-node run",
        ) from error
    return copy


def _write_tar(draft: Path, facts: dict[str, Any], small: dict[str, bytes], databases: list[Path]) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as out:
        with tarfile.open(fileobj=out, mode="w") as tar:
            manifest = json.dumps(facts, indent=1, sort_keys=True).encode() + b"\n"
            for name, content in {MANIFEST: manifest, **small}.items():
                tar.addfile(_member(name, len(content)), io.BytesIO(content))
            for path in databases:
                with path.open("rb") as file:
                    tar.addfile(_member(path.name, path.stat().st_size), file)
        out.flush()
        os.fsync(out.fileno())


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _about(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _about_file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(SMALL_SIZE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    return content if len(content) <= SMALL_SIZE_BYTES_MAX else None
