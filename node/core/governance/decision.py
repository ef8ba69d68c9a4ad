"""What people see of a proposal.

Refuses to print an outcome that is not final: until then every count is provisional.
"""

from dataclasses import dataclass

from luminous.node.core.governance.lifecycle import Phase
from luminous.node.core.governance.pool import Held
from luminous.protocol.ballots import Choice
from luminous.protocol.codec import Value
from luminous.protocol.identifiers import ProposalId
from luminous.protocol.proposals import Proposal, ProposalKind
from luminous.protocol.reasons import Refused
from luminous.protocol.tally import Tally, Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """A proposal and where it stands. ``tally`` is the agreed one if ``is_final``, else provisional.

    ``refusal``: the rule that keeps it from being voted on or from taking effect. ``starts_at_ms``: when a
    passed one takes effect. ``overridden``: keys for which this machine's owner decided otherwise.
    """

    held: Held
    phase: Phase
    is_final: bool
    tally: Tally
    own_choice: Choice | None
    refusal: Refused | None
    starts_at_ms: int | None
    overridden: tuple[str, ...]

    @property
    def id(self) -> ProposalId:
        """The proposal's id."""
        return self.held.id

    @property
    def proposal(self) -> Proposal:
        """The proposal."""
        return self.held.proposal

    @property
    def facts(self) -> dict[str, Value]:
        """What is told when it became final."""
        return {
            "proposal": self.id.hex(),
            "title": self.proposal.title,
            "phase": self.phase.value,
            "words": self.words,
        }

    @property
    def words(self) -> str:
        """One sentence for a person."""
        tally = self.tally
        counts = f"{tally.yes} yes, {tally.no} no, {tally.abstain} abstain of {tally.members}"
        if tally.void:
            counts += f", {tally.void} void (voted twice)"
        if not self.is_final:
            return f"{self.phase.value}; provisional: {counts}"
        doubt = "robust" if tally.is_robust else "fragile: a few uncertain ballots could have changed it"
        sentence = f"final: {tally.verdict.value}, {counts}; {doubt}"
        if self.refusal is not None:
            sentence += f"; not applied, the constitution forbids it: {self.refusal.detail}"
        elif self.phase is Phase.COOLING:
            sentence += "; takes effect after a cooling time"
        elif self.phase is Phase.SUPERSEDED:
            sentence += "; an earlier decision of the same closing set the same value"
        if self.proposal.kind is ProposalKind.AMENDMENT and tally.verdict is Verdict.PASSED:
            sentence += "; an amendment takes two such votes, 14 to 90 days apart"
        if self.overridden:
            sentence += f"; this machine keeps its own choice for {', '.join(self.overridden)}"
        return sentence


@dataclass(frozen=True, slots=True)
class Verification:
    """One outcome recomputed from the held records: whether it holds, and how it comes about."""

    id: ProposalId
    title: str
    holds: bool
    lines: tuple[str, ...]
