"""What hostile peers do: each function does to a victim what no correct peer does.

Refuses to know anything about the node: what an attack achieves is read from outside, by whoever runs it.
"""

import os
import random
import struct

import trio
from libp2p.pubsub.pb import rpc_pb2
from multiaddr import Multiaddr

from luminous.simulations.hostile_peer import Attacker, attacker, framed, write

YAMUX_HEADER = struct.Struct("!BBHII")
# A frame that is no protobuf message: eleven bytes of an unfinished field behind their length.
MALFORMED = b"\x0b" + b"\xff" * 11


async def malformed_frame(peer: Attacker, topic: str) -> None:
    """One frame that is no protobuf message."""
    await write(await peer.stream(), MALFORMED)


async def garbage_key(peer: Attacker, topic: str) -> None:
    """A message whose author id is a hash and whose key does not decode."""
    message = rpc_pb2.Message(
        data=b"x", topicIDs=[topic], from_id=b"\x12\x20" + os.urandom(32), seqno=os.urandom(8)
    )
    message.key, message.signature = os.urandom(40), os.urandom(64)
    await write(await peer.stream(), framed(rpc_pb2.RPC(publish=[message]).SerializeToString()))


async def oversized_frame(peer: Attacker, topic: str) -> None:
    """A frame announced as four gigabytes, then as much of it as the victim takes."""
    stream = await peer.stream()
    await write(stream, b"\xff\xff\xff\xff\x0f")
    for _ in range(64):
        if not await write(stream, bytes(65_536)):
            return


async def bad_signatures(peer: Attacker, topic: str) -> None:
    """Messages that their author did not sign."""
    stream = await peer.stream()
    for _ in range(40):
        rpc = rpc_pb2.RPC(publish=[peer.message(topic, os.urandom(64), is_signed=False)])
        if not await write(stream, framed(rpc.SerializeToString())):
            return


async def rejected_messages(peer: Attacker, topic: str) -> None:
    """Well-signed messages that the application rejects."""
    stream = await peer.stream()
    for _ in range(40):
        rpc = rpc_pb2.RPC(publish=[peer.message(topic, b"reject" + os.urandom(16))])
        if not await write(stream, framed(rpc.SerializeToString())):
            return


async def raising_validator(peer: Attacker, topic: str) -> None:
    """A message on which the victim's validator raises."""
    stream = await peer.stream()
    rpc = rpc_pb2.RPC(publish=[peer.message(topic, b"raise" + os.urandom(16))])
    await write(stream, framed(rpc.SerializeToString()))
    await trio.sleep(0.2)


async def protocol_name(peer: Attacker, topic: str) -> None:
    """A stream that asks for a protocol whose name is not text."""
    conn = peer.host.get_network().connections[peer.victim.peer_id][0]
    stream = await conn.new_stream()
    await write(stream, framed(b"/multistream/1.0.0\n") + framed(b"\xff\xfe\n"))
    await trio.sleep(0.2)


async def stream_flood(peer: Attacker, topic: str) -> None:
    """Streams that are opened and never negotiated."""
    session = peer.connection()
    first = 1_000_001 if session.is_initiator_value else 1_000_000
    for index in range(400):
        frame = YAMUX_HEADER.pack(0, 1, 1, first + 2 * index, 0)
        try:
            await session._write_frame(frame)
        except Exception:  # noqa: BLE001 - the victim hung up
            return
    await trio.sleep(0.3)


async def window_overrun(peer: Attacker, topic: str) -> None:
    """Data beyond the receive window, on a stream that nobody reads yet."""
    session = peer.connection()
    stream_id = 2_000_001 if session.is_initiator_value else 2_000_000
    body = bytes(32_768)
    try:
        await session._write_frame(YAMUX_HEADER.pack(0, 1, 1, stream_id, 0))
        for _ in range(2048):
            await session._write_frame(YAMUX_HEADER.pack(0, 0, 0, stream_id, len(body)) + body)
    except Exception:  # noqa: BLE001 - the victim hung up
        return


async def ping_flood(peer: Attacker, topic: str) -> None:
    """Pings by the thousand."""
    session = peer.connection()
    for index in range(100):
        batch = b"".join(YAMUX_HEADER.pack(0, 2, 1, 0, index * 100 + n) for n in range(100))
        try:
            await session.secured_conn.write(batch)
        except Exception:  # noqa: BLE001 - the victim hung up
            return


async def stalled_frame(peer: Attacker, topic: str) -> None:
    """A frame begun and dripped, byte by byte."""
    stream = await peer.stream()
    await write(stream, framed(bytes(1000))[:10])
    for _ in range(12):
        await trio.sleep(0.25)
        if not await write(stream, b"\0"):
            return


async def subscription_flood(peer: Attacker, topic: str) -> None:
    """Subscribing and unsubscribing without end, to real and invented topics."""
    stream = await peer.stream()
    for number in range(500):
        changes = [
            rpc_pb2.RPC.SubOpts(subscribe=True, topicid=f"invented/{number}"),
            rpc_pb2.RPC.SubOpts(subscribe=bool(number % 2), topicid=topic),
        ]
        rpc = rpc_pb2.RPC(subscriptions=changes)
        if not await write(stream, framed(rpc.SerializeToString())):
            return


async def have_flood(peer: Attacker, topic: str) -> None:
    """Messages offered by the ten thousand that do not exist."""
    stream = await peer.stream()
    for _ in range(100):
        have = rpc_pb2.ControlIHave(topicID=topic, messageIDs=[os.urandom(46) for _ in range(500)])
        rpc = rpc_pb2.RPC(control=rpc_pb2.ControlMessage(ihave=[have]))
        if not await write(stream, framed(rpc.SerializeToString())):
            return


async def want_flood(peer: Attacker, topic: str) -> None:
    """The same real message wanted again and again."""
    stream = await peer.stream()
    message = peer.message(topic, os.urandom(8192))
    await write(stream, framed(rpc_pb2.RPC(publish=[message]).SerializeToString()))
    await trio.sleep(0.1)
    mid = message.from_id + message.seqno
    for _ in range(60):
        want = rpc_pb2.ControlIWant(messageIDs=[mid] * 500)
        rpc = rpc_pb2.RPC(control=rpc_pb2.ControlMessage(iwant=[want]))
        if not await write(stream, framed(rpc.SerializeToString())):
            return


async def graft_prune_abuse(peer: Attacker, topic: str) -> None:
    """Joining and leaving meshes, real and invented, with absurd back-offs."""
    stream = await peer.stream()
    for number in range(400):
        control = rpc_pb2.ControlMessage(
            graft=[rpc_pb2.ControlGraft(topicID=topic), rpc_pb2.ControlGraft(topicID=f"invented/{number}")],
            prune=[rpc_pb2.ControlPrune(topicID=f"invented/{number}", backoff=2**63)],
        )
        if not await write(stream, framed(rpc_pb2.RPC(control=control).SerializeToString())):
            return


async def message_flood(peer: Attacker, topic: str) -> None:
    """Valid messages as fast as the line carries them."""
    stream = await peer.stream()
    for _ in range(70):
        batch = [peer.message(topic, b"flood" + os.urandom(200)) for _ in range(50)]
        if not await write(stream, framed(rpc_pb2.RPC(publish=batch).SerializeToString())):
            return


async def random_bytes(address: str, chance: random.Random) -> None:
    """Noise on the TCP port instead of a handshake."""
    for size in (1, 20, 300, 5000, 70_000):
        stream = await _dial(address)
        async with stream:
            try:
                await stream.send_all(chance.randbytes(size))
                await trio.sleep(0.02)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                continue


async def half_open(address: str, count: int, hold_s: float) -> int:
    """TCP connections that never say a word; how many the victim keeps after a moment."""
    open_streams = []
    for _ in range(count):
        open_streams.append(await _dial(address))
    await trio.sleep(hold_s)
    kept = 0
    for stream in open_streams:
        with trio.move_on_after(0.01) as scope:
            try:
                while await stream.receive_some(4096):
                    pass
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        kept += scope.cancelled_caught
        await stream.aclose()
    return kept


async def reconnect_storm(address: str, chance: random.Random, times: int, at_once: int = 5) -> int:
    """Connect with a new identity and leave, again and again; how often it worked."""
    worked = 0

    async def visit() -> None:
        nonlocal worked
        try:
            with trio.fail_after(5.0):
                async with attacker(address, chance) as peer:
                    await peer.stream()
                    worked += 1
        except Exception:  # noqa: BLE001 - refused: what the victim may do
            return

    for _ in range(times // at_once):
        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(visit)
    return worked


async def _dial(address: str) -> trio.SocketStream:
    maddr = Multiaddr(address)
    host, port = maddr.value_for_protocol("ip4"), maddr.value_for_protocol("tcp")
    return await trio.open_tcp_stream(str(host), int(str(port)))


ON_A_STREAM = {
    function.__name__: function
    for function in (
        malformed_frame,
        garbage_key,
        oversized_frame,
        bad_signatures,
        rejected_messages,
        raising_validator,
        protocol_name,
        stream_flood,
        window_overrun,
        ping_flood,
        stalled_frame,
        subscription_flood,
        have_flood,
        want_flood,
        graft_prune_abuse,
        message_flood,
    )
}
