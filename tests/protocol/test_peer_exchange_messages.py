"""Questions and answers of the peer exchange: there and back, bounded, never raising."""

from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.protocol import peer_exchange as px
from luminous.protocol.codec import encode
from luminous.protocol.reasons import Refused

NETWORK = bytes(range(16))
questions = st.builds(
    px.Question, st.just(NETWORK), st.lists(st.integers(1, 65_535), max_size=px.PORTS_MAX).map(tuple)
)
answers = st.builds(
    px.Answer,
    st.lists(st.text("abc/.:019", min_size=1, max_size=80), max_size=px.ADDRESSES_MAX).map(tuple),
    st.binary(max_size=16),
    st.lists(st.integers(1, 65_535), max_size=px.PORTS_MAX).map(tuple),
)


@given(questions, answers)
@settings(max_examples=100)
def test_there_and_back(question: px.Question, answer: px.Answer) -> None:
    assert px.read_question(px.write_question(question)) == question
    assert px.read_answer(px.write_answer(answer)) == answer


@given(st.binary(max_size=300))
@settings(max_examples=150)
def test_bytes_of_a_stranger_are_refused_not_raised(raw: bytes) -> None:
    for read in (px.read_question, px.read_answer):
        assert isinstance(read(raw), Refused | px.Question | px.Answer)


def test_more_than_the_bounds_is_refused() -> None:
    def question(ports: list[int]) -> object:
        return px.read_question(encode({1: NETWORK, 2: ports}))

    assert isinstance(question([1, 65_535]), px.Question)
    for ports in ([0], [65_536], [-1], [1, 2, 3, 4, 5]):
        assert isinstance(question(ports), Refused)
    assert isinstance(px.read_answer(encode({1: ["a"] * 17, 2: b"", 3: []})), Refused)
    assert isinstance(px.read_answer(encode({1: ["a" * 257], 2: b"", 3: []})), Refused)
    assert isinstance(px.read_question(b"\x00" * 1000), Refused)
