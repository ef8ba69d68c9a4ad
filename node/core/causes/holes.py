"""The types of what may be filled into a fix, and how a filled command is written down.

A value is refused unless the whole of it matches its type. No type admits a blank, a quote, a control
character, a leading dash where a word is meant, or anything that a shell reads.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

_PLAIN = r"[A-Za-z0-9_@%+=:,./~^-]"
HOLE_TYPES: Mapping[str, str] = {
    "relative_path": r"(?!-)(?!/)(?!.*(?:^|/)\.\.(?:/|$))[A-Za-z0-9_@%+=,./~-]{1,400}",
    "absolute_path": r"/(?!.*(?:^|/)\.\.(?:/|$))[A-Za-z0-9_@%+=:,./~-]{0,400}",
    "home_path": r"/(?:home|root|Users|var/home|data/data)/(?!.*(?:^|/)\.\.(?:/|$))"
    r"[A-Za-z0-9_@%+=:,./~-]{1,400}",
    "store_path": r"/nix/store/[0-9a-z]{32}-[A-Za-z0-9+._?=-]{1,211}",
    "drv_path": r"/(?:[A-Za-z0-9_.-]+/){1,12}[0-9a-z]{32}-[A-Za-z0-9+._?=-]{1,211}\.drv",
    "word": r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,80}",
    "lookup": r"[A-Za-z][A-Za-z0-9_+-]{0,40}",
    "host": r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,200}[A-Za-z0-9])?",
    "unit": r"[A-Za-z0-9_][A-Za-z0-9_@:.\\-]{0,120}\."
    r"(?:service|socket|mount|target|timer|path|swap|automount)",
    "count": r"[1-9][0-9]{0,6}",
    "feature": r"nix-command|flakes|ca-derivations|recursive-nix|pipe-operators?|dynamic-derivations|"
    r"fetch-closure|fetch-tree|git-hashing|parse-toml-timestamps|impure-derivations|no-url-literals|"
    r"repl-flake|auto-allocate-uids|cgroups|configurable-impure-env|local-overlay-store|mounted-ssh-store|"
    r"verified-fetches|read-only-local-store",
    "limit": r"timeout|max-silent-time|connect-timeout|stalled-download-timeout|download-attempts|"
    r"allow-import-from-derivation",
    "limit_value": r"[1-9][0-9]{0,6}|true",
    "channel": r"https://(?:channels\.nixos\.org|nixos\.org/channels)/(?:nixos|nixpkgs)-(?:unstable|\d\d\.\d\d)"
    r"|https://github\.com/nix-community/home-manager/archive/(?:master|release-\d\d\.\d\d)\.tar\.gz",
    "channel_name": r"nixos|nixpkgs|home-manager",
    "program": r"nix|nix-(?:build|shell|env|store|instantiate|channel|collect-garbage|hash|copy-closure)|"
    r"nixos-rebuild|nixos-option|nixos-install|home-manager|nh|darwin-rebuild",
    "attribute": r"[A-Za-z_][A-Za-z0-9_-]{0,80}(?:\.[A-Za-z_][A-Za-z0-9_-]{0,80}){0,12}",
    "setting": r"nixpkgs\.config\.(?:allowUnfreePredicate|permittedInsecurePackages)|"
    r"nix\.settings\.(?:experimental-features|max-jobs|cores)|swapDevices|boot\.loader\.configurationLimit",
    "package": r"[A-Za-z0-9_][A-Za-z0-9_.+?=-]{0,120}",
    "flag": r"--?[A-Za-z][A-Za-z0-9-]{0,60}",
}


@lru_cache(maxsize=64)
def _hole_pattern(type_name: str) -> re.Pattern[str]:
    return re.compile(HOLE_TYPES[type_name])


def fits(type_name: str, value: str) -> bool:
    """Whether ``value`` may fill a hole of the type; the whole value has to match."""
    return _hole_pattern(type_name).fullmatch(value) is not None


_PLAIN_WORD = re.compile(_PLAIN + r"+")


def quote(argv: tuple[str, ...]) -> str:
    """``argv`` as one line to copy into a shell; words with anything unusual stand in single quotes."""
    return " ".join(
        word if _PLAIN_WORD.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'" for word in argv
    )
