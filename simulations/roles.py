"""Who plays what in a world: members, hostile members with their twins, copies of a key, strangers.

Refuses to act: what the hostile do is ``adversary``'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from luminous.node.core.effects import Effect
from luminous.node.core.governance.machine import Governance
from luminous.node.core.governance.minutes import MinutesClosing
from luminous.node.core.node import Node
from luminous.node.core.signing import Signing
from luminous.simulations.scenario import Scenario

COPY = "copy"


@dataclass(slots=True)
class Cast:
    """For each machine its role and the number of its key; ``twins``: second machines of a key."""

    roles: list[str] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    twins: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.roles)

    def add(self, role: str, key: int | None = None) -> int:
        """One more machine."""
        self.roles.append(role)
        self.keys.append(len(self.keys) if key is None else key)
        return len(self.roles) - 1


def cast_roles(scenario: Scenario) -> Cast:
    """Members first, the hostile last among them, then twins, copies and strangers."""
    cast = Cast()
    for _ in range(scenario.nodes):
        cast.add("")
    last = scenario.nodes
    for adversary in scenario.adversary:
        for _ in range(adversary.count):
            if adversary.kind == "sybil":
                continue
            last -= 1
            cast.roles[last] = adversary.kind
    for number in range(scenario.nodes):
        if cast.roles[number] == "equivocate":
            cast.twins[cast.add("equivocate", number)] = number
    for number in scenario.restored_twice:
        cast.roles[number] = COPY
        cast.twins[cast.add(COPY, number)] = number
    for adversary in scenario.adversary:
        if adversary.kind == "sybil":
            for _ in range(adversary.count):
                cast.add("sybil")
    return cast


class _ShamelessClosing(MinutesClosing):
    """A liar's closing: goes on although its key signs elsewhere."""

    def is_double(self) -> bool:
        """Looks away."""
        return False


class _ShamelessGovernance(Governance):
    """Goes on although the evidence against it is everywhere."""

    @property
    def is_halted(self) -> bool:
        """Looks away."""
        return False


class _ShamelessSigning(Signing):
    """Never halts its key."""

    def halt(self, why: str) -> Iterator[Effect]:
        """Goes on."""
        return iter(())


def shameless(node: Node) -> None:
    """Make a node go on signing whatever its key signs elsewhere: one half of an equivocator."""
    node.signing.__class__ = _ShamelessSigning
    governance = node.machines.governance
    assert governance is not None
    governance.__class__ = _ShamelessGovernance
    assert isinstance(governance._closing, MinutesClosing)
    governance._closing.__class__ = _ShamelessClosing
