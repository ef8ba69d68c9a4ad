"""What helped before, beside what waiting would have done.

Refuses to credit an act for what heals by itself: WAIT is an arm like any other, and an act is worth only
what it has beyond it.
"""

from collections.abc import Sequence

from luminous.node.core.healing.strategies import Strategy, Verb

PRIOR_HELPED, PRIOR_TRIED = 2.0, 3.0
PRIOR_WAIT_HELPED, PRIOR_WAIT_TRIED = 0.5, 3.0
# An arm is preferred over the rules' order, or WAIT over all, only after so many outcomes.
OUTCOMES_MIN = 5
ARMS_MAX = 512


class Arms:
    """Verified outcomes by symptom and verb."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}

    def add(self, symptom: str, verb: str, helped: bool) -> None:
        """One more outcome; only a verified one helped."""
        key = (symptom, verb)
        if key in self._seen or len(self._seen) < ARMS_MAX:
            times, tried = self._seen.get(key, (0, 0))
            self._seen[key] = (times + helped, tried + 1)

    def chance(self, symptom: str, verb: str) -> float:
        """Posterior mean that it helps."""
        helped, tried = self._seen.get((symptom, verb), (0, 0))
        if verb == Verb.WAIT:
            return (helped + PRIOR_WAIT_HELPED) / (tried + PRIOR_WAIT_TRIED)
        return (helped + PRIOR_HELPED) / (tried + PRIOR_TRIED)

    def tried(self, symptom: str, verb: str) -> int:
        """How many outcomes there are."""
        return self._seen.get((symptom, verb), (0, 0))[1]

    def order(self, symptom: str, acts: Sequence[Strategy]) -> tuple[Strategy, ...]:
        """The rules' order until enough is known, then by what helps; none when waiting does as well."""
        if any(self.tried(symptom, act.verb) < OUTCOMES_MIN for act in acts):
            return tuple(acts)
        ranked = sorted(acts, key=lambda act: -self.chance(symptom, act.verb))
        if self.tried(symptom, Verb.WAIT) < OUTCOMES_MIN:
            return tuple(ranked)
        waiting = self.chance(symptom, Verb.WAIT)
        return tuple(act for act in ranked if self.chance(symptom, act.verb) > waiting)
