"""Tier 1: a bound moves by two consensus votes far enough apart, within limits that no vote moves."""

from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.protocol.amendments import SECOND_VOTE_WITHIN_MS, limits, rule_key
from luminous.protocol.constitution import Standing, Table, check_application, check_proposal, enact
from luminous.protocol.constitution_table import TABLE
from luminous.protocol.parameters import PARAMETERS
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, Uncertainty
from luminous.protocol.reasons import Reason, Refused

DAY_MS = 24 * 60 * 60 * 1000
APART_MS = 14 * DAY_MS
PERIOD = "voting.window_ms_min"
KNOWS_LITTLE = Uncertainty(500, ("whether it helps",))


def amendment(key: str, value: int, threshold: Threshold = Threshold.CONSENSUS) -> Proposal:
    effects = (Effect(key, value),)
    return Proposal(ProposalKind.AMENDMENT, "t", "", effects, threshold, 40 * DAY_MS, KNOWS_LITTLE)


def setting(key: str, value: int, threshold: Threshold = Threshold.CONSENSUS) -> Proposal:
    effects = (Effect(key, value),)
    return Proposal(ProposalKind.PARAMETER, "t", "", effects, threshold, 40 * DAY_MS, KNOWS_LITTLE)


def rule_of(refusal: object) -> str:
    assert isinstance(refusal, Refused), refusal
    assert refusal.reason is Reason.UNCONSTITUTIONAL
    return refusal.detail.split(":")[0]


def enacted(proposal: Proposal, at_ms: int, standing: Standing) -> Standing:
    after = enact(proposal, at_ms, standing)
    assert isinstance(after, Standing), after
    return after


def test_two_votes_move_a_bound_and_one_does_not() -> None:
    wish = amendment(rule_key(PERIOD), 60 * DAY_MS)
    long = setting(PERIOD, 45 * DAY_MS)
    first = enacted(wish, 0, Standing())
    assert rule_of(check_application(long, 0, first)) == f"{PERIOD}.max"
    second = enacted(wish, APART_MS, first)
    assert check_application(long, APART_MS, second) is None
    assert second.first_votes == {}


def test_a_second_vote_too_early_is_refused_and_the_first_stands() -> None:
    wish = amendment(rule_key(PERIOD), 60 * DAY_MS)
    first = enacted(wish, 0, Standing())
    assert rule_of(enact(wish, APART_MS - 1, first)) == "proposal.amendment.cooldown"
    assert enacted(wish, APART_MS, first).rules == {rule_key(PERIOD): 60 * DAY_MS}


def test_a_second_vote_that_says_something_else_or_comes_too_late_is_a_first_one() -> None:
    first = enacted(amendment(rule_key(PERIOD), 60 * DAY_MS), 0, Standing())
    other = enacted(amendment(rule_key(PERIOD), 50 * DAY_MS), APART_MS, first)
    assert other.rules == {} and other.first_votes[rule_key(PERIOD)].value == 50 * DAY_MS
    late = enacted(amendment(rule_key(PERIOD), 60 * DAY_MS), SECOND_VOTE_WITHIN_MS + 1, first)
    assert late.rules == {} and late.first_votes[rule_key(PERIOD)].at_ms == SECOND_VOTE_WITHIN_MS + 1


def test_a_lowered_bound_brings_the_value_down_and_holds() -> None:
    wish = amendment(rule_key("learning.epsilon_milli_max"), 500)
    lowered = enacted(wish, APART_MS, enacted(wish, 0, Standing()))
    assert lowered.values["learning.epsilon_milli_max"] == 500
    again = setting("learning.epsilon_milli_max", 600)
    assert rule_of(check_application(again, 40 * DAY_MS, lowered)) == "learning.epsilon_milli_max.max"


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        (rule_key("learning.epsilon_milli_max"), 1001, "rule.learning.epsilon_milli_max.max.amend_max"),
        (rule_key("learning.min_contributors"), 20, "rule.learning.min_contributors.max.amend_max"),
        (rule_key("feature.ask_network"), 2, "rule.feature.ask_network.max.amend_max"),
        (rule_key("proposal.amendment"), 1, "rule.proposal.amendment.max.amend_max"),
        (rule_key("roll"), 50, "rule.roll.max.amend_max"),
        ("rule.threshold.consensus.num", 50, "rule.threshold.consensus.num"),
        ("rule.voting.window_ms_min.amend_max", 1, "rule.voting.window_ms_min.amend_max"),
        (PERIOD, 5000, PERIOD),
        ("rule.nothing.max", 1, "rule.nothing.max"),
    ],
)
def test_what_no_amendment_moves(key: str, value: int, rule: str) -> None:
    assert rule_of(check_proposal(amendment(key, value), 0, Standing())) == rule
    assert isinstance(enact(amendment(key, value), 0, Standing()), Refused)


def test_it_takes_consensus_and_a_community() -> None:
    weak = amendment(rule_key(PERIOD), 60 * DAY_MS, Threshold.SUPER)
    assert rule_of(check_proposal(weak, 0, Standing())) == "proposal.amendment.needs"
    assert rule_of(enact(weak, 0, Standing())) == "proposal.amendment.needs"
    fleet = Standing(is_fleet=True)
    assert rule_of(enact(amendment(rule_key(PERIOD), 60 * DAY_MS), 0, fleet)) == "proposal.amendment.needs"


AMENDABLE = sorted(key for key in TABLE if limits(TABLE[key]) is not None)
steps = st.lists(
    st.tuples(
        st.sampled_from((ProposalKind.AMENDMENT, ProposalKind.PARAMETER)),
        st.sampled_from([*AMENDABLE, "learning.min_contributors", "health.interval_s"]),
        st.sampled_from(
            (0, 1, 5, 6, 7, 250, 500, 1000, 1001, *(days * DAY_MS for days in (7, 30, 60, 180, 181)))
        ),
        st.sampled_from(Threshold),
        st.sampled_from((0, DAY_MS, APART_MS, 100 * DAY_MS)),
    ),
    max_size=16,
)
Steps = list[tuple[ProposalKind, str, int, Threshold, int]]


def violations(sequence: Steps, table: Table) -> list[str]:
    """Enact all that ``table`` lets pass; what the real limits say was broken by that."""
    standing, at_ms, found = Standing(), 0, []
    passed: dict[str, list[tuple[int, int]]] = {}
    for kind, row, value, threshold, pause_ms in sequence:
        at_ms += pause_ms
        asked = amendment(rule_key(row), value, threshold)
        if kind is ProposalKind.PARAMETER:
            asked = setting(row, value, threshold)
        after = enact(asked, at_ms, standing, table)
        if isinstance(after, Refused):
            continue
        if kind is ProposalKind.AMENDMENT:
            earlier = passed.setdefault(row, [])
            is_moved = after.rules != standing.rules
            if is_moved and not any(v == value and at_ms - ms >= APART_MS for ms, v in earlier):
                found.append(f"{row} was amended by one vote")
            if threshold is not Threshold.CONSENSUS:
                found.append(f"{row} was amended without consensus")
            earlier.append((at_ms, value))
        standing = after
        for key, bound in standing.rules.items():
            low, high = limits(TABLE[key.removeprefix("rule.").removesuffix(".max")]) or (0, -1)
            if not low <= bound <= high:
                found.append(f"{key} left its limits")
        for name in PARAMETERS:
            high_now = standing.rules.get(rule_key(name), TABLE[name]["max"])
            if standing.values[name] > high_now:  # type: ignore[operator]
                found.append(f"{name} is above its bound")
    return found


@given(steps)
@settings(max_examples=200, deadline=None)
def test_no_sequence_of_amendments_leaves_its_limits(sequence: Steps) -> None:
    assert violations(sequence, TABLE) == []


@pytest.mark.parametrize("predicate", ["cooldown", "needs"])
def test_the_search_would_notice_a_weaker_procedure(predicate: str) -> None:
    """Planted faults: votes at once, or by simple majority."""
    weaker = {"cooldown": 0, "needs": "simple"}[predicate]
    table = {**TABLE, "proposal.amendment": {**TABLE["proposal.amendment"], predicate: weaker}}
    threshold = Threshold.CONSENSUS if predicate == "cooldown" else Threshold.SIMPLE
    pause_ms = 0 if predicate == "cooldown" else APART_MS
    attack: Steps = [(ProposalKind.AMENDMENT, PERIOD, 60 * DAY_MS, threshold, pause_ms)] * 2
    assert violations(attack, MappingProxyType(table)) != []  # type: ignore[arg-type]
    assert violations(attack, TABLE) == []
