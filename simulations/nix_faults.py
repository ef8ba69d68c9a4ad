"""The fault switches of `nix_worlds`: which line of a world each fault writes, and its class.

Every part of the templates has one healthy line and at most one line per fault, so that faults of different
parts are independent and removing one restores exactly one line. Refuses two faults that want the same part.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Collection
from typing import Final, TypeVar

from luminous.crypto.digest import digest

_Choice = TypeVar("_Choice")


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """What differs between worlds of different seeds; nothing here decides a class."""

    host: str
    user: str
    app: str
    package: str
    misspelt: str
    scoped: str
    unfree: str
    renamed: str
    insecure: tuple[str, str]
    option: tuple[str, str]
    missing_file: str
    profile: str


_HOSTS = ("box", "ada", "thinkpad", "server-1")
_USERS = ("alice", "sam", "noor", "kim")
_APPS = ("hello", "notes", "tracker", "widget")
_PACKAGES = (
    ("firefox", "firefx"),
    ("thunderbird", "thunderbrid"),
    ("neovim", "neovmi"),
    ("ripgrep", "rigrep"),
    ("htop", "htopp"),
)
_SCOPED = ("git", "jq", "tmux", "wget")
_UNFREE = ("vscode", "steam")
_RENAMED = ("youtube-dl-light", "exa")
_INSECURE = (("electron", "electron-24.8.6"), ("openssl_1_1", "openssl-1.1.1w"))
_OPTIONS = (
    ("services.printing.enable", "services.print.enable"),
    ("programs.zsh.enable", "program.zsh.enable"),
    ("services.nginx.enable", "services.ngnix.enable"),
)
_FILES = ("./hardware-configuration.nix", "./hardwre.nix", "./modules/hardware.nix")
_PROFILES = ("<nixpkg/profiles/server.nix>", "<nixos/profiles/server.nix>", "<unstable/profiles/server.nix>")


def names_for(seed: int) -> Names:
    """The names of a world; a pure function of the seed."""

    def pick(what: str, choices: tuple[_Choice, ...]) -> _Choice:
        number = int.from_bytes(digest("nix-world", what.encode(), str(seed).encode())[:4], "big")
        return choices[number % len(choices)]

    package = pick("package", _PACKAGES)
    return Names(
        host=pick("host", _HOSTS),
        user=pick("user", _USERS),
        app=pick("app", _APPS),
        package=package[0],
        misspelt=package[1],
        scoped=pick("scoped", _SCOPED),
        unfree=pick("unfree", _UNFREE),
        renamed=pick("renamed", _RENAMED),
        insecure=pick("insecure", _INSECURE),
        option=pick("option", _OPTIONS),
        missing_file=pick("file", _FILES),
        profile=pick("profile", _PROFILES),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One switch: the class it shows alone, and what it writes in which part (None: the machine's state)."""

    class_id: str
    part: str | None
    line: Callable[[Names], str]


def source_hash(names: Names, version: str = "1.0") -> str:
    """The sha256 that the app's source really has."""
    return hashlib.sha256(f"{names.app} {version}\n".encode()).hexdigest()


def _fixed(line: str) -> Callable[[Names], str]:
    return lambda _: line


# Healthy lines. An empty line means that the part is left out.
PARTS: Final[dict[str, Callable[[Names], str]]] = {
    "tools_arguments": lambda n: f'    editor = "{n.package}";',
    "import_hardware": _fixed("    ./hardware.nix"),
    "import_profile": _fixed("    <nixpkgs/profiles/server.nix>"),
    "host_name": lambda n: f'  networking.hostName = "{n.host}";',
    "time_zone": _fixed(""),
    "ssh_enable": _fixed("  services.openssh.enable = true;"),
    "ssh_port": _fixed("  services.openssh.port = 2222;"),
    "known_option": lambda n: f"  {n.option[0]} = true;",
    "typed_option": _fixed("  services.nginx.port = 8080;"),
    "backup_path": _fixed('  services.backup.path = "/srv/backup";'),
    "motd": _fixed('  environment.motd = "workers: " + toString workers;'),
    "package_known": lambda n: f"    pkgs.{n.package}",
    "package_scoped": lambda n: f"    pkgs.{n.scoped}",
    "package_allowed": _fixed(""),
    "allowances": _fixed(""),
    "system_check": _fixed('  system.check = "true";'),
    "user": lambda n: n.user,
    "users_time_zone": _fixed(""),
    "app": lambda n: n.app,
    "source_hash": lambda n: f'    outputHash = "{source_hash(n)}";',
    "dep_script": lambda n: f'    script = "echo lib{n.app} > $out";',
    "app_system": _fixed('  system = "x86_64-linux";'),
    "app_builder": _fixed('  builder = "/bin/sh";'),
    "app_script": lambda n: (
        f'  script = "mkdir -p $out/bin && cp $inputs $out/bin/ || echo {n.app} > $out/bin/x";'
    ),
    "json_tail": _fixed('  "colour": "blue"'),
}

FAULTS: Final[dict[str, Fault]] = {
    "syntax_error": Fault("syntax_error", "ssh_enable", _fixed("  services.openssh.enable = true")),
    "attr_already_defined": Fault(
        "attr_already_defined",
        "host_name",
        lambda n: f'  networking.hostName = "{n.host}";\n  networking.hostName = "{n.host}-2";',
    ),
    "undefined_variable": Fault("undefined_variable", "package_scoped", lambda n: f"    {n.scoped}"),
    "missing_argument": Fault("missing_argument", "tools_arguments", _fixed("")),
    "unexpected_argument": Fault(
        "unexpected_argument",
        "tools_arguments",
        lambda n: f'    editor = "{n.package}";\n    colour = true;',
    ),
    "missing_channel": Fault("missing_channel", "import_profile", lambda n: f"    {n.profile}"),
    "missing_file": Fault("missing_file", "import_hardware", lambda n: f"    {n.missing_file}"),
    "file_not_tracked_by_git": Fault("file_not_tracked_by_git", None, _fixed("")),
    "bad_json_toml": Fault("bad_json_toml", "json_tail", _fixed('  "colour": "blue",')),
    "type_error": Fault("type_error", "motd", _fixed('  environment.motd = "workers: " + workers;')),
    "infinite_recursion": Fault(
        "infinite_recursion",
        "backup_path",
        _fixed('  services.backup.path = config.services.backup.path + "/daily";'),
    ),
    "missing_attribute": Fault("missing_attribute", "package_known", lambda n: f"    pkgs.{n.misspelt}"),
    "user_throw": Fault("user_throw", "package_allowed", lambda n: f"    pkgs.{n.renamed}"),
    "unfree_license": Fault("unfree_license", "package_allowed", lambda n: f"    pkgs.{n.unfree}"),
    "insecure_package": Fault("insecure_package", "package_allowed", lambda n: f"    pkgs.{n.insecure[0]}"),
    "broken_package": Fault("broken_package", "package_allowed", _fixed("    pkgs.calibre")),
    "option_not_found": Fault("option_not_found", "known_option", lambda n: f"  {n.option[1]} = true;"),
    "option_type_error": Fault(
        "option_type_error", "typed_option", _fixed('  services.nginx.port = "8080";')
    ),
    "option_conflict": Fault("option_conflict", "users_time_zone", _fixed('  time.timeZone = "UTC";')),
    "assertion_failed": Fault("assertion_failed", "ssh_port", _fixed("  services.openssh.port = 8080;")),
    "platform_mismatch": Fault("platform_mismatch", "app_system", _fixed('  system = "aarch64-darwin";')),
    "builder_not_found": Fault(
        "builder_not_found", "app_builder", _fixed('  builder = "/bin/no-such-shell";')
    ),
    "hash_mismatch": Fault(
        "hash_mismatch", "source_hash", lambda n: f'    outputHash = "{source_hash(n, "0.9")}";'
    ),
    "dependency_build_failed": Fault(
        "dependency_build_failed",
        "dep_script",
        lambda n: f'    script = "echo lib{n.app}: configure failed >&2; exit 1";',
    ),
    "no_output_produced": Fault("no_output_produced", "app_script", _fixed('  script = "true";')),
    "timeout": Fault("timeout", "app_script", _fixed('  script = "sleep 20; mkdir $out";')),
    "build_failed": Fault(
        "build_failed",
        "system_check",
        _fixed('  system.check = "echo check: no boot loader found >&2; exit 3";'),
    ),
    "disk_full": Fault("disk_full", None, _fixed("")),
}
# Faults of the machine rather than of a line.
STATE_FAULTS: Final = ("disk_full", "file_not_tracked_by_git")


def lines_for(faults: Collection[str], names: Names, *, is_flake: bool) -> dict[str, str]:
    """The line of every part. Raises ValueError when two faults want one part."""
    lines = {part: healthy(names) for part, healthy in PARTS.items()}
    if is_flake:
        lines["import_profile"] = "    ./nixpkgs/profiles/server.nix"
    taken: dict[str, str] = {}
    for name in sorted(faults):
        part = FAULTS[name].part
        if part is None:
            continue
        if part in taken:
            raise ValueError(f"{name} and {taken[part]} change the same line")
        taken[part] = name
        lines[part] = FAULTS[name].line(names)
    return lines
