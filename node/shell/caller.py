"""Whose command this is: under sudo everything belongs to the person who typed it, never to root.

Refuses to write anything for a person with root's rights: a folder of theirs may hold a link to anywhere, so
the work is done in a process that has given those rights up for good.
"""
# ruff: noqa: PTH100, PTH118
# pathlib costs 8 ms before every command that `exec` wraps.

import os

DATA_FOLDER = "luminous-node"


class Caller:
    """The person behind this process: `uid`, `gid`, `home`, and whether they stand behind sudo."""

    __slots__ = ("data_dir", "gid", "home", "is_sudo", "name", "uid")

    def __init__(self, uid: int, gid: int, home: str, name: str, data_dir: str, *, is_sudo: bool) -> None:
        self.uid = uid
        self.gid = gid
        self.home = home
        self.name = name
        self.data_dir = data_dir
        self.is_sudo = is_sudo


def find_caller(env: dict[str, str] | None = None) -> Caller:
    """Root with `SUDO_UID` is the person of that number; anybody else is themselves.

    The data folder is `$LUMINOUS_DATA_DIR`, else `$XDG_DATA_HOME/luminous-node` (not under sudo, where the
    variable may be root's), else `~/.local/share/luminous-node`.
    """
    have = dict(os.environ) if env is None else env
    uid, gid = os.geteuid(), os.getegid()
    home, name, is_sudo = have.get("HOME", ""), have.get("USER", ""), False
    named = have.get("SUDO_UID") or have.get("DOAS_UID") or have.get("PKEXEC_UID") or ""
    if uid == 0 and named.isdigit() and 0 < int(named) < 2**32 - 1:
        uid, gid, home, name, is_sudo = *_person(int(named)), True
    if not home:
        uid, gid, home, name = _person(uid)
    base = "" if is_sudo else have.get("XDG_DATA_HOME", "")
    default = os.path.join(base if base.startswith("/") else os.path.join(home, ".local/share"), DATA_FOLDER)
    chosen = have.get("LUMINOUS_DATA_DIR", "")
    return Caller(uid, gid, home, name, os.path.abspath(chosen) if chosen else default, is_sudo=is_sudo)


def _person(uid: int) -> tuple[int, int, str, str]:
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return uid, uid, "/nonexistent", str(uid)
    return uid, entry.pw_gid, entry.pw_dir, entry.pw_name


def give_up_rights(caller: Caller) -> None:
    """Become the caller for good; does nothing when we already are. Raises OSError when it cannot."""
    if os.geteuid() == caller.uid:
        return
    try:
        os.initgroups(caller.name, caller.gid)
    except (OSError, KeyError):
        os.setgroups([])
    os.setgid(caller.gid)
    os.setuid(caller.uid)
    os.environ["HOME"] = caller.home
    assert os.geteuid() == caller.uid, "rights were not given up"
