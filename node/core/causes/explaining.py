"""From a failure's text to the whole answer: classes, cause in words, place, fixes, what may lie behind.

The one place where the parts meet. Refuses to act, to send, and to be sure without grounds.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from luminous.node.core.causes.answer import Answer, Fix
from luminous.node.core.causes.catalogue import (
    CLASSES_NOTHING_BEHIND,
    STAGES_NOTHING_BEHIND,
    Catalogue,
    ErrorClass,
    FixTemplate,
)
from luminous.node.core.causes.classify import ABSTAIN_BELOW, Candidate, Hit, find_hits, weigh_with
from luminous.node.core.causes.diff import Edit, unified
from luminous.node.core.causes.edit_text import find_definition
from luminous.node.core.causes.holes import quote
from luminous.node.core.causes.neighbours import Corpus
from luminous.node.core.causes.proposals import propose
from luminous.node.core.causes.ranking import Counts, rank
from luminous.node.core.causes.redact import hide_secrets
from luminous.node.core.causes.rerun import rerun_argv
from luminous.node.core.causes.signature import cause_line, signature
from luminous.node.core.causes.state import MachineState, settle
from luminous.node.core.causes.text import FailureText
from luminous.node.core.causes.user_files import UserFiles
from luminous.node.core.causes.verbs import VERBS, Kind, fill, setting_text
from luminous.node.core.causes.where import Place, choose

FIXES_MAX = 5
EDITS_TRIED_MAX = 24
FACT_CHARS_MAX = 300
NO_FILES = UserFiles("", {})
NO_STATE = MachineState()
# Compilers and other tools say "error:" too.
_FOREIGN = r"^\s*-->|error\[E\d|^[^\n]*:\d+:\d+: (?:fatal )?error:|Traceback|Caused by|npm |^make"
# Options that only Home Manager has.
_HOME_OPTIONS = ("home.", "gtk", "xdg.config", "wayland.windowManager", "dconf.settings", "home-manager")
# Classes whose place says nothing about the user's file.
_NO_PLACE = ("disk_full", "inodes_exhausted", "network_unreachable", "daemon_unreachable", "out_of_memory")


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known beside the text."""

    command: tuple[str, ...] = ()  # the words of the command, () when unknown
    exit_code: int | None = None
    files: UserFiles = NO_FILES
    state: MachineState = NO_STATE
    parses: Callable[[str, str], bool] | None = None  # (file name, text) -> is it valid
    local: Counts = field(default_factory=dict)
    prior: Counts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """Classes and facts, before the state was asked."""

    candidates: tuple[Candidate, ...]
    hits: tuple[Hit, ...]

    @property
    def asks(self) -> tuple[str, ...]:
        """Ids of the first three classes, whose questions are worth asking."""
        return tuple(c.class_id for c in self.candidates[:3])


def find(catalogue: Catalogue, corpus: Corpus | None, failure: FailureText, exit_code: int | None) -> Finding:
    """Classes from the text and the exit code alone."""
    hits = find_hits(catalogue, failure)
    candidates = weigh_with(hits, corpus, failure)
    if not candidates and exit_code == 137:
        candidates = (Candidate("out_of_memory", 0.6, "the process was killed (exit code 137)"),)
    if not candidates or candidates[0].confidence < ABSTAIN_BELOW:
        candidates = (*_free_message(failure), *candidates)
    return Finding(candidates, hits)


def _free_message(failure: FailureText) -> tuple[Candidate, ...]:
    """A message that is none of Nix's own is most often the text of a `throw`; a compiler's is not."""
    last = re.findall(r"^\s*error: (?P<message>[^\n]{8,})", failure.said, re.M)
    foreign = re.search(_FOREIGN, failure.outside, re.M)
    outer = re.search(
        r"will be built|: (?:No such|Invalid|Bad|Not a|Is a|Device|Resource)[^\n]*$", failure.said, re.M
    )
    if not last or foreign or outer:
        return ()
    nix = "show-trace" in failure.said or ".nix:" in failure.trace or "while " in failure.trace
    sure = 0.58 if nix else 0.33
    return (Candidate("user_throw", sure, "the message is none of Nix's own, so the expression says it"),)


def explain(catalogue: Catalogue, failure: FailureText, finding: Finding, at: Situation) -> Answer:
    """The answer; ``class_id`` is None when nothing is known well enough."""
    candidates = settle(finding.candidates, at.state)
    shown = tuple((c.class_id, min(c.confidence, 0.99), c.why) for c in candidates)
    said = hide_secrets(cause_line(failure))[:FACT_CHARS_MAX]
    mark = signature(failure).hex()
    if not candidates or candidates[0].confidence < ABSTAIN_BELOW:
        return Answer(
            None, shown, "I do not know this one.", None, 0, (), at.state.asked, False, "", mark, said
        )
    entry = catalogue.classes[candidates[0].class_id]
    facts = gather_facts(entry.id, finding.hits, failure, at)
    place = None if entry.id in _NO_PLACE else locate(entry, facts, failure, at.files)
    fixes = tuple(_ranked(list(_fixes(entry, facts, place, failure, at)), at))
    return Answer(
        entry.id,
        shown,
        words(entry.cause, facts) or entry.general,
        place.file if place else None,
        place.line if place else 0,
        fixes[:FIXES_MAX],
        at.state.asked,
        entry.stage not in STAGES_NOTHING_BEHIND and entry.id not in CLASSES_NOTHING_BEHIND,
        entry.prevention,
        mark,
        said,
    )


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
    argument = re.search(r"module argument '([\w-]+)'", failure.trace + failure.outside)
    if argument:
        facts["argument"] = argument[1]
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
    if at.command:
        facts["program"] = at.command[0].rsplit("/", 1)[-1]
    facts |= _channel_facts(name)
    if at.state.git_path in ("untracked",):
        facts["untracked_path"] = at.state.git_file
    if at.state.git_path == "deleted":
        facts["deleted_path"] = at.state.git_file
    if at.state.found_channel:
        facts["found_channel"] = at.state.found_channel
        facts["name"] = name.split("/")[0] if class_id == "missing_channel" else name
    return {key: hide_secrets(value)[:FACT_CHARS_MAX] for key, value in facts.items() if value}


def _channel_facts(name: str) -> dict[str, str]:
    channel = name.split("/")[0]
    if channel == "home-manager":
        url = "https://github.com/nix-community/home-manager/archive/master.tar.gz"
        return {"channel_name": "home-manager", "channel_url": url}
    if channel in ("nixpkgs", "nixos"):
        return {"channel_name": channel, "channel_url": "https://channels.nixos.org/nixos-unstable"}
    return {}


def locate(
    entry: ErrorClass, facts: Mapping[str, str], failure: FailureText, files: UserFiles
) -> Place | None:
    """The place from the trace, else the definition that the text names, found in the user's files."""
    place = choose(failure, files.own)
    if place is not None and place.line and (place.file in files.texts or not place.file.startswith("/nix/")):
        return place
    option = facts.get("option", "")
    if option:
        wanted = place.file if place else None
        spots = list(find_definition(files, option))
        for file, text, offset in sorted(spots, key=lambda spot: spot[0] != wanted):
            return Place(file, text.count("\n", 0, offset) + 1)
    path = facts.get("path", "")
    if path and entry.id in ("missing_file", "file_not_tracked_by_git", "not_a_directory"):
        base = path.rstrip("/").rsplit("/", 1)[-1]
        for file in sorted(files.texts):
            found = re.search(rf"[./]{re.escape(base)}(?![\w.-])", files.texts[file])
            if found and file.endswith(".nix"):
                return Place(file, files.texts[file].count("\n", 0, found.start()) + 1)
    for edit in propose(entry.id + ".", entry.id, facts, None, failure, files, NO_STATE):
        return Place(edit.file, _line_of_change(edit))
    return place


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


def _fixes(
    entry: ErrorClass, facts: dict[str, str], place: Place | None, failure: FailureText, at: Situation
) -> Iterator[Fix]:
    for template in entry.fixes:
        if template.condition and not _holds(template.condition, facts, failure, at.state):
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


def _holds(condition: str, facts: Mapping[str, str], failure: FailureText, state: MachineState) -> bool:
    where = facts.get("where", "")
    return {
        "silent": "silence" in facts.get("what", "") or "of silence" in failure.outside,
        "total": "of silence" not in failure.outside,
        "boot": where.startswith(("/boot", "/efi")) or state.full_space in ("/boot", "/efi", "/boot/efi"),
        "tmp": where.startswith(("/tmp", "/run/user"))
        or "/nix-build-" in where
        or state.full_space == "/tmp",
        "daemon_down": state.daemon == "stopped",
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
    return _make(template, f"{text} `{line}`", facts)


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


def _line_of_change(edit: Edit) -> int:
    same = 0
    for a, b in zip(edit.before, edit.after, strict=False):
        if a != b:
            break
        same += 1
    return edit.before.count("\n", 0, same) + 1


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
            evidence = f"worked for about {round(peers[0])} of {round(peers[1])} machines"
        yield replace(fix, evidence=evidence or "from the catalogue of known causes")
