"""Which tool a command line is, from a closed list: the only thing about a command that is kept by default.

Refuses to keep words of the command: an unknown tool is `other`.
"""

import re

COMMAND_CLASSES = frozenset(
    {
        "colmena",
        "darwin-rebuild",
        "deploy",
        "home-manager",
        "nh",
        "nix",
        "nix-build",
        "nix-channel",
        "nix-collect-garbage",
        "nix-env",
        "nix-instantiate",
        "nix-shell",
        "nix-store",
        "nixos-install",
        "nixos-rebuild",
        "nom",
        "other",
        "systemctl",
    }
)
_REBUILDS = frozenset(
    {"nixos-rebuild", "darwin-rebuild", "home-manager", "nh", "nixos-install", "colmena", "deploy"}
)
# What runs another command, with those of its options that take the next word.
_WRAPPERS: dict[str, frozenset[str]] = {
    "sudo": frozenset(
        {"-C", "-D", "-g", "-h", "-p", "-R", "-r", "-T", "-t", "-U", "-u"}
        | {"--chdir", "--group", "--host", "--prompt", "--user"}
    ),
    "doas": frozenset({"-a", "-C", "-u"}),
    "env": frozenset({"-C", "-u", "--chdir", "--unset"}),
    "time": frozenset({"-f", "-o", "--format", "--output"}),
    "nice": frozenset({"-n", "--adjustment"}),
    "ionice": frozenset({"-c", "-n", "--class", "--classdata"}),
    "nohup": frozenset(),
    "command": frozenset(),
    "systemd-inhibit": frozenset(),
}
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
WORDS_MAX = 4096


def bare(argv: list[str]) -> list[str]:
    """`argv` without sudo, env, assignments and the like in front."""
    rest, with_value = argv[:WORDS_MAX], None
    while rest:
        word = rest[0]
        name = word.rsplit("/", 1)[-1]
        if name in _WRAPPERS:
            with_value, rest = _WRAPPERS[name], rest[1:]
        elif with_value is not None and word.startswith("-"):
            rest = rest[2 if word in with_value else 1 :]
        elif _ASSIGNMENT.match(word):
            rest = rest[1:]
        else:
            break
    return rest


def command_class(argv: list[str]) -> str:
    """The class of a command line; wrappers such as sudo are looked through."""
    rest = bare(argv)
    if not rest:
        return "other"
    name = rest[0].rsplit("/", 1)[-1]
    name = {"nixos-rebuild-ng": "nixos-rebuild", "nom-build": "nom", "nom-shell": "nom"}.get(name, name)
    return name if name in COMMAND_CLASSES else "other"


def is_build(argv: list[str]) -> bool:
    """Whether a long build may follow, so that looking ahead is worth a moment."""
    kind = command_class(argv)
    if kind in ("nix", "nom"):
        return any(word in ("build", "develop", "shell", "run") for word in bare(argv)[1:4])
    if kind in ("nixos-rebuild", "darwin-rebuild", "home-manager"):
        return any(word in ("switch", "boot", "test", "build", "dry-build") for word in bare(argv)[1:])
    return kind in _REBUILDS or kind == "nix-build"
