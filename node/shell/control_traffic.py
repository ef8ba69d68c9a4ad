"""Gossip control messages (IHAVE, IWANT, GRAFT, PRUNE) as a peer may send them.

Refuses what exceeds the peer's rates, and takes out what is about other topics, offers known messages, asks
for absurd back-offs or brings peers nobody asked for.
"""

from collections.abc import Callable
from typing import Any

from libp2p.pubsub.pb import rpc_pb2

from luminous.node.shell.frames import FrameError
from luminous.node.shell.guards import Offence, PeerLedger

MESSAGE_ID_BYTES_MAX = 80
BACK_OFF_S_MAX = 3600


def within_limits(
    control: Any,
    ledger: PeerLedger,
    name: str,
    now_s: float,
    topics: frozenset[str],
    is_wanted: Callable[[bytes], bool],
) -> Any | None:
    """The part of ``control`` that may be handled, as an RPC; None if its ids exceed the peer's rate.

    Raises ``FrameError`` if the peer joins and leaves meshes faster than any mesh can change.
    """
    if ledger.debt_s(name, "grafts", len(control.graft) + len(control.prune), now_s) > 0:
        raise FrameError(Offence.CONTROL)
    offers = [*control.ihave, *control.iwant]
    if ledger.debt_s(name, "gossip_ids", sum(1 + len(offer.messageIDs) for offer in offers), now_s) > 0:
        return None
    kept = rpc_pb2.RPC()
    for field in ("ihave", "graft", "prune"):
        getattr(kept.control, field).extend(i for i in getattr(control, field) if i.topicID in topics)
    for prune in kept.control.prune:
        del prune.peers[:]  # peer exchange is off
        prune.backoff = min(prune.backoff, BACK_OFF_S_MAX)
    for have in kept.control.ihave:
        wanted = [mid for mid in have.messageIDs if len(mid) <= MESSAGE_ID_BYTES_MAX and is_wanted(mid)]
        del have.messageIDs[:]
        have.messageIDs.extend(wanted)
    kept.control.iwant.extend(control.iwant)
    return kept
