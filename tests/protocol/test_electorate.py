"""The electorate under any sequence of operations: what must hold whatever members and liars do."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from luminous.protocol.electorate import (
    DORMANT_AFTER_MS,
    Electorate,
    Signed,
    follow,
    is_effective,
)
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.operations import Operation, Verb
from luminous.protocol.roll import Roll

DAY_MS = 24 * 60 * 60 * 1000
START_MS = 1_700_000_000_000


def key(number: int) -> AuthorId:
    return AuthorId(number.to_bytes(32, "big"))


def founded(size: int) -> Electorate:
    return Electorate(Roll(tuple(key(number) for number in range(1, size + 1))))


def signed(verb: Verb, author: int, about: int = 0, at_ms: int = START_MS) -> Signed:
    is_word = verb in (Verb.VOUCH, Verb.OBJECT)
    successor = key(about) if verb is Verb.ROTATE or is_word else b""
    concerns = key(about) if verb is Verb.EVIDENCE or is_word else key(author)
    return Signed(key(author), at_ms, Operation(verb, successor), concerns)


class AnySequence(RuleBasedStateMachine):
    """Minutes after Minutes, each with whatever was agreed; keys 1 to 60, 45 founders."""

    def __init__(self) -> None:
        super().__init__()
        self.at_ms = START_MS
        self.now = founded(45)
        self.given_up: set[AuthorId] = set()

    @rule(
        operations=st.lists(
            st.builds(signed, st.sampled_from(Verb), st.integers(1, 60), st.integers(1, 60)), max_size=6
        ),
        admitted=st.lists(st.integers(1, 90), max_size=4),
        pause_ms=st.sampled_from((0, 1000, DAY_MS // 2, DAY_MS, 20 * DAY_MS, 40 * DAY_MS)),
        present=st.sets(st.integers(1, 90)),
    )
    def minutes(
        self, operations: list[Signed], admitted: list[int], pause_ms: int, present: set[int]
    ) -> None:
        self.at_ms += pause_ms
        before = self.now
        candidates = [(self.at_ms, key(number)) for number in admitted]
        here = [key(number) for number in sorted(present)]
        self.now = follow(before, self.at_ms, here, operations, candidates)
        assert follow(before, self.at_ms, here, operations, candidates) == self.now
        self.given_up |= set(self.now.gone)

    @invariant()
    def somebody_decides(self) -> None:
        assert self.now.roll.size >= 1

    @invariant()
    def what_was_given_up_never_returns(self) -> None:
        everywhere = {*self.now.roll.members, *self.now.dormant, *(item for _, item in self.now.waiting)}
        assert not everywhere & self.given_up

    @invariant()
    def nobody_is_in_two_places(self) -> None:
        places = [*self.now.roll.members, *self.now.dormant, *(item for _, item in self.now.waiting)]
        assert len(places) == len(set(places))


AnySequence.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
test_any_sequence = AnySequence.TestCase


def test_a_large_roll_grows_by_two_percent_a_day_whatever_is_voted() -> None:
    now = founded(100)
    for number in range(20):
        now = follow(now, START_MS, [], [], [(START_MS, key(1000 + number))])
    assert now.roll.size == 102 and len(now.waiting) == 18
    assert not now.has_due(START_MS) and now.has_due(START_MS + DAY_MS)
    assert follow(now, START_MS + DAY_MS, [], [], []).roll.size == 104


@given(
    st.lists(st.tuples(st.sampled_from((0, 1, DAY_MS // 3, DAY_MS)), st.integers(0, 12)), max_size=25),
    st.integers(50, 130),
)
@settings(max_examples=60)
def test_no_schedule_of_votes_beats_the_cap(schedule: list[tuple[int, int]], size: int) -> None:
    now, at_ms, fresh = founded(size), START_MS, 1000
    joined: list[int] = []
    for pause_ms, count in schedule:
        at_ms += pause_ms
        before = now.roll.size
        now = follow(now, at_ms, [], [], [(at_ms, key(fresh + number)) for number in range(count)])
        fresh += count
        joined += [at_ms] * (now.roll.size - before)
        assert sum(ms > at_ms - DAY_MS for ms in joined) <= max(1, now.roll.size * 2 // 100)


def test_below_fifty_each_vote_admits_at_once() -> None:
    now = founded(4)
    assert follow(now, START_MS, [], [], [(START_MS, key(9)), (START_MS, key(8))]).roll.size == 6


def test_the_silent_fall_dormant_a_few_at_a_time_and_return() -> None:
    now = follow(founded(20), START_MS, [], [], [])
    later_ms = START_MS + DORMANT_AFTER_MS + 1
    here = [key(number) for number in range(1, 16)]
    asleep = follow(now, later_ms, here, [], [])
    assert asleep.roll.size == 18 and len(asleep.dormant) == 2
    waking = signed(Verb.RENEW, int.from_bytes(asleep.dormant[0], "big"), at_ms=later_ms)
    assert is_effective(asleep, waking, later_ms)
    awake = follow(asleep, later_ms + 1, here, [waking], [])
    assert asleep.dormant[0] in awake.roll


def test_a_liar_cannot_rotate_away_from_its_conviction() -> None:
    now = follow(founded(5), START_MS, [], [signed(Verb.ROTATE, 2, 7), signed(Verb.EVIDENCE, 1, 2)], [])
    assert now.roll.size == 4
    assert key(2) not in now.roll and key(7) not in now.roll


def test_a_cooling_admission_waits() -> None:
    now = follow(founded(4), START_MS, [], [], [(START_MS + DAY_MS, key(9))])
    assert key(9) not in now.roll
    assert key(9) in follow(now, START_MS + DAY_MS, [], [], []).roll
