"""A hostile peer: a libp2p host without manners, connected to its victim, with streams to write on.

Works on the library alone, with raw frames where the library would be too polite. Refuses to know anything
about the node.
"""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.pb import rpc_pb2
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

MESHSUB = TProtocol("/meshsub/1.1.0")


class Attacker:
    """One hostile peer, connected to the victim, with a gossip stream to write on."""

    def __init__(self, host: Any, victim: Any, keys: Any) -> None:
        self.host = host
        self.victim = victim
        self.keys = keys
        self._sequence = random.randrange(1 << 40)

    async def stream(self, protocol: str = MESHSUB) -> Any:
        """A negotiated stream to the victim."""
        return await self.host.new_stream(self.victim.peer_id, [TProtocol(protocol)])

    def connection(self) -> Any:
        """The yamux session with the victim."""
        return self.host.get_network().connections[self.victim.peer_id][0].muxed_conn

    def message(self, topic: str, data: bytes, *, is_signed: bool = True) -> Any:
        """A gossip message of this peer."""
        self._sequence += 1
        message = rpc_pb2.Message(
            data=data,
            topicIDs=[topic],
            from_id=self.host.get_id().to_bytes(),
            seqno=self._sequence.to_bytes(8, "big"),
        )
        payload = b"libp2p-pubsub:" + message.SerializeToString()
        message.signature = self.keys.private_key.sign(payload) if is_signed else os.urandom(64)
        message.key = self.keys.public_key.serialize()
        return message


@asynccontextmanager
async def attacker(address: str, chance: random.Random) -> AsyncIterator[Attacker]:
    """A hostile peer with a fresh identity, connected to ``address``."""
    keys = create_new_key_pair(chance.randbytes(32))
    noise = NoiseTransport(keys, noise_privkey=create_x25519_pair().private_key)
    host = new_host(key_pair=keys, sec_opt={NOISE_ID: noise}, muxer_opt={TProtocol(YAMUX_ID): Yamux})
    host.set_stream_handler(MESHSUB, _drain)
    victim = info_from_p2p_addr(Multiaddr(address))
    async with host.run([]):
        await host.connect(victim)
        try:
            yield Attacker(host, victim, keys)
        finally:
            for conn in host.get_network().connections.get(victim.peer_id, ()):
                muxed: Any = conn.muxed_conn
                socket = muxed.secured_conn.conn.read_writer.read_write_closer.stream.stream
                await trio.aclose_forcefully(socket)


async def _drain(stream: Any) -> None:
    try:
        while await stream.read(65_536):
            pass
    except Exception:  # noqa: BLE001 - the end of the stream
        return


def framed(data: bytes) -> bytes:
    """``data`` with its length as a varint in front."""
    length, prefix = len(data), bytearray()
    while length >= 0x80:
        prefix.append((length & 0x7F) | 0x80)
        length >>= 7
    return bytes(prefix) + bytes([length]) + data


async def write(stream: Any, data: bytes) -> bool:
    """Write unless the victim has closed; False if it has."""
    try:
        with trio.move_on_after(5.0) as scope:
            await stream.write(data)
        return not scope.cancelled_caught
    except Exception:  # noqa: BLE001 - whatever the victim did to the stream is a success of the victim
        return False
