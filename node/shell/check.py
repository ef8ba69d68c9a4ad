"""One thing that ``doctor`` looked at, as a value. Refuses to look at anything."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check came out; the values are printed."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"
    SKIP = "SKIP"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``do``: the command that mends it, empty if nothing needs mending."""

    name: str
    verdict: Verdict
    text: str
    do: str = ""

    def facts(self) -> dict[str, str]:
        """For ``--json``."""
        return {key: str(value) for key, value in asdict(self).items()}
