"""A fleet's own outcomes outrank the public evaluation set; a community's are still judged by it."""

from luminous.node.core.learning.adoption import judge
from luminous.node.core.learning.priors import PublicPrior
from luminous.node.core.learning.statistics import Trial
from luminous.protocol.layout import FIXES_1

USUAL, BETTER = ("missing_channel", "add_channel"), ("missing_channel", "set_search_path")
PUBLIC = PublicPrior({}, (Trial(USUAL, True),) * 5)
BELIEFS = tuple(
    (0, 9000) if pair == USUAL else (9000, 9000) if pair == BETTER else (0, 0) for pair in FIXES_1.pairs
)


def test_the_public_set_rejects_what_contradicts_it() -> None:
    assert judge((), FIXES_1, PUBLIC, BELIEFS, True) == 0


def test_without_a_public_set_the_trusted_aggregate_is_taken_by_half() -> None:
    assert judge((), FIXES_1, PublicPrior({}, ()), BELIEFS, True) == 500


def test_strangers_wait_for_own_data_either_way() -> None:
    assert judge((), FIXES_1, PublicPrior({}, ()), BELIEFS, False) == 0
