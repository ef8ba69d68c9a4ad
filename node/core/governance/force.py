"""Which final decisions are in force, and what the values are: a fold over final outcomes.

Refuses to apply anything that the constitution forbids at that point, whatever the count was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from luminous.node.core.governance.lifecycle import Step
from luminous.node.core.governance.pool import Held
from luminous.node.core.governance.settled import Settled
from luminous.protocol.constitution import Standing, enact
from luminous.protocol.identifiers import ProposalId
from luminous.protocol.parameters import VOTING_WINDOW_MS_MIN
from luminous.protocol.proposals import Threshold
from luminous.protocol.reasons import Refused
from luminous.protocol.tally import Verdict, decide


@dataclass(frozen=True, slots=True)
class Force:
    """The network's values now, each final proposal's steps and refusals, and when the next one starts."""

    standing: Standing
    steps: Mapping[ProposalId, tuple[Step, ...]] = field(default_factory=dict)
    refusals: Mapping[ProposalId, Refused] = field(default_factory=dict)
    starts_at_ms: Mapping[ProposalId, int] = field(default_factory=dict)
    next_at_ms: int | None = None


def starts_at_ms(item: Settled, genesis: Standing) -> int:
    """When an outcome may take effect, by agreed time: a fragile one cools for the shortest voting window."""
    cooling_ms = genesis.values[VOTING_WINDOW_MS_MIN]
    return item.at_ms + (0 if item.tally.is_robust else cooling_ms)


def fold(
    genesis: Standing, settled: Sequence[Settled], held: Mapping[ProposalId, Held], wall_ms: int
) -> Force:
    """Apply every passed outcome that has started, in order of (start, epoch, closing time, id)."""
    standing = genesis
    steps: dict[ProposalId, tuple[Step, ...]] = {}
    refusals: dict[ProposalId, Refused] = {}
    starts: dict[ProposalId, int] = {}
    waiting: list[int] = []
    set_in: dict[tuple[int, str], None] = {}
    ordered = sorted(
        settled,
        key=lambda item: (
            starts_at_ms(item, genesis),
            item.epoch,
            held[item.proposal].proposal.closes_at_ms,
            item.proposal,
        ),
    )
    for item in ordered:
        proposal = held[item.proposal].proposal
        if item.tally.verdict is not Verdict.PASSED:
            is_failed = item.tally.verdict is Verdict.FAILED
            steps[item.proposal] = (Step.FINAL_FAILED if is_failed else Step.FINAL_NO_QUORUM,)
            continue
        if not proposal.effects and not proposal.candidate:
            steps[item.proposal] = (Step.FINAL_WORDS,)
            continue
        start = starts[item.proposal] = starts_at_ms(item, genesis)
        fragile = (Step.FINAL_FRAGILE,) if start > item.at_ms else ()
        if start > wall_ms and fragile:
            steps[item.proposal] = fragile
            waiting.append(start)
            continue
        slots = [(item.epoch, effect.key) for effect in proposal.effects]
        if item.epoch and any(slot in set_in for slot in slots):
            steps[item.proposal] = (*fragile, Step.COOLED_SUPERSEDED) if fragile else (Step.FINAL_SUPERSEDED,)
            continue
        enacted = held[item.proposal].refusal or enact(proposal, start, standing)
        if isinstance(enacted, Refused):
            refusals[item.proposal] = enacted
            steps[item.proposal] = (*fragile, Step.COOLED_REFUSED) if fragile else (Step.FINAL_REFUSED,)
            continue
        is_first_of_two = enacted.first_votes != standing.first_votes and enacted.rules == standing.rules
        standing = enacted
        set_in.update(dict.fromkeys(slots))
        done = Step.FINAL_WORDS if is_first_of_two else Step.FINAL_EFFECT
        steps[item.proposal] = (*fragile, Step.COOLED) if fragile else (done,)
    return Force(standing, steps, refusals, starts, min(waiting, default=None))


def by_owner(held: Iterable[Held]) -> tuple[Settled, ...]:
    """A fleet's settings as outcomes: its one owner decides, in the order of the settings' own time."""
    passed = decide(Threshold.SIMPLE, 1, 1, 0, 0)
    order = sorted((item.issued_at_ms, item.id) for item in held if item.refusal is None)
    return tuple(Settled(identifier, passed, issued_at_ms, 0) for issued_at_ms, identifier in order)
