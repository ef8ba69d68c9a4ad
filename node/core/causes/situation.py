"""What is known beside the text of a failure. Refuses to find it out."""

from collections.abc import Callable
from dataclasses import dataclass, field

from luminous.node.core.causes.ranking import Counts
from luminous.node.core.causes.state import MachineState
from luminous.node.core.causes.user_files import UserFiles

NO_FILES = UserFiles("", {})
NO_STATE = MachineState()


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
