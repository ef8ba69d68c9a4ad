"""Minutes list the deltas of a learning window: what all held is in, what nobody held in time never is."""

import pytest

from luminous.node.core.governance.windows import Windows
from luminous.node.core.learning.pool import Pool
from luminous.protocol.deltas import WINDOWS_KEPT, Delta, LearningLaw, Level
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import EnvelopeId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1
from luminous.protocol.minutes import NO_PARENT, Report, Window
from luminous.protocol.reasons import Refused
from luminous.simulations.election import START_MS, Election, sealed

NETWORK = NetworkId(b"n" * 16)
WINDOW = 7


def name(letter: str) -> EnvelopeId:
    return EnvelopeId(letter.encode() * 32)


def closed(held: dict[int, str], among: tuple[int, ...] = (0, 1, 2, 3)) -> Election:
    """Four members; each offers the deltas named by its letters; ticked until they agree."""
    election = Election(4)
    for number, letters in held.items():
        election.members[number].governance.offer({WINDOW: [name(letter) for letter in letters]})
    now_ms = START_MS
    for _ in range(60):
        now_ms += 500
        sent = [item for number in among for item in election.members[number].tick(now_ms)]
        election.spread(sent, now_ms, among)
    return election


def agreed(election: Election) -> list[tuple[EnvelopeId, ...] | None]:
    return [member.governance.agreed_windows().get(WINDOW) for member in election.members]


def test_what_all_held_is_agreed_by_all() -> None:
    assert agreed(closed({0: "ab", 1: "ab", 2: "ab", 3: "ab"})) == [(name("a"), name("b"))] * 4


def test_a_delta_that_one_member_invents_is_in_no_set() -> None:
    """Only f Reports list it: at most liars held it in time."""
    (found,) = set(agreed(closed({0: "ab", 1: "ab", 2: "ab", 3: "abx"})))
    assert found is not None
    assert name("x") not in found and name("a") in found


def test_too_few_who_list_a_window_agree_on_nothing() -> None:
    assert agreed(closed({0: "ab", 1: "ab", 2: "", 3: ""}, among=(0, 1))) == [None] * 4


def test_a_window_is_agreed_on_once() -> None:
    election = closed({0: "ab", 1: "ab", 2: "ab", 3: "ab"})
    for member in election.members:
        member.governance.offer({WINDOW: [name("c")]})
    now_ms = START_MS + 100_000
    for _ in range(30):
        now_ms += 500
        sent = [item for member in election.members for item in member.tick(now_ms)]
        election.spread(sent, now_ms)
    assert agreed(election) == [(name("a"), name("b"))] * 4


def test_a_restart_lists_what_it_listed_before() -> None:
    election = closed({0: "ab", 1: "ab", 2: "ab", 3: "ab"})
    before = agreed(election)
    for number in range(4):
        election.restart(number, lambda held: held[::-1])
        assert election.members[number].tick(START_MS + 40_000) == []
    assert agreed(election) == before


def test_windows_that_others_do_not_list_are_tried_ever_more_rarely() -> None:
    windows = Windows()
    windows.offer({WINDOW: [name("a")]})
    due = windows.due({})
    first = windows.urgent_at_ms(due, 0, 1000)
    for _ in range(3):
        windows.recall(Report(1, NO_PARENT, 0, (), (), due))
    assert (first, windows.urgent_at_ms(due, 0, 1000)) == (1000, 8000)


def delta(author: int, count: int) -> Admitted:
    vector = (count, *[0] * 63)
    return sealed(author, Kind.DELTA, Delta(WINDOW, Level.PUBLIC, FIXES_1.id, 1, 0, vector), START_MS)


def pool(*held: Admitted) -> Pool:
    made = Pool(NETWORK, LearningLaw(aggregate_min=1, contributors_min=1), FIXES_1)
    made.set_eligible(None)
    for envelope in held:
        made.add(envelope, WINDOW + 1)
    return made


def test_the_agreed_set_decides_the_sum_whatever_else_is_held() -> None:
    a, b, c, late = delta(1, 1), delta(2, 2), delta(3, 3), delta(4, 4)
    one, other = pool(a, b, c), pool(c, b, a, late)
    before = {pool_.compute_aggregate(WINDOW).digest for pool_ in (one, other)}  # type: ignore[union-attr]
    assert len(before) == 2
    for pool_ in (one, other):
        pool_.set_agreed({WINDOW: [a.id, b.id, c.id]})
    after = {pool_.compute_aggregate(WINDOW).digest for pool_ in (one, other)}  # type: ignore[union-attr]
    assert len(after) == 1


def test_a_missing_agreed_delta_is_said_and_not_left_out() -> None:
    a, b = delta(1, 1), delta(2, 2)
    short = pool(a)
    short.set_agreed({WINDOW: [a.id, b.id]})
    assert isinstance(short.compute_aggregate(WINDOW), Refused)
    short.add(b, WINDOW + 1)
    assert not isinstance(short.compute_aggregate(WINDOW), Refused)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_window_lists_its_deltas_in_one_order(order: str) -> None:
    windows = Windows()
    windows.offer({WINDOW: [name(letter) for letter in order]})
    assert windows.due({}) == (Window(WINDOW, (name("a"), name("b"))),)


def test_who_comes_late_recomputes_an_agreed_window_and_learns_nothing_old_from_it() -> None:
    held = [delta(number, number) for number in (1, 2, 3)]
    early, late = pool(*held), pool()
    for pool_ in (early, late):
        pool_.set_agreed({WINDOW: [item.id for item in held]})
    for item in held:
        assert late.add(item, WINDOW + WINDOWS_KEPT)
    sums = {pool_.compute_aggregate(WINDOW).digest for pool_ in (early, late)}  # type: ignore[union-attr]
    assert len(sums) == 1
    assert late.windows() == () and early.windows() == (WINDOW,)
    late.retire(WINDOW + WINDOWS_KEPT)
    assert late.missing(WINDOW) == 0
    late.retire(WINDOW + WINDOWS_KEPT + 1)
    assert late.missing(WINDOW) == 3
    assert not late.add(held[0], WINDOW + WINDOWS_KEPT + 1)


def test_windows_that_retired_are_forgotten_and_one_that_is_due_is_not() -> None:
    windows = Windows()
    for number in range(100):
        windows.offer({number: [name("a")], number + 1: [name("b")]})
        windows.urgent_at_ms(windows.due({}), number, 1)
    assert len(windows._frozen) == 2 and len(windows._since_ms) == 2
    assert [window.window for window in windows.due({})] == [99, 100]
    windows.offer({})
    windows.offer({99: [name("c")]})
    assert windows.due({})[0].deltas == (name("b"),)  # as it was frozen first
