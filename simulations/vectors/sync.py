"""Requests and answers of sync, and whole reconciliation dialogues, byte for byte.

Refuses a stand-in partner: both sides of a dialogue are the product's; an independent Negentropy
implementation talks to it in another test.
"""

from typing import Any

from luminous.crypto.digest import digest
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.reconciliation import Client, Server, Snapshot
from luminous.protocol.sync_messages import (
    Denied,
    Envelopes,
    Fetch,
    Offer,
    Reconcile,
    encode_answer,
    encode_request,
)
from luminous.simulations.vectors.envelopes import BINDING
from luminous.simulations.vectors.scene import (
    AT_MS,
    NETWORK,
    OTHER_NETWORK,
    File,
    Json,
    bytes_of,
    sealed,
    shown,
)

FRAME_SIZE_BYTES = 64 * 1024


def record(number: int) -> tuple[int, bytes]:
    """The timestamp and id of a record that exists in dialogues only."""
    return AT_MS + number // 3, digest("vector-record", number.to_bytes(4, "big"))


def snapshot(numbers: Any) -> Snapshot:
    """The records of these numbers."""
    return Snapshot(sorted(record(number) for number in numbers))


DIALOGUES: tuple[tuple[str, list[int], list[int]], ...] = (
    ("both empty", [], []),
    ("equal", list(range(40)), list(range(40))),
    ("the client is new", [], list(range(20))),
    ("the server is new", list(range(20)), []),
    ("a hundred records, two differ on each side", list(range(2, 102)), list(range(100))),
)


def play(client_numbers: list[int], server_numbers: list[int]) -> dict[str, Json]:
    """The messages of one dialogue in order, client first, and what the client learnt."""
    client = Client(snapshot(client_numbers), FRAME_SIZE_BYTES)
    server = Server(snapshot(server_numbers), FRAME_SIZE_BYTES)
    message: bytes = client.initiate()
    messages = [message]
    have: list[bytes] = []
    need: list[bytes] = []
    while message:
        reply = server.respond(message)
        assert not isinstance(reply, Refused), reply
        messages.append(reply)
        progress = client.advance(reply)
        assert not isinstance(progress, Refused), progress
        have += progress.have
        need += progress.need
        message = progress.message or b""
        if message:
            messages.append(message)
    return {
        "messages": [item.hex() for item in messages],
        "have": sorted(item.hex() for item in have),
        "need": sorted(item.hex() for item in need),
    }


def make() -> File:
    """tests/vectors/sync.json"""
    first, second = record(1)[1], record(2)[1]
    raw = sealed(Kind.BINDING, BINDING)
    requests = (
        ("compare", Reconcile(b"\x61")),
        ("send me these", Fetch((first, second))),
        ("you lack these", Offer((first,))),
    )
    answers = (
        ("the comparison's next frame", Reconcile(b"\x61\x00")),
        ("those that are held", Envelopes(2, (raw,))),
        ("none is welcome", Offer(())),
        ("no", Denied(Reason.TOO_MANY)),
    )
    other = NetworkId(OTHER_NETWORK)
    bad_requests = (
        ("of another network", encode_request(other, Fetch((first,))), Reason.FOREIGN_NETWORK),
        ("two parts", bytes_of([NETWORK, 2]), Reason.MALFORMED),
        ("type 4", bytes_of([NETWORK, 4, {0: [first]}]), Reason.MALFORMED),
        ("type true", bytes_of([NETWORK, True, {0: b"\x61"}]), Reason.MALFORMED),
        ("no network id", bytes_of([b"n" * 15, 2, {0: [first]}]), Reason.MALFORMED),
        ("no ids", bytes_of([NETWORK, 2, {0: []}]), Reason.OUT_OF_BOUNDS),
        ("257 ids", bytes_of([NETWORK, 2, {0: [first] * 257}]), Reason.OUT_OF_BOUNDS),
        ("an id of 31 bytes", bytes_of([NETWORK, 2, {0: [first[:31]]}]), Reason.OUT_OF_BOUNDS),
        ("an empty frame", bytes_of([NETWORK, 1, {0: b""}]), Reason.OUT_OF_BOUNDS),
        ("a key more", bytes_of([NETWORK, 1, {0: b"a", 1: 0}]), Reason.MALFORMED),
        (
            "an indefinite array",
            b"\x9f" + bytes_of([NETWORK, 1, {0: b"a"}])[1:] + b"\xff",
            Reason.NOT_CANONICAL,
        ),
    )
    bad_answers = (
        ("nothing", b"", Reason.MALFORMED),
        ("type 5", bytes_of([5, {0: b"a"}]), Reason.MALFORMED),
        ("a reason that does not exist", bytes_of([4, {0: "because"}]), Reason.OUT_OF_BOUNDS),
        ("257 considered", bytes_of([2, {0: 257, 1: []}]), Reason.OUT_OF_BOUNDS),
    )
    dialogues: list[Json] = [
        {"name": name, "client": client, "server": server, **play(client, server)}
        for name, client, server in DIALOGUES
    ]
    return {
        "about": "sync messages; in dialogues, record n has the timestamp and id of sync.record(n)",
        "source": "luminous.protocol.sync_messages, luminous.protocol.reconciliation",
        "network": NETWORK.hex(),
        "requests": [_row(name, item, encode_request(NETWORK, item)) for name, item in requests],
        "answers": [_row(name, item, encode_answer(item)) for name, item in answers],
        "requests_refused": [_bad(*item) for item in bad_requests],
        "answers_refused": [_bad(*item) for item in bad_answers],
        "records": [[record(number)[0], record(number)[1].hex()] for number in range(102)],
        "dialogues": dialogues,
    }


def _row(name: str, message: object, raw: bytes) -> Json:
    return {"name": name, "type": type(message).__name__, "message": shown(message), "raw": raw.hex()}


def _bad(name: str, raw: bytes, reason: Reason) -> Json:
    return {"name": name, "raw": raw.hex(), "reason": reason.value}
