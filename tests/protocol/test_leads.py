"""A leader's proposal names one set of Reports, for any roll, also where liars sign two."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.protocol import leads
from luminous.protocol.codec import encode
from luminous.protocol.identifiers import EnvelopeId
from luminous.protocol.leads import lead_of, mark_of, reports_of
from luminous.protocol.limits import ENVELOPE_SIZE_BYTES_MAX, ROLL_MAX
from luminous.protocol.minutes import LEAD, LEAD_MARKS_MAX, NO_PARENT, Lead, value_of
from luminous.protocol.reasons import Refused
from luminous.protocol.roll import quorum


def name(member: int, version: int = 0) -> EnvelopeId:
    return EnvelopeId(member.to_bytes(16, "big") + version.to_bytes(16, "big"))


MEMBERS = st.sets(st.integers(0, 300), min_size=2, max_size=40)


@given(MEMBERS, st.sets(st.integers(0, 300)))
@settings(max_examples=60)
def test_marks_name_what_the_leader_chose_whatever_else_is_held(chosen: set[int], more: set[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leads, "LEAD_REPORTS_MAX", 1)
        lead = lead_of(3, 2, 0, NO_PARENT, {name(member): member for member in chosen})
    again = LEAD.parse(LEAD.pack(lead))
    assert again == lead and not lead.reports
    held = {member: [name(member, 1), name(member)] for member in chosen | more}
    expected = tuple(sorted(name(member) for member in chosen))
    assert reports_of(lead, NO_PARENT, held) == expected
    del held[min(chosen)]
    assert reports_of(lead, NO_PARENT, held) is None
    assert reports_of(lead, b"p" * 32, held) is None


def test_a_report_of_a_liar_that_others_do_not_hold_is_not_taken_for_its_twin() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leads, "LEAD_REPORTS_MAX", 1)
        lead = lead_of(1, 1, 0, NO_PARENT, {name(0): 0, name(1): 1, name(2, 7): 2})
    assert reports_of(lead, NO_PARENT, {0: [name(0)], 1: [name(1)], 2: [name(2, 8)]}) is None
    both = {0: [name(0)], 1: [name(1)], 2: [name(2, 8), name(2, 7)]}
    assert reports_of(lead, NO_PARENT, both) is not None


def test_a_mark_cannot_be_known_before_the_set_is_chosen() -> None:
    marks = {mark_of(value_of(1, NO_PARENT, [name(number)]), name(7)) for number in range(50)}
    assert len(marks) == 50


@pytest.mark.parametrize("members", [1536, 10_000, ROLL_MAX])
def test_a_quorum_of_the_largest_rolls_fits_into_one_envelope(members: int) -> None:
    chosen = {name(number): number for number in range(members - quorum(members), members)}
    assert len(chosen) <= LEAD_MARKS_MAX
    assert len(encode(LEAD.pack(lead_of(1, 1, 0, NO_PARENT, chosen)))) < ENVELOPE_SIZE_BYTES_MAX - 512


def test_small_rolls_name_whole_ids() -> None:
    lead = lead_of(1, 1, 0, NO_PARENT, {name(2): 2, name(1): 1})
    assert lead == Lead(1, 1, 0, (name(1), name(2)))
    assert reports_of(lead, NO_PARENT, {}) == (name(1), name(2))


@pytest.mark.parametrize(
    "lead",
    [
        Lead(1, 1, 0, ()),
        Lead(1, 1, 0, (name(1),), b"v" * 32),
        Lead(1, 1, 0, (name(1),), b"", b"\x80", b"mark"),
        Lead(1, 1, 0, (), b"v" * 32, b"\xc0", b"mark"),
        Lead(1, 1, 0, (), b"v" * 32, b"\x80\x00", b"mark"),
        Lead(1, 1, 0, (), b"", b"\x80", b"mark"),
    ],
)
def test_leads_that_cannot_be_are_refused(lead: Lead) -> None:
    assert isinstance(LEAD.parse(LEAD.pack(lead)), Refused)
