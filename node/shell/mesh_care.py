"""Once a second: close whom we no longer want, keep the mesh diverse, trim what the library lets grow.

Refuses to punish: strikes and bans are the ledger's; this only carries them out.
"""

import time
from collections.abc import Callable
from typing import Any

import trio

from luminous.node.shell import connections, reach
from luminous.node.shell.guards import PeerLedger
from luminous.node.shell.libp2p_stack import Stack
from luminous.node.shell.yamux_session import PROBE_S_MAX, probe

# A connection that never asked for a topic of ours may stay this long while slots are scarce.
IDLE_S_MAX = 60.0
# And this short while the last slots are going.
IDLE_WHEN_FULL_S_MAX = 5.0
# A connection without a byte for this long is dead: each side pings every 30 s.
SILENT_S_MAX = 90.0
# Above this share of the slots, idle connections are closed.
CROWDED_SHARE = 0.75
# Message deliveries and first sights that the library remembers, and peers in its address store.
KEPT_MAX = 512


class MeshCare:
    """Periodic care of one life of the service tree."""

    def __init__(
        self,
        stack: Stack,
        ledger: PeerLedger,
        is_welcome: Callable[[str], bool],
        drop: Callable[[Any], None],
    ) -> None:
        self._network = stack.network
        self._pubsub = stack.pubsub
        self._router = stack.router
        self._ledger = ledger
        self._is_welcome = is_welcome
        self._drop = drop
        self._nursery: trio.Nursery | None = None

    async def run(self, interval_s: float) -> None:
        """Care until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._care, interval_s)

    def _spawn(self, function: Callable[..., Any], *args: Any) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(connections.quietly, function, *args)

    async def _care(self, interval_s: float) -> None:
        while True:
            self.close_unwelcome()
            self.close_idle()
            self.close_dead()
            await self.diversify()
            self.trim()
            await trio.sleep(interval_s)

    def close_unwelcome(self) -> None:
        """Close connections of peers under a ban or outside the gate."""
        for peer in list(self._network.connections):
            if not self._is_welcome(str(peer)):
                self._ledger.counters["closed.unwelcome"] += 1
                self._drop(peer)

    def close_idle(self) -> None:
        """While slots are scarce, close the oldest inbound connections that take part in nothing."""
        opened = self._network.connections
        slots = self._ledger.limits.connections_max
        if len(opened) <= int(slots * CROWDED_SHARE):
            return
        patience_s = IDLE_WHEN_FULL_S_MAX if len(opened) >= slots - 2 else IDLE_S_MAX
        taking_part = {peer for peers in self._pubsub.peer_topics.values() for peer in peers}
        now_s = time.time()
        for peer, open_connections in list(opened.items()):
            if peer in taking_part or not open_connections:
                continue
            if now_s - open_connections[0]._created_at > patience_s:
                self._ledger.counters["closed.idle"] += 1
                self._drop(peer)

    def close_dead(self) -> None:
        """Close silent connections; of a peer that came back, find out which of its connections lives."""
        now_s = trio.current_time()
        for of_peer in list(self._network.connections.values()):
            for conn in list(of_peer):
                muxed = conn.muxed_conn
                heard_s, probed_s = getattr(muxed, "heard_s", now_s), getattr(muxed, "probed_s", 0.0)
                is_unanswered = probed_s > heard_s and now_s - probed_s > PROBE_S_MAX
                if is_unanswered or now_s - heard_s > SILENT_S_MAX:
                    self._ledger.counters["closed.dead"] += 1
                    self._spawn(conn.close)
                elif len(of_peer) > 1 and probed_s <= heard_s and now_s - heard_s > PROBE_S_MAX:
                    self._spawn(probe, muxed)

    async def diversify(self) -> None:
        """At most a few peers of one subnet in each mesh while others are available."""
        limit = self._ledger.limits.mesh_peers_per_subnet_max
        is_counted = self._ledger.limits.count_loopback
        subnets: dict[Any, str] = {}
        for peer, open_connections in self._network.connections.items():
            if open_connections:
                host = connections.host_answerable(open_connections[0])
                subnets[peer] = reach.subnet(host, is_loopback_counted=is_counted)
        by_name = {str(peer): peer for peer in subnets}
        for topic, members in list(self._router.mesh.items()):
            mesh = {str(peer): subnets.get(peer, "") for peer in members}
            others = {
                str(peer): subnets[peer]
                for peer in self._pubsub.peer_topics.get(topic, ())
                if peer not in members and peer in subnets and peer in self._pubsub.peers
            }
            for out, into in reach.overcrowded(mesh, others, limit, self._router.degree_low):
                self._ledger.counters["mesh.diversified"] += 1
                self._router._add_back_off(by_name[out], topic, False)
                members.discard(by_name[out])
                await self._router.emit_prune(topic, by_name[out], False, False)
                if into:
                    members.add(by_name[into])
                    await self._router.emit_graft(topic, by_name[into])

    def trim(self) -> None:
        """Cut what grows without end inside the library (trap 13)."""
        router = self._router
        for kept in router.recent_message_deliveries.values():
            del kept[:-KEPT_MAX]
        router.equivocation_detection.clear()
        now = int(time.time())
        for waiting in router.back_off.values():
            for peer in [p for p, until in waiting.items() if until <= now]:
                del waiting[peer]
        for peer in [p for p in router._pending_messages if p not in self._pubsub.peers]:
            router._pending_messages.pop(peer, None)
        store = self._network.peerstore
        if len(store.peer_data_map) > KEPT_MAX:
            held = set(self._network.connections) | {self._network.get_peer_id()}
            for peer in [p for p in store.peer_data_map if p not in held][
                : len(store.peer_data_map) - KEPT_MAX
            ]:
                store.clear_peerdata(peer)
