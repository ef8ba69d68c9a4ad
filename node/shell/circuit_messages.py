"""The messages of circuit relay v2 (github.com/libp2p/specs, relay/circuit-v2.md), as values.

Refuses what is larger than such a message can be, what is no protobuf, and names that are no peer ids. A
message is read to its last byte and not one further: what follows it on the stream belongs to the two peers
whose circuit this becomes.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.protobuf.message import DecodeError
from libp2p.peer.id import ID
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, StopMessage

from luminous.node.shell.dial_address import PEER
from luminous.node.shell.frames import framed
from luminous.protocol.reasons import Reason, Refused

HOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/hop"
STOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/stop"
# One message. Stops announced lengths; a reservation with eight addresses takes a few hundred bytes.
MESSAGE_SIZE_BYTES_MAX = 4096
_PEER_ID_SIZE_BYTES_MAX = 64


class Status(IntEnum):
    """How a request ended; the numbers are the specification's."""

    OK = 100
    RESERVATION_REFUSED = 200
    RESOURCE_LIMIT_EXCEEDED = 201
    PERMISSION_DENIED = 202
    CONNECTION_FAILED = 203
    NO_RESERVATION = 204
    MALFORMED_MESSAGE = 400
    UNEXPECTED_MESSAGE = 401


class Wish(IntEnum):
    """What a message is for, by the numbers of a hop message."""

    RESERVE = 0
    CONNECT = 1
    STATUS = 2


_HOP_KINDS = {
    Wish.RESERVE: HopMessage.RESERVE,
    Wish.CONNECT: HopMessage.CONNECT,
    Wish.STATUS: HopMessage.STATUS,
}


@dataclass(frozen=True, slots=True)
class CircuitMessage:
    """A hop or stop message. ``peer``: whom it is about, empty if nobody; times in seconds, sizes in bytes.

    ``status``: of an answer, else None. ``expire_s``: wall time at which a reservation ends, 0 without one.
    """

    wish: Wish
    peer: str = ""
    status: Status | None = None
    expire_s: int = 0
    addresses: tuple[bytes, ...] = ()
    duration_s: int = 0
    data_bytes: int = 0


def write_hop(message: CircuitMessage) -> bytes:
    """The frame of a hop message."""
    found = HopMessage(type=_HOP_KINDS[message.wish])
    if message.expire_s:
        found.reservation.expire = message.expire_s
        found.reservation.addrs.extend(message.addresses)
    return _written(found, message)


def write_stop(message: CircuitMessage) -> bytes:
    """The frame of a stop message; a reservation is never in one."""
    assert message.wish is not Wish.RESERVE and not message.expire_s
    kind = StopMessage.CONNECT if message.wish is Wish.CONNECT else StopMessage.STATUS
    return _written(StopMessage(type=kind), message)


def _written(found: Any, message: CircuitMessage) -> bytes:
    if message.peer:
        found.peer.id = ID.from_string(message.peer).to_bytes()
    if message.duration_s or message.data_bytes:
        found.limit.duration, found.limit.data = message.duration_s, message.data_bytes
    if message.status is not None:
        found.status = int(message.status)
    return framed(found.SerializeToString())


def read_hop(raw: bytes) -> CircuitMessage | Refused:
    """The hop message of bytes, or why not."""
    return _read(HopMessage(), raw, {0: Wish.RESERVE, 1: Wish.CONNECT, 2: Wish.STATUS})


def read_stop(raw: bytes) -> CircuitMessage | Refused:
    """The stop message of bytes, or why not."""
    return _read(StopMessage(), raw, {0: Wish.CONNECT, 1: Wish.STATUS})


def _read(found: Any, raw: bytes, wishes: dict[int, Wish]) -> CircuitMessage | Refused:
    if len(raw) > MESSAGE_SIZE_BYTES_MAX:
        return Refused(Reason.OVERSIZED, "a circuit message")
    try:
        found.ParseFromString(raw)
    except DecodeError:
        return Refused(Reason.MALFORMED, "no circuit message")
    peer = ""
    if found.HasField("peer"):
        if not 0 < len(found.peer.id) <= _PEER_ID_SIZE_BYTES_MAX:
            return Refused(Reason.OUT_OF_BOUNDS, "no peer id")
        peer = str(ID(found.peer.id))
        if not PEER.fullmatch(peer):
            return Refused(Reason.OUT_OF_BOUNDS, "no peer id")
    if found.type not in wishes:
        return Refused(Reason.MALFORMED, "no such kind of circuit message")
    reservation = found.reservation if isinstance(found, HopMessage) else None
    return CircuitMessage(
        wishes[found.type],
        peer,
        _status(found),
        reservation.expire if reservation else 0,
        tuple(reservation.addrs) if reservation else (),
        found.limit.duration,
        found.limit.data,
    )


def _status(found: Any) -> Status | None:
    if not found.HasField("status"):
        return None
    try:
        return Status(found.status)
    except ValueError:
        return Status.UNEXPECTED_MESSAGE


async def read_message(stream: Any) -> bytes:
    """The next length-prefixed message and no byte more. Raises ``ValueError`` if it is too large or cut."""
    size = 0
    for shift in (0, 7, 14):
        (byte,) = await _exactly(stream, 1)
        size |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    else:
        raise ValueError("oversized")
    if size > MESSAGE_SIZE_BYTES_MAX:
        raise ValueError("oversized")
    return await _exactly(stream, size)


async def _exactly(stream: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await stream.read(size - len(data))
        if not part:
            raise ValueError("cut short")
        data += part
    return data
