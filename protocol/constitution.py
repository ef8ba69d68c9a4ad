"""The constitution's interpreter: may this be proposed, may this take effect, may this update be used.

Refuses whatever it does not know: an unknown key, an unknown predicate, an unknown word in a predicate.
Total, integers only, no recursion, no policy engine: two nodes give the same verdict for ever. A refusal's
detail starts with the rule's name (``row.predicate``). Every node asks three times: before a proposal enters
the pool (what holds whatever the present values are), before its member votes, and before a final decision
takes effect, so a decision that everybody voted for is still refused if it is not legal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from luminous.protocol.amendments import FirstVote, amended_row, bound_of, limits
from luminous.protocol.amendments import is_second as is_second_vote
from luminous.protocol.constitution_table import TABLE, Row
from luminous.protocol.limits import UINT_MAX
from luminous.protocol.parameters import PARAMETERS, FeatureState, defaults, is_feature
from luminous.protocol.proposals import Proposal, ProposalKind, Threshold
from luminous.protocol.reasons import Reason, Refused

Table = Mapping[str, Row]

# The closed set: predicate -> what its value may be.
PREDICATES: MappingProxyType[str, type | tuple[type, ...]] = MappingProxyType(
    {
        "votable": bool,
        "min": int,
        "min_fleet": int,
        "max": int,
        "max_step": int,
        "amend_min": int,
        "amend_max": int,
        "cooldown": int,
        "monotone": str,
        "needs": (str, dict),
        "forced": str,
        "local_only": bool,
        "opt_out": str,
        "code_exec": str,
        "requires": list,
        "rate": int,
        "window_min": int,
        "growth_cap": int,
        "enum": list,
    }
)
_WORDS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "monotone": ("up", "down"),
        "forced": ("never",),
        "opt_out": ("always", "shared"),
        "code_exec": ("never",),
    }
)
_THRESHOLDS: MappingProxyType[str, Threshold] = MappingProxyType(
    {"simple": Threshold.SIMPLE, "super": Threshold.SUPER, "consensus": Threshold.CONSENSUS}
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The network's values before local overrides, and when a vote last changed each (agreed wall ms).

    ``rules``: amended bounds by rule key; ``first_votes``: amendments that still need their second vote.
    """

    values: Mapping[str, int] = field(default_factory=defaults)
    changed_at_ms: Mapping[str, int] = field(default_factory=dict)
    is_fleet: bool = False
    rules: Mapping[str, int] = field(default_factory=dict)
    first_votes: Mapping[str, FirstVote] = field(default_factory=dict)


def _no(rule: str, why: str) -> Refused:
    return Refused(Reason.UNCONSTITUTIONAL, f"{rule}: {why}")


def check_table(table: Table) -> Refused | None:
    """Is every predicate of every row one that this interpreter knows, with a value of its type?"""
    for key in sorted(table):
        for predicate in sorted(table[key]):
            value = table[key][predicate]
            expected = PREDICATES.get(predicate)
            rule = f"{key}.{predicate}"
            if expected is None:
                return _no(rule, "a predicate that this version does not know")
            if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
                return _no(rule, "a value of the wrong type")
            if predicate in _WORDS and value not in _WORDS[predicate]:
                return _no(rule, f"{value!r} is not a word of this predicate")
            if predicate == "needs":
                words = sorted(value.values()) if isinstance(value, dict) else [value]
                if any(word not in _THRESHOLDS for word in words):
                    return _no(rule, "an unknown threshold")
                if isinstance(value, dict) and set(value) != {"up", "down"}:
                    return _no(rule, "needs exactly up and down")
    return None


def check_shape(proposal: Proposal, issued_at_ms: int, table: Table = TABLE) -> Refused | None:
    """What can be judged from the proposal alone, the same on every node at any time: entry to the pool."""
    name = f"proposal.{proposal.kind.name.lower()}"
    row = table.get(name)
    if row is None:
        return _no(name, "no rule allows this kind of proposal")
    broken = check_table({name: row})
    if broken is not None:
        return broken
    window_min = row.get("window_min", 0)
    if isinstance(window_min, int) and proposal.closes_at_ms - issued_at_ms < window_min:
        return _no(f"{name}.window_min", f"a vote must be open for at least {window_min} ms")
    needed = _THRESHOLDS[str(row.get("needs", "simple"))]
    if proposal.threshold < needed:
        return _no(f"{name}.needs", f"at least the {needed.name.lower()} threshold")
    required = row.get("requires", [])
    for what in required if isinstance(required, list) else []:
        if what != "uncertainty":
            return _no(f"{name}.requires", f"unknown requirement {what!r}")
        if not proposal.uncertainty.unknowns:
            return _no(f"{name}.requires", "say what is not known: at least one unknown")
    for effect in proposal.effects:
        if proposal.kind is ProposalKind.AMENDMENT:
            refusal = _check_rule(effect.key, effect.value, table)
            if refusal is not None:
                return refusal
            continue
        refusal = _check_row(effect.key, effect.value, table, is_fleet=False)
        if refusal is not None:
            return refusal
        if is_feature(effect.key) != (proposal.kind is ProposalKind.FEATURE):
            return _no(name, f"{effect.key} is not changed by this kind of proposal")
        needed = _needed(table[effect.key], rises=False)
        if proposal.threshold < needed:
            return _no(f"{effect.key}.needs", f"at least the {needed.name.lower()} threshold")
    return None


def check_proposal(
    proposal: Proposal, issued_at_ms: int, standing: Standing, table: Table = TABLE
) -> Refused | None:
    """May this be proposed and voted for, given the present values? Before proposing and before voting."""
    refusal = check_shape(proposal, issued_at_ms, table)
    if refusal is not None:
        return refusal
    window_min = standing.values.get("voting.window_ms_min", 0)
    if proposal.closes_at_ms - issued_at_ms < window_min:
        return _no("voting.window_ms_min", f"a vote must be open for at least {window_min} ms here")
    for effect in () if proposal.kind is ProposalKind.AMENDMENT else proposal.effects:
        refusal = _check_change(effect.key, effect.value, proposal.threshold, standing, None, table)
        if refusal is not None:
            return refusal
    return None


def check_application(
    proposal: Proposal, at_ms: int, standing: Standing, table: Table = TABLE
) -> Refused | None:
    """May a final decision take effect at ``at_ms`` (agreed time)? Judged afresh, whatever the count was.

    In a fleet its owner decides: only the rows' own predicates bind.
    """
    if proposal.kind is ProposalKind.AMENDMENT:
        return _check_amendment(proposal, at_ms, standing, table)
    for effect in proposal.effects:
        refusal = _check_row(effect.key, effect.value, table, is_fleet=standing.is_fleet)
        if refusal is None and not standing.is_fleet:
            if is_feature(effect.key) != (proposal.kind is ProposalKind.FEATURE):
                return _no(f"proposal.{proposal.kind.name.lower()}", f"{effect.key} is another kind's")
            refusal = _check_change(effect.key, effect.value, proposal.threshold, standing, at_ms, table)
        if refusal is not None:
            return refusal
    return None


def check_value(key: str, value: int, *, is_fleet: bool = False, table: Table = TABLE) -> Refused | None:
    """Is ``value`` legal for ``key`` at all? For a genesis and for the owner of a fleet."""
    return _check_row(key, value, table, is_fleet=is_fleet)


def check_override(key: str, value: int, *, is_fleet: bool = False, table: Table = TABLE) -> Refused | None:
    """May an owner set this on the own machine, whatever the network decided?

    Yes for everything but the values that all must share to understand one another (opting out of those is
    not to take part). What protects other people stays: learning values keep their row's bounds.
    """
    row = table.get(key)
    if row is None or key not in PARAMETERS:
        return _no(key, "no such parameter")
    if row.get("opt_out") != "always":
        return _no(f"{key}.opt_out", "all members must use one value; opting out of it is not taking part")
    if key.startswith("learning."):
        return _check_bounds(key, value, row, is_fleet=is_fleet)
    high = int(FeatureState.ON) if is_feature(key) else UINT_MAX
    low = 1 if key == "health.interval_s" else 0
    return None if low <= value <= high else _no(key, f"{value} is not in {low}..{high}")


def check_update(level: str, dimension: int, coordinate_max: int, table: Table = TABLE) -> Refused | None:
    """May a learning update of this privacy level and size be used? Text can never be in one."""
    row = table.get("update.level", {})
    levels = row.get("enum", [])
    if not isinstance(levels, list) or level.lower() not in levels:
        return _no("update.level.enum", f"{level!r} may not leave or enter a machine")
    for name, value in (("update.dimension", dimension), ("update.coordinate", coordinate_max)):
        refusal = _check_bounds(name, value, table.get(name, {}), is_fleet=False)
        if refusal is not None:
            return refusal
    return None


def _needed(row: Row, *, rises: bool) -> Threshold:
    needs = row.get("needs", "consensus")
    word = needs["up" if rises else "down"] if isinstance(needs, dict) else str(needs)
    return _THRESHOLDS[word]


def _check_bounds(key: str, value: int, row: Row, *, is_fleet: bool) -> Refused | None:
    name = "min_fleet" if is_fleet and "min_fleet" in row else "min"
    low, high = row.get(name), row.get("max")
    wider = None if is_fleet else limits(row)
    if wider is not None and isinstance(high, int):
        high = max(high, wider[1])  # what an amendment may allow; the bound now is in ``_check_change``
    if not isinstance(low, int) or not isinstance(high, int):
        return _no(key, "no bounds are given, so no value is legal")
    if value < low:
        return _no(f"{key}.{name}", f"{value} is below {low}")
    if value > high:
        return _no(f"{key}.max", f"{value} is above {high}")
    return None


def _check_row(key: str, value: int, table: Table, *, is_fleet: bool) -> Refused | None:
    """The predicates that need no present value."""
    row = table.get(key)
    if row is None:
        return _no(key, "no rule knows this name")
    broken = check_table({key: row})
    if broken is not None:
        return broken
    if row.get("local_only"):
        return _no(f"{key}.local_only", "only the machine's owner sets this")
    if row.get("votable") is not True:
        return _no(f"{key}.votable", "no vote may ever set this")
    if key not in PARAMETERS:
        return _no(key, "not a parameter of this version")
    if row.get("forced") == "never" and value > FeatureState.OPT_IN:
        return _no(f"{key}.forced", "this is offered at most, never switched on for people")
    return _check_bounds(key, value, row, is_fleet=is_fleet)


def _check_change(
    key: str, value: int, threshold: Threshold, standing: Standing, at_ms: int | None, table: Table
) -> Refused | None:
    """The predicates that compare with the present value; ``at_ms`` None leaves the cooldown out."""
    row = table[key]
    high = bound_of(key, row, standing.rules)
    if isinstance(high, int) and value > high:
        return _no(f"{key}.max", f"{value} is above {high}")
    present = standing.values.get(key, PARAMETERS[key].default)
    needed = _needed(row, rises=value > present)
    if threshold < needed:
        return _no(f"{key}.needs", f"from {present} to {value} needs the {needed.name.lower()} threshold")
    step = row.get("max_step")
    if isinstance(step, int) and abs(value - present) > step:
        return _no(f"{key}.max_step", f"from {present} to {value} is more than {step} at once")
    monotone = row.get("monotone")
    if (monotone == "up" and value < present) or (monotone == "down" and value > present):
        return _no(f"{key}.monotone", f"from {present} to {value}: may only go {monotone}")
    cooldown, changed = row.get("cooldown"), standing.changed_at_ms.get(key)
    if at_ms is not None and isinstance(cooldown, int) and changed is not None and at_ms - changed < cooldown:
        return _no(f"{key}.cooldown", f"changed {at_ms - changed} ms ago, at least {cooldown} ms apart")
    return None


def enact(proposal: Proposal, at_ms: int, standing: Standing, table: Table = TABLE) -> Standing | Refused:
    """The standing after a final, passed proposal; all of its effects or none."""
    refusal = check_application(proposal, at_ms, standing, table)
    if refusal is not None:
        return refusal
    effects = {effect.key: effect.value for effect in proposal.effects}
    if proposal.kind is ProposalKind.AMENDMENT:
        return _amend(effects, at_ms, standing)
    return replace(
        standing,
        values={**standing.values, **effects},
        changed_at_ms={**standing.changed_at_ms, **dict.fromkeys(effects, at_ms)},
    )


def _check_rule(key: str, value: int, table: Table) -> Refused | None:
    """May an amendment ever move this bound to this value?"""
    row = table.get(amended_row(key) or "")
    if row is None:
        return _no(key, "no rule knows this name")
    broken = check_table({key: row})
    if broken is not None:
        return broken
    allowed = limits(row)
    if allowed is None:
        return _no(f"{key}.amend_max", "this rule is entrenched: no vote ever moves it")
    if not allowed[0] <= value <= allowed[1]:
        return _no(f"{key}.amend_max", f"{value} is not in {allowed[0]}..{allowed[1]}")
    return None


def _check_amendment(proposal: Proposal, at_ms: int, standing: Standing, table: Table) -> Refused | None:
    """Judged afresh: consensus, limits, and two votes far enough apart."""
    if standing.is_fleet or proposal.threshold < _needed(table.get("proposal.amendment", {}), rises=True):
        return _no("proposal.amendment.needs", "a bound moves by consensus of a community alone")
    apart_ms = table["proposal.amendment"].get("cooldown")
    for effect in proposal.effects:
        refusal = _check_rule(effect.key, effect.value, table)
        if refusal is not None:
            return refusal
        first = standing.first_votes.get(effect.key)
        is_second = is_second_vote(first, effect.value, at_ms)
        if not isinstance(apart_ms, int) or (is_second and first and at_ms - first.at_ms < apart_ms):
            return _no("proposal.amendment.cooldown", "its two votes are too close to one another")
    return None


def _amend(effects: Mapping[str, int], at_ms: int, standing: Standing) -> Standing:
    """A first vote is remembered; a second one moves the bound, and a value above it comes down."""
    rules, firsts, values = dict(standing.rules), dict(standing.first_votes), dict(standing.values)
    for key, value in effects.items():
        if not is_second_vote(firsts.get(key), value, at_ms):
            firsts[key] = FirstVote(value, at_ms)
            continue
        del firsts[key]
        rules[key] = value
        row = amended_row(key)
        if row in values:
            values[row] = min(values[row], value)
    return replace(standing, values=values, rules=rules, first_votes=firsts)
