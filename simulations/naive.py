"""Counting without Minutes, on the same records: each machine counts what it holds at its own deadline.

What most systems do, so what Minutes are measured against. It is given the same grace after the close as
the product has. Refuses to touch a machine: it reads what each held at that moment (``snapshots``).
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from luminous.protocol.ballots import cast_of
from luminous.protocol.envelope import Admitted
from luminous.protocol.kinds import Kind
from luminous.protocol.roll import Roll
from luminous.protocol.tally import Tally, count
from luminous.simulations.evidence import Evidence, finals_of
from luminous.simulations.place import Place


def naive_tallies(evidence: Evidence) -> dict[bytes, dict[int, Tally]]:
    """For each proposal what every honest machine would have shown: machine number to tally."""
    wanted = {name for place in evidence.up for name in place.held_at_close}
    wanted |= {one for place in evidence.up for held in place.held_at_close.values() for one in held}
    records = _records(evidence.up, wanted)
    found: dict[bytes, dict[int, Tally]] = {}
    for place in evidence.up:
        assert place.config.membership is not None
        roll = Roll(place.config.membership.genesis.founders)
        for identifier, ballots in place.held_at_close.items():
            proposal = records.get(identifier)
            if proposal is None or proposal.kind is not Kind.PROPOSAL:
                continue
            casts = [cast_of(records[ballot]) for ballot in sorted(ballots) if ballot in records]
            found.setdefault(identifier, {})[place.index] = count(proposal.payload, roll, casts)
    return found


def _records(places: Iterable[Place], wanted: AbstractSet[bytes]) -> dict[bytes, Admitted]:
    found: dict[bytes, Admitted] = {}
    for place in places:
        if len(found) == len(wanted):
            break
        found.update((item.id, item) for item in place.node.records.envelopes() if item.id in wanted)
    return found


def count_naively(evidence: Evidence) -> dict[str, int]:
    """Figures: votes that were counted so, how many of them split the honest machines, and how badly.

    ``naive_verdict_splits``: some would have shown passed and others not. ``naive_count_splits``: not the
    same counts. ``naive_nodes_wrong``: machines whose verdict is not the final one, over all votes.
    """
    finals: dict[bytes, object] = {}
    for place in evidence.up:
        finals.update({identifier: outcome[0] for identifier, outcome in finals_of(place).items()})
    tallies = {name: by_node for name, by_node in naive_tallies(evidence).items() if name in finals}
    verdicts = {name: [tally.verdict for tally in by_node.values()] for name, by_node in tallies.items()}
    counts = [
        {(tally.yes, tally.no, tally.abstain) for tally in by_node.values()} for by_node in tallies.values()
    ]
    return {
        "naive_votes": len(tallies),
        "naive_verdict_splits": sum(len(set(one)) > 1 for one in verdicts.values()),
        "naive_count_splits": sum(len(one) > 1 for one in counts),
        "naive_nodes_wrong": sum(
            verdict.value != finals[name] for name, one in verdicts.items() for verdict in one
        ),
    }
