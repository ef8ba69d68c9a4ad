"""What a network is and how people hand it on: genesis records, cards, and the constants both rest on.

Refuses foreign hosts: the addresses are those set aside for documentation.
"""

from base64 import b32encode

from luminous.crypto.digest import digest
from luminous.node.core.founding import vocabulary_digest
from luminous.protocol.admission import topic_of
from luminous.protocol.cards import CARD, PREFIX, Card, write_card
from luminous.protocol.codec import encode
from luminous.protocol.constitution_table import table_digest
from luminous.protocol.envelope import WIRE_VERSION
from luminous.protocol.genesis import GENESIS, Parameter, network_id, write_genesis
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1
from luminous.protocol.operations import wish_of
from luminous.protocol.parameters import defaults
from luminous.protocol.peer_exchange import Answer, Question, write_answer, write_question
from luminous.protocol.reasons import Reason
from luminous.protocol.sync_messages import SYNC_PROTOCOL
from luminous.simulations.vectors.keys import mixed_order, small_order_keys
from luminous.simulations.vectors.scene import MEMBERS, NETWORK, File, Json, bytes_of, founding, shown

_AUTHORS = tuple(AuthorId(signer.public) for signer in MEMBERS)


def make_genesis() -> File:
    """tests/vectors/genesis.json"""
    good = (
        ("four founders", founding()),
        ("the same under another name is another network", founding(name="other")),
        ("a fleet of one machine", founding(fleet=True, founders=_AUTHORS[:1], parameters=())),
        ("nobody decides, everybody may learn", founding(founders=(), open_contribution=True)),
    )
    bad = (
        ("founders out of order", founding(founders=_AUTHORS[1::-1]), Reason.MALFORMED),
        ("one founder twice", founding(founders=_AUTHORS[:1] * 2), Reason.MALFORMED),
        ("an all-zero founder", founding(founders=(bytes(32),)), Reason.BAD_KEY),
        ("a small-order founder", founding(founders=(small_order_keys()[1],)), Reason.BAD_KEY),
        ("a mixed-order founder", founding(founders=(mixed_order(is_accepted=True)[0],)), Reason.BAD_KEY),
        ("a founder's key of 31 bytes", founding(founders=(b"k" * 31,)), Reason.OUT_OF_BOUNDS),
        ("no name", founding(name=""), Reason.OUT_OF_BOUNDS),
        ("a name with an escape sequence", founding(name="\x1b[2J"), Reason.OUT_OF_BOUNDS),
        (
            "parameters out of order",
            founding(parameters=(Parameter("b", 1), Parameter("a", 1))),
            Reason.MALFORMED,
        ),
        (
            "one parameter twice",
            founding(parameters=(Parameter("a", 1), Parameter("a", 2))),
            Reason.MALFORMED,
        ),
        ("a parameter beyond 2^53", founding(parameters=(Parameter("a", 2**53 + 1),)), Reason.OUT_OF_BOUNDS),
        ("a salt of 15 bytes", founding(salt=b"s" * 15), Reason.OUT_OF_BOUNDS),
    )
    return {
        "about": "founding records; the network id is a digest of their bytes",
        "source": "luminous.protocol.genesis",
        "vectors": [
            {"name": name, "genesis": shown(item), "raw": raw.hex(), "network": network_id(raw).hex()}
            for name, item in good
            for raw in (write_genesis(item),)
        ],
        "refused": [
            {"name": name, "raw": encode(GENESIS.pack(item)).hex(), "reason": reason.value}
            for name, item, reason in bad
        ],
    }


def _line(raw: bytes, check: bytes | None = None) -> str:
    mark = digest("card", raw, size_bytes=4) if check is None else check
    return PREFIX + b32encode(raw + mark).decode().rstrip("=").lower()


def make_cards() -> File:
    """tests/vectors/cards.json"""
    full = Card(_AUTHORS[0], NETWORK, "kitchen", ("/ip4/192.0.2.7/tcp/4001", "/ip6/2001:db8::7/tcp/4001"))
    good = (
        ("only a key", Card(_AUTHORS[1], None, "", ())),
        ("key, network, name and addresses", full),
        ("the most addresses", Card(_AUTHORS[2], NETWORK, "n" * 64, ("/dns4/node.example/tcp/4001",) * 8)),
        (
            "a candidate's wish, and the newest Minutes",
            Card(_AUTHORS[3], NETWORK, "lab", (), wish_of(MEMBERS[3], NETWORK), 7, digest("minutes", b"7")),
        ),
    )
    line = write_card(full)
    packed = encode(CARD.pack(full))
    nine = encode(CARD.pack(Card(_AUTHORS[0], None, "", ("/ip4/192.0.2.7/tcp/4001",) * 9)))
    refused: list[tuple[str, str, Reason]] = [
        ("nothing", "", Reason.MALFORMED),
        ("a web address", "https://node.example/", Reason.MALFORMED),
        ("one letter changed", line[:20] + ("a" if line[20] != "a" else "b") + line[21:], Reason.MALFORMED),
        ("cut", line[:-8], Reason.MALFORMED),
        ("a letter that base32 has not", line[:20] + "1" + line[21:], Reason.MALFORMED),
        ("another card's check bytes", _line(packed, b"\0" * 4), Reason.MALFORMED),
        ("longer than any card", PREFIX + "a" * 8193, Reason.OVERSIZED),
        ("a key of small order", _line(bytes_of({1: small_order_keys()[1], 2: None, 3: "", 4: []})),
         Reason.BAD_KEY),
        ("nine addresses", _line(nine), Reason.OUT_OF_BOUNDS),
        ("text that is not canonical", _line(b"\xa0\x00"), Reason.MALFORMED),
    ]  # fmt: skip
    return {
        "about": "cards: one line of text from person to person",
        "source": "luminous.protocol.cards",
        "vectors": [{"name": name, "card": shown(card), "line": write_card(card)} for name, card in good],
        "refused": [{"name": name, "line": text, "reason": reason.value} for name, text, reason in refused],
    }


def make_peer_exchange() -> File:
    """tests/vectors/peer_exchange.json"""
    address = "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWVectorsOnly"
    seen = bytes((192, 0, 2, 9))
    questions = (("no port", Question(NETWORK, ())), ("two ports", Question(NETWORK, (4001, 65_535))))
    answers = (
        ("nobody, and nothing seen", Answer((), b"", ())),
        ("one address", Answer((address,), seen, (4001,))),
        ("the most, over IPv6", Answer((address,) * 16, bytes(15) + b"\1", (1, 2, 3, 4))),
    )
    question: dict[int, Json] = {1: NETWORK, 2: []}
    answer: dict[int, Json] = {1: [], 2: b"", 3: []}
    bad_questions = (
        ("five ports", {**question, 2: [1, 2, 3, 4, 5]}, Reason.OUT_OF_BOUNDS),
        ("port 0", {**question, 2: [0]}, Reason.OUT_OF_BOUNDS),
        ("port 65536", {**question, 2: [65_536]}, Reason.OUT_OF_BOUNDS),
        ("a network id of 15 bytes", {**question, 1: b"n" * 15}, Reason.OUT_OF_BOUNDS),
        ("a host of the asker's choice", {**question, 3: "192.0.2.1"}, Reason.MALFORMED),
        ("more than a question can be", {**question, 2: b"x" * 300}, Reason.OVERSIZED),
    )
    bad_answers = (
        ("seventeen addresses", {**answer, 1: [address] * 17}, Reason.OUT_OF_BOUNDS),
        ("an empty address", {**answer, 1: [""]}, Reason.OUT_OF_BOUNDS),
        ("an address with an escape sequence", {**answer, 1: ["\x1b[2J"]}, Reason.OUT_OF_BOUNDS),
        ("an observed host of 17 bytes", {**answer, 2: bytes(17)}, Reason.OUT_OF_BOUNDS),
    )
    return {
        "about": "questions and answers of peer exchange",
        "source": "luminous.protocol.peer_exchange",
        "questions": [
            {"name": name, "message": shown(item), "raw": write_question(item).hex()}
            for name, item in questions
        ],
        "answers": [
            {"name": name, "message": shown(item), "raw": write_answer(item).hex()} for name, item in answers
        ],
        "questions_refused": [
            {"name": name, "raw": bytes_of(value).hex(), "reason": reason.value}
            for name, value, reason in bad_questions
        ],
        "answers_refused": [
            {"name": name, "raw": bytes_of(value).hex(), "reason": reason.value}
            for name, value, reason in bad_answers
        ],
    }


def make_constants() -> File:
    """tests/vectors/constants.json"""
    rows: dict[str, Json] = {
        "wire_version": WIRE_VERSION,
        "kinds": {kind.name: int(kind) for kind in Kind},
        "reasons": [reason.value for reason in Reason],
        "topic": topic_of(NETWORK),
        "sync_protocol": SYNC_PROTOCOL,
        "constitution_digest": table_digest().hex(),
        "vocabulary_digest": vocabulary_digest().hex(),
        "layout_id": FIXES_1.id.hex(),
        "layout": [list(pair) for pair in FIXES_1.pairs],
        "parameters": defaults(),
    }
    return {
        "about": "numbers, names and digests that two nodes must share to be of one network",
        "source": "luminous.protocol",
        "network": NETWORK.hex(),
        "constants": rows,
    }
