"""Seeded nonsense for a live gossip stream: mostly frames that decode, so that the nonsense reaches the code.

Refuses to be random: the same seed sends the same fields (keys and signatures aside).
"""

import random
from typing import Any

import trio
from libp2p.pubsub.pb import rpc_pb2

from luminous.simulations.hostile_peer import Attacker, attacker, framed, write


def fuzzed_rpc(peer: Attacker, topic: str, chance: random.Random) -> bytes:
    """One frame: mostly a decodable RPC full of nonsense, sometimes bytes that are none."""
    if chance.random() < 0.005:
        return framed(chance.randbytes(chance.randrange(1, 200)))
    if chance.random() < 0.2:
        real = rpc_pb2.RPC(publish=[peer.message(topic, chance.randbytes(chance.randrange(300)))])
        return framed(real.SerializeToString())
    rpc = rpc_pb2.RPC()
    for _ in range(chance.randrange(1, 4)):
        _fuzz_part(rpc, topic, chance)
    return framed(rpc.SerializeToString())


def _fuzz_part(rpc: Any, topic: str, chance: random.Random) -> None:
    some_topic = topic if chance.random() < 0.7 else "".join(chance.choices("ab\0é☃", k=chance.randrange(40)))
    noise = [chance.randbytes(chance.randrange(70)) for _ in range(chance.randrange(5))]
    number = chance.choice((0, 1, 60, 2**31, 2**63, 2**64 - 1))
    part = chance.randrange(8)
    if part == 0:
        author = chance.choice(
            (b"", b"\x12\x20" + chance.randbytes(32), b"\x00\x24\x08\x01\x12\x20" + chance.randbytes(32))
        )
        rpc.publish.add(
            data=chance.randbytes(chance.randrange(2000)),
            from_id=author,
            seqno=chance.randbytes(chance.randrange(12)),
            topicIDs=[some_topic] * chance.randrange(3),
            signature=chance.randbytes(chance.choice((0, 64, 70))),
            key=chance.randbytes(chance.choice((0, 36, 300))),
        )
    elif part == 1:
        rpc.subscriptions.add(subscribe=chance.random() < 0.5, topicid=some_topic)
    elif part == 2:
        rpc.control.ihave.add(topicID=some_topic, messageIDs=noise)
    elif part == 3:
        rpc.control.iwant.add(messageIDs=noise)
    elif part == 4:
        rpc.control.graft.add(topicID=some_topic)
    elif part == 5:
        rpc.control.prune.add(topicID=some_topic, backoff=number, peers=[rpc_pb2.PeerInfo(peerID=b"x")])
    elif part == 6:
        rpc.control.idontwant.add(messageIDs=noise)
    else:
        rpc.senderRecord = chance.randbytes(chance.randrange(300))


async def fuzz(address: str, topic: str, seed: int, frames: int) -> int:
    """Send ``frames`` seeded frames, reconnecting whenever the victim hangs up; frames that it took."""
    chance = random.Random(seed)
    taken = 0
    while taken < frames:
        async with attacker(address, chance) as peer:
            stream = await peer.stream()
            while taken < frames:
                batch = [fuzzed_rpc(peer, topic, chance) for _ in range(20)]
                if not await write(stream, b"".join(batch)):
                    break
                taken += len(batch)
            await trio.sleep(0.05)
    return taken
