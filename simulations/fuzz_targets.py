"""What reads bytes of strangers, and what must hold of each for any bytes at all.

A target takes an input and says whether it was taken (True) or refused (False); what must never happen is an
assertion or any other exception. Refuses sockets: live frames are ``fuzz_rpc``'s.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import trio
from google.protobuf.message import DecodeError
from libp2p.exceptions import BaseLibp2pError
from libp2p.pubsub.pb import rpc_pb2
from libp2p.security.noise.messages import NoiseHandshakePayload

from luminous.crypto.keys import signer_from_seed
from luminous.node.shell.control_traffic import within_limits
from luminous.node.shell.frames import FrameError, framed, split_frames
from luminous.node.shell.guards import Limits, PeerLedger
from luminous.node.shell.libp2p_patches import _read_protocol_name
from luminous.node.shell.yamux_session import HEADER, SessionFault, _read_frames, _Session
from luminous.protocol.admission import admit
from luminous.protocol.cards import read_card, write_card
from luminous.protocol.certificate import read_certificate
from luminous.protocol.codec import decode, encode
from luminous.protocol.genesis import read_genesis
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.peer_exchange import read_answer, read_question
from luminous.protocol.reasons import Refused
from luminous.protocol.reconciliation import Client, Server, Snapshot
from luminous.protocol.sync_messages import decode_answer, decode_request, encode_answer, encode_request
from luminous.simulations.make_vectors import FILES

Target = Callable[[bytes], bool]
FRAME_SIZE_BYTES_MAX = 1 << 16
TOPIC = "fuzz/1"


def _hexed(part: str, key: str, *lists: str) -> list[bytes]:
    found = FILES[part]()
    return [bytes.fromhex(row[key]) for name in lists for row in found[name]]


def envelopes() -> tuple[Target, list[bytes]]:
    """Admission. An input is admitted only if it is one of the seeds, byte for byte: it is signed."""
    found = FILES["envelopes"]()
    network = NetworkId(bytes.fromhex(str(found["network"])))
    seeds = _hexed("envelopes", "raw", "vectors")
    known = frozenset(seeds)

    def target(data: bytes) -> bool:
        answer = admit(data, network)
        if isinstance(answer, Refused):
            return False
        assert answer.raw == data and data in known, "admitted what nobody signed"
        return True

    return target, seeds


def codec() -> tuple[Target, list[bytes]]:
    """Canonical CBOR: what is decoded encodes to the same bytes."""

    def target(data: bytes) -> bool:
        value = decode(data)
        if isinstance(value, Refused):
            return False
        assert encode(value) == data, "two encodings of one value"
        return True

    return target, [*_hexed("codec", "cbor", "vectors"), *_hexed("envelopes", "raw", "vectors")]


def payloads() -> tuple[Target, list[bytes]]:
    """The payload of every kind, as if it were signed: what a schema reads, it packs to the same value."""
    kinds = sorted(SCHEMAS)

    def target(data: bytes) -> bool:
        value = decode(data)
        if isinstance(value, Refused):
            return False
        taken = False
        for kind in kinds:
            payload = SCHEMAS[kind].parse(value)
            if not isinstance(payload, Refused):
                assert SCHEMAS[kind].pack(payload) == value, f"kind {kind} packs otherwise than read"
                taken = True
        return taken

    values: list[Any] = [decode(raw) for raw in _hexed("envelopes", "raw", "vectors")]
    return target, [encode(value[6]) for value in values]


def requests() -> tuple[Target, list[bytes]]:
    """Requests of the sync protocol: what is read is written back byte for byte."""
    network = NetworkId(bytes.fromhex(str(FILES["sync"]()["network"])))

    def target(data: bytes) -> bool:
        request = decode_request(network, data)
        if isinstance(request, Refused):
            return False
        assert encode_request(network, request) == data, "read otherwise than written"
        return True

    return target, _hexed("sync", "raw", "requests", "requests_refused")


def answers() -> tuple[Target, list[bytes]]:
    """Answers of the sync protocol, likewise."""

    def target(data: bytes) -> bool:
        answer = decode_answer(data)
        if isinstance(answer, Refused):
            return False
        assert encode_answer(answer) == data, "read otherwise than written"
        return True

    return target, _hexed("sync", "raw", "answers", "answers_refused")


def reconciliation() -> tuple[Target, list[bytes]]:
    """Both sides of a comparison of 102 records, each hearing the input as if it were the other's."""
    found: Any = FILES["sync"]()
    snapshot = Snapshot(sorted((at_ms, bytes.fromhex(name)) for at_ms, name in found["records"]))
    server, seeds = Server(snapshot), []
    for dialogue in found["dialogues"]:
        seeds += [bytes.fromhex(message) for message in dialogue["messages"]]

    def target(data: bytes) -> bool:
        answer = server.respond(data)
        assert isinstance(answer, Refused) or len(answer) <= FRAME_SIZE_BYTES_MAX, "an oversized answer"
        client = Client(snapshot)
        client.initiate()
        return not isinstance(client.advance(data), Refused)

    return target, seeds


def cards() -> tuple[Target, list[bytes]]:
    """Cards as typed: what is read is a card that can be written."""

    def target(data: bytes) -> bool:
        card = read_card(data.decode("utf-8", "replace"))
        if isinstance(card, Refused):
            return False
        assert write_card(card), "not writable"
        return True

    return target, [row["line"].encode() for row in FILES["cards"]()["vectors"]]


def peers() -> tuple[Target, list[bytes]]:
    """Questions and answers about peers."""

    def target(data: bytes) -> bool:
        found = (read_question(data), read_answer(data))
        return not all(isinstance(item, Refused) for item in found)

    return target, _hexed("peer_exchange", "raw", "questions", "answers")


def founding() -> tuple[Target, list[bytes]]:
    """The founding record as a newcomer fetches it, and certificates."""

    def target(data: bytes) -> bool:
        found = (read_genesis(data), read_certificate(data))
        return not all(isinstance(item, Refused) for item in found)

    return target, [*_hexed("genesis", "raw", "vectors"), *_hexed("certificates", "raw", "vectors")]


def gossip() -> tuple[Target, list[bytes]]:
    """Bytes of a gossip stream: framing, the RPC, and what is kept of its control part."""
    ledger = PeerLedger(Limits())
    signer = signer_from_seed(bytes(32))
    rpc = rpc_pb2.RPC()
    rpc.subscriptions.add(subscribe=True, topicid=TOPIC)
    rpc.publish.add(data=bytes(200), from_id=signer.public, seqno=bytes(8), topicIDs=[TOPIC])
    rpc.control.ihave.add(topicID=TOPIC, messageIDs=[bytes(12)] * 4)
    rpc.control.iwant.add(messageIDs=[bytes(12)] * 4)
    rpc.control.graft.add(topicID=TOPIC)
    rpc.control.prune.add(topicID=TOPIC, backoff=60)
    seed = framed(rpc.SerializeToString())
    clock = [0.0]

    def target(data: bytes) -> bool:
        clock[0] += 60.0
        buffer = bytearray(data)
        try:
            frames = split_frames(buffer, FRAME_SIZE_BYTES_MAX)
        except FrameError:
            return False
        assert sum(map(len, frames)) + len(buffer) <= len(data), "frames of nothing"
        for frame in frames:
            heard = rpc_pb2.RPC()
            try:
                heard.ParseFromString(frame)
                kept = within_limits(
                    heard.control, ledger, "fuzz", clock[0], frozenset((TOPIC,)), lambda mid: True
                )
            except (DecodeError, FrameError):
                return False
            assert kept is None or all(not prune.peers for prune in kept.control.prune), "peers let through"
        return bool(frames)

    return target, [seed, seed * 3, framed(b"") + seed]


class _Connection:
    """As much of a yamux connection as reading frames touches; it never suspends."""

    is_initiator_value = False
    streams_max = 4
    _ping_sent_time = _rtt = 0.0

    def __init__(self, data: bytes) -> None:
        self.chunks = deque((data, b""))
        self.secured_conn = self.new_stream_send_channel = self
        self.streams: dict[int, Any] = {}
        self.stream_buffers: dict[int, bytearray] = {}
        self.stream_events: dict[int, trio.Event] = {}
        self._ping_event, self.event_shutting_down = trio.Event(), trio.Event()

    async def read(self, n: int | None) -> bytes:
        """What the peer sent, then the end."""
        return self.chunks.popleft()

    async def send(self, stream: Any) -> None:
        """A new inbound stream."""

    def _finalize_stream_locked(self, stream: Any, *, fully_closed: bool) -> None:
        self.streams.pop(stream.stream_id, None)


def yamux() -> tuple[Target, list[bytes]]:
    """Frames of one connection: its streams and what it buffers stay bounded."""
    begin, more = HEADER.pack(0, 0, 1, 1, 4) + b"data", HEADER.pack(0, 0, 0, 1, 3) + b"abc"
    seeds = [
        begin + more + HEADER.pack(0, 1, 0, 1, 4096) + HEADER.pack(0, 0, 4, 1, 0),
        HEADER.pack(0, 2, 1, 0, 7) + HEADER.pack(0, 2, 2, 0, 7) + begin + HEADER.pack(0, 1, 8, 1, 0),
        b"".join(HEADER.pack(0, 1, 1, stream_id, 0) for stream_id in (1, 3, 5, 7, 9)) + more,
        HEADER.pack(0, 3, 0, 0, 0),
    ]

    def target(data: bytes) -> bool:
        conn = _Connection(data)
        reading = _read_frames(_Session(conn))
        try:
            reading.send(None)
        except StopIteration:
            pass
        except SessionFault:
            return False
        finally:
            reading.close()
        assert len(conn.streams) <= conn.streams_max, "too many streams"
        assert sum(map(len, conn.stream_buffers.values())) <= len(data), "bytes of nothing"
        return True

    return target, seeds


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

    async def read(self, n: int) -> bytes:
        """The next ``n`` bytes."""
        head, self.data = self.data[:n], self.data[n:]
        return head


def handshake() -> tuple[Target, list[bytes]]:
    """A line of stream negotiation, and the identity in a Noise handshake; both may raise by name."""
    line = b"\x13/multistream/1.0.0\n"
    payload = b"\x0a\x24\x08\x01\x12\x20" + signer_from_seed(bytes(32)).public + b"\x12\x40" + bytes(64)

    def target(data: bytes) -> bool:
        reading = _read_protocol_name(_Reader(data))
        try:
            reading.send(None)
        except StopIteration as done:
            assert len(done.value) < len(data), "a name of nothing"
            return True
        except (BaseLibp2pError, ValueError):
            pass
        try:
            NoiseHandshakePayload.deserialize(data)
        except (DecodeError, BaseLibp2pError, ValueError):
            return False
        return True

    return target, [line, b"\x03na\n", payload]


# Name: (what to make, share of the inputs in percent).
TARGETS: dict[str, tuple[Callable[[], tuple[Target, list[bytes]]], int]] = {
    "envelopes": (envelopes, 20),
    "payloads": (payloads, 15),
    "codec": (codec, 10),
    "requests": (requests, 10),
    "answers": (answers, 5),
    "reconciliation": (reconciliation, 5),
    "cards": (cards, 5),
    "peers": (peers, 5),
    "founding": (founding, 5),
    "gossip": (gossip, 8),
    "yamux": (yamux, 8),
    "handshake": (handshake, 4),
}
