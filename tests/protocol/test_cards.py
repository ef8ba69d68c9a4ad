"""Cards and genesis: round trips; changed, cut and hostile ones refused."""

from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.keys import signer_from_seed
from luminous.protocol.cards import Card, read_card, write_card
from luminous.protocol.genesis import Genesis, Parameter, network_id, read_genesis, write_genesis
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.reasons import Refused

AUTHORS = sorted(AuthorId(signer_from_seed(bytes([i]) * 32).public) for i in range(5))
NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=20)


@given(
    st.sampled_from(AUTHORS),
    st.none() | st.binary(min_size=16, max_size=16),
    NAMES,
    st.lists(st.just("/ip4/127.0.0.1/tcp/4001"), max_size=3),
)
@settings(max_examples=60)
def test_a_card_is_read_as_written(
    author: AuthorId, network: bytes | None, name: str, addresses: list[str]
) -> None:
    card = Card(author, None if network is None else NetworkId(network), name, tuple(addresses))
    assert read_card(" " + write_card(card) + "\n") == card
    assert read_card(write_card(card).upper()) == card


@given(st.integers(12, 60), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
@settings(max_examples=60)
def test_a_changed_card_is_refused(place: int, letter: str) -> None:
    line = write_card(Card(AUTHORS[0], None, "box", ()))
    changed = line[:place] + letter + line[place + 1 :]
    assert changed == line or isinstance(read_card(changed), Refused)


@given(st.text(max_size=80))
@settings(max_examples=100)
def test_any_text_is_a_card_or_a_refusal(line: str) -> None:
    read_card(line)
    read_card("luminous://" + line)


def genesis(founders: tuple[AuthorId, ...], name: str = "home") -> Genesis:
    return Genesis(
        name, founders, False, False, (Parameter("a", 1),), b"c" * 32, b"v" * 32, 1_790_000_000_000, b"s" * 16
    )


def test_another_founder_or_name_is_another_network() -> None:
    first = write_genesis(genesis(tuple(AUTHORS[:3])))
    assert read_genesis(first) == genesis(tuple(AUTHORS[:3]))
    others = [write_genesis(genesis(tuple(AUTHORS[:4]))), write_genesis(genesis(tuple(AUTHORS[:3]), "work"))]
    assert len({network_id(first), *map(network_id, others)}) == 3


def test_unsorted_founders_and_bad_keys_are_refused() -> None:
    from luminous.protocol.codec import encode
    from luminous.protocol.genesis import GENESIS

    for founders in ((AUTHORS[1], AUTHORS[0]), (AUTHORS[0], AUTHORS[0]), (AuthorId(b"\0" * 32),)):
        assert isinstance(read_genesis(encode(GENESIS.pack(genesis(founders)))), Refused)


def test_a_card_may_carry_a_wish_and_the_newest_minutes() -> None:
    card = Card(AUTHORS[0], NetworkId(b"n" * 16), "box", (), b"w" * 64, 7, b"m" * 32)
    assert read_card(write_card(card)) == card
    assert len(write_card(Card(AUTHORS[0], None, "box", ()))) < 100


def test_minutes_without_a_number_or_a_network_are_refused() -> None:
    for card in (
        Card(AUTHORS[0], NetworkId(b"n" * 16), "box", (), b"", 7, b""),
        Card(AUTHORS[0], NetworkId(b"n" * 16), "box", (), b"", 0, b"m" * 32),
        Card(AUTHORS[0], None, "box", (), b"", 7, b"m" * 32),
    ):
        assert isinstance(read_card(write_card(card)), Refused)
