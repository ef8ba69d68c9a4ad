"""Mutants of the product, each with the checker that catches it, the scenario and the seed.

Refuses mutants of checkers: only what a node does is changed. ``python -m luminous.simulations.mutants``
prints the table of the documentation; a test runs every row, and the same run without the mutant.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from luminous.node.core import effects
from luminous.node.core.governance.settled import Settled
from luminous.node.core.healing.strategies import Plan
from luminous.node.core.outcomes import Emit
from luminous.node.driver import Batch
from luminous.protocol import minutes_count, tally
from luminous.protocol.aggregation import Aggregate, Inputs, aggregate, select
from luminous.protocol.constitution import Standing
from luminous.protocol.deltas import LearningLaw, Level
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.reasons import Refused
from luminous.simulations.mutant import Mutant

CORE, PROTOCOL = "luminous.node.core", "luminous.protocol"


def _first_comes_first(deltas: Any, window: int, law: LearningLaw, layout: bytes, eligible: Any) -> Inputs:
    """The mutant: only the first five that arrived are combined."""
    arrived = tuple(item for item in deltas if item.payload.window == window)[:5]
    return select(arrived, window, law, layout, eligible)


def _no_charge(self: Any, *arguments: Any) -> tuple[Any, ...]:
    """The mutant: releases without charging."""
    return tuple(
        replace(outcome, charge=None) if isinstance(outcome, Emit) else outcome
        for outcome in _RELEASE(self, *arguments)
    )


def _double(self: Any, *arguments: Any) -> tuple[Any, ...]:
    """The mutant: tells the same window twice, the second time with one count more."""
    outcomes = []
    for outcome in _RELEASE(self, *arguments):
        outcomes.append(outcome)
        if isinstance(outcome, Emit):
            payload: Any = outcome.payload
            vector: tuple[int, ...] = payload.vector
            more = replace(payload, vector=(vector[0] + 1, *vector[1:]))
            outcomes.append(replace(outcome, payload=more))
    return tuple(outcomes)


def _plain_mean(inputs: Inputs, window: int, law: LearningLaw, network: NetworkId) -> Aggregate | Refused:
    """The mutant: sums counts as in a fleet, though strangers take part."""
    return aggregate(inputs, window, replace(law, is_fleet=True), network)


def _local_view(self: Any) -> tuple[Any, ...]:
    """The mutant: closes by what this machine holds when its own grace ends, without agreeing."""
    closed: dict[Any, Any] = self.__dict__.setdefault("closed", {})
    for held in self._pool.proposals.values():
        if self._ticked_ms >= held.proposal.closes_at_ms + 60_000 and held.id not in closed:
            counted = tally.count(held.proposal, self._pool.roll, tuple(self._pool.casts(held.id)))
            closed[held.id] = Settled(held.id, counted, self._ticked_ms, 1)
    return tuple(closed.values())


def _count_all(book: Any, identifier: Any, *rest: Any) -> Any:
    """The mutant: each ballot of a member counts, also both of one who voted twice."""
    outcome = _COUNT(book, identifier, *rest)
    if not isinstance(outcome, minutes_count.Outcome) or outcome.tally.void == 0:
        return outcome
    more = outcome.tally.yes + outcome.tally.void
    counted = replace(outcome.tally, yes=more, no=outcome.tally.no + outcome.tally.void, void=0)
    return replace(outcome, tally=counted)


def _drop_one(book: Any, identifier: Any, *how: Any) -> Any:
    """The mutant: a censor leaves out the first counted yes, and everybody derives the same."""
    outcome = _COUNT(book, identifier, *how)
    if not isinstance(outcome, minutes_count.Outcome):
        return outcome
    casts = book.casts(identifier)
    victim = next((one for one in outcome.counted if casts[one].choice.name == "YES"), None)
    if victim is None:
        return outcome
    rest = tuple(one for one in outcome.counted if one != victim)
    return replace(outcome, counted=rest, tally=replace(outcome.tally, yes=outcome.tally.yes - 1))


def _or_equal(threshold: Any, members: int, yes: int, no: int, turnout: int) -> Any:
    """The mutant: exactly the share is enough."""
    numerator, denominator = threshold.ratio
    is_reached = yes * denominator >= numerator * (yes + no) and yes > 0
    return tally.Verdict.PASSED if is_reached else tally.Verdict.FAILED


def _everything(self: Any, envelope: Any, at: Any) -> None:
    """The mutant: nobody is refused."""


def _unjudged(proposal: Any, at_ms: int, standing: Any, table: Any = None) -> Any:
    """The mutant: what passed takes effect, whatever the constitution says."""
    return Standing(
        {**standing.values, **{effect.key: effect.value for effect in proposal.effects}},
        standing.changed_at_ms,
        standing.is_fleet,
    )


def _no_objection(*arguments: Any, **named: Any) -> None:
    """The mutant: the constitution is not asked when a proposal is made and voted on."""


def _no_sync(self: Any, at: Any) -> tuple[Any, ...]:
    """The mutant: never compares records."""
    return ()


def _forgetful(self: Any, batch: Batch) -> None:
    """The mutant: speaks first, and does not write down what it released."""
    kept = tuple(item for item in batch.journal if item.kind != "released")
    _COMMIT(self, Batch(kept, batch.state, batch.after))


def _never_halts(self: Any, why: str) -> Iterator[effects.Effect]:
    return iter(())


def _not_double(self: Any) -> bool:
    return False


def _chatty(self: Any, event: Any) -> Iterator[effects.Effect]:
    """The mutant: publishes what it sees people do."""
    yield from _OBSERVED(self, event)
    yield effects.Publish(repr(sorted(event.facts.items())).encode())


def _hasty(readings: Any) -> Any:
    """The mutant: a busy processor is taken for a damaged store."""
    found = dict(_SYMPTOMS(readings))
    for key, (symptom, is_bad) in list(found.items()):
        if symptom.name == "cpu_starved":
            found[("store_damaged", "state")] = (
                replace(symptom, name="store_damaged", target="state"),
                is_bad,
            )
            del found[key]
    return found


def _twice(self: Any, trial: Any) -> Any:
    """The mutant: each outcome is counted twice."""
    _COUNT_TRIAL(self, trial)
    return _COUNT_TRIAL(self, trial)


def _born_willing(self: Any, *arguments: Any, **named: Any) -> None:
    """The mutant: releases without having been asked."""
    _BORN(self, *arguments, **named)
    self.consent(Level.PUBLIC, 0)


def _of(where: str, name: str) -> Any:
    import importlib

    module, _, owner = where.partition(":")
    found: Any = importlib.import_module(module)
    return (getattr(found, owner) if owner else found).__dict__[name]


_RELEASES = f"{CORE}.learning.releases:Releases"
_RELEASE = _of(_RELEASES, "release")
_BORN = _of(_RELEASES, "__init__")
_COUNT = _of(f"{PROTOCOL}.minutes_count", "_count")
_COMMIT = _of("luminous.node.driver:Driver", "_commit")
_OBSERVED = _of(f"{CORE}.node:Node", "_observed")
_SYMPTOMS = _of(f"{CORE}.health.symptoms", "find_symptoms")
_COUNT_TRIAL = _of(f"{CORE}.learning.statistics:Statistics", "add")

_TIE = (
    {
        "title": "A tie",
        "yes": 3,
        "no": 3,
        "key": "feature.command_prediction",
        "value": 0,
        "closes_ms": 60_000,
    },
)
_ILLEGAL = (
    {
        "title": "On for everybody by simple majority",
        "yes": 6,
        "no": 1,
        "key": "feature.command_prediction",
        "value": 2,
        "threshold": "simple",
        "closes_ms": 60_000,
    },
)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "every machine closes by its own view",
        "agreement",
        "partition",
        1,
        ((f"{CORE}.governance.minutes:MinutesClosing", "settled", _local_view),),
        nodes=9,
    ),
    Mutant(
        "records are never compared",
        "convergence",
        "late_joiner",
        1,
        ((f"{CORE}.peers.sync:Sync", "tick", _no_sync),),
        nodes=9,
    ),
    Mutant(
        "three members can never finalise",
        "liveness",
        "calm",
        1,
        ((f"{PROTOCOL}.simplex:Simplex", "may_finalise", lambda self, h: False),),
        nodes=7,
    ),
    Mutant(
        "exactly a half is more than a half",
        "independence",
        "calm",
        1,
        ((f"{PROTOCOL}.tally", "_verdict", _or_equal),),
        nodes=7,
        change=(("vote", _TIE), ("learning", None)),
    ),
    Mutant(
        "who votes twice counts twice",
        "independence",
        "calm",
        1,
        ((f"{PROTOCOL}.minutes_count", "_count", _count_all),),
        nodes=7,
        change=(("adversary", ({"kind": "equivocate"},)), ("learning", None)),
    ),
    Mutant(
        "the aggregate depends on the order of arrival",
        "aggregates",
        "calm",
        1,
        ((f"{CORE}.learning.pool", "select", _first_comes_first),),
        nodes=12,
        change=(("link", {"delay_ms_mean": 5_000}),),
    ),
    Mutant(
        "the journal does not keep the charge",
        "budget",
        "calm",
        1,
        (("luminous.node.driver:Driver", "_commit", _forgetful),),
        nodes=7,
    ),
    Mutant(
        "a release without a charge",
        "budget",
        "calm",
        1,
        ((_RELEASES, "release", _no_charge),),
        nodes=7,
    ),
    Mutant("a window released twice", "budget", "calm", 1, ((_RELEASES, "release", _double),), nodes=7),
    Mutant(
        "learning without consent",
        "consent",
        "late_joiner",
        1,
        ((_RELEASES, "__init__", _born_willing), (_RELEASES, "_first", lambda self: 0)),
        nodes=8,
    ),
    Mutant(
        "signatures are not checked",
        "authenticity",
        "hostile_members",
        1,
        ((f"{PROTOCOL}.admission", "is_signed", lambda author, message, signature: True),),
        nodes=8,
        change=(("adversary", ({"kind": "forge"},)),),
    ),
    Mutant(
        "strangers' records are held",
        "boundedness",
        "sybil_flood",
        1,
        ((f"{CORE}.machines:Machines", "refusal", _everything),),
        nodes=8,
    ),
    Mutant(
        "the constitution is not asked",
        "constitution",
        "calm",
        1,
        (
            (f"{CORE}.governance.machine", "check_proposal", _no_objection),
            (f"{CORE}.governance.force", "enact", _unjudged),
        ),
        nodes=9,
        change=(("vote", _ILLEGAL), ("learning", None)),
    ),
    Mutant(
        "everybody leaves out the same ballot",
        "inclusion",
        "calm",
        1,
        ((f"{PROTOCOL}.minutes_count", "_count", _drop_one),),
        nodes=7,
    ),
    Mutant(
        "one Report is enough for a ballot",
        "exclusion",
        "calm",
        2,
        ((f"{PROTOCOL}.minutes_count", "support_min", lambda roll: 1),),
        nodes=7,
        change=(("adversary", ({"kind": "stuff"},)), ("grace_ms", 1_000), ("learning", None)),
    ),
    Mutant(
        "a doubled key goes on signing",
        "halting",
        "key_restored_twice",
        1,
        (
            (f"{CORE}.signing:Signing", "halt", _never_halts),
            (f"{CORE}.governance.minutes:MinutesClosing", "is_double", _not_double),
            (f"{CORE}.governance.machine:Governance", "is_halted", property(_not_double)),
        ),
    ),
    Mutant(
        "outcomes are counted twice",
        "statistics",
        "calm",
        1,
        ((f"{CORE}.learning.statistics:Statistics", "add", _twice),),
        nodes=7,
    ),
    Mutant(
        "strangers' counts are simply added",
        "robustness",
        "poisoned",
        1,
        ((f"{CORE}.learning.pool", "aggregate", _plain_mean),),
        nodes=15,
    ),
    Mutant(
        "a busy processor is taken for a damaged store",
        "healing",
        "sick_hosts",
        1,
        ((f"{CORE}.health.symptoms", "find_symptoms", _hasty),),
    ),
    Mutant(
        "healing forgets to act",
        "healing",
        "sick_hosts",
        1,
        ((f"{CORE}.healing.machine", "find_plan", lambda symptom, target: Plan((), None)),),
    ),
    Mutant(
        "what is not understood is somebody's fault",
        "tolerance",
        "mixed_versions",
        1,
        ((f"{PROTOCOL}.admission", "_NEWER", frozenset()),),
        nodes=6,
        change=(("learning", None),),
    ),
    Mutant(
        "what people do is published",
        "secrecy",
        "sick_hosts",
        1,
        ((f"{CORE}.node:Node", "_observed", _chatty),),
    ),
)


def table() -> str:
    """The table of the documentation."""
    lines = ["| mutant | checker | scenario | seed |", "|---|---|---|---|"]
    lines += [f"| {one.name} | {one.checker} | {one.scenario} | {one.seed} |" for one in MUTANTS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
