"""Sponsored admission under any sequence of words, lies and pauses, against a plain record of them."""

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from luminous.protocol import electorate as roll_rules
from luminous.protocol import sponsors as sponsor_rules
from luminous.protocol.electorate import Electorate, Signed, follow, objection_refusal, vouch_refusal
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.operations import Operation, Verb
from luminous.protocol.roll import Roll
from luminous.protocol.sponsors import (
    BARRED_MS,
    OBJECTIONS_MAX,
    PROBATION_MS,
    SPONSOR_AFTER_MS,
    SPONSORS_MIN,
    VOUCH_EVERY_MS,
    VOUCH_LASTS_MS,
)

DAY_MS = 24 * 60 * 60 * 1000
START_MS = 1_700_000_000_000
MEMBERS = 60


def key(number: int) -> AuthorId:
    return AuthorId(number.to_bytes(32, "big"))


def founded(size: int = MEMBERS) -> Electorate:
    return Electorate(Roll(tuple(key(number) for number in range(1, size + 1))))


def word(verb: Verb, member: int, candidate: int) -> Signed:
    return Signed(key(member), START_MS, Operation(verb, key(candidate)), key(candidate))


def vouched(now: Electorate, candidate: int, members: range | list[int], at_ms: int) -> Electorate:
    return follow(now, at_ms, [], [word(Verb.VOUCH, member, candidate) for member in members], [])


def convicted(now: Electorate, member: int, at_ms: int) -> Electorate:
    proof = Signed(key(1), at_ms, Operation(Verb.EVIDENCE), key(member))
    return follow(now, at_ms, [], [proof], [])


class Said(RuleBasedStateMachine):
    """Few members and candidates, so that words collide; the record knows nothing of the rules' code."""

    def __init__(self) -> None:
        super().__init__()
        self.at_ms = START_MS
        self.now = founded()
        self.joined: dict[AuthorId, int] = {}
        self.counted: list[tuple[int, AuthorId, AuthorId]] = []
        self.objections: list[tuple[int, AuthorId, AuthorId]] = []
        self.first_waited: dict[AuthorId, int] = {}
        self.convictions: list[tuple[int, tuple[AuthorId, ...]]] = []

    @rule(
        pause_ms=st.sampled_from((0, DAY_MS // 2, DAY_MS, 2 * DAY_MS, 5 * DAY_MS, 31 * DAY_MS)),
        members=st.sets(st.one_of(st.integers(1, 12), st.integers(100, 104)), max_size=9),
        candidate=st.integers(100, 104),
        objectors=st.sets(st.integers(1, 12), max_size=6),
        liar=st.one_of(st.none(), st.integers(100, 104), st.integers(1, 12)),
    )
    def minutes(
        self, pause_ms: int, members: set[int], candidate: int, objectors: set[int], liar: int | None
    ) -> None:
        self.at_ms += pause_ms
        before = self.now
        operations = [word(Verb.VOUCH, member, candidate) for member in sorted(members)]
        operations += [word(Verb.OBJECT, member, candidate) for member in sorted(objectors)]
        if liar is not None:
            operations.append(Signed(key(1), self.at_ms, Operation(Verb.EVIDENCE), key(liar)))
            if key(liar) in before.roll:
                by = tuple(
                    sponsor
                    for at_ms, about, sponsor in self.counted
                    if about == key(liar) and at_ms > self.at_ms - VOUCH_LASTS_MS
                )
                self.convictions.append((self.at_ms, by))
        # Everybody is seen: dormancy is another test's.
        self.now = follow(before, self.at_ms, before.roll.members, operations, [])
        new = set(self.now.sponsors.vouched) - set(before.sponsors.vouched)
        self._check_new(before, new)
        self.counted += sorted(new)
        self.objections += sorted(set(self.now.sponsors.objected) - set(before.sponsors.objected))
        for member in self.now.roll.members:
            if member not in before.roll:
                self._check_joined(member)
                self.joined[member] = self.at_ms
        for _, waiting in self.now.waiting:
            if waiting not in {item for _, item in before.waiting}:
                self.first_waited[waiting] = self.at_ms

    def _check_new(self, before: Electorate, new: set[tuple[int, AuthorId, AuthorId]]) -> None:
        for at_ms, _about, sponsor in new:
            assert sponsor in before.roll
            assert self.joined.get(sponsor, 0) <= at_ms - SPONSOR_AFTER_MS
            earlier = [ms for ms, _, other in self.counted if other == sponsor]
            assert all(ms <= at_ms - VOUCH_EVERY_MS for ms in earlier)
            for ms, by in self.convictions:
                assert sponsor not in by or at_ms >= ms + BARRED_MS

    def _check_joined(self, member: AuthorId) -> None:
        """Enough different members spoke for it in time, it waited, and not too many spoke against it."""
        assert member in self.first_waited
        waited_ms = self.first_waited[member]
        assert self.at_ms >= waited_ms + PROBATION_MS
        words = {
            sponsor
            for at_ms, about, sponsor in self.counted
            if about == member and waited_ms - VOUCH_LASTS_MS < at_ms <= waited_ms
        }
        assert len(words) >= SPONSORS_MIN
        against = [item for item in self.objections if item[1] == member and item[0] >= waited_ms]
        assert len({item[2] for item in against}) < OBJECTIONS_MAX

    @invariant()
    def the_cap_holds(self) -> None:
        today = [ms for ms in self.joined.values() if ms > self.at_ms - DAY_MS]
        assert len(today) <= max(1, self.now.roll.size * 2 // 100)

    @invariant()
    def what_is_held_is_bounded(self) -> None:
        assert len(self.now.sponsors.vouched) <= 7 * (self.now.roll.size + len(self.now.gone))


Said.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
test_any_sequence_of_words = Said.TestCase


def test_five_who_know_a_person_admit_it_after_two_days_and_four_do_not() -> None:
    four = vouched(founded(), 100, range(1, 5), START_MS)
    assert four.waiting == () and key(100) in {about for _, about, _ in four.sponsors.vouched}
    five = vouched(four, 100, [5], START_MS + DAY_MS)
    assert five.waiting == ((START_MS + DAY_MS + PROBATION_MS, key(100)),)
    early = follow(five, START_MS + DAY_MS + PROBATION_MS - 1, [], [], [])
    assert key(100) not in early.roll
    assert key(100) in follow(early, START_MS + DAY_MS + PROBATION_MS, [], [], []).roll


def test_one_member_is_one_sponsor() -> None:
    now = vouched(founded(), 100, [1, 1, 1, 2, 2], START_MS)
    assert len(now.sponsors.of(key(100))) == 2


def test_below_fifty_everybody_votes() -> None:
    now = vouched(founded(49), 100, range(1, 10), START_MS)
    assert now.waiting == () and now.sponsors.vouched == ()
    refusal = vouch_refusal(now, key(1), key(100), START_MS)
    assert refusal is not None and "votes" in refusal.detail


def test_five_objections_leave_it_to_a_vote_and_four_do_not() -> None:
    now = vouched(founded(), 100, range(1, 6), START_MS)
    four = follow(now, START_MS + 1, [], [word(Verb.OBJECT, member, 100) for member in range(10, 14)], [])
    assert len(four.waiting) == 1
    five = follow(four, START_MS + 2, [], [word(Verb.OBJECT, 14, 100)], [])
    assert five.waiting == () and five.sponsors.of(key(100)) == ()
    again = vouch_refusal(five, key(20), key(100), START_MS + 3)
    assert again is not None and "only a vote" in again.detail
    voted = follow(five, START_MS + 3, [], [], [(START_MS + 3, key(100))])
    assert key(100) in voted.roll


def test_a_vote_of_all_cannot_be_objected_away() -> None:
    now = vouched(founded(), 100, range(1, 6), START_MS)
    now = follow(now, START_MS + 1, [], [], [(START_MS + 1, key(100))])
    assert objection_refusal(now, key(10), key(100)) is not None
    now = follow(now, START_MS + 2, [], [word(Verb.OBJECT, member, 100) for member in range(10, 20)], [])
    assert len(now.waiting) == 1


def test_sponsors_of_a_convicted_member_answer_for_it() -> None:
    now = vouched(founded(), 100, range(1, 6), START_MS)
    now = follow(now, START_MS + PROBATION_MS, [], [], [])
    later_ms = START_MS + 6 * DAY_MS
    assert vouch_refusal(now, key(1), key(101), later_ms) is None
    now = convicted(now, 100, later_ms)
    refusal = vouch_refusal(now, key(1), key(101), later_ms)
    assert refusal is not None and "convicted" in refusal.detail
    assert vouch_refusal(now, key(6), key(101), later_ms) is None
    assert vouch_refusal(now.__class__(now.roll), key(1), key(101), later_ms) is None
    assert vouch_refusal(now, key(1), key(101), later_ms + BARRED_MS) is None


def test_a_new_key_does_not_wipe_off_what_the_old_one_answers_for() -> None:
    now = convicted(
        follow(vouched(founded(), 100, range(1, 6), START_MS), START_MS + 3 * DAY_MS, [], [], []),
        100,
        START_MS + 4 * DAY_MS,
    )
    rotated = follow(
        now,
        START_MS + 4 * DAY_MS,
        [],
        [Signed(key(1), START_MS, Operation(Verb.ROTATE, key(200)), key(1))],
        [],
    )
    assert key(200) in rotated.roll
    refusal = vouch_refusal(rotated, key(200), key(101), START_MS + 6 * DAY_MS)
    assert refusal is not None and "convicted" in refusal.detail


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (roll_rules, "SPONSORS_MIN", 1),
        (roll_rules, "PROBATION_MS", 0),
        (roll_rules, "SPONSOR_AFTER_MS", 0),
        (sponsor_rules, "VOUCH_EVERY_MS", 0),
        (sponsor_rules, "BARRED_MS", 0),
        (sponsor_rules, "OBJECTIONS_MAX", 99),
        (roll_rules, "GROWTH_PERCENT_A_DAY", 50),
    ],
)
def test_every_rule_left_out_is_noticed(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: int
) -> None:
    """The planted faults: the same search, with one rule of the product gone."""
    from hypothesis.stateful import run_state_machine_as_test

    monkeypatch.setattr(module, name, value)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Said,
            settings=settings(
                max_examples=400,
                stateful_step_count=20,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                derandomize=True,
            ),
        )
