"""What hostile machines do in the mesh below envelopes: bytes to one peer, past all manners, and silence.

The frame is a well-signed GossipSub message, so it reaches the victim's own judgement as a real one would.
Refuses to break libp2p's own rules: ``attacks`` does that, on the wire.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import trio
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.validators import PUBSUB_SIGNING_PREFIX

from luminous.node.shell.frames import framed
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.protocol.admission import Verdict

STALL_S = 60.0


def whisper(transport: LibP2PTransport, peer: ID, topic: str, raw: bytes, now_ms: int) -> bool:
    """Send ``raw`` to one connected peer as an own gossip message; False if there is no way to it.

    The own node is not asked what it thinks of the bytes. What is said in one moment is one message,
    whoever it is said to: else each copy would be a new one, and that is another attack.
    """
    stack = transport._stack
    queue = None if stack is None else stack.pubsub.peer_queues.get(peer)
    if stack is None or queue is None:
        return False
    number = hashlib.blake2b(raw + now_ms.to_bytes(8, "big"), digest_size=8).digest()
    message = rpc_pb2.Message(data=raw, topicIDs=[topic], from_id=stack.pubsub.my_id.to_bytes(), seqno=number)
    payload = PUBSUB_SIGNING_PREFIX.encode() + message.SerializeToString()
    message.signature = stack.pubsub.sign_key.sign(payload)
    message.key = stack.host.get_public_key().serialize()
    return bool(queue.push_frame(framed(rpc_pb2.RPC(publish=[message]).SerializeToString())))


def silenced(callbacks: dict[str, Any]) -> dict[str, Any]:
    """The callbacks of a machine that listens, relays nothing and answers nobody."""
    validate: Callable[[str, bytes, str], Verdict] = callbacks["validate"]
    received: Callable[[str, bytes, str], None] = callbacks["received"]

    def listen(topic: str, data: bytes, peer: str) -> Verdict:
        """Hear it, but let nobody else."""
        verdict = validate(topic, data, peer)
        if verdict is Verdict.ACCEPT:
            received(topic, data, peer)
            return Verdict.IGNORE
        return verdict

    async def stall(peer: str, data: bytes) -> bytes:
        """Let who asks wait until it gives up."""
        await trio.sleep(STALL_S)
        return b""

    return {**callbacks, "validate": listen, "serve": dict.fromkeys(callbacks["serve"], stall)}
