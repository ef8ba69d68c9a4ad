"""What a node shows of itself: plain values for the control API, the command line and the page.

Refuses to change anything and to hide a gap: what is not known is None or says so.
"""

from typing import Any

from luminous.node.core.commanding import find_proposal
from luminous.node.core.governance.decision import Decision
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.protocol.aggregation import Aggregate
from luminous.protocol.amendments import rule_key
from luminous.protocol.codec import Value
from luminous.protocol.constitution_table import TABLE
from luminous.protocol.electorate import Electorate
from luminous.protocol.identifiers import AuthorId, EnvelopeId
from luminous.protocol.parameters import PARAMETERS
from luminous.protocol.reasons import Refused
from luminous.protocol.sponsors import SPONSORS_MIN

View = dict[str, Any]


def status(node: Node) -> View:
    """The one-screen summary; the shell adds transport, consent and uptime."""
    membership = node.config.membership
    health = node.machines.health.view()
    learning = node.machines.learning
    spent = None if learning is None else learning.status(_now(node))
    governance = node.machines.governance
    return {
        "author": node.me.hex(),
        "network": None
        if membership is None
        else {
            "id": membership.id.hex(),
            "name": membership.genesis.name,
            "fleet": membership.genesis.fleet,
            "members": node.machines.roll.size,
            "member": AuthorId(node.me) in node.machines.roll,
        },
        "records": len(node.records),
        "health": {
            "score": health["score"],
            "status": health["status"],
            "coverage": health["coverage_percent"],
            "worst": health["worst"],
            "summary": health["summary"],
        },
        "learning": spent,
        "proposals": 0 if governance is None else len(governance.proposals()),
        "refused": dict(node.refused),
        "mute": node.is_mute,
        "halted": node.halted,
    }


def proposals(node: Node) -> View:
    """Every proposal held, by closing time."""
    governance = node.machines.governance
    if governance is None:
        return {"proposals": []}
    governance.parameters(_now(node).wall_ms)
    return {"proposals": [_decision(decision) for decision in governance.proposals()]}


def decision(node: Node, prefix: str) -> View | Refused:
    """One proposal and where it stands."""
    identifier = find_proposal(node.machines, prefix)
    if isinstance(identifier, Refused):
        return identifier
    assert node.machines.governance is not None
    node.machines.governance.parameters(_now(node).wall_ms)
    found = node.machines.governance.decision(identifier)
    return found if isinstance(found, Refused) else _decision(found)


def _decision(item: Decision) -> View:
    tally = item.tally
    return {
        "id": item.id.hex(),
        "title": item.proposal.title,
        "text": item.proposal.text,
        "kind": item.proposal.kind.name.lower(),
        "author": item.held.author.hex(),
        "effects": [[effect.key, effect.value] for effect in item.proposal.effects],
        "threshold": item.proposal.threshold.name.lower(),
        "issued_at_ms": item.held.issued_at_ms,
        "closes_at_ms": item.proposal.closes_at_ms,
        "unknowns": list(item.proposal.uncertainty.unknowns),
        "phase": item.phase.value,
        "final": item.is_final,
        "outcome": tally.verdict.value if item.is_final else None,
        "yes": tally.yes,
        "no": tally.no,
        "abstain": tally.abstain,
        "void": tally.void,
        "members": tally.members,
        "robust": tally.is_robust,
        "own_choice": None if item.own_choice is None else item.own_choice.name.lower(),
        "starts_at_ms": item.starts_at_ms,
        "refused_by": None if item.refusal is None else item.refusal.detail,
        "overridden": list(item.overridden),
        "words": item.words,
    }


def parameters(node: Node) -> View:
    """Every votable value: what holds here and where it comes from."""
    governance = node.machines.governance
    wall_ms = _now(node).wall_ms
    here = {} if governance is None else governance.parameters(wall_ms)
    network = {} if governance is None else governance.network_parameters(wall_ms)
    own = {} if governance is None else governance.overrides()
    rules = {} if governance is None else governance.rules()
    rows: list[View] = []
    for key, parameter in PARAMETERS.items():
        value = here.get(key, parameter.default)
        decided = network.get(key, parameter.default)
        origin = "override" if key in own else "network" if decided != parameter.default else "default"
        bounds = {name: bound for name, bound in TABLE[key].items() if isinstance(bound, int | str | bool)}
        if rule_key(key) in rules:
            bounds["max"] = rules[rule_key(key)]
        rows.append(
            {
                "key": key,
                "value": value,
                "origin": origin,
                "network": decided,
                "default": parameter.default,
                "unit": parameter.unit,
                "meaning": parameter.meaning,
                "rule": {name: bounds[name] for name in sorted(bounds)},
            }
        )
    return {"parameters": rows}


def verify(node: Node) -> View:
    """Every outcome recomputed from the held records, and the aggregates' digests beside it."""
    governance, learning = node.machines.governance, node.machines.learning
    outcomes: list[View] = []
    holds = True
    for item in () if governance is None else governance.verify():
        holds = holds and item.holds
        outcomes.append(
            {"id": item.id.hex(), "title": item.title, "holds": item.holds, "why": list(item.lines)}
        )
    windows: list[View] = []
    for window in () if learning is None else learning.pool.windows():
        assert learning is not None
        found = learning.aggregate_digest(window)
        windows.append(
            {
                "window": window,
                "contributors": learning.pool.count(window),
                "agreed": _agreed(learning.pool.agreed(window)),
                "digest": None if isinstance(found, Refused) else found.hex(),
                "why": found.detail if isinstance(found, Refused) else "",
            }
        )
    evidence: list[str] = []
    if governance is not None:
        evidence = [repr(item)[:500] for item in governance.evidence()]
    refused = "" if governance is None else governance.closing.foreign()
    return {
        "holds": holds and not refused,
        "outcomes": outcomes,
        "windows": windows,
        "evidence": evidence,
        "history_refused": refused,
    }


def _agreed(deltas: frozenset[EnvelopeId] | None) -> int | None:
    """How many deltas Minutes agreed on; None while they have not."""
    return None if deltas is None else len(deltas)


def verify_aggregate(node: Node, window: int | None) -> View:
    """One window's sum recomputed from the deltas held, against the set that Minutes agreed on.

    None: the newest window held.
    """
    learning = node.machines.learning
    held = () if learning is None else learning.pool.windows()
    number = next(iter(held), 0) if window is None else window
    agreed = None if learning is None else learning.pool.agreed(number)
    missing = 0 if learning is None else learning.pool.missing(number)
    found = None if learning is None else learning.pool.compute_aggregate(number)
    if learning is None:
        why = "this node belongs to no network"
    elif agreed is None:
        why = "no Minutes list this window yet: the sum is of what this node happens to hold"
    elif missing:
        why = f"{missing} of {len(agreed)} agreed deltas are not held here: nothing can be said"
    else:
        why = f"recomputed from the {len(agreed)} deltas that Minutes agreed on"
    return {
        "window": number,
        "agreed": _agreed(agreed),
        "missing": missing,
        "holds": agreed is not None and not missing,
        "contributors": found.contributors if isinstance(found, Aggregate) else 0,
        "digest": found.digest.hex() if isinstance(found, Aggregate) else None,
        "why": why,
    }


def members(node: Node) -> View:
    """Who decides now, who waits, who is dormant."""
    governance = node.machines.governance
    if governance is None:
        return {"members": [], "waiting": [], "vouched": [], "dormant": []}
    governance.parameters(_now(node).wall_ms)
    electorate = governance.electorate()
    roll = electorate.roll
    seen = {key: at_ms for at_ms, key in electorate.seen}
    rows: list[View] = [
        {"author": key.hex(), "me": key == node.me, "seen_at_ms": seen.get(key)} for key in roll.members
    ]
    return {
        "members": rows,
        "faulty_max": roll.faulty_max,
        "quorum": roll.quorum,
        "waiting": [
            {"author": key.hex(), "from_ms": at_ms, "sponsors": len(electorate.sponsors.of(key))}
            for at_ms, key in electorate.waiting
        ],
        "vouched": _vouched(electorate),
        "dormant": [key.hex() for key in electorate.dormant],
        "gone": len(electorate.gone),
    }


def _vouched(electorate: Electorate) -> list[View]:
    """Candidates for whom some vouch and who do not wait yet."""
    sponsors = electorate.sponsors
    about = sorted({candidate for _, candidate, _ in sponsors.vouched if electorate.is_fresh(candidate)})
    return [{"author": key.hex(), "sponsors": len(sponsors.of(key)), "needed": SPONSORS_MIN} for key in about]


def privacy(node: Node) -> View:
    """Level, budget and what keeps the next release back."""
    learning = node.machines.learning
    if learning is None:
        return {"level": "LOCAL_ONLY", "why": "this node belongs to no network: nothing can leave"}
    return learning.status(_now(node))


def preview(node: Node) -> View:
    """What the next release would say and cost."""
    learning = node.machines.learning
    if learning is None:
        return {"leaves": "nothing: this node belongs to no network"}
    return learning.preview(_now(node))


def sent(node: Node) -> View:
    """Every envelope this node ever signed and still holds: all that left it by its own act."""
    return {
        "sent": [
            {
                "id": envelope.id.hex(),
                "kind": envelope.kind.name.lower(),
                "issued_at_ms": envelope.issued_at_ms,
                "size_bytes": len(envelope.raw),
                "bytes": envelope.raw.hex(),
            }
            for envelope in node.records.envelopes()
            if envelope.author == node.me
        ]
    }


def wisdom(node: Node) -> View | Refused:
    """What the community's outcomes tell, where it can be told from noise."""
    learning = node.machines.learning
    own: list[View] = []
    if learning is not None:
        own = [
            {"class": pair[0], "fix": pair[1], "successes": counts[0], "trials": counts[1]}
            for pair, counts in sorted(learning.counts().items())
        ]
    if learning is None:
        return {"patterns": [], "own": own, "why": "no network"}
    found = learning.wisdom()
    if isinstance(found, Refused):
        return {"patterns": [], "own": own, "why": found.detail}
    patterns: list[View] = [
        {name: _plain(getattr(item, name)) for name in item.__dataclass_fields__} for item in found
    ]
    return {"patterns": patterns, "own": own, "why": ""}


def _plain(value: object) -> Value:
    if isinstance(value, bool | int | str | bytes) or value is None:
        return value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value)


def _now(node: Node) -> Instant:
    return node.last or Instant("", 0, 0)


def refused(refusal: Refused) -> View:
    """A refusal as a view."""
    return {"reason": refusal.reason.value, "detail": refusal.detail}
