"""An attempt succeeds when the same command succeeds or its failure is gone for 24 hours of use, and fails
when the failure comes back; whatever doing nothing would earn is not counted."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.causes import attempts as module
from luminous.node.core.causes.attempts import EPISODES_MAX, GIVEN_UP_MS, GONE_MS, Attempts, Ended, mark_of

HOUR_MS = 3600 * 1000


def failed(mark="m1", changed="", *, key="rebuild", at_ms=0, class_id="missing_attribute", offers=()):
    return Ended(key, at_ms, False, mark, class_id, changed, offers)


def worked(changed="", *, key="rebuild", at_ms=0):
    return Ended(key, at_ms, True, changed=changed)


def verdicts(book, *runs):
    return [(v.attempt.fix, v.is_success, v.why) for run in runs for v in book.end(run)]


def test_the_same_command_succeeding_is_success():
    assert verdicts(Attempts(), failed(), worked("correct_name")) == [("correct_name", True, "command")]


def test_the_same_failure_again_is_no_success_and_another_fix_closes_the_first():
    book = Attempts()
    assert verdicts(book, failed(), failed(changed="correct_name")) == []
    assert verdicts(book, worked("update_input")) == [
        ("correct_name", False, "replaced"),
        ("update_input", True, "command"),
    ]


def test_the_same_kind_of_fix_done_right_at_the_second_time_is_one_attempt():
    found = verdicts(Attempts(), failed(), failed(changed="correct_name"), worked("correct_name"))
    assert found == [("correct_name", True, "command")]


def test_places_and_chances_are_kept():
    book = Attempts()
    offers = (("correct_name", 950), ("update_input", 50))
    book.end(failed(offers=offers))
    book.end(failed(changed="update_input", offers=offers))
    first, second = book.end(worked("own_idea"))
    assert (first.attempt.place, first.attempt.propensity_milli) == (1, 50)
    assert (second.attempt.place, second.attempt.propensity_milli) == (2, 0)


def test_a_failure_that_gives_way_to_another_counts_after_a_day_of_use():
    book = Attempts()
    assert verdicts(book, failed("m1"), failed("m2", "correct_name", at_ms=0)) == []
    assert verdicts(book, worked(key="other", at_ms=HOUR_MS)) == []
    assert verdicts(book, worked(key="other", at_ms=GONE_MS - 1)) == []
    assert verdicts(book, worked(key="other", at_ms=GONE_MS)) == [("correct_name", True, "gone")]
    assert verdicts(book, worked(key="other", at_ms=3 * GONE_MS)) == []


def test_a_failure_that_comes_back_within_the_day_was_not_fixed():
    book = Attempts()
    verdicts(book, failed("m1"), failed("m2", "correct_name"))
    # it comes back in another command: the failure is the machine's, not the command's
    assert verdicts(book, failed("m1", key="other", at_ms=HOUR_MS)) == [("correct_name", False, "back")]


def test_the_command_that_works_in_the_end_decides_both_of_its_failures():
    book = Attempts()
    verdicts(book, failed("m1"), failed("m2", "correct_name", class_id="hash_mismatch"))
    assert verdicts(book, worked("replace_hash", at_ms=HOUR_MS)) == [
        ("correct_name", True, "command"),
        ("replace_hash", True, "command"),
    ]


def test_a_day_in_which_nothing_ran_is_no_evidence():
    book = Attempts()
    verdicts(book, failed("m1"), failed("m2", "correct_name"))
    assert verdicts(book, worked(key="other", at_ms=GIVEN_UP_MS)) == []
    assert book.waiting == []


def test_what_was_never_seen_to_fail_teaches_nothing():
    assert verdicts(Attempts(), worked("correct_name"), worked("correct_name")) == []
    # an unknown class, and a rerun without any change
    assert verdicts(Attempts(), failed(class_id=""), worked("correct_name")) == []
    assert verdicts(Attempts(), failed(), failed()) == []


def test_planted_fault_without_the_wait_a_masked_failure_counts_as_fixed(monkeypatch):
    """The mutant believes a failure gone as soon as another one shows."""
    monkeypatch.setattr(module, "GONE_MS", 0)
    book = Attempts()
    verdicts(book, failed("m1"), failed("m2", "correct_name"), worked(key="other", at_ms=1))
    found = verdicts(book, failed("m1", key="other", at_ms=HOUR_MS))
    assert found == [("correct_name", True, "gone")]  # and the truth was ("correct_name", False, "back")


def test_two_names_are_two_failures_and_two_hashes_are_one():
    git, vim = mark_of("sig", "undefined variable 'git'"), mark_of("sig", "undefined variable 'vim'")
    assert git != vim
    told = "hash mismatch in fixed-output derivation '/nix/store/{}-src.drv': sha256-{}"
    one = mark_of("sig", told.format("0" * 32, "abc="))
    assert one == mark_of("sig", told.format("1" * 32, "xyz="))
    assert one != mark_of("other", told.format("0" * 32, "abc="))
    assert mark_of("", "anything") == ""


runs = st.builds(
    Ended,
    key=st.sampled_from("abc"),
    at_ms=st.integers(0, 10 * GONE_MS),
    is_success=st.booleans(),
    mark=st.sampled_from(["", "m1", "m2"]),
    class_id=st.sampled_from(["", "c1"]),
    changed=st.sampled_from(["", "f1", "f2"]),
    offers=st.lists(st.tuples(st.sampled_from(["f1", "f2"]), st.integers(0, 1000)), max_size=2).map(tuple),
).map(lambda run: replace(run, mark="", class_id="") if run.is_success else run)


@given(st.lists(runs, max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_history_gives_the_same_verdicts_after_any_restart(history):
    straight, restarted = Attempts(), Attempts()
    for run in history:
        again = Attempts()
        again.restore(restarted.facts())
        restarted = again
        found = straight.end(run)
        assert found == restarted.end(run)
        for verdict in found:
            assert verdict.attempt.class_id and verdict.attempt.fix and verdict.attempt.place >= 1
            assert verdict.is_success == (verdict.why in ("command", "gone"))
    assert straight.facts() == restarted.facts()


def test_a_failing_loop_does_not_grow():
    book = Attempts()
    for number in range(5 * EPISODES_MAX):
        book.end(failed(f"a{number}", key=f"k{number}"))
        book.end(failed(f"b{number}", "correct_name", key=f"k{number}"))
    assert len(book.episodes) <= EPISODES_MAX
    assert len(book.waiting) <= module.WAITING_MAX


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"episodes": [], "waiting": 3},
        {"episodes": [[1]], "waiting": []},
        {"episodes": [["k", "m", "c", -1, [], None]], "waiting": []},
        {"episodes": [["k", "m", "c", 1, [["f"]], None]], "waiting": []},
        {"episodes": [], "waiting": [["x" * 999, "m", "c", "f", 1, 0, 0, True]]},
        {"episodes": [], "waiting": [["k", "m", "c", "f", True, 0, 0, True]]},
    ],
)
def test_garbage_is_refused_and_changes_nothing(facts):
    book = Attempts()
    book.end(failed())
    before = book.facts()
    with pytest.raises(ValueError):
        book.restore(facts)
    assert book.facts() == before
