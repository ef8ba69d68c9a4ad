"""The control API about peers: who is there, how they see this node, who is refused and why.

Refuses to forget a ban silently: it is kept with its reason until its end, also while the node is offline.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from luminous.node.core.node import Node
from luminous.node.shell.body import Body
from luminous.node.shell.dial_address import CIRCUIT
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.http_server import Request

Endpoint = Callable[[Body, Request], Awaitable[dict[str, Any]]]

DAYS_MAX = 3650
DAY_S = 86_400.0


async def peers(body: Body, request: Request) -> dict[str, Any]:
    """GET /v1/peers: connected and banned peers; how peers that were asked lately see this node."""
    transport: Any = body.link.transport if body.link else None
    if transport is None:
        return {"peers": _kept_bans(body), "seen_by": {}, "reachability": "unknown", "relays": []}
    authors, now = await body.service.ask(_authors), body.clock.now()
    syncs = await body.service.ask(lambda node: node.sync.states(now) if node.sync is not None else {})
    rows = [
        {name: getattr(peer, name) for name in peer.__dataclass_fields__}
        | {"author": authors.get(peer.id, ""), "sync": syncs.get(peer.id)}
        for peer in transport.peers()
    ]
    seen: dict[str, Any] = getattr(transport, "seen_by", dict)()
    reachability = getattr(transport, "reachability", lambda: "unknown")()
    return {
        "peers": rows,
        "reachability": str(reachability),
        "relays": [address for address in transport.addresses() if CIRCUIT in address],
        "relaying": getattr(transport, "relaying", lambda: None)(),
        "seen_by": {peer: {"host": view.host, "ports": list(view.ports)} for peer, view in seen.items()},
    }


async def ban(body: Body, request: Request) -> dict[str, Any]:
    """POST /v1/ban {peer, reason, days}: refuse a peer; without days, until {peer, lift: true}."""
    from luminous.node.shell.address_scope import is_peer_id
    from luminous.node.shell.kept_bans import FOR_EVER_S, lasting

    peer, lift = str(request.body["peer"]), bool(request.body.get("lift"))
    if not is_peer_id(peer):
        why = "a peer id is some fifty letters and digits, as luminous-node peers --json shows it"
        raise Failure("nobody was banned", why, "luminous-node peers --json", Exit.USAGE)
    transport: Any = body.link.transport if body.link else None
    if lift:
        had = (
            transport.pardon(peer)
            if transport is not None
            else _in_book(body, lambda book: book.pardon(peer))
        )
        return {"peer": peer, "banned": False, "had_ban": had}
    reason = " ".join(str(request.body.get("reason") or "").split())
    days = request.body.get("days")
    if not reason or (days is not None and not 0 < float(days) <= DAYS_MAX):
        why = "a ban needs a reason, and days from more than 0 to 3650 if it is to end"
        raise Failure("nobody was banned", why, "luminous-node peers --ban PEER --reason WHY", Exit.USAGE)
    duration_s = FOR_EVER_S if days is None else float(days) * DAY_S
    if transport is not None:
        transport.ban(peer, reason, duration_s)
    else:
        _in_book(body, lambda book: book.ban(lasting(peer, reason, duration_s)))
    return {"peer": peer, "banned": True, "reason": reason, "days": days}


def _authors(node: Node) -> dict[str, str]:
    return {
        item.payload.peer: item.author.hex()
        for item in node.records.envelopes()
        if item.kind.name == "BINDING"
    }


def _kept_bans(body: Body) -> list[dict[str, Any]]:
    now_ms = time.time_ns() // 1_000_000
    if not (body.paths.data / "peers.sqlite").exists():
        return []
    return [
        {"id": ban.peer, "banned": ban.reason, "banned_until_ms": ban.until_ms or 0}
        for ban in _in_book(body, lambda book: book.bans(now_ms))
    ]


def _in_book(body: Body, use: Callable[[Any], Any]) -> Any:
    from luminous.node.shell.peer_book import PeerBook

    book = PeerBook(body.paths.data / "peers.sqlite")
    try:
        return use(book)
    finally:
        book.close()


GET: dict[str, Endpoint] = {"/v1/peers": peers}
POST: dict[str, Endpoint] = {"/v1/ban": ban}
