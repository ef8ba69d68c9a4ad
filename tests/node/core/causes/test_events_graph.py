"""Discovery, relations, wisdom and "why" on streams whose truth is known."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.causes import relations
from luminous.node.core.causes.counts_record import pack_table, unpack_table
from luminous.node.core.causes.crossover import WINDOWS_MS, Counts, Crossover
from luminous.node.core.causes.edge_wisdom import (
    Trials,
    Wisdom,
    is_anomaly,
    is_evolution,
    is_heuristic,
    is_pattern,
    is_principle,
)
from luminous.node.core.causes.events_graph import SNAPSHOT_NAME, Causes
from luminous.node.core.causes.graph import Graph, Names, node_id
from luminous.node.core.causes.relations import CAUSAL, Relation, discover, spend, tail_probability
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Keep
from luminous.protocol.codec import decode, encode
from luminous.simulations.events_study import generate

MINUTE = 60_000


def at(ms, boot_id="b"):
    return Instant(boot_id, ms, 1_700_000_000_000 + ms)


def count(stream):
    counts = Crossover()
    for at_ms, kind, active in stream.events:
        counts.add(kind, at_ms, int(active))
    return counts


@pytest.fixture(scope="module")
def fortnight():
    stream = generate(7, 14)
    counts = count(stream)
    return stream, counts, discover(counts)


def found(links):
    return {(link.cause, link.effect): link for link in links if link.relation in CAUSAL}


def test_planted_causes_are_found_and_little_else(fortnight):
    stream, _, links = fortnight
    got = set(found(links))
    assert len(got & stream.edges) / len(got) >= 0.95
    assert len(got & stream.edges) / len(stream.edges) >= 0.8


def test_a_common_cause_never_becomes_direct_and_its_children_are_named_indirect(fortnight):
    stream, _, links = fortnight
    assert not set(found(links)) & stream.confounded()
    by_pair = {(link.cause, link.effect): link for link in links}
    seen = [by_pair[pair] for pair in stream.confounded() if pair in by_pair]
    assert seen, "the children of a common cause do come together: something must be said about them"
    assert all(link.relation in (Relation.INDIRECT, Relation.TEMPORAL) for link in seen)


def test_without_the_pruning_the_common_cause_would_have_been_called_direct(fortnight, monkeypatch):
    stream, counts, _ = fortnight
    monkeypatch.setattr(relations, "RETENTION_MIN", 0.0)  # the fault
    monkeypatch.setattr(relations, "WITHOUT_MIN", 0)
    assert set(found(discover(counts))) & stream.confounded()


def test_without_control_windows_the_active_user_would_cause_everything(fortnight):
    stream, counts, _ = fortnight
    naive = 0
    for cause, effect in counts.pairs:
        seen = counts.counts(cause, effect, 2)
        rate = counts.occurrences[effect][2] * WINDOWS_MS[2] / (14 * 86_400_000)
        naive += seen.n >= 8 and (cause, effect) not in stream.edges and seen.cases > 3 * seen.n * rate
    assert naive > 20


def test_chains_weak_causes_and_pairs_get_their_own_names(fortnight):
    stream, _, links = fortnight
    by_pair = {(link.cause, link.effect): link.relation for link in links}
    assert by_pair[34, 35] is by_pair[35, 34] is Relation.BIDIRECTIONAL
    weak = [by_pair.get((p.cause, p.effect)) for p in stream.planted if p.kind == "weak"]
    assert Relation.PROBABILISTIC in weak
    assert Relation.DIRECT not in weak
    assert not set(found(links)) & stream.indirect()


def test_inhibition_is_seen_given_time():
    stream = generate(3, 30)
    links = discover(count(stream))
    kinds = {(link.cause, link.effect): link.relation for link in links}
    assert [kinds.get(pair) for pair in stream.inhibited] == [Relation.INHIBITORY] * 2


def test_where_nothing_causes_anything_nothing_is_found():
    assert found(discover(count(generate(5, 20, null=True)))) == {}


def test_a_cause_in_one_context_only_is_conditional():
    counts = Crossover()
    for index in range(200):
        start = index * 20 * MINUTE
        counts.add(0, start, index % 2)
        if index % 2:
            counts.add(1, start + 5_000, 1)
        counts.add(1, start + 10 * MINUTE, 0)
    link = found(discover(counts))[0, 1]
    assert link.relation is Relation.CONDITIONAL
    assert [context for context, _ in link.contexts] == [1, 0]


def test_order_within_an_hour_is_temporal_and_no_cause():
    counts = Crossover()
    for index in range(300):
        counts.add(0, index * 12 * 60 * MINUTE)
        counts.add(1, index * 12 * 60 * MINUTE + 40 * MINUTE)
        counts.advance((index * 12 + 11) * 60 * MINUTE)
    links = {(link.cause, link.effect): link.relation for link in discover(counts)}
    assert links[0, 1] is Relation.TEMPORAL


def test_a_storm_of_one_kind_is_one_occurrence():
    counts = Crossover()
    for index in range(500):
        counts.add(0, index * 100)
        counts.add(1, index * 100 + 50)
    counts.advance(10**9)
    assert counts.counts(0, 1, 1).n == 1
    assert discover(counts) == ()


def test_nothing_is_said_before_eight_cases():
    for cases, expected in ((7, set()), (16, {(0, 1)})):
        counts = Crossover()
        for index in range(cases):
            counts.add(0, index * 60 * MINUTE)
            counts.add(1, index * 60 * MINUTE + 3_000)
        counts.advance(10**9)
        assert set(found(discover(counts))) == expected


def test_looking_often_is_paid_for():
    assert spend(0.01, 1) == 0.02
    assert spend(0.01, 4) == 0.2
    assert sum(1 / (look * (look + 1)) for look in range(1, 1000)) < 1


@given(st.integers(0, 900), st.integers(0, 900))
@settings(max_examples=60)
def test_tails_are_probabilities_and_overlap_in_one_point(hits, more):
    total = hits + more
    upper, lower = tail_probability(hits, total, True), tail_probability(hits, total, False)
    assert 0 <= upper <= 1
    assert 0 <= lower <= 1
    assert upper + lower >= 0.999


def test_late_events_take_their_place_and_very_late_ones_are_counted_out():
    ordered, late = Crossover(), Crossover()
    for index in range(40):
        ordered.add(0, index * 10 * MINUTE)
        ordered.add(1, index * 10 * MINUTE + 2_000)
        late.add(1, index * 10 * MINUTE + 2_000)
        late.add(0, index * 10 * MINUTE)
    for counts in (ordered, late):
        counts.advance(10**9)
    assert late.counts(0, 1, 1) == ordered.counts(0, 1, 1)
    late.add(0, 0)
    assert late.dropped == 1


# Wisdom


def test_causation_needs_trials_is_granted_by_them_and_taken_back():
    trials = Trials()
    for _ in range(5):
        trials.add(True, True)
        trials.add(False, False)
    assert not trials.granted  # five an arm are too few
    trials.add(True, True)
    trials.add(False, False)
    assert trials.granted
    for _ in range(8):
        trials.add(False, True)
    assert not trials.granted


def test_no_observed_stream_ever_holds_causation(fortnight):
    causes = Causes()
    for at_ms, kind, active in fortnight[0].events[:6000]:
        causes.add(f"kind:{kind}", at(at_ms), int(active))
    causes.rediscover()
    kinds = {claim.kind for claim in causes.claims()}
    assert Wisdom.CORRELATION in kinds
    assert Wisdom.CAUSATION not in kinds
    link = next(link for link in causes.links if link.relation is Relation.DIRECT)
    names = causes.names.names
    for _ in range(6):
        causes.trial(names[link.cause], names[link.effect], True, True)
        causes.trial(names[link.cause], names[link.effect], False, False)
    assert [claim.kind for claim in causes.claims()].count(Wisdom.CAUSATION) == 1


def test_each_kind_of_wisdom_has_its_threshold():
    assert is_pattern(30, 40, 40, 1000)
    assert not is_pattern(4, 4, 4, 1000)
    assert not is_pattern(30, 300, 100, 1000)
    assert is_principle(5, 0)
    assert not is_principle(5, 1)
    assert not is_principle(4, 0)
    assert is_heuristic(19, 20)
    assert not is_heuristic(4, 4)
    assert not is_heuristic(6, 10)
    assert is_anomaly(90, 10, 5)
    assert not is_anomaly(40, 10, 5)
    assert is_evolution(40, 50, 10, 50)
    assert not is_evolution(40, 50, 38, 50)


# The graph


def test_paths_cycles_and_importance():
    graph = Graph()
    for edge in ((0, 1), (1, 2), (2, 0), (1, 3), (3, 4), (0, 4)):
        graph.add_edge(*edge, "direct")
    assert graph.find_paths(0, 4) == [(0, 4), (0, 1, 3, 4)]
    assert graph.find_paths(0, 4, 1) == [(0, 4)]
    assert graph.find_paths(4, 0) == []
    assert graph.find_cycles() == [(0, 1, 2)]
    assert graph.importance()[0] == 4
    assert graph.importance()[4] == 0


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30))
@settings(max_examples=80)
def test_cycles_agree_with_reachability(edges):
    graph = Graph()
    for source, target in edges:
        graph.add_edge(source, target, "direct")
    grouped = [node for cycle in graph.find_cycles() for node in cycle]
    for node in graph.nodes():
        others = [other for other in graph.nodes() if other != node]
        in_cycle = any(graph.find_paths(node, o, 8) and graph.find_paths(o, node, 8) for o in others)
        assert (node in grouped) == in_cycle


def test_the_table_of_names_is_bounded(monkeypatch):
    monkeypatch.setattr("luminous.node.core.causes.graph.NODES_MAX", 3)
    names = Names()
    assert [names.intern(name) for name in "abca"] == [0, 1, 2, 0]
    assert names.intern("d") is None
    assert names.refused == 1
    assert node_id("a") == node_id("a") != node_id("b")


# Why


def lived(causes, days=20):
    """A disk that fills makes builds fail; failures by hash come on their own."""
    for day in range(days):
        start = day * 86_400_000
        causes.symptom({"name": "disk_full", "target": "/", "present": True}, at(start))
        causes.symptom({"name": "disk_full", "target": "/", "present": True}, at(start + 600_000))
        causes.symptom({"name": "disk_full", "target": "/", "present": False}, at(start + 900_000))
        causes.observe("command_ended", {"success": False, "class": "disk_full"}, at(start + 20_000))
        causes.observe("command_ended", {"success": False, "class": "hash_mismatch"}, at(start + 40_000_000))
        causes.tick(at(start + 41_000_000))
    return (days - 1) * 86_400_000


def test_why_names_the_path_and_its_counts():
    causes = Causes()
    last = lived(causes)
    causes.symptom({"name": "disk_full", "target": "/", "present": True}, at(last + 86_400_000))
    causes.observe("command_ended", {"success": False, "class": "disk_full"}, at(last + 86_420_000))
    causes.tick(at(last + 87_000_000))
    answer = causes.why("why did the build fail with disk full?")
    assert answer.known
    assert answer.because[0].root == "symptom:disk_full:/"
    assert "21 of 21" in answer.text
    assert answer.because[0].tier == "correlation"
    assert "never tried" in answer.text
    encode(answer.facts())


def test_why_says_that_it_does_not_know():
    causes = Causes()
    lived(causes)
    answer = causes.why("failed:hash_mismatch")
    assert not answer.known
    assert answer.text.startswith("I don't know")
    assert not Causes().why("anything").known
    assert not causes.why("the printer is on fire").known


def test_a_cause_that_did_not_occur_before_is_not_blamed():
    causes = Causes()
    last = lived(causes)
    causes.observe("command_ended", {"success": False, "class": "disk_full"}, at(last + 80_000_000))
    assert not causes.why("failed:disk_full").known


def test_a_known_mechanism_answers_on_the_first_day_and_says_so():
    causes = Causes()
    causes.symptom({"name": "store_damaged", "target": "state", "present": True}, at(1_000))
    causes.observe("crashed", {"component": "sync"}, at(4_000))
    answer = causes.why("why did sync crash")
    assert answer.known
    assert answer.because[0].tier == "mechanism"
    assert "known, not counted" in answer.text


def test_a_snapshot_gives_back_the_same_links_and_fits_a_record(fortnight):
    causes = Causes()
    for at_ms, kind, active in fortnight[0].events:
        causes.add(f"kind:{kind}", at(at_ms), int(active))
    causes.trial("kind:0", "kind:1", True, True)
    kept = [outcome for outcome in causes.tick(at(15 * 86_400_000)) if isinstance(outcome, Keep)]
    assert [keep.name for keep in kept] == [SNAPSHOT_NAME]
    raw = encode([SNAPSHOT_NAME, kept[0].body])
    body = decode(raw)  # within the default bound of one record
    again = Causes()
    again.recall(*body)
    assert again.links == causes.links
    assert again.view()["wisdom"] == causes.view()["wisdom"]
    encode(causes.view())


def test_another_boot_closes_the_windows_and_keeps_the_counts():
    causes = Causes()
    lived(causes)
    n = causes.counts.counts(0, 1, 1).n
    causes.add("failed:disk_full", at(5, "c"))
    assert causes.counts.counts(0, 1, 1).n >= n
    assert not causes.why("symptom:disk_full:/").known


def test_forget_leaves_nothing():
    causes = Causes()
    lived(causes)
    causes.forget()
    assert causes.view()["events"] == causes.view()["pairs"] == 0
    assert causes.links == ()


@given(
    st.dictionaries(st.tuples(st.integers(0, 10_000)), st.tuples(st.integers(0, 2**40), st.integers(0, 9)))
)
@settings(max_examples=60)
def test_tables_survive_their_bytes(table):
    assert unpack_table(pack_table(table), 1, 2) == {key: list(row) for key, row in table.items()}


def test_windows_grow_and_a_minute_comes_first():
    assert all(a < b for a, b in pairwise(WINDOWS_MS))
    assert WINDOWS_MS[relations.WINDOW_ORDER[0]] == MINUTE
    assert Counts(10, 5, 4).risk_difference == pytest.approx(0.3)
