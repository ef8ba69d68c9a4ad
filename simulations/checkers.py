"""What must hold at the end of a run, each with the evidence when it does not.

Refuses to know faults or workload: a checker sees the machines and what they sent, nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

from luminous.node.core.observing import FIX_TRIED
from luminous.protocol.admission import admit
from luminous.protocol.constitution import check_value
from luminous.protocol.deltas import BUDGET_PERIOD_MS, Level
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ENVELOPES_PER_AUTHOR_MAX
from luminous.protocol.reasons import Refused
from luminous.simulations.scenario import Scenario
from luminous.simulations.place import CANARY, Place


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict and its evidence in a sentence."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What checkers may look at: the honest machines and the scenario they lived through.

    ``doubled``: machines of members whose key runs twice without ill will.
    """

    scenario: Scenario
    honest: tuple[Place, ...]
    doubled: tuple[Place, ...] = ()

    @property
    def up(self) -> tuple[Place, ...]:
        """Honest machines that run at the end."""
        return tuple(place for place in self.honest if place.is_up)


def check_all(evidence: Evidence) -> list[Check]:
    """Every checker on one run."""
    return [checker(evidence) for checker in CHECKERS]


def finals_of(place: Place) -> dict[bytes, tuple[object, ...]]:
    """Every final outcome a machine shows: proposal id to verdict and counts."""
    governance = place.node.machines.governance
    assert governance is not None
    return {
        decision.id: (
            decision.tally.verdict.value,
            decision.tally.yes,
            decision.tally.no,
            decision.tally.abstain,
        )
        for decision in governance.proposals()
        if decision.is_final
    }


def check_agreement(evidence: Evidence) -> Check:
    """No two honest nodes show different final outcomes."""
    seen: dict[bytes, tuple[object, ...]] = {}
    for place in evidence.up:
        for identifier, outcome in finals_of(place).items():
            if seen.setdefault(identifier, outcome) != outcome:
                why = f"{identifier.hex()[:8]}: {seen[identifier]} and {outcome} (node {place.index})"
                return Check("agreement", False, why)
    return Check("agreement", True, f"{len(seen)} final outcomes, the same on {len(evidence.up)} nodes")


def check_liveness(evidence: Evidence) -> Check:
    """After faults stopped, every proposal is final everywhere, with the outcome the scenario expects."""
    wanted = {f"{vote.title} ({vote.opens_ms})": vote.passes for vote in evidence.scenario.vote}
    for place in evidence.up:
        governance = place.node.machines.governance
        assert governance is not None
        finals = {item.proposal.title: item for item in governance.proposals() if item.is_final}
        for title, passes in wanted.items():
            if title not in finals:
                return Check("liveness", False, f"node {place.index}: {title!r} is not final")
            verdict = finals[title].tally.verdict.value
            if passes is not None and (verdict == "passed") != passes:
                return Check("liveness", False, f"{title!r}: {verdict}, expected passes = {passes}")
    return Check("liveness", True, f"{len(wanted)} votes final on {len(evidence.up)} nodes")


def check_independence(evidence: Evidence) -> Check:
    """What a node shows equals a recount from the records it holds."""
    for place in evidence.up:
        governance = place.node.machines.governance
        assert governance is not None
        for item in governance.verify():
            if not item.holds:
                return Check("independence", False, f"node {place.index}: {item.title!r}: {item.lines[-1]}")
    return Check("independence", True, "every shown outcome follows from the records held")


def check_aggregates(evidence: Evidence) -> Check:
    """Equal sets of deltas give equal aggregate digests; and nodes that are in sync hold equal sets."""
    by_set: dict[tuple[int, tuple[bytes, ...]], bytes] = {}
    compared = 0
    for place in evidence.up:
        learning = place.node.machines.learning
        assert learning is not None
        for window in learning.pool.windows():
            found = learning.aggregate_digest(window)
            if isinstance(found, Refused):
                continue
            held = tuple(
                item.id
                for item in place.node.records.envelopes()
                if item.kind is Kind.DELTA and item.payload.window == window
            )
            compared += 1
            if by_set.setdefault((window, tuple(sorted(held))), found) != found:
                return Check(
                    "aggregates", False, f"window {window}: one set, two digests (node {place.index})"
                )
    return Check("aggregates", True, f"{compared} aggregates over {len(by_set)} sets")


def check_convergence(evidence: Evidence) -> Check:
    """After quiescence all honest nodes hold the same records, retired windows apart."""
    digests: dict[frozenset[bytes], int] = {}
    lasting = (Kind.PROPOSAL, Kind.BALLOT)
    for place in evidence.up:
        ids = frozenset(item.id for item in place.node.records.envelopes() if item.kind in lasting)
        digests[ids] = digests.get(ids, 0) + 1
    if len(digests) > 1:
        sizes = sorted(((count, len(ids)) for ids, count in digests.items()), reverse=True)
        return Check("convergence", False, f"(nodes, records) by set: {sizes[:5]}")
    return Check("convergence", True, f"one set of records on {len(evidence.up)} nodes")


def check_budget(evidence: Evidence) -> Check:
    """No author released twice for a window or spent more than the law allows, crashes or not."""
    for place in evidence.honest:
        windows: dict[int, bytes] = {}
        levels: dict[int, Level] = {}
        for raw in place.published:
            envelope = admit(raw, place.network)
            if isinstance(envelope, Admitted) and envelope.kind is Kind.DELTA:
                window = envelope.payload.window
                if windows.setdefault(window, raw) != raw:
                    return Check("budget", False, f"node {place.index} released window {window} twice")
                levels[window] = envelope.payload.level
        charged = sum(1 for record in place.journal.records() if record.kind == "released")
        if len(windows) > charged:
            why = f"node {place.index}: {len(windows)} releases, {charged} charges"
            return Check("budget", False, why)
        learning = evidence.scenario.learning
        noised = [window for window, level in levels.items() if level is Level.DIFFERENTIAL]
        if learning is not None and len(noised) * learning.window_ms > BUDGET_PERIOD_MS + learning.window_ms:
            return Check("budget", False, f"node {place.index} released more often than windows end")
        if place.is_up and place.node.machines.learning is not None:
            status = place.node.machines.learning.status(place.node.last)  # type: ignore[arg-type]
            if int(str(status["epsilon_milli_spent"])) > int(str(status["epsilon_milli_allowed"])):
                return Check("budget", False, f"node {place.index} spent more than it may")
    return Check("budget", True, "no window twice, no release without its charge, no overspending")


def check_authenticity(evidence: Evidence) -> Check:
    """Every record held by an honest node is signed by a member and was made by whoever it names."""
    made: dict[AuthorId, set[bytes]] = {}
    honest = {AuthorId(place.config.signer.public): place for place in evidence.honest}
    for author, place in honest.items():
        made[author] = set(place.published)
    for place in evidence.up:
        for item in place.node.records.envelopes():
            if item.author in made and item.raw not in made[item.author]:
                journalled = {record.body for record in honest[item.author].journal.records()}
                if not any(item.raw in body for body in journalled):
                    return Check(
                        "authenticity", False, f"node {place.index} holds a forgery {item.id.hex()[:8]}"
                    )
            if not isinstance(admit(item.raw, place.network), Admitted):
                return Check("authenticity", False, f"node {place.index} holds an inadmissible record")
    return Check("authenticity", True, "every record is its author's")


def check_boundedness(evidence: Evidence) -> Check:
    """No honest node holds more than limits allow."""
    worst = 0
    for place in evidence.up:
        counts: dict[AuthorId, int] = {}
        for item in place.node.records.envelopes():
            counts[item.author] = counts.get(item.author, 0) + 1
        worst = max(worst, *counts.values()) if counts else worst
        if worst > ENVELOPES_PER_AUTHOR_MAX:
            return Check("boundedness", False, f"node {place.index} holds {worst} records of one author")
    return Check("boundedness", True, f"at most {worst} records of one author")


def check_constitution(evidence: Evidence) -> Check:
    """No parameter of any honest node is outside the constitution's bounds."""
    for place in evidence.up:
        governance = place.node.machines.governance
        membership = place.config.membership
        assert governance is not None and membership is not None
        genesis = {parameter.key for parameter in membership.genesis.parameters}
        for key, value in governance.network_parameters().items():
            if key not in genesis and check_value(key, value, is_fleet=membership.genesis.fleet) is not None:
                return Check("constitution", False, f"node {place.index}: {key} = {value}")
    return Check("constitution", True, "every parameter within its bounds")


def check_inclusion(evidence: Evidence) -> Check:
    """A ballot that every honest node held when its vote closed is counted; one from after is not."""
    for place in evidence.up:
        governance = place.node.machines.governance
        assert governance is not None
        for decision in governance.proposals():
            if not decision.is_final:
                continue
            voters = {
                item.author
                for item in place.node.records.envelopes()
                if item.kind is Kind.BALLOT
                and item.payload.proposal == decision.id
                and item.issued_at_ms <= decision.proposal.closes_at_ms
            }
            tally = decision.tally
            if tally.yes + tally.no + tally.abstain > len(voters):
                why = f"{decision.proposal.title!r}: more votes than voters (node {place.index})"
                return Check("inclusion", False, why)
    return Check("inclusion", True, "no vote without a ballot issued in time")


def check_statistics(evidence: Evidence) -> Check:
    """What a node counted is what happened on it, through crashes."""
    for place in evidence.up:
        learning = place.node.machines.learning
        if learning is None or evidence.scenario.crash or evidence.scenario.churn.every_ms:
            continue
        seen = sum(1 for *_, at_ms in place.truth if at_ms <= evidence.scenario.duration_ms)
        counted = learning.statistics.total
        if counted != seen and not evidence.scenario.disk_full:
            return Check("statistics", False, f"node {place.index}: {seen} {FIX_TRIED}, {counted} counted")
    return Check("statistics", True, "every outcome counted once")


CHECKERS: tuple[Callable[[Evidence], Check], ...] = (
    check_agreement,
    check_liveness,
    check_independence,
    check_aggregates,
    check_convergence,
    check_budget,
    check_authenticity,
    check_boundedness,
    check_constitution,
    check_inclusion,
    check_statistics,
)
