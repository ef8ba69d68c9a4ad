"""The fixes of the catalogue made concrete: commands, diffs, settings, words.

Refuses a fix whose holes do not fit, and a diff whose result does not parse.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from luminous.node.core.causes.answer import Fix
from luminous.node.core.causes.catalogue import ErrorClass, FixTemplate
from luminous.node.core.causes.diff import unified
from luminous.node.core.causes.facts import bare_words, words
from luminous.node.core.causes.holes import quote
from luminous.node.core.causes.proposals import propose
from luminous.node.core.causes.ranking import rank
from luminous.node.core.causes.rerun import rerun_argv
from luminous.node.core.causes.situation import Situation
from luminous.node.core.causes.state import MachineState
from luminous.node.core.causes.text import FailureText
from luminous.node.core.causes.verbs import VERBS, Kind, fill, setting_text
from luminous.node.core.causes.where import Place

EDITS_TRIED_MAX = 24
# A build that asks for the network, which a sandbox does not give.
_NETWORK_IN_BUILD = (
    r"could ?n[o']t resolve host|temporary failure in name resolution|network is unreachable"
    r"|name or service not known|getaddrinfo|ENOTFOUND|EAI_AGAIN|spurious network error"
)
# Options that only Home Manager has.
_HOME_OPTIONS = ("home.", "gtk", "xdg.config", "wayland.windowManager", "dconf.settings", "home-manager")


def make_fixes(
    entry: ErrorClass, facts: dict[str, str], place: Place | None, failure: FailureText, at: Situation
) -> tuple[Fix, ...]:
    """Every fix of the class that can be said here, best first; never empty."""
    fixes = list(_fixes(entry, facts, place, failure, at))
    if not fixes:
        spoken = [t for t in entry.fixes if VERBS[t.verb].kind is Kind.WORDS] or list(entry.fixes)
        fixes = [_make(spoken[-1], bare_words(spoken[-1].text, facts), facts)]
    return tuple(_ranked(fixes, at))


def _fixes(
    entry: ErrorClass, facts: dict[str, str], place: Place | None, failure: FailureText, at: Situation
) -> Iterator[Fix]:
    for template in entry.fixes:
        if template.condition and not _holds(template.condition, facts, failure, at):
            continue
        verb = VERBS[template.verb]
        fix: Fix | None = None
        if verb.kind is Kind.EDIT:
            fix = _edit_fix(template, facts, place, failure, at)
        elif verb.kind is Kind.SETTING:
            fix = _setting_fix(template, facts)
        elif verb.kind is Kind.COMMAND:
            fix = _command_fix(template, facts, at)
        else:
            text = words(template.text, facts)
            if text and not _pointless(template.id, facts, at.state):
                fix = _make(template, text, facts)
        if fix is not None:
            yield fix


def _holds(condition: str, facts: Mapping[str, str], failure: FailureText, at: Situation) -> bool:
    where, path, state = facts.get("where", ""), facts.get("path", ""), at.state
    return {
        "silent": "silence" in facts.get("what", "") or "of silence" in failure.outside,
        "total": "of silence" not in failure.outside,
        "boot": where.startswith(("/boot", "/efi")) or state.full_space in ("/boot", "/efi", "/boot/efi"),
        "tmp": where.startswith(("/tmp", "/run/user"))
        or "/nix-build-" in where
        or state.full_space == "/tmp",
        "daemon_down": state.daemon == "stopped",
        # a full disk cannot take the database's own writes either
        "database": "database or disk is full" in failure.outside,
        # Home Manager keeps copies already when it is a copy that stands in the way
        "first_copy": "original" not in facts,
        "wants_network": re.search(_NETWORK_IN_BUILD, failure.outside, re.I) is not None,
        "store_lock": re.match(r"/nix/(?:store|var/nix/(?:db|temproots|gcroots|gc\.lock))\b", path)
        is not None
        and state.daemon != "stopped",
        "in_home": path.startswith(("/home/", "/Users/", "/root/")),
        "auto_upgrade": "nixos-upgrade" in failure.outside or "nixos-upgrade" in " ".join(at.command),
        "unsure": not state.git_path and state.daemon != "stopped",
        "no_command": not at.command,
        "flake_output": "output" in facts,
    }[condition]


def _pointless(fix_id: str, facts: Mapping[str, str], state: MachineState) -> bool:
    """Words that only hold for some facts."""
    path, line = facts.get("path", ""), facts.get("line", "").lower()
    if fix_id == "missing_file.hardware":
        return "hardware-configuration" not in path
    if fix_id == "missing_file.flake_init":
        return "flake.nix" not in line
    if fix_id == "network_unreachable.gone":
        return not re.search(r"\b40[0-9]\b", line)
    if fix_id == "option_not_found.home":
        option = facts.get("option", "")
        return option != "home" and not option.startswith(_HOME_OPTIONS)
    if fix_id == "file_not_tracked_by_git.path":
        return state.git_path == "untracked"
    return False


def _command_fix(template: FixTemplate, facts: Mapping[str, str], at: Situation) -> Fix | None:
    verb = VERBS[template.verb]
    values = _values(template, facts)
    if verb.rerun:
        argv = rerun_argv(verb, template, values, facts, at.command, at.files)
    else:
        argv = fill(verb, values)
    if argv is None:
        return None
    shown = dict(facts) | values
    if template.verb in ("rerun_attribute", "rerun_flag"):
        shown |= {"new": values.get("new", ""), "old": values.get("old", "")}
    text = words(template.text, shown)
    if text is None:
        return None
    undo = words(template.undo or verb.undo, shown) or ""
    return Fix(
        template.id,
        text,
        quote(argv),
        None,
        verb.safety.value,
        undo,
        "",
        _pair(template),
        argv,
        verb.postcondition,
    )


def _values(template: FixTemplate, facts: Mapping[str, str]) -> dict[str, str]:
    values = {}
    for name, source in template.holes:
        value = source[1:] if source.startswith("=") else facts.get(source, "")
        if value:
            values[name] = value
    if "seconds" in facts and values.get("value", "") == "" and template.verb == "rerun_with":
        values["value"] = str(max(3600, int(facts["seconds"]) * 10))
    return values


def _setting_fix(template: FixTemplate, facts: Mapping[str, str]) -> Fix | None:
    line = setting_text(_values(template, facts))
    text = words(template.text, facts)
    if line is None or text is None:
        return None
    return replace(_make(template, text, facts), snippet=line)


def _edit_fix(
    template: FixTemplate, facts: dict[str, str], place: Place | None, failure: FailureText, at: Situation
) -> Fix | None:
    for tried, edit in enumerate(
        propose(template.id, template.class_id, facts, place, failure, at.files, at.state)
    ):
        if tried >= EDITS_TRIED_MAX:
            break
        if edit.after == edit.before:
            continue
        if at.parses is None:
            # Unchecked, only the edit that Nix itself asks for is shown.
            if template.class_id == "syntax_error" and not (tried == 0 and edit.new == ";"):
                break
        elif not at.parses(edit.file, edit.after):
            continue
        shown = facts | {
            "new": edit.new.strip() or "nothing",
            "old": edit.old.strip() or "nothing",
            "insert": f"`{edit.new.strip()}`",
            "setting": edit.new.strip(),
            "file_name": edit.file.rsplit("/", 1)[-1],
        }
        text = words(template.text, shown)
        if text is None:
            continue
        verb = VERBS[template.verb]
        diff = unified(edit, at.files.shown(edit.file))
        evidence = "the changed file parses" if at.parses is not None else "Nix names it"
        return Fix(template.id, text, None, diff, verb.safety.value, verb.undo, evidence, _pair(template))
    return None


def _make(template: FixTemplate, text: str, facts: Mapping[str, str]) -> Fix:
    verb = VERBS[template.verb]
    undo = words(template.undo or verb.undo, facts) or ""
    return Fix(template.id, text, None, None, verb.safety.value, undo, "", _pair(template))


def _pair(template: FixTemplate) -> int | None:
    return template.pair if template.pair >= 0 else None


def _ranked(fixes: list[Fix], at: Situation) -> Iterator[Fix]:
    """By outcomes where there are any, else in the catalogue's order; words only after what can be done."""
    pairs = [(fix.id.split(".")[0], fix.id) for fix in fixes]
    order = rank(pairs, at.local, at.prior)
    by_id = {fix.id: fix for fix in fixes}
    for ranked in order:
        fix = by_id[ranked.fix_id]
        peers = at.prior.get((ranked.class_id, ranked.fix_id), (0.0, 0.0))
        evidence = fix.evidence
        if ranked.trials:
            evidence = f"worked here {ranked.successes} of {ranked.trials} times"
        elif peers[1] > 0:
            # The belief mixes public reports with what peers released: a share, not a count of machines.
            evidence = f"believed to help in about {round(100 * peers[0] / peers[1])} % of cases elsewhere"
        yield replace(fix, evidence=evidence or "from the catalogue of known causes")
