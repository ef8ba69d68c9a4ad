"""The peers of a transport as values: connected ones, and those under a ban.

Refuses to change anything.
"""

import time
from typing import Any

from luminous.node.shell import connections
from luminous.node.shell.guards import PeerLedger
from luminous.node.shell.libp2p_stack import Stack
from luminous.node.shell.transport_types import PeerView


def views(
    stack: Stack | None, ledger: PeerLedger, topics: tuple[str, ...], now_s: float
) -> tuple[PeerView, ...]:
    """One view a peer, by id. ``now_s``: the ledger's clock."""
    found = {}
    opened = {} if stack is None else dict(stack.network.connections)
    for peer, of_peer in opened.items():
        if of_peer:
            mesh = {} if stack is None else stack.router.mesh
            meshes = tuple(topic for topic in topics if peer in mesh.get(topic, ()))
            found[str(peer)] = _view(str(peer), of_peer[0], meshes, ledger, now_s)
    for peer, _, _ in ledger.bans(now_s):
        if peer not in found:
            found[peer] = _view(peer, None, (), ledger, now_s)
    return tuple(found[peer] for peer in sorted(found))


def _view(name: str, connection: Any, mesh: tuple[str, ...], ledger: PeerLedger, now_s: float) -> PeerView:
    account = ledger.account(name)
    banned = ledger.banned(name, now_s)
    left_s = account.banned_until_s - now_s
    until_ms = 0 if not banned or left_s == float("inf") else int((time.time() + left_s) * 1000)
    return PeerView(
        id=name,
        address="" if connection is None else connections.shown_address(connection),
        direction="" if connection is None else str(connection.direction.name).lower(),
        mesh=mesh,
        score=ledger.score(name, now_s),
        strikes=ledger.strikes(name, now_s),
        bytes_in=account.bytes_in,
        bytes_out=account.bytes_out,
        messages_in=account.messages_in,
        banned=banned,
        banned_until_ms=until_ms,
    )
