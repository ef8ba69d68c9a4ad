"""The researchers' door: your own aggregator, attack, noise mechanism or voting rule in the real node.

Refuses to pretend: what is replaced is replaced for every honest machine of that run and put back after it,
and all checkers look at the run as at any other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from luminous.simulations.adversary import ATTACKS, Attack
from luminous.simulations.patching import Patch, patched
from luminous.simulations.result import Result
from luminous.simulations.running import play
from luminous.simulations.scenario import Adversary, Scenario, read_scenario
from luminous.simulations.world import World

_LEARNING = "luminous.node.core.learning"

# (inputs, window, law, network) -> Aggregate or Refused: see ``protocol.aggregation.aggregate``.
Aggregator = Callable[..., Any]
# (counts, window, layout, law, network, noise_milli, entropy) -> Delta: see ``release.build_noised``.
Mechanism = Callable[..., Any]
# (threshold, members, yes, no, abstain, void, grey) -> Tally: see ``protocol.tally.decide``.
Rule = Callable[..., Any]


@dataclass(slots=True)
class Experiment:
    """One scenario with your parts in it. ``run`` gives the result and keeps the world in ``world``.

    ``attackers``: how many of the last members play ``attack``, every five seconds. With an own
    ``mechanism`` every release is made, though small networks would refuse theirs as too noisy.
    """

    scenario: Scenario | str
    aggregator: Aggregator | None = None
    mechanism: Mechanism | None = None
    rule: Rule | None = None
    attack: Attack | None = None
    attackers: int = 1
    world: World | None = field(default=None, init=False)

    def run(self, seed: int = 1) -> Result:
        """Play it. Raises ScenarioError if the scenario cannot be."""
        scenario = read_scenario(self.scenario) if isinstance(self.scenario, str) else self.scenario
        if self.attack is not None:
            mine = Adversary("own", self.attackers)
            scenario = msgspec.structs.replace(scenario, adversary=(*scenario.adversary, mine))
        before = ATTACKS.get("own")
        try:
            if self.attack is not None:
                ATTACKS["own"] = self.attack
            with patched(self._patches()):
                result, self.world = play(scenario, seed)
        finally:
            ATTACKS.pop("own", None)
            if before is not None:
                ATTACKS["own"] = before
        return result

    def _patches(self) -> list[Patch]:
        patches: list[Patch] = []
        if self.aggregator is not None:
            patches.append((f"{_LEARNING}.pool", "aggregate", self.aggregator))
        if self.mechanism is not None:
            patches.append((f"{_LEARNING}.releases", "build_noised", self.mechanism))
            patches.append((f"{_LEARNING}.releases", "refuse_if_useless", lambda *_: None))
        if self.rule is not None:
            patches.append(("luminous.protocol.minutes_count", "decide", self.rule))
        return patches

    def aggregates(self) -> dict[int, tuple[int, ...]]:
        """The aggregates that the first honest machine holds at the end, by window."""
        assert self.world is not None, "run it first"
        place = next(place for place in self.world.places if place.is_up and not place.role)
        learning = place.node.machines.learning
        assert learning is not None
        found = {window: learning.pool.compute_aggregate(window) for window in learning.pool.windows()}
        return {window: one.vector for window, one in found.items() if hasattr(one, "vector")}

    def finals(self) -> dict[str, str]:
        """The final verdict of each proposal, as the first honest machine shows it."""
        assert self.world is not None, "run it first"
        place = next(place for place in self.world.places if place.is_up and not place.role)
        governance = place.node.machines.governance
        assert governance is not None
        return {
            item.proposal.title: item.tally.verdict.value for item in governance.proposals() if item.is_final
        }
