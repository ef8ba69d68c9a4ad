"""What a failure's text names (packages, paths, options, hashes, hosts), and words filled with it.

Refuses secrets: every fact is masked before anybody sees it.
"""

import re
from collections.abc import Mapping

from luminous.node.core.causes.classify import Hit
from luminous.node.core.causes.names import distance, nearest
from luminous.node.core.causes.redact import hide_secrets
from luminous.node.core.causes.signature import cause_line
from luminous.node.core.causes.situation import Situation
from luminous.node.core.causes.text import FailureText

FACT_CHARS_MAX = 300
# Words that most options are made of: a misspelt one is told without the list of all options.
OPTION_WORDS = (
    "boot", "configurationLimit", "dataDir", "defaultUserShell", "device", "displayManager", "enable",
    "enableBashIntegration", "environment", "extraConfig", "extraGroups", "extraModules", "extraOptions",
    "extraPackages", "fileSystems", "firewall", "fonts", "gnome", "grub", "hardware", "home", "hostName",
    "initialPassword", "isNormalUser", "kernelModules", "kernelPackages", "kernelParams", "listenAddress",
    "loader", "networking", "networkmanager", "nixpkgs", "openFirewall", "openssh", "package", "packages",
    "pipewire", "plasma6", "programs", "security", "services", "sessionVariables", "settings", "shellAliases",
    "stateVersion", "system", "systemPackages", "systemd", "timeZone", "users", "variables", "virtualisation",
    "wayland", "xserver",
)  # fmt: skip


def gather_facts(class_id: str, hits: tuple[Hit, ...], failure: FailureText, at: Situation) -> dict[str, str]:
    """What the text names: from the class's recognisers, from state and command; secrets hidden."""
    facts: dict[str, str] = {}
    for hit in hits:
        for name, value in hit.facts.items():
            if hit.rule.class_id == class_id or (name in ("drv", "top") and name not in facts):
                facts.setdefault(name, value)
    if "getting status of" in failure.said and class_id == "file_not_tracked_by_git" and "path" not in facts:
        facts |= {k: v for hit in hits for k, v in hit.facts.items() if k == "path"}
    facts["line"] = cause_line(failure)
    name = facts.get("name", "")
    facts["bare"] = name.strip("'\"").rsplit("/", 1)[-1] or "NAME"
    if "drv" in facts:
        facts.setdefault("package", re.sub(r"^.*/[0-9a-z]{32}-|\.drv$", "", facts["drv"]))
    if "package" in facts:
        facts["package_name"] = re.sub(r"-\d[^-]*(?:-.*)?$", "", facts["package"])
    for key in ("path", "one", "where"):
        if key in facts:
            facts.setdefault("file_name", facts[key].rsplit("/", 1)[-1])
    store = re.search(r"/nix/store/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+", facts.get("path", ""))
    if store:
        facts["store_path"] = store[0]
    argument = re.search(
        r"module argument '([\w-]+)'(?: in [\"'](/[^\"'\n]+)[\"'])?", failure.trace + failure.outside
    )
    if argument:
        facts["argument"] = argument[1]
        facts["argument_file"] = argument[2] or ""
    tool = re.search(r"(?:^|[\s:])([A-Za-z][\w.+-]{1,40}): (?:command )?not found", failure.outside, re.M)
    if tool:
        facts["tool"] = tool[1]
    required = re.search(r"(?:option|set) '([a-zA-Z][\w.\"-]+\.[\w.-]+)'", facts.get("message", ""))
    if required:
        facts.setdefault("option", required[1])
    url = re.search(
        r"https?://([A-Za-z0-9.-]+)|host(?:name)?:? '?([A-Za-z0-9.-]+\.[a-z]{2,})", failure.outside
    )
    if url:
        facts["host"] = (url[1] or url[2] or "").rstrip(".")
    near = _near_option(facts.get("option", ""))
    if near:
        facts["near_option"] = near
    if at.command:
        facts["program"] = at.command[0].rsplit("/", 1)[-1]
    facts |= _channel_facts(name)
    if at.state.git_path in ("untracked",):
        facts["untracked_path"] = at.state.git_file
    likely = re.search(r"(?:^|-source/)(?!/)(?!\S*\.\./)([^\s'\"]+)$", facts.get("path", ""))
    if likely and not at.state.git_path:
        facts["likely_path"] = likely[1]
    output = re.search(
        r"'(?P<name>(?P<output>(?:nixos|darwin|home)Configurations)\.[\"]?(?P<output_name>[^\"'.\s]+)[^'\n]*)'",
        facts.get("names", ""),
    )
    if output:
        facts |= output.groupdict()
    if at.state.git_path == "deleted":
        facts["deleted_path"] = at.state.git_file
    if at.state.found_channel:
        facts["found_channel"] = at.state.found_channel
        facts["name"] = name.split("/")[0] if class_id == "missing_channel" else name
    return {key: hide_secrets(value)[:FACT_CHARS_MAX] for key, value in facts.items() if value}


def _near_option(option: str) -> str:
    """The option's path with a misspelt common word put right; "" when no word is close to one."""
    parts = option.split(".")
    for place, part in enumerate(parts):
        word = nearest(part, OPTION_WORDS) if len(part) > 3 and part not in OPTION_WORDS else None
        if word and distance(part, word, 2) <= 2:
            return ".".join([*parts[:place], word, *parts[place + 1 :]])
    return ""


def _channel_facts(name: str) -> dict[str, str]:
    channel = name.split("/")[0]
    if channel == "home-manager":
        url = "https://github.com/nix-community/home-manager/archive/master.tar.gz"
        return {"channel_name": "home-manager", "channel_url": url}
    if channel in ("nixpkgs", "nixos"):
        return {"channel_name": channel, "channel_url": "https://channels.nixos.org/nixos-unstable"}
    return {}


def words(template: str, facts: Mapping[str, str]) -> str | None:
    """``template`` with its holes filled, or None when one is missing. "{{" is a brace."""
    missing = False

    def hole(match: re.Match[str]) -> str:
        nonlocal missing
        if match[0] in ("{{", "}}"):
            return match[0][0]
        value = facts.get(match[1], "")
        missing = missing or not value
        return value

    filled = re.sub(r"\{\{|\}\}|\{(\w+)\}", hole, template)
    return None if missing else filled


def bare_words(template: str, facts: Mapping[str, str]) -> str:
    """``template`` with holes that cannot be filled left out."""
    known = re.sub(r"(?<!\{)[ ]?\{(\w+)\}(?!\})", lambda m: m[0] if facts.get(m[1]) else "", template)
    return words(known, facts) or known
