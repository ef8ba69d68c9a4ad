"""Dials one address and verifies the peer id at its end: to stay connected, or only to know.

Refuses to let the library choose: it would dial every address that anybody ever told about a peer, and an
address that was never tried would pass for one that works.
"""

from typing import Any

import trio
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.transport.tcp.tcp import TCP
from multiaddr import Multiaddr

from luminous.node.shell import connections, reach

DIAL_S_MAX = 10.0
PROOF_S_MAX = 6.0


async def dial(host: Any, address: str) -> None:
    """Connect to the peer at ``address`` and stay. Raises whatever the library raises."""
    network = host.get_network()
    info = info_from_p2p_addr(Multiaddr(address))
    network.unblock_peer(info.peer_id)
    with trio.fail_after(DIAL_S_MAX):
        if reach.is_ip(reach.host_of(address)):
            await network.dial_addr(Multiaddr(address), info.peer_id)
        else:
            await host.connect(info)  # names are resolved by the library


async def prove(host: Any, address: str) -> None:
    """Dial ``address``, see that its peer has the key of its id, hang up. Raises what the library raises."""
    network = host.get_network()
    info = info_from_p2p_addr(Multiaddr(address))
    raw = None
    try:
        with trio.fail_after(PROOF_S_MAX):
            raw = await TCP().dial(info.addrs[0])
            await network.upgrader.upgrade_security(raw, True, info.peer_id)
    finally:
        if raw is not None:
            with trio.CancelScope(shield=True):
                await connections.quietly(raw.close)
