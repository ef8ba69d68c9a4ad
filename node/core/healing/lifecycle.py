"""The life of one intent: a table, nothing else decides.

Refuses shortcuts: no step leads from INTENDED to VERIFIED, so an act that was not verified did not heal; and
none leads from a crash back to acting, so an act happens once at most.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Phase(StrEnum):
    """Where an intent is. Values are stable: they are kept in the journal."""

    PLANNED = "planned"
    ASKED = "asked"  # a person must agree; silence means no
    INTENDED = "intended"  # kept durably, then sent to the shell
    SOAKING = "soaking"  # done; is the symptom gone, and does it stay gone?
    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    UNDOING = "undoing"
    UNDONE = "undone"
    STUCK = "stuck"  # the undo failed: people are told
    DECLINED = "declined"
    DROPPED = "dropped"  # the symptom went away before anybody acted


class Step(StrEnum):
    """What moves it."""

    ALLOW = "allow"
    ASK = "ask"
    AGREE = "agree"
    DECLINE = "decline"
    TIMEOUT = "timeout"
    CLEARED = "cleared"
    DONE = "done"
    BROKE = "broke"
    CLEAN = "clean"
    DIRTY = "dirty"
    UNDO = "undo"
    CRASHED = "crashed"


TRANSITIONS: Mapping[tuple[Phase, Step], Phase] = MappingProxyType(
    {
        (Phase.PLANNED, Step.ALLOW): Phase.INTENDED,
        (Phase.PLANNED, Step.ASK): Phase.ASKED,
        (Phase.PLANNED, Step.CLEARED): Phase.DROPPED,
        (Phase.ASKED, Step.AGREE): Phase.INTENDED,
        (Phase.ASKED, Step.DECLINE): Phase.DECLINED,
        (Phase.ASKED, Step.TIMEOUT): Phase.DECLINED,
        (Phase.ASKED, Step.CLEARED): Phase.DROPPED,
        (Phase.ASKED, Step.CRASHED): Phase.DECLINED,
        (Phase.INTENDED, Step.DONE): Phase.SOAKING,
        (Phase.INTENDED, Step.BROKE): Phase.UNVERIFIED,
        (Phase.INTENDED, Step.TIMEOUT): Phase.UNVERIFIED,
        # Nobody knows whether it was done: look at the symptom, never act again.
        (Phase.INTENDED, Step.CRASHED): Phase.SOAKING,
        (Phase.SOAKING, Step.CLEAN): Phase.VERIFIED,
        (Phase.SOAKING, Step.DIRTY): Phase.UNVERIFIED,
        (Phase.SOAKING, Step.TIMEOUT): Phase.UNVERIFIED,
        (Phase.SOAKING, Step.CRASHED): Phase.SOAKING,
        (Phase.VERIFIED, Step.UNDO): Phase.UNDOING,
        (Phase.UNVERIFIED, Step.UNDO): Phase.UNDOING,
        (Phase.UNDOING, Step.DONE): Phase.UNDONE,
        (Phase.UNDOING, Step.BROKE): Phase.STUCK,
        (Phase.UNDOING, Step.TIMEOUT): Phase.STUCK,
        (Phase.UNDOING, Step.CRASHED): Phase.STUCK,
    }
)

OPEN: tuple[Phase, ...] = (Phase.PLANNED, Phase.ASKED, Phase.INTENDED, Phase.SOAKING, Phase.UNDOING)
ACTING: tuple[Phase, ...] = (Phase.INTENDED, Phase.SOAKING, Phase.UNDOING)


def move(phase: Phase, step: Step) -> Phase:
    """The next phase. A step the table does not know is our fault."""
    assert (phase, step) in TRANSITIONS, f"no way from {phase} by {step}"
    return TRANSITIONS[(phase, step)]
