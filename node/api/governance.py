"""``ConstitutionalGovernance``: the constitution that every node applies, asked from a program.

Refuses rules of its own: it calls the same interpreter of the same table whose digest the network pins.
"""

import time
from collections import deque
from typing import Any

from luminous.node.api.values import CollectiveDecision, ModelUpdate
from luminous.protocol.constitution import check_shape, check_update
from luminous.protocol.constitution_table import BOUNDARIES
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, Uncertainty

VIOLATIONS_KEPT_MAX = 1000

_SACRED = {
    "agency": "Preserve human agency",
    "privacy": "Respect privacy",
    "limits": "Acknowledge limitations",
    "trust": "Build trust through vulnerability",
    "flow": "Protect flow states",
}


class ConstitutionalGovernance:
    """The five boundaries and the rules that hold them."""

    def __init__(self) -> None:
        self.sacred_boundaries = [_SACRED[name] for name in BOUNDARIES]
        self.rules = {name: list(rules) for name, rules in BOUNDARIES.items()}
        self._violations: deque[dict[str, Any]] = deque(maxlen=VIOLATIONS_KEPT_MAX)

    @property
    def violation_history(self) -> list[dict[str, Any]]:
        """What was refused or recorded here, oldest first, the newest thousand."""
        return list(self._violations)

    def validate_model_update(self, update: ModelUpdate) -> tuple[bool, str | None]:
        """(may it be used, else the rule). An update without a signature that holds may not."""
        if update.delta is None or not update.signature:
            return self._judged(
                "update", "update.signature: unsigned, changed on its way, or no update at all"
            )
        delta = update.delta
        refusal = check_update(
            delta.level.name, len(delta.vector), max(abs(number) for number in delta.vector)
        )
        return self._judged("update", None if refusal is None else refusal.detail)

    def validate_decision(self, decision: CollectiveDecision) -> tuple[bool, str | None]:
        """(may it be put to the vote, else the rule), whatever the network's present values are."""
        facts = decision.facts
        effects = tuple(Effect(str(key), int(value)) for key, value in facts.get("effects", ()))
        proposal = Proposal(
            ProposalKind[str(facts["kind"]).upper()],
            str(facts["title"]),
            str(facts.get("text") or ""),
            effects,
            Threshold[str(facts["threshold"]).upper()],
            int(facts["closes_at_ms"]),
            Uncertainty(0, tuple(facts.get("unknowns", ()))),
        )
        issued_at_ms = int(facts.get("issued_at_ms") or time.time_ns() // 1_000_000)
        refusal = check_shape(proposal, issued_at_ms)
        return self._judged("decision", None if refusal is None else refusal.detail)

    def record_violation(self, violation_type: str, details: Any) -> None:
        """Note a violation in this program; nothing is sent."""
        self._violations.append({"type": violation_type, "details": details, "timestamp": time.time()})

    def _judged(self, what: str, why: str | None) -> tuple[bool, str | None]:
        if why is not None:
            self.record_violation(what, why)
        return why is None, why
