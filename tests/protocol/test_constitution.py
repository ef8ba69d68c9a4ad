"""No vote leaves the constitution: searched, and proven to be a search by planted weaker tables."""

import copy
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.protocol.constitution import (
    Standing,
    Table,
    check_application,
    check_override,
    check_proposal,
    check_shape,
    check_table,
    check_update,
    check_value,
    enact,
)
from luminous.protocol.constitution_table import BOUNDARIES, TABLE, table_digest
from luminous.protocol.parameters import PARAMETERS, defaults, is_feature
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, Uncertainty
from luminous.protocol.reasons import Reason, Refused

DAY_MS = 24 * 60 * 60 * 1000
KNOWS_LITTLE = Uncertainty(500, ("whether it helps",))


def asking(
    key: str,
    value: int,
    threshold: Threshold = Threshold.CONSENSUS,
    uncertainty: Uncertainty = KNOWS_LITTLE,
    closes_at_ms: int = 2 * DAY_MS,
) -> Proposal:
    kind = ProposalKind.FEATURE if is_feature(key) else ProposalKind.PARAMETER
    return Proposal(kind, "t", "", (Effect(key, value),), threshold, closes_at_ms, uncertainty)


def rule_of(refusal: Refused | None) -> str | None:
    if refusal is None:
        return None
    assert refusal.reason is Reason.UNCONSTITUTIONAL
    return refusal.detail.split(":")[0]


def test_the_table_is_of_the_closed_language_and_covers_every_parameter() -> None:
    assert check_table(TABLE) is None
    for key, parameter in PARAMETERS.items():
        assert check_value(key, parameter.default) is None, key
    for rules in BOUNDARIES.values():
        for rule in rules:
            row, _, predicate = rule.rpartition(".")
            assert predicate in TABLE[row], rule
    assert set(BOUNDARIES) == {"agency", "privacy", "limits", "trust", "flow"}


def test_opting_out_is_a_rule_of_every_votable_row() -> None:
    for key, row in TABLE.items():
        if row.get("votable"):
            assert row["opt_out"] in ("always", "shared"), key
            allowed = check_override(key, PARAMETERS[key].default) is None
            assert allowed == (row["opt_out"] == "always"), key


REFUSED = [
    (asking("health.interval_s", 9), "health.interval_s.min"),
    (asking("health.interval_s", 3601), "health.interval_s.max"),
    (asking("learning.epsilon_milli_max", 700), "learning.epsilon_milli_max.max_step"),
    (asking("learning.epsilon_milli_max", 1001), "learning.epsilon_milli_max.max"),
    (asking("learning.min_contributors", 9), "learning.min_contributors.min"),
    (asking("notify.quiet_hours_min", 7), "notify.quiet_hours_min.min"),
    (asking("learning.window_ms", 20_000, Threshold.SIMPLE), "learning.window_ms.needs"),
    (asking("feature.command_prediction", 2, Threshold.SIMPLE), "feature.command_prediction.needs"),
    (asking("feature.ask_network", 2), "feature.ask_network.forced"),
    (asking("consent.learning", 1), "consent.learning.votable"),
    (asking("consent.network", 1), "consent.network.votable"),
    (asking("healing.unattended", 1), "healing.unattended.votable"),
    (asking("share.raw_text", 1), "share.raw_text.votable"),
    (asking("notify.quiet_hours", 1), "notify.quiet_hours.local_only"),
    (asking("threshold.simple", 1), "threshold.simple.votable"),
    (asking("roll", 1), "roll.votable"),
    (asking("learning.no_such_thing", 1), "learning.no_such_thing"),
    (asking("notify.per_day_max", 2, uncertainty=Uncertainty()), "proposal.parameter.requires"),
    (asking("notify.per_day_max", 2, closes_at_ms=900), "proposal.parameter.window_min"),
    (asking("notify.per_day_max", 2, closes_at_ms=DAY_MS - 1), "voting.window_ms_min"),
]


@pytest.mark.parametrize(("proposal", "rule"), REFUSED, ids=[rule for _, rule in REFUSED])
def test_each_rule_refuses_by_its_name(proposal: Proposal, rule: str) -> None:
    assert rule_of(check_proposal(proposal, 0, Standing())) == rule


ALLOWED = [
    asking("health.interval_s", 10, Threshold.SIMPLE),
    asking("health.interval_s", 3600, Threshold.SIMPLE),
    asking("learning.epsilon_milli_max", 750, Threshold.SIMPLE),
    asking("learning.window_ms", 10_000, Threshold.SUPER),
    asking("feature.command_prediction", 2, Threshold.SUPER),
    asking("feature.command_prediction", 0, Threshold.SIMPLE),
    asking("feature.ask_network", 1, Threshold.SUPER),
    asking("notify.quiet_hours_min", 9, Threshold.SIMPLE),
]


@pytest.mark.parametrize("proposal", ALLOWED)
def test_what_is_inside_the_rules_is_allowed(proposal: Proposal) -> None:
    assert check_proposal(proposal, 0, Standing()) is None
    assert not isinstance(enact(proposal, 1, Standing()), Refused)


def test_rising_needs_more_than_falling_and_cooldown_and_monotone_compare_with_the_present() -> None:
    low = Standing({**defaults(), "learning.epsilon_milli_max": 500})
    up = asking("learning.epsilon_milli_max", 600, Threshold.SUPER)
    assert rule_of(check_proposal(up, 0, low)) == "learning.epsilon_milli_max.needs"
    consensus = asking("learning.epsilon_milli_max", 600)
    assert check_proposal(consensus, 0, low) is None
    raised = enact(consensus, 5, low)
    assert isinstance(raised, Standing)
    again = asking("learning.epsilon_milli_max", 700)
    assert rule_of(check_application(again, 6, raised)) == "learning.epsilon_milli_max.cooldown"
    assert check_application(again, 5 + 7 * DAY_MS, raised) is None
    quiet = Standing({**defaults(), "notify.quiet_hours_min": 10})
    fewer = asking("notify.quiet_hours_min", 9)
    assert rule_of(check_proposal(fewer, 0, quiet)) == "notify.quiet_hours_min.monotone"


def test_all_effects_or_none() -> None:
    both = Proposal(
        ProposalKind.PARAMETER,
        "t",
        "",
        (Effect("notify.per_day_max", 2), Effect("health.interval_s", 1)),
        Threshold.CONSENSUS,
        2 * DAY_MS,
        KNOWS_LITTLE,
    )
    assert rule_of(enact(both, 1, Standing())) == "health.interval_s.min"  # type: ignore[arg-type]


def test_unknown_predicates_and_words_are_refused() -> None:
    for row, predicate, value in (
        ("health.interval_s", "script", "print"),
        ("health.interval_s", "monotone", "sideways"),
        ("health.interval_s", "max", "3600"),
        ("health.interval_s", "needs", "most"),
        ("feature.ask_network", "forced", "sometimes"),
        ("proposal.text", "code_exec", "signed"),
    ):
        table = copy.deepcopy(dict(TABLE))
        table[row][predicate] = value
        assert rule_of(check_table(table)) == f"{row}.{predicate}"
        assert table_digest(MappingProxyType(table)) != table_digest()
    table = copy.deepcopy(dict(TABLE))
    table["health.interval_s"]["script"] = "print"
    assert rule_of(check_shape(asking("health.interval_s", 20), 0, table)) == "health.interval_s.script"
    del table["proposal.feature"]
    assert rule_of(check_shape(asking("feature.ask_network", 1), 0, table)) == "proposal.feature"


def test_learning_updates_pass_the_constitution_too() -> None:
    assert check_update("differential", 64, 1000) is None
    assert check_update("PUBLIC", 1024, 0) is None
    assert rule_of(check_update("local_only", 64, 0)) == "update.level.enum"
    assert rule_of(check_update("raw", 64, 0)) == "update.level.enum"
    assert rule_of(check_update("public", 1025, 0)) == "update.dimension.max"
    assert rule_of(check_update("public", 64, 2**31)) == "update.coordinate.max"


def test_an_owner_may_lower_what_is_risked_and_never_raise_it() -> None:
    assert check_override("learning.epsilon_milli_max", 100) is None
    assert rule_of(check_override("learning.epsilon_milli_max", 1001)) == "learning.epsilon_milli_max.max"
    assert rule_of(check_override("learning.min_contributors", 3)) == "learning.min_contributors.min"
    assert check_override("learning.min_contributors", 1, is_fleet=True) is None
    assert rule_of(check_override("voting.grace_ms", 5)) == "voting.grace_ms.opt_out"
    assert rule_of(check_override("no.such", 5)) == "no.such"


Votes = list[tuple[str, int, Threshold, int]]
votes: st.SearchStrategy[Votes] = st.lists(
    st.tuples(
        st.sampled_from([*sorted(TABLE), "feature.unheard_of"]),
        st.one_of(
            st.integers(-2, 4),
            st.integers(0, 4000),
            st.sampled_from([64, 1024, 10_000, 90 * DAY_MS, 90 * DAY_MS + 1]),
        ),
        st.sampled_from(Threshold),
        st.integers(0, 9 * DAY_MS),
    ),
    max_size=12,
)


def violations(sequence: Votes, table: Table) -> list[str]:
    """Enact every vote that ``table`` lets pass; what the real constitution says was broken by that."""
    standing, at_ms, found = Standing(), 0, []
    for key, value, threshold, pause_ms in sequence:
        at_ms += pause_ms
        proposal = asking(key, value, threshold, closes_at_ms=40 * DAY_MS)
        if check_proposal(proposal, 0, standing, table) is not None:
            continue
        after = enact(proposal, at_ms, standing, table)
        if isinstance(after, Refused):
            continue
        before, standing = standing, after
        row = TABLE.get(key, {})
        if row.get("votable") is not True:
            found.append(f"{key} was set by a vote")
            continue
        low, high, step = row["min"], row["max"], row.get("max_step")
        assert isinstance(low, int) and isinstance(high, int)
        if not low <= value <= high:
            found.append(f"{key} left its bounds")
        if isinstance(step, int) and abs(value - before.values[key]) > step:
            found.append(f"{key} jumped")
        if is_feature(key) and value == 2 and threshold < Threshold.SUPER:
            found.append(f"{key} was forced by a simple majority")
        if row.get("forced") == "never" and value > 1:
            found.append(f"{key} was forced")
    if any(TABLE[key] != table.get(key) for key in TABLE if key.startswith("threshold.")):
        found.append("a threshold was lowered")
    return found


@settings(max_examples=300, deadline=None)
@given(votes)
def test_no_sequence_of_legal_votes_leaves_the_constitution(sequence: Votes) -> None:
    assert violations(sequence, TABLE) == []


@pytest.mark.parametrize(
    ("row", "change", "attack"),
    [
        ("feature.ask_network", {"forced": None}, [("feature.ask_network", 2, Threshold.CONSENSUS, 1)]),
        ("learning.min_contributors", {"min": 1}, [("learning.min_contributors", 1, Threshold.SIMPLE, 1)]),
        (
            "learning.epsilon_milli_max",
            {"max_step": None},
            [("learning.epsilon_milli_max", 0, Threshold.SIMPLE, 1)],
        ),
        (
            "feature.command_prediction",
            {"needs": "simple"},
            [("feature.command_prediction", 2, Threshold.SIMPLE, 1)],
        ),
    ],
)
def test_the_search_would_notice_a_weaker_table(row: str, change: dict[str, object], attack: Votes) -> None:
    """Planted faults: one predicate weakened each; the same check that finds nothing above finds these."""
    table: dict[str, dict[str, object]] = copy.deepcopy({key: dict(value) for key, value in TABLE.items()})
    for predicate, value in change.items():
        if value is None:
            del table[row][predicate]
        else:
            table[row][predicate] = value
    assert violations(attack, table) != []  # type: ignore[arg-type]
    assert violations(attack, TABLE) == []
