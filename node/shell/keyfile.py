"""The three seeds of a node: author, transport and noise, 32 bytes each, in files only their owner reads.

Refuses to guess: a missing, short, linked or readable-by-others seed is an error with the command that
mends it, never a new identity in silence.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from luminous.node.shell.durable_file import read_private, sync_directory, write_new_private
from luminous.node.shell.failure import Exit, Failure, of_os_error
from luminous.node.shell.paths import make_private

SEED_SIZE_BYTES = 32
NAMES = ("author", "transport", "noise")


@dataclass(frozen=True, slots=True)
class Seeds:
    """Three independent seeds: who signs, who dials, who encrypts the channel."""

    author: bytes = field(repr=False)
    transport: bytes = field(repr=False)
    noise: bytes = field(repr=False)


def load(keys: Path) -> Seeds | None:
    """The seeds in the directory ``keys``; None if this node has no identity yet."""
    what = "this node's keys cannot be used"
    try:
        present = keys.is_dir()
        if keys.is_symlink() or (keys.exists() and not present):
            raise Failure(what, f"{keys} is not a directory", f"move it away: mv {keys} {keys}.odd")
    except OSError as error:
        raise of_os_error(what, keys, error) from error
    if not present:
        return None
    return Seeds(*(_load_one(keys / f"{name}.seed", what) for name in NAMES))


def create(keys: Path) -> Seeds:
    """Make all three seeds, or none: the directory appears complete. It must not exist yet."""
    what = "a new identity cannot be made"
    make_private(keys.parent, what)
    draft = keys.with_name(f".{keys.name}.{os.getpid()}")
    seeds = Seeds(*(os.urandom(SEED_SIZE_BYTES) for _ in NAMES))
    try:
        draft.mkdir(mode=0o700)
        for name in NAMES:
            write_new_private(draft / f"{name}.seed", getattr(seeds, name))
        sync_directory(draft)
        draft.rename(keys)
        sync_directory(keys.parent)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise of_os_error(what, keys, error) from error
    return seeds


def load_or_create(keys: Path) -> Seeds:
    """The seeds of this node, made on first use."""
    return load(keys) or create(keys)


def _load_one(path: Path, what: str) -> bytes:
    seed = read_private(path, SEED_SIZE_BYTES, what)
    if seed is None:
        raise Failure(
            what,
            f"{path} is missing, and its companions are there",
            f"put it back from a backup; or, to become somebody new, move {path.parent} away",
            Exit.CONFIGURATION,
        )
    if len(seed) != SEED_SIZE_BYTES:
        raise Failure(
            what,
            f"{path} does not hold {SEED_SIZE_BYTES} bytes: it is damaged",
            f"put it back from a backup; or, to become somebody new, move {path.parent} away",
            Exit.CONFIGURATION,
        )
    return seed
