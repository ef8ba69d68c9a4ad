"""The closed list of what a fix can do, and the types of what may be filled in.

A fix is a verb; a verb is an argument vector with typed holes, or an edit of the user's own file, or a
setting from a closed list, or words. Nothing here is a shell string. What could weaken trust or destroy a way
back (adding substituters or keys, trusted users, ``--impure``, deleting generations, piping a download into a
shell, ``systemctl enable``) has no verb and therefore cannot be said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from luminous.node.core.causes.holes import fits


class Safety(Enum):
    """What trying a fix can cost."""

    READ_ONLY = "read-only"  # looks only
    REVERSIBLE = "reversible"  # changes something, and the undo brings it back
    CAREFUL = "careful"  # read the text before doing it


class Kind(Enum):
    """How a fix is shown."""

    COMMAND = "command"
    EDIT = "edit"
    SETTING = "setting"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that a fix can do. ``argv`` parts "{name}" are holes of the type in ``holes``."""

    id: str
    kind: Kind
    safety: Safety
    argv: tuple[str, ...] = ()
    holes: tuple[tuple[str, str], ...] = ()
    undo: str = ""
    postcondition: str = "the same command succeeds"
    rerun: bool = False  # appends to the command that the user ran

    @property
    def hole_names(self) -> tuple[str, ...]:
        """Names of the holes."""
        return tuple(name for name, _ in self.holes)


R, U, C = Safety.READ_ONLY, Safety.REVERSIBLE, Safety.CAREFUL
_COMMAND, _EDIT = Kind.COMMAND, Kind.EDIT
_SAME = "the same command succeeds"
_SHOWN = "the cause is seen"

VERBS: Mapping[str, Verb] = {
    verb.id: verb
    for verb in (
        Verb("advise", Kind.WORDS, R),
        # edits of the user's own file, shown as a diff, never applied unasked
        Verb("edit_insert", _EDIT, U, undo="patch -R with the same diff"),
        Verb("edit_replace", _EDIT, U, undo="patch -R with the same diff"),
        Verb("edit_delete", _EDIT, U, undo="patch -R with the same diff"),
        Verb("edit_delete_text", _EDIT, U, undo="patch -R with the same diff"),
        Verb(
            "set_option",
            Kind.SETTING,
            U,
            (),
            (
                ("option", "setting"),
                ("package", "package"),
                ("feature", "feature"),
                ("count", "count"),
                ("size", "count"),
            ),
            "take the line out again and rebuild",
        ),
        # git
        Verb(
            "git_add",
            _COMMAND,
            U,
            ("git", "add", "--", "{path}"),
            (("path", "relative_path"),),
            "git rm --cached -- {path}",
        ),
        Verb("git_restore", _COMMAND, U, ("git", "restore", "--", "{path}"), (("path", "relative_path"),)),
        Verb(
            "git_trust_directory",
            _COMMAND,
            C,
            ("git", "config", "--global", "--add", "safe.directory", "{path}"),
            (("path", "absolute_path"),),
        ),
        # reading
        Verb(
            "nix_log", _COMMAND, R, ("nix-store", "--read-log", "{drv}"), (("drv", "drv_path"),), "", _SHOWN
        ),
        Verb(
            "search_package",
            _COMMAND,
            R,
            ("nix", "search", "nixpkgs", "{word}"),
            (("word", "word"),),
            "",
            _SHOWN,
        ),
        Verb("show_space", _COMMAND, R, ("df", "-h"), (), "", _SHOWN),
        Verb(
            "show_mount",
            _COMMAND,
            R,
            ("findmnt", "--target", "{path}"),
            (("path", "absolute_path"),),
            "",
            _SHOWN,
        ),
        Verb(
            "show_roots",
            _COMMAND,
            R,
            ("nix-store", "--query", "--roots", "{path}"),
            (("path", "store_path"),),
            "",
            _SHOWN,
        ),
        Verb("show_help", _COMMAND, R, ("{program}", "--help"), (("program", "program"),), "", _SHOWN),
        Verb("list_profile", _COMMAND, R, ("nix", "profile", "list"), (), "", _SHOWN),
        Verb(
            "unit_log",
            _COMMAND,
            R,
            ("journalctl", "-b", "-n", "50", "-u", "{unit}"),
            (("unit", "unit"),),
            "",
            _SHOWN,
        ),
        Verb(
            "check_host",
            _COMMAND,
            R,
            ("getent", "hosts", "{host}"),
            (("host", "host"),),
            "",
            "the name resolves",
        ),
        Verb(
            "check_database",
            _COMMAND,
            R,
            ("sqlite3", "-readonly", "/nix/var/nix/db/db.sqlite", "pragma integrity_check"),
            (),
            "",
            _SHOWN,
        ),
        # the store; none of these deletes a generation
        Verb("collect_garbage", _COMMAND, U, ("nix-store", "--gc"), (), "", "space is free"),
        Verb("optimise_store", _COMMAND, U, ("nix-store", "--optimise"), (), "", "space is free"),
        Verb("verify_store", _COMMAND, U, ("nix-store", "--verify", "--check-contents"), ()),
        Verb("repair_path", _COMMAND, U, ("nix-store", "--repair-path", "{path}"), (("path", "store_path"),)),
        Verb("repair_store", _COMMAND, U, ("nix-store", "--verify", "--check-contents", "--repair"), ()),
        # channels
        Verb(
            "channel_add",
            _COMMAND,
            U,
            ("nix-channel", "--add", "{channel}", "{name}"),
            (("channel", "channel"), ("name", "channel_name")),
            "nix-channel --remove {name}",
        ),
        Verb("channel_update", _COMMAND, U, ("nix-channel", "--update"), (), "nix-channel --rollback"),
        # services and files
        Verb(
            "daemon_start",
            _COMMAND,
            U,
            ("systemctl", "start", "nix-daemon.socket"),
            (),
            "systemctl stop nix-daemon.socket",
        ),
        Verb("unit_restart", _COMMAND, U, ("systemctl", "restart", "{unit}"), (("unit", "unit"),)),
        Verb(
            "move_aside",
            _COMMAND,
            U,
            ("mv", "-n", "--", "{path}", "{path}.before-home-manager"),
            (("path", "home_path"),),
        ),
        Verb("home_manager_backup", _COMMAND, U, ("home-manager", "switch", "-b", "backup"), ()),
        # the user's own command again, with one thing changed
        Verb(
            "rerun_with",
            _COMMAND,
            U,
            ("--option", "{option}", "{value}"),
            (("option", "limit"), ("value", "limit_value")),
            rerun=True,
        ),
        Verb(
            "rerun_feature",
            _COMMAND,
            U,
            ("--extra-experimental-features", "{feature}"),
            (("feature", "feature"),),
            rerun=True,
        ),
        Verb(
            "rerun_search_path",
            _COMMAND,
            U,
            ("-I", "{name}={path}"),
            (("name", "lookup"), ("path", "absolute_path")),
            rerun=True,
        ),
        Verb(
            "rerun_jobs",
            _COMMAND,
            U,
            ("--max-jobs", "{jobs}", "--cores", "{cores}"),
            (("jobs", "count"), ("cores", "count")),
            rerun=True,
        ),
        Verb(
            "rerun_attribute",
            _COMMAND,
            U,
            ("{old}", "{new}"),
            (("old", "attribute"), ("new", "attribute")),
            rerun=True,
        ),
        Verb("rerun_flag", _COMMAND, U, ("{old}", "{new}"), (("old", "flag"), ("new", "flag")), rerun=True),
    )
}


def fill(verb: Verb, values: Mapping[str, str]) -> tuple[str, ...] | None:
    """The argument vector of a command verb, or None when a value is missing or does not fit its type."""
    for name, type_name in verb.holes:
        if name not in values or not fits(type_name, values[name]):
            return None
    argv = []
    for part in verb.argv:
        for name in verb.hole_names:
            part = part.replace("{" + name + "}", values[name])
        argv.append(part)
    return tuple(argv)


def setting_text(values: Mapping[str, str]) -> str | None:
    """The line of Nix for a setting of the closed list, or None when a value is missing or does not fit."""
    option = values.get("option", "")
    if not fits("setting", option):
        return None
    needed = {
        "nixpkgs.config.allowUnfreePredicate": ("package", "package"),
        "nixpkgs.config.permittedInsecurePackages": ("package", "package"),
        "nix.settings.experimental-features": ("feature", "feature"),
        "nix.settings.max-jobs": ("count", "count"),
        "nix.settings.cores": ("count", "count"),
        "boot.loader.configurationLimit": ("count", "count"),
        "swapDevices": ("size", "count"),
    }[option]
    value = values.get(needed[0], "")
    if not fits(needed[1], value):
        return None
    if option == "nixpkgs.config.allowUnfreePredicate":
        return f'{option} = pkg: builtins.elem (lib.getName pkg) [ "{value}" ];'
    if option == "nixpkgs.config.permittedInsecurePackages":
        return f'{option} = [ "{value}" ];'
    if option == "nix.settings.experimental-features":
        both = '"nix-command" "flakes"' if value in ("nix-command", "flakes") else f'"{value}"'
        return f"{option} = [ {both} ];"
    if option == "boot.loader.configurationLimit":
        return f"boot.loader.systemd-boot.configurationLimit = {value};"
    if option == "swapDevices":
        return f'swapDevices = [ {{ device = "/swapfile"; size = {value}; }} ];'
    return f"{option} = {value};"
