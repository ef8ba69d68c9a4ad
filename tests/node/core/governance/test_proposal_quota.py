"""One member's flood of proposals: who is over the quota follows from what is held."""

from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.core.governance.pool import Held, Pool
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import OPEN_PROPOSALS_PER_AUTHOR_MAX
from luminous.protocol.proposals import Effect, Proposal, ProposalKind, Threshold, Uncertainty
from luminous.protocol.reasons import Reason
from luminous.protocol.roll import Roll

AUTHORS = tuple(AuthorId(bytes([number]) * 32) for number in range(2))
DAY_MS = 86_400_000


def envelope(number: int, author: int, issued_day: int, open_days: int, is_sound: bool) -> Admitted:
    doubt = Uncertainty(500, ("whether it helps",) if is_sound else ())
    closes_ms = (issued_day + open_days) * DAY_MS
    effects = (Effect("notify.per_day_max", 2),)
    proposal = Proposal(ProposalKind.PARAMETER, "a title", "why", effects, Threshold.SIMPLE, closes_ms, doubt)
    identifier = EnvelopeId(bytes([number % 251, number // 251]) * 16)
    network = NetworkId(bytes(16))
    return Admitted(
        identifier, network, Kind.PROPOSAL, AUTHORS[author], number, issued_day * DAY_MS, proposal, b""
    )


def over_quota(held: Held, pool: Pool) -> bool:
    """The rule as it is written: three older ones of the author that were open when it was issued."""
    rank = (held.issued_at_ms, held.id)
    older = [
        other
        for other in pool.proposals.values()
        if other.author == held.author
        and other.refusal is None
        and (other.issued_at_ms, other.id) < rank
        and other.proposal.closes_at_ms > held.issued_at_ms
    ]
    return len(older) >= OPEN_PROPOSALS_PER_AUTHOR_MAX


drawn = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 20), st.integers(1, 14), st.integers(0, 4).map(bool)),
    max_size=24,
)


@settings(max_examples=80)
@given(drawn)
def test_the_count_that_is_kept_is_the_rule_whatever_came_first(
    items: list[tuple[int, int, int, bool]],
) -> None:
    pool = Pool(Roll(AUTHORS), cooling_ms=DAY_MS)
    for number, item in enumerate(items):
        pool.hear_proposal(envelope(number, *item))
        for held in pool.proposals.values():
            refusal = pool.refusal(held)
            is_over = refusal is not None and refusal.reason is Reason.TOO_MANY
            assert is_over == (held.refusal is None and over_quota(held, pool))


def test_a_fourth_open_proposal_is_over_the_quota_and_one_after_the_first_closed_is_not() -> None:
    pool = Pool(Roll(AUTHORS))
    held = [pool.hear_proposal(envelope(number, 0, 1, 14, True)) for number in range(4)]
    later = pool.hear_proposal(envelope(9, 0, 16, 14, True))
    assert [one is not None and pool.refusal(one) is None for one in held] == [True, True, True, False]
    assert later is not None and pool.refusal(later) is None
