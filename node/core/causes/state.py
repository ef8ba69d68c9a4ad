"""What the machine answered to the questions about its state, and how that settles an ambiguous text.

Refuses to overrule an unmistakable text: only classes whose texts are known to be shared change places.
"""

from dataclasses import dataclass, replace

from luminous.node.core.causes.answer import Asked
from luminous.node.core.causes.classify import Candidate


@dataclass(frozen=True, slots=True)
class MachineState:
    """Readings of one moment. "" or None means not asked or not known."""

    git_path: str = ""  # untracked | ignored | tracked | deleted | absent | no repository
    git_file: str = ""  # the path relative to the repository or root
    full_space: str = ""  # mount point without free bytes
    full_inodes: str = ""  # mount point without free inodes
    daemon: str = ""  # running | stopped | absent
    found_channel: str = ""  # where the missing lookup path was found
    listing: tuple[str, ...] = ()  # names beside a missing file
    system: str = ""  # x86_64-linux
    asked: tuple[Asked, ...] = ()


def settle(candidates: tuple[Candidate, ...], state: MachineState) -> tuple[Candidate, ...]:
    """Candidates in the order that text and state together give."""
    if not candidates:
        return candidates
    first = candidates[0].class_id
    near = {c.class_id for c in candidates[:3]}
    if first in ("missing_file", "file_not_tracked_by_git", "invalid_store_path"):
        if state.git_path in ("untracked", "ignored"):
            return _lift(candidates, "file_not_tracked_by_git", 0.97, f"git does not track {state.git_file}")
        if state.git_path in ("absent", "deleted"):
            return _lift(candidates, "missing_file", 0.93, "the file is not in the working tree either")
    if first in ("disk_full", "inodes_exhausted"):
        if state.full_inodes and not state.full_space:
            return _lift(candidates, "inodes_exhausted", 0.96, f"{state.full_inodes} has no free inodes")
        if state.full_space:
            return _lift(candidates, "disk_full", 0.97, f"{state.full_space} is full")
    if first == "permission_denied" and state.daemon == "stopped" and "daemon_unreachable" in near:
        return _lift(candidates, "daemon_unreachable", 0.85, "the daemon's socket does not answer")
    return candidates


def _lift(
    candidates: tuple[Candidate, ...], class_id: str, confidence: float, why: str
) -> tuple[Candidate, ...]:
    rest = tuple(
        replace(c, confidence=round(min(c.confidence, (1.0 - confidence) * 0.9), 4))
        for c in candidates
        if c.class_id != class_id
    )
    return (Candidate(class_id, confidence, why), *rest)
