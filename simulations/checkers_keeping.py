"""Checkers of what machines hold, leak and do to themselves.

Refuses to trust a node's own word where the world knows better.
"""

from typing import Any

from luminous.protocol.admission import Arrival, Verdict, topic_of
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ENVELOPES_PER_AUTHOR_MAX, SYNC_PEERS_MAX
from luminous.simulations.evidence import Check, Evidence
from luminous.simulations.place import CANARY, Place

# After this long a sickness that the node can cure is cured, or people were told.
HEAL_MS_MAX = 900_000
OWN = {"store_damaged": "repair", "own_memory": "memory_release"}
SYMPTOMS = {"store_damaged": "store_damaged", "own_memory": "own_memory_high", "disk_full": "disk_full"}


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
            if not isinstance(evidence.admit(item.raw, place.network), Admitted):
                return Check("authenticity", False, f"node {place.index} holds an inadmissible record")
    return Check("authenticity", True, "every record is its author's")


def check_boundedness(evidence: Evidence) -> Check:
    """No honest node holds more than limits allow, or anything of strangers that they may not say."""
    worst = strangers = 0
    for place in evidence.up:
        counts: dict[AuthorId, int] = {}
        for item in place.node.records.envelopes():
            counts[item.author] = counts.get(item.author, 0) + 1
            is_open = place.node.machines.law.is_open and item.kind is Kind.DELTA
            strangers += not place.node.machines.is_known(item.author) and not is_open
        worst = max(worst, *counts.values()) if counts else worst
        if worst > ENVELOPES_PER_AUTHOR_MAX:
            return Check("boundedness", False, f"node {place.index} holds {worst} records of one author")
        if len(place.node.peers) > SYNC_PEERS_MAX:
            return Check("boundedness", False, f"node {place.index} knows {len(place.node.peers)} peers")
    if strangers:
        return Check("boundedness", False, f"{strangers} records of strangers are held")
    return Check("boundedness", True, f"at most {worst} records of one author, none of strangers")


def check_tolerance(evidence: Evidence) -> Check:
    """What only a newer release understands is held by nobody, and nobody is blamed for passing it on."""
    said = [(place, raw) for place in evidence.honest for raw in place.said_newer]
    for place in evidence.up:
        held = {item.raw for item in place.node.records.envelopes()}
        for author, raw in said:
            peer, topic = str(author.index), topic_of(place.network)
            if place is not author and place.node.judge(Arrival(raw, topic, peer)) is Verdict.REJECT:
                return Check("tolerance", False, f"node {place.index} blames node {author.index}")
            if raw in held:
                return Check("tolerance", False, f"node {place.index} holds what it cannot understand")
    return Check("tolerance", True, f"nobody is blamed for {len(said)} records of a newer release")


def check_secrecy(evidence: Evidence) -> Check:
    """The canary that machines observed is in no byte that left them."""
    marker, sent = CANARY.encode(), 0
    for place in evidence.honest:
        sent += len(place.published)
        if place.leaks or any(marker in raw for raw in place.published):
            why = f"node {place.index}: the canary left it ({', '.join(place.leaks[:2])})"
            return Check("secrecy", False, why)
    return Check("secrecy", True, f"no canary in {sent} envelopes nor in any sync message")


def check_healing(evidence: Evidence) -> Check:
    """Acts answer real sicknesses, one at a time; the node cures what it can, people hear of the rest."""
    acts = cured = 0
    for place in evidence.honest:
        for act in place.acts:
            acts += 1
            if not act.was_needed:
                return Check("healing", False, f"node {place.index}: {act.verb} {act.target} though well")
            if act.overlaps:
                return Check("healing", False, f"node {place.index}: two acts at once")
        for sickness in evidence.scenario.sickness:
            if sickness.node != place.index or not place.is_up:
                continue
            why = _unhealed(evidence, place, sickness.kind, sickness.from_ms, sickness.until_ms)
            if why:
                return Check("healing", False, f"node {place.index}: {why}")
            cured += sickness.kind in OWN
        for intent in _claims(place):
            if intent in place.sick:
                return Check("healing", False, f"node {place.index} says {intent} is healed; it is not")
    return Check("healing", True, f"{acts} acts, each needed, one at a time; {cured} own sicknesses ended")


def _unhealed(evidence: Evidence, place: Place, kind: str, from_ms: int, until_ms: int) -> str:
    lasted_ms = min(evidence.scenario.duration_ms, until_ms) - from_ms
    if lasted_ms < HEAL_MS_MAX:
        return ""
    if kind in OWN and kind in place.sick:
        return f"{kind} since {from_ms} ms, neither cured nor gone"
    told = [str(report.facts.get("symptom", "")) for report in place.reports if report.name == "escalated"]
    wanted = {"disk_full": "disk_full", "units": "units_failed"}.get(kind)
    return f"nobody was told of {kind}" if wanted is not None and wanted not in told else ""


def _claims(place: Place) -> list[str]:
    """Sicknesses whose newest act the node calls verified while no newer symptom was seen."""
    if not place.is_up:
        return []
    view: Any = place.node.machines.healing.view()
    kinds = {symptom: kind for kind, symptom in SYMPTOMS.items()}
    opened = {str(item["symptom"]) for item in view["open"]}
    names = {str(item["symptom"]) for item in view["intents"] if item["phase"] == "verified"}
    return [kinds[name] for name in sorted(names - opened) if name in kinds]
