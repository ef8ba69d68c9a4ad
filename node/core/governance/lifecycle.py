"""The life of a proposal as a table.

Refuses every transition that is not in it: nothing leaves a sealed phase, and nothing provisional has effect.
"""

from collections.abc import Iterable
from enum import StrEnum


class Phase(StrEnum):
    """Where a proposal stands on this node."""

    OPEN = "open"  # ballots may be cast and changed
    CLOSING = "closing"  # the deadline is over, no outcome is final yet
    UNRESOLVED = "unresolved"  # no quorum agreed on a count in time; no effect
    FAILED = "failed"  # final
    NO_QUORUM = "no_quorum"  # final
    RESOLVED = "resolved"  # final, passed, words only
    COOLING = "cooling"  # final, passed, fragile: takes effect later
    IN_FORCE = "in_force"  # final, passed, in effect unless the owner overrides
    REFUSED = "refused"  # final, passed, and against the constitution: never takes effect
    SUPERSEDED = "superseded"  # final, passed, but an earlier decision of the same Minutes set the same key


class Step(StrEnum):
    """What happens to a proposal."""

    DEADLINE = "deadline"
    GIVE_UP = "give_up"
    FINAL_FAILED = "final_failed"
    FINAL_NO_QUORUM = "final_no_quorum"
    FINAL_WORDS = "final_words"
    FINAL_FRAGILE = "final_fragile"
    FINAL_EFFECT = "final_effect"
    FINAL_REFUSED = "final_refused"
    FINAL_SUPERSEDED = "final_superseded"
    COOLED = "cooled"
    COOLED_REFUSED = "cooled_refused"
    COOLED_SUPERSEDED = "cooled_superseded"


_FINALS: dict[Step, Phase] = {
    Step.FINAL_FAILED: Phase.FAILED,
    Step.FINAL_NO_QUORUM: Phase.NO_QUORUM,
    Step.FINAL_WORDS: Phase.RESOLVED,
    Step.FINAL_FRAGILE: Phase.COOLING,
    Step.FINAL_EFFECT: Phase.IN_FORCE,
    Step.FINAL_REFUSED: Phase.REFUSED,
    Step.FINAL_SUPERSEDED: Phase.SUPERSEDED,
}

TRANSITIONS: dict[tuple[Phase, Step], Phase] = {
    (Phase.OPEN, Step.DEADLINE): Phase.CLOSING,
    (Phase.CLOSING, Step.GIVE_UP): Phase.UNRESOLVED,
    **{(Phase.CLOSING, step): phase for step, phase in _FINALS.items()},
    (Phase.COOLING, Step.COOLED): Phase.IN_FORCE,
    (Phase.COOLING, Step.COOLED_REFUSED): Phase.REFUSED,
    (Phase.COOLING, Step.COOLED_SUPERSEDED): Phase.SUPERSEDED,
}


def phase_after(steps: Iterable[Step]) -> Phase:
    """Follow ``steps`` from OPEN. A step that the table does not know is our fault: asserted."""
    phase = Phase.OPEN
    for step in steps:
        following = TRANSITIONS.get((phase, step))
        assert following is not None, f"no transition from {phase} by {step}"
        phase = following
    return phase


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> open"]
    lines += [
        f"    {phase.value} --> {TRANSITIONS[phase, step].value}: {step.value}" for phase, step in TRANSITIONS
    ]
    sources = [phase for phase, _ in TRANSITIONS]
    lines += [f"    {phase.value} --> [*]" for phase in Phase if phase not in sources]
    return "\n".join(lines) + "\n"
