"""``doctor``: looks at this installation and says what is right, what is not, and what mends it.

Refuses to mend anything and to guess: what cannot be looked at is SKIP with the reason, and reachability is
what peers say of this node, never what its own interfaces promise.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from luminous.node.shell import consent
from luminous.node.shell.check import Check, Verdict
from luminous.node.shell.doctor_network import Ask, about_network
from luminous.node.shell.failure import Failure
from luminous.node.shell.paths import Paths

SPACE_FREE_MB_WARN, SPACE_FREE_MB_MIN = 1024, 100
INODES_FREE_MIN = 1000
BOOT_FREE_MB_WARN = 64  # a kernel with its initrd
DAEMON_SOCKET = Path("/nix/var/nix/daemon-socket/socket")
STORE = Path("/nix/store")


def examine(paths: Paths, environ: Mapping[str, str], ask: Ask) -> tuple[Check, ...]:
    """Every check, in the order in which one fault explains the next."""
    return (
        *_configuration(paths, environ),
        *_identity(paths),
        *_stores(paths),
        *_disk(paths.data),
        *_boot(),
        *_nix(),
        _consent(paths, environ),
        *about_network(paths, environ, ask),
    )


def is_sound(checks: tuple[Check, ...]) -> bool:
    """True if nothing failed; warnings are no failure."""
    return not any(check.verdict is Verdict.FAIL for check in checks)


def _configuration(paths: Paths, environ: Mapping[str, str]) -> Iterator[Check]:
    from luminous.node.shell.settings_file import load

    try:
        loaded = load(paths.config, environ)
    except Failure as error:
        yield Check("configuration", Verdict.FAIL, f"{error.what}: {error.why}", error.do)
        return
    if loaded.warnings:
        yield Check("configuration", Verdict.WARN, "; ".join(loaded.warnings), "luminous-node config show")
        return
    place = str(paths.config) if paths.config.exists() else f"all defaults, no file at {paths.config}"
    yield Check("configuration", Verdict.PASS, place)


def _identity(paths: Paths) -> Iterator[Check]:
    from luminous.node.shell import keyfile

    if paths.data.exists() and paths.data.stat().st_mode & 0o022:
        yield Check(
            "data directory", Verdict.FAIL, f"others may write to {paths.data}", f"chmod 700 {paths.data}"
        )
    try:
        seeds = keyfile.load(paths.keys)
    except Failure as error:
        yield Check("keys", Verdict.FAIL, error.why, error.do)
        return
    if seeds is None:
        yield Check("keys", Verdict.WARN, "this node has no identity yet", "luminous-node init")
    else:
        yield Check("keys", Verdict.PASS, f"three seeds in {paths.keys}, read by their owner alone")


def _stores(paths: Paths) -> Iterator[Check]:
    for name, path in (("journal", paths.journal), ("state store", paths.state)):
        if not path.exists():
            why = "none yet: the node makes it when it first runs"
            if name == "journal" and paths.state.exists():
                yield Check(
                    name,
                    Verdict.FAIL,
                    "it is gone, so the node no longer knows what its key signed",
                    "put it back if you moved it; else this key stays halted: init a new data directory",
                )
                continue
            yield Check(name, Verdict.SKIP, why)
            continue
        damage = _damage(path)
        if not damage:
            yield Check(name, Verdict.PASS, f"SQLite finds nothing wrong in {path}")
        elif name == "journal":
            yield Check(
                name,
                Verdict.FAIL,
                f"{path}: {damage}",
                f"look at the disk (dmesg), then move {path} away: signing stops, no vote is doubled",
            )
        else:
            yield Check(
                name,
                Verdict.FAIL,
                f"{path}: {damage}",
                "luminous-node run repairs it from its copy and its peers",
            )


def _damage(path: Path) -> str:
    """What SQLite's check finds; through a connection of its own, which changes nothing."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2.0)) as database:
            rows = [str(row[0]) for row in database.execute("PRAGMA integrity_check(3)")]
    except sqlite3.Error as error:
        return str(error)
    return "" if rows == ["ok"] else rows[0]


def _disk(data: Path) -> Iterator[Check]:
    place = data
    while not place.exists() and place != place.parent:
        place = place.parent
    for name, path in (("disk", place), ("disk of /nix/store", STORE)):
        try:
            info = os.statvfs(path)
        except OSError:
            if path != STORE:
                yield Check(name, Verdict.SKIP, f"{path} cannot be looked at")
            continue
        free_mb = info.f_bavail * info.f_frsize // 1_000_000
        few_inodes = bool(info.f_files) and info.f_favail < INODES_FREE_MIN
        text = f"{free_mb} MB free at {path}" + (f", only {info.f_favail} inodes" if few_inodes else "")
        do = "nix-collect-garbage --delete-older-than 30d"
        if free_mb < SPACE_FREE_MB_MIN or few_inodes:
            yield Check(name, Verdict.FAIL, text, do)
        elif free_mb < SPACE_FREE_MB_WARN:
            yield Check(name, Verdict.WARN, text, do)
        else:
            yield Check(name, Verdict.PASS, text)


def _boot(places: tuple[str, ...] = ("/boot", "/boot/efi", "/efi")) -> Iterator[Check]:
    mounted = [place for place in places if os.path.ismount(place)]
    if not mounted:
        yield Check("/boot", Verdict.SKIP, "no boot partition is mounted here")
    for place in mounted:
        info = os.statvfs(place)
        free_mb = info.f_bavail * info.f_frsize // 1_000_000
        if free_mb < BOOT_FREE_MB_WARN:
            do = "sudo nix-collect-garbage --delete-older-than 14d && sudo nixos-rebuild boot"
            yield Check(
                "/boot", Verdict.WARN, f"{free_mb} MB free at {place}: the next kernel may not fit", do
            )
        else:
            yield Check("/boot", Verdict.PASS, f"{free_mb} MB free at {place}")


def _nix() -> Iterator[Check]:
    from luminous.node.shell.state_questions import find_daemon

    if not DAEMON_SOCKET.parent.exists():
        yield Check("nix daemon", Verdict.SKIP, "this machine has no multi-user Nix")
        return
    state = find_daemon()
    if state == "running":
        yield Check("nix daemon", Verdict.PASS, "it answers")
    elif state == "":
        yield Check("nix daemon", Verdict.SKIP, "this user may not ask it")
    elif os.access(STORE, os.W_OK):
        yield Check("nix daemon", Verdict.PASS, f"it is {state}; this user writes the store without it")
    else:
        yield Check(
            "nix daemon", Verdict.FAIL, f"its socket is {state}", "sudo systemctl start nix-daemon.socket"
        )


def _consent(paths: Paths, environ: Mapping[str, str]) -> Check:
    try:
        record = consent.read(paths.consent)
    except Failure as error:
        return Check("consent", Verdict.FAIL, error.why, error.do)
    force = consent.in_force(record, environ)
    if force.why:
        do = "luminous-node consent grant network" if record.damage else "luminous-node consent status"
        return Check("consent", Verdict.WARN, "; ".join(force.why), do)
    if not force.network:
        return Check("consent", Verdict.PASS, "none given: nothing listens, dials or leaves this machine")
    return Check("consent", Verdict.PASS, f"network on, learning {force.level}")
