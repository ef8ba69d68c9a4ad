"""The own records of learning: their names, and values to and from what is kept.

Refuses to send: these stay in the journal (consent, charges) or the state store (the rest).
"""

from typing import Any

from luminous.node.core.learning.adoption import Adopted
from luminous.node.core.learning.statistics import Trial
from luminous.protocol.codec import Value

CHARGE = "learning.charge"  # the charge of an Emit, recalled with its envelope
CONSENT = "learning.consent"
JOURNAL_LOST = "learning.journal_lost"
TRIAL = "learning.trial"
ADOPTED = "learning.adopted"
ROLLED_BACK = "learning.rolled_back"
FORGOTTEN = "learning.forgotten"


def pack_facts(**facts: int) -> Value:
    """Plain numbers as a map."""
    body: dict[str, Value] = {}
    body.update(facts)
    return body


def pack_trial(trial: Trial, wall_ms: int, number: int, propensity_milli: int = 0) -> Value:
    """One verified outcome as a map; ``number`` tells two equal outcomes of one millisecond apart.
    ``propensity_milli``: the chance with which the fix was offered first; left out when it was not."""
    error_class, fix = trial.pair
    body: dict[str, Value] = {"class": error_class, "fix": fix, "success": trial.is_success}
    chance: dict[str, Value] = {"propensity_milli": propensity_milli} if propensity_milli else {}
    return body | {"wall_ms": wall_ms, "number": number} | chance


def parse_trial(body: Any) -> Trial:
    """The outcome of a kept map."""
    return Trial((str(body["class"]), str(body["fix"])), bool(body["success"]))


def pack_adopted(adopted: Adopted) -> Value:
    """An adopted aggregate as a map."""
    body: dict[str, Value] = {
        "window": adopted.window,
        "digest": adopted.mark,
        "step_milli": adopted.step_milli,
        "contributors": adopted.contributors,
        "estimates": [[successes, trials] for successes, trials in adopted.estimates],
    }
    return body


def parse_adopted(body: Any) -> Adopted:
    """The adopted aggregate of a kept map."""
    return Adopted(
        window=int(body["window"]),
        mark=bytes(body["digest"]),
        step_milli=int(body["step_milli"]),
        contributors=int(body["contributors"]),
        estimates=tuple((int(successes), int(trials)) for successes, trials in body["estimates"]),
    )
