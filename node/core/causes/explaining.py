"""From a failure's text to the whole answer: classes, cause in words, place, fixes, what may lie behind.

The one place where the parts meet. Refuses to act, to send, and to be sure without grounds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from luminous.node.core.causes.answer import Answer
from luminous.node.core.causes.catalogue import (
    CLASSES_NOTHING_BEHIND,
    STAGES_NOTHING_BEHIND,
    Catalogue,
    ErrorClass,
)
from luminous.node.core.causes.classify import ABSTAIN_BELOW, Candidate, Hit, find_hits, weigh_with
from luminous.node.core.causes.diff import Edit
from luminous.node.core.causes.edit_text import find_definition
from luminous.node.core.causes.facts import FACT_CHARS_MAX, gather_facts, words
from luminous.node.core.causes.neighbours import Corpus
from luminous.node.core.causes.proposals import propose
from luminous.node.core.causes.redact import hide_secrets
from luminous.node.core.causes.remedies import make_fixes
from luminous.node.core.causes.signature import builder_line, cause_line, signature
from luminous.node.core.causes.situation import NO_STATE, Situation
from luminous.node.core.causes.state import settle
from luminous.node.core.causes.text import FailureText
from luminous.node.core.causes.user_files import UserFiles
from luminous.node.core.causes.where import Place, choose, is_foreign

FIXES_MAX = 5
# Compilers and other tools say "error:" too.
_FOREIGN = r"^\s*-->|error\[E\d|^[^\n]*:\d+:\d+: (?:fatal )?error:|Traceback|Caused by|npm |^make|[Rr]ecipe "
# What Nix and the tools around it print before an expression refuses.
_NIX_SPOKE = (
    r"^building (?:Nix|the (?:system )?configuration|the flake)|^unpacking channels|^evaluating "
    r"|^(?:evaluation )?warning: Git tree"
    r"|^\s*(?:[$#❯>]|\S+[$#❯>]|\[[^\]\n]*\][$#]?) *(?:sudo )?(?:nix|home-manager|darwin-rebuild|nh )"
)
# Classes whose place says nothing about the user's file.
_NO_PLACE = ("disk_full", "inodes_exhausted", "network_unreachable", "daemon_unreachable", "out_of_memory")
# Classes whose line in nixpkgs says nothing: the user's choice of the package is what counts.
_OWN_PLACE_ONLY = ("unfree_license", "insecure_package", "broken_package")
# Classes that a builder's own words tell best.
_BUILDS = ("build_failed", "dependency_build_failed")
UNSURE_BELOW = 0.8


@dataclass(frozen=True, slots=True)
class Finding:
    """Classes and facts, before the state was asked."""

    candidates: tuple[Candidate, ...]
    hits: tuple[Hit, ...]

    @property
    def asks(self) -> tuple[str, ...]:
        """Ids of the first three classes, whose questions are worth asking."""
        return tuple(c.class_id for c in self.candidates[:3])


def find(
    catalogue: Catalogue,
    corpus: Corpus | None,
    failure: FailureText,
    exit_code: int | None,
    command: tuple[str, ...] = (),
) -> Finding:
    """Classes from the text, the exit code and the command alone."""
    hits = find_hits(catalogue, failure)
    candidates = weigh_with(hits, corpus, failure)
    if not candidates and exit_code == 137:
        candidates = (Candidate("out_of_memory", 0.6, "the process was killed (exit code 137)"),)
    if not candidates or candidates[0].confidence < ABSTAIN_BELOW:
        candidates = (*_free_message(failure, command), *candidates)
    return Finding(candidates, hits)


def _free_message(failure: FailureText, command: tuple[str, ...]) -> tuple[Candidate, ...]:
    """A message that is none of Nix's own is most often the text of a `throw`; a compiler's is not."""
    last = re.findall(r"^\s*error: (?P<message>[^\n]{8,})", failure.said, re.M)
    foreign = re.search(_FOREIGN, failure.outside, re.M)
    outer = re.search(
        r"will be built|: (?:No such|Invalid|Bad|Not a|Is a|Device|Resource)[^\n]*$", failure.said, re.M
    )
    # Nix names the program and not its reason: that reason is not in this text.
    nameless = bool(last) and re.match(r"program '[^'\n]+' failed with exit code", last[-1]) is not None
    if not last or foreign or outer or nameless:
        return ()
    nix = "show-trace" in failure.said or ".nix:" in failure.trace or "while " in failure.trace
    nix = nix or any(re.match(r"(?:.*/)?(?:nix|home-manager|darwin-rebuild)", word) for word in command[:3])
    nix = nix or re.search(_NIX_SPOKE, failure.said, re.M) is not None
    # A bare "error:" without any sign of Nix is any program's: too little to explain.
    # On texts nobody had seen, two of six such messages were a throw.
    sure = 0.4 if nix else 0.25
    return (Candidate("user_throw", sure, "no message of Nix itself fits these words"),)


def explain(catalogue: Catalogue, failure: FailureText, finding: Finding, at: Situation) -> Answer:
    """The answer; ``class_id`` is None when nothing is known well enough."""
    candidates = settle(finding.candidates, at.state)
    shown = tuple((c.class_id, min(c.confidence, 0.99), c.why) for c in candidates)
    line = cause_line(failure)
    if candidates and candidates[0].class_id in _BUILDS:
        line = builder_line(failure) or line
    said = hide_secrets(line)[:FACT_CHARS_MAX]
    mark = signature(failure).hex()
    if not candidates or candidates[0].confidence < ABSTAIN_BELOW:
        return Answer(
            None, shown, "I do not know this one.", None, 0, (), at.state.asked, False, "", mark, said
        )
    entry = catalogue.classes[candidates[0].class_id]
    facts = gather_facts(entry.id, finding.hits, failure, at)
    place = None if entry.id in _NO_PLACE else locate(entry, facts, failure, at.files)
    if place is not None and entry.id in _OWN_PLACE_ONLY and place.file.startswith("/nix/store/"):
        place = None
    unsure = entry.unsure if candidates[0].confidence < UNSURE_BELOW else ""
    fixes = make_fixes(entry, facts, place, failure, at)
    return Answer(
        entry.id,
        shown,
        words(unsure, facts) or words(entry.cause, facts) or entry.general,
        place.file if place else None,
        place.line if place else 0,
        fixes[:FIXES_MAX],
        at.state.asked,
        entry.stage not in STAGES_NOTHING_BEHIND and entry.id not in CLASSES_NOTHING_BEHIND,
        entry.prevention,
        mark,
        said,
    )


def locate(
    entry: ErrorClass, facts: Mapping[str, str], failure: FailureText, files: UserFiles
) -> Place | None:
    """The place from the trace, else the definition that the text names, found in the user's files."""
    place = choose(failure, files.own)
    if place is not None and place.line and (place.file in files.texts or not place.file.startswith("/nix/")):
        return place
    named = facts.get("argument_file", "")
    if named and (place is None or is_foreign(place.file)):
        return Place(files.own(named) or named, 0)
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


def _line_of_change(edit: Edit) -> int:
    same = 0
    for a, b in zip(edit.before, edit.after, strict=False):
        if a != b:
            break
        same += 1
    return edit.before.count("\n", 0, same) + 1
