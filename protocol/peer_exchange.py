"""Peer exchange: what a peer asks to find others, and what it is told. Canonical CBOR, both bounded.

Refuses hearsay by its form: an answer holds addresses that the answerer itself reached, and a question holds
ports only, because the host of the asker is what the answerer sees. An address here proves nothing: whoever
dials it verifies the peer id at its end.
"""

from dataclasses import dataclass

from luminous.protocol.codec import decode, encode
from luminous.protocol.identifiers import NETWORK_ID_SIZE_BYTES, NetworkId
from luminous.protocol.limits import ADDRESS_SIZE_BYTES_MAX
from luminous.protocol.reasons import Refused
from luminous.protocol.schema import Schema, blob, fixed, integer, many, text

PEERS_PROTOCOL = "/luminous/peers/1"
# Listening ports in a question. Stops questions that make the answerer dial a whole host.
PORTS_MAX = 4
# Addresses in an answer. Stops one answer from filling a plan.
ADDRESSES_MAX = 16
_QUESTION_SIZE_BYTES_MAX = 256
_ANSWER_SIZE_BYTES_MAX = ADDRESSES_MAX * (ADDRESS_SIZE_BYTES_MAX + 8) + 256


@dataclass(frozen=True, slots=True)
class Question:
    """Who else is there? ``network`` is the asker's; ``ports`` are the TCP ports it listens on."""

    network: NetworkId
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """``addresses``: multiaddrs with a peer id, reached by the answerer lately.

    ``observed``: the asker's IP address as packed bytes (4 or 16), empty if unknown. ``reached_ports``: which
    of the asker's ports the answerer could dial there lately.
    """

    addresses: tuple[str, ...]
    observed: bytes
    reached_ports: tuple[int, ...]


QUESTION: Schema[Question] = Schema(
    Question,
    (1, "network", fixed(NETWORK_ID_SIZE_BYTES)),
    (2, "ports", many(integer(1, 65_535), PORTS_MAX)),
)
ANSWER: Schema[Answer] = Schema(
    Answer,
    (1, "addresses", many(text(ADDRESS_SIZE_BYTES_MAX, 1), ADDRESSES_MAX)),
    (2, "observed", blob(0, 16)),
    (3, "reached_ports", many(integer(1, 65_535), PORTS_MAX)),
)


def write_question(question: Question) -> bytes:
    """The canonical bytes of a question."""
    return encode(QUESTION.pack(question))


def read_question(raw: bytes) -> Question | Refused:
    """The question of canonical bytes, or why not."""
    value = decode(raw, _QUESTION_SIZE_BYTES_MAX)
    return value if isinstance(value, Refused) else QUESTION.parse(value)


def write_answer(answer: Answer) -> bytes:
    """The canonical bytes of an answer."""
    return encode(ANSWER.pack(answer))


def read_answer(raw: bytes) -> Answer | Refused:
    """The answer of canonical bytes, or why not."""
    value = decode(raw, _ANSWER_SIZE_BYTES_MAX)
    return value if isinstance(value, Refused) else ANSWER.parse(value)
