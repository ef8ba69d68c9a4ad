"""Another fix is offered first rarely, only when it can be undone and is nearly as good, and the chance is
told exactly."""

import pytest

from luminous.node.core.causes.exploring import EXPLORED_MILLI, MEAN_GAP_MAX, offer
from luminous.node.core.causes.ranking import Ranked

SAFE = "reversible"


def fix(name, mean):
    return Ranked("c", name, mean - 0.1, mean, 3, 5)


NEAR = [fix("a", 0.7), fix("b", 0.68), fix("c", 0.60)]


def test_the_chances_are_what_happens():
    made = [offer(NEAR, [SAFE] * 3, True, draw) for draw in range(1000)]
    chances = made[0].chances_milli
    assert sum(chances) == 1000
    assert all(found.chances_milli == chances for found in made)
    for place in range(3):
        assert sum(found.order[0] == place for found in made) == chances[place]
    assert 1000 - chances[0] <= EXPLORED_MILLI
    assert all(sorted(found.order) == [0, 1, 2] for found in made)


@pytest.mark.parametrize(
    ("ranked", "safeties", "was_tried"),
    [
        (NEAR, [SAFE, "careful", "careful"], True),  # the others cannot be undone
        (NEAR, ["careful", SAFE, SAFE], True),  # the best is not among what may be compared
        ([fix("a", 0.9), fix("b", 0.9 - MEAN_GAP_MAX - 0.01)], [SAFE] * 2, True),  # clearly worse
        (NEAR, [SAFE] * 3, False),  # nothing was ever tried
        (NEAR[:1], [SAFE], True),
    ],
)
def test_else_the_best_comes_first_always(ranked, safeties, was_tried):
    for draw in range(0, 1000, 7):
        found = offer(ranked, safeties, was_tried, draw)
        assert found.order == tuple(range(len(ranked)))
        assert found.chances_milli[0] == 1000


def test_a_careful_fix_is_never_promoted():
    for draw in range(1000):
        found = offer(NEAR, [SAFE, "careful", SAFE], True, draw)
        assert found.order[0] != 1
        assert found.chances_milli[1] == 0
