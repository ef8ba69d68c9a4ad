"""What checkers look at and what they answer.

Refuses to know faults or workload: a checker sees the machines and what they sent, nothing else.
"""

from dataclasses import dataclass, field

from luminous.node.core.governance.machine import Governance
from luminous.node.core.governance.minutes import MinutesClosing
from luminous.protocol.admission import admit
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.minutes_count import Minutes
from luminous.protocol.reasons import Refused
from luminous.simulations.place import Place
from luminous.simulations.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict and its evidence in a sentence."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The honest machines and the scenario they lived through.

    ``doubled``: machines of members whose key runs twice without ill will.
    """

    scenario: Scenario
    honest: tuple[Place, ...]
    doubled: tuple[Place, ...] = ()
    _judged: dict[bytes, Admitted | Refused] = field(default_factory=dict, repr=False, compare=False)

    @property
    def up(self) -> tuple[Place, ...]:
        """Honest machines that run at the end."""
        return tuple(place for place in self.honest if place.is_up)

    def admit(self, raw: bytes, network: NetworkId) -> Admitted | Refused:
        """Admission by the checkers' own judgement, not what a machine remembers; once for equal bytes."""
        judged = self._judged.get(raw)
        if judged is None:
            judged = self._judged[raw] = admit(raw, network)
        return judged


def governance_of(place: Place) -> Governance:
    """The deciding machine of a place that runs."""
    governance = place.node.machines.governance
    assert governance is not None
    return governance


def minutes_of(place: Place) -> tuple[Minutes, ...]:
    """The final Minutes that a machine has derived; empty where it closes in another way."""
    closing = governance_of(place)._closing
    return closing.chain() if isinstance(closing, MinutesClosing) else ()


def finals_of(place: Place) -> dict[bytes, tuple[object, ...]]:
    """Every final outcome a machine shows: proposal id to verdict and counts."""
    return {
        decision.id: (
            decision.tally.verdict.value,
            decision.tally.yes,
            decision.tally.no,
            decision.tally.abstain,
        )
        for decision in governance_of(place).proposals()
        if decision.is_final
    }
