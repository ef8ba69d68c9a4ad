"""Checkers of what was decided: one outcome, in time, from the ballots, within the constitution.

Refuses mercy: what one honest machine shows, all must.
"""

from math import ceil, sqrt

from luminous.protocol.constitution import Standing, check_proposal, check_value
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.kinds import Kind
from luminous.protocol.tally import Verdict
from luminous.simulations.evidence import Check, Evidence, finals_of, governance_of, minutes_of
from luminous.simulations.place import Place


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
        finals = {item.proposal.title: item for item in governance_of(place).proposals() if item.is_final}
        for title, passes in wanted.items():
            if title not in finals:
                return Check("liveness", False, f"node {place.index}: {title!r} is not final")
            verdict = finals[title].tally.verdict.value
            if passes is not None and (verdict == "passed") != passes:
                return Check("liveness", False, f"{title!r}: {verdict}, expected passes = {passes}")
    return Check("liveness", True, f"{len(wanted)} votes final on {len(evidence.up)} nodes")


def check_independence(evidence: Evidence) -> Check:
    """What a node shows equals a recount from the records it holds, here and by the node's own verify."""
    recounted = 0
    for place in evidence.up:
        for item in governance_of(place).verify():
            if not item.holds:
                return Check("independence", False, f"node {place.index}: {item.title!r}: {item.lines[-1]}")
        wrong = _recount(place)
        if wrong:
            return Check("independence", False, wrong)
        recounted += len(finals_of(place))
    return Check("independence", True, f"{recounted} shown outcomes recounted from records and thresholds")


def _recount(place: Place) -> str:
    """Count the agreed ballots again, by hand: one per member, only members, threshold by definition."""
    governance = governance_of(place)
    ballots = {item.id: item for item in place.node.records.envelopes() if item.kind is Kind.BALLOT}
    counted = {one.proposal: one.counted for minutes in minutes_of(place) for one in minutes.outcomes}
    assert place.config.membership is not None
    members = place.config.membership.genesis.founders
    for decision in governance.proposals():
        if not decision.is_final or decision.id not in counted:
            continue
        used = [ballots[identifier] for identifier in counted[decision.id] if identifier in ballots]
        choices = [item.payload.choice.name for item in used]
        tally = decision.tally
        shown = (tally.yes, tally.no, tally.abstain)
        title = f"node {place.index}: {decision.proposal.title!r}"
        if len({item.author for item in used}) != len(used) or any(i.author not in members for i in used):
            return f"{title}: a vote counted twice, or a stranger's"
        if (choices.count("YES"), choices.count("NO"), choices.count("ABSTAIN")) != shown:
            return f"{title}: shows {shown}, the agreed ballots say {sorted(choices)}"
        if tally.members != len(members):
            return f"{title}: counted {tally.members} members of {len(members)}"
        if (tally.verdict is Verdict.PASSED) != _passes(
            decision.proposal.threshold.name, shown, len(members)
        ):
            return f"{title}: {tally.verdict.value} with {shown} of {len(members)}"
    return ""


def _passes(threshold: str, counts: tuple[int, int, int], members: int) -> bool:
    """The rule from its words, apart from the product's code: enough members took part, enough of all said
    yes, and yes is strictly more than the share of yes and no."""
    yes, no, abstain = counts
    turnout = yes + no + abstain
    if threshold == "SIMPLE":
        takes_part = turnout >= min(members, max(3, ceil(1.5 * sqrt(members))))
        return takes_part and 2 * yes > yes + no
    percent, part, share = (66, 20, 3) if threshold == "SUPER" else (90, 40, 2)
    takes_part = 100 * turnout >= part * members and share * yes >= members
    return takes_part and 100 * yes > percent * (yes + no)


def check_convergence(evidence: Evidence) -> Check:
    """After quiescence all honest nodes hold the same lasting records."""
    digests: dict[frozenset[bytes], int] = {}
    lasting = (Kind.PROPOSAL, Kind.BALLOT)
    for place in evidence.up:
        ids = frozenset(item.id for item in place.node.records.envelopes() if item.kind in lasting)
        digests[ids] = digests.get(ids, 0) + 1
    if len(digests) > 1:
        sizes = sorted(((count, len(ids)) for ids, count in digests.items()), reverse=True)
        return Check("convergence", False, f"(nodes, records) by set: {sizes[:5]}")
    return Check("convergence", True, f"one set of records on {len(evidence.up)} nodes")


def check_constitution(evidence: Evidence) -> Check:
    """No parameter of an honest node is outside its bounds, and none changed by less than its threshold."""
    for place in evidence.up:
        governance = governance_of(place)
        membership = place.config.membership
        assert membership is not None
        genesis = {parameter.key: parameter.value for parameter in membership.genesis.parameters}
        values = governance.network_parameters()
        for key, value in values.items():
            if key in genesis and genesis[key] == value:
                continue
            if check_value(key, value, is_fleet=membership.genesis.fleet) is not None:
                return Check("constitution", False, f"node {place.index}: {key} = {value}")
        for decision in governance.proposals():
            if decision.phase.value != "in_force":
                continue
            # Against the values of the beginning: only single decisions about a key can be judged so.
            about = {effect.key for effect in decision.proposal.effects}
            others = [
                other
                for other in governance.proposals()
                if other.id != decision.id and about & {effect.key for effect in other.proposal.effects}
            ]
            standing = Standing({**_defaults(), **genesis}, {}, membership.genesis.fleet)
            refused = check_proposal(decision.proposal, decision.held.issued_at_ms, standing)
            if not others and refused is not None:
                why = f"node {place.index}: {decision.proposal.title!r} is in force: {refused.detail}"
                return Check("constitution", False, why)
    return Check("constitution", True, "every parameter within its bounds")


def _defaults() -> dict[str, int]:
    from luminous.protocol.parameters import defaults

    return defaults()


def check_inclusion(evidence: Evidence) -> Check:
    """A ballot that every honest node held when its grace ended is counted, unless its voter moved on."""
    counted, authors = _counted(evidence)
    checked = 0
    honest = {AuthorId(place.config.signer.public) for place in evidence.honest}
    for identifier, ids in counted.items():
        snapshots = [place.held_at_close.get(identifier) for place in evidence.honest]
        if not snapshots or any(one is None for one in snapshots):
            continue
        everywhere = frozenset.intersection(*(one for one in snapshots if one is not None))
        voted = {authors[one].author: authors[one].payload.sequence for one in ids if one in authors}
        for ballot in sorted(everywhere):
            item = authors.get(ballot)
            if item is None or item.author not in honest or not _is_timely(evidence, identifier, item):
                continue
            checked += 1
            if voted.get(item.author, -1) < item.payload.sequence:
                why = f"{identifier.hex()[:8]}: ballot {ballot.hex()[:8]} was held by all and is not counted"
                return Check("inclusion", False, why)
    return Check("inclusion", True, f"{checked} ballots that all held in time are counted")


def check_exclusion(evidence: Evidence) -> Check:
    """No ballot is counted that no honest node held when it froze, or that was issued after the close."""
    counted, authors = _counted(evidence)
    checked = 0
    for identifier, ids in counted.items():
        reported = [place.held_at_report.get(identifier) for place in evidence.honest]
        held = frozenset().union(*(one for one in reported if one is not None))
        is_known = any(one is not None for one in reported)
        for ballot in ids:
            checked += 1
            if is_known and ballot not in held:
                why = f"{identifier.hex()[:8]}: ballot {ballot.hex()[:8]} counted, no honest node had it"
                return Check("exclusion", False, why)
            if ballot in authors and not _is_timely(evidence, identifier, authors[ballot]):
                return Check("exclusion", False, f"{identifier.hex()[:8]}: a ballot from after the close")
    return Check("exclusion", True, f"{checked} counted ballots, all held in time by an honest node")


def _counted(evidence: Evidence) -> tuple[dict[bytes, tuple[bytes, ...]], dict[bytes, Admitted]]:
    """The counted ballots of each final proposal, and every held ballot by its id."""
    counted: dict[bytes, tuple[bytes, ...]] = {}
    ballots: dict[bytes, Admitted] = {}
    for place in evidence.up:
        for minutes in minutes_of(place):
            counted.update((one.proposal, one.counted) for one in minutes.outcomes)
        for item in place.node.records.envelopes():
            if item.kind is Kind.BALLOT:
                ballots[item.id] = item
    return counted, ballots


def _is_timely(evidence: Evidence, proposal: bytes, ballot: Admitted) -> bool:
    for place in evidence.up:
        for item in place.node.records.envelopes():
            if item.id == proposal:
                return bool(ballot.issued_at_ms <= item.payload.closes_at_ms)
    return True


def check_halting(evidence: Evidence) -> Check:
    """A key that runs on two machines without ill will falls silent on both, and says so."""
    for place in evidence.doubled:
        if place.is_up and not place.node.halted and not governance_of(place).is_halted:
            return Check("halting", False, f"machine {place.index} goes on signing with a doubled key")
    return Check("halting", True, f"{len(evidence.doubled)} machines of doubled keys, all silent")
