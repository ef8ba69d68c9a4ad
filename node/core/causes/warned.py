"""What Nix told of and went on from: warnings, retries, and the end of a command that worked.

A warning before a failure is by-play, and before a good end it is no failure at all. Refuses to judge which
class a line belongs to.
"""

import re
from functools import lru_cache

from luminous.node.core.causes.text import FailureText

TAIL_LINES = 6


def is_warning(view: str, position: int) -> bool:
    """Whether the line of ``view`` at ``position`` tells of something that Nix passed over."""
    start = view.rfind("\n", 0, position) + 1
    end = view.find("\n", position)
    return _passed_over().search(view[start : end if end >= 0 else len(view)]) is not None


def ended_well(failure: FailureText) -> bool:
    """Whether the last lines are those of a build, a collection or an activation that worked."""
    tail = "\n".join(line.text for line in failure.lines[-TAIL_LINES:])
    return _good_end().search(tail) is not None


@lru_cache(maxsize=1)
def _passed_over() -> re.Pattern[str]:
    # Failed units, and errors that were not fixed, are told as warnings and are the failure itself.
    return re.compile(
        r"^\s*(?:trace: )?(?:evaluation )?warning: (?!the following|error\(s\) occurred|not all|could not)"
        r"|^\s*error \(ignored\)|; retrying (?:in|from) |^disabling binary cache",
        re.I,
    )


@lru_cache(maxsize=1)
def _good_end() -> re.Pattern[str]:
    return re.compile(
        r"^/nix/store/\S+\s*\Z|^Done\. The new configuration is|^activating the configuration"
        r"|^setting up /etc|\d+ store paths deleted|^Activating reloadSystemd"
        r"|^(?:re)?starting the following units|^the following new units were started",
        re.M,
    )
