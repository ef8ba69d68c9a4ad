"""Prometheus text of one running node.

Refuses labels that name people, paths or packages: counts and states only.
"""

from typing import Any

from luminous.node.core import views
from luminous.node.shell.body import Body


async def metrics_text(body: Body) -> str:
    """The exposition format, version 0.0.4."""
    found = await body.service.ask(views.status)
    lines: list[str] = []

    def put(name: str, kind: str, meaning: str, *rows: tuple[str, float]) -> None:
        lines.append(f"# HELP luminous_{name} {meaning}")
        lines.append(f"# TYPE luminous_{name} {kind}")
        lines.extend(f"luminous_{name}{label} {value:g}" for label, value in rows)

    transport = body.link.transport if body.link else None
    peers = transport.peers() if transport else ()
    health = found["health"]
    score = health["score"]
    put("records", "gauge", "Envelopes held.", ("", float(found["records"])))
    put("peers", "gauge", "Connected peers.", ("", float(sum(1 for p in peers if p.address))))
    put("mesh_peers", "gauge", "Peers in the gossip mesh.", ("", float(sum(1 for p in peers if p.mesh))))
    counters: dict[str, int] = getattr(transport, "counters", dict)()
    seen: dict[str, Any] = getattr(transport, "seen_by", dict)()
    put("banned_peers", "gauge", "Peers under a ban.", ("", float(sum(1 for p in peers if p.banned))))
    put("seen_by_peers", "gauge", "Peers that lately said how they see this node.", ("", float(len(seen))))
    could = sum(1 for view in seen.values() if view.ports)
    put("reached_by_peers", "gauge", "Of those, the ones that could dial it.", ("", float(could)))
    relaying = getattr(transport, "relaying", lambda: None)()
    if relaying is not None:
        put("relay_reservations", "gauge", "Peers reachable here.", ("", float(relaying["reservations"])))
        put("relay_circuits", "gauge", "Connections carried now.", ("", float(relaying["circuits"])))
        put("relay_bytes_total", "counter", "Carried.", ("", float(counters.pop("relay.bytes", 0))))
    put("bytes_in_total", "counter", "Bytes from peers.", ("", float(counters.pop("bytes.in", 0))))
    put("bytes_out_total", "counter", "Bytes to peers.", ("", float(counters.pop("bytes.out", 0))))
    quotas = body.link.quotas.refused if body.link else 0
    put("author_quota_refused_total", "counter", "Messages of authors over their quota.", ("", float(quotas)))
    put("uptime_seconds", "gauge", "Since the node started.", ("", _uptime_s(body)))
    if isinstance(score, int):
        put("health_score", "gauge", "Health, 0 to 100.", ("", float(score)))
    put("mute", "gauge", "1 while the journal cannot be written.", ("", float(body.service.is_mute)))
    put(
        "inbox_dropped_total", "counter", "Events dropped by a full inbox.", ("", float(body.service.dropped))
    )
    put(
        "component_falls_total",
        "counter",
        "Components that fell and were restarted.",
        ("", float(len(body.falls))),
    )
    if body.link:
        for name, counts in (("records", body.link.traffic), ("record_bytes", body.link.traffic_bytes)):
            traffic = [
                (f'{{kind="{kind.lower()}",way="{way}"}}', float(count))
                for (kind, way), count in sorted(counts.items())
            ]
            if traffic:
                put(f"{name}_heard_total", "counter", "By kind: by gossip, by sync, and own ones.", *traffic)
    now = body.clock.now()
    syncs = await body.service.ask(lambda node: node.sync.states(now) if node.sync is not None else {})
    equal = sum(1 for one in syncs.values() if one["equal_s_ago"] is not None and not one["failures"])
    failing = sum(1 for one in syncs.values() if one["failures"])
    put("sync_equal_peers", "gauge", "Peers found to hold the same records.", ("", float(equal)))
    put("sync_failing_peers", "gauge", "Peers whose last dialogue failed.", ("", float(failing)))
    refused = found["refused"]
    if isinstance(refused, dict) and refused:
        rows = [(f'{{reason="{reason}"}}', float(str(count))) for reason, count in sorted(refused.items())]
        put("refused_total", "counter", "Envelopes not held, by reason.", *rows)
    if counters:
        rows = [(f'{{event="{name}"}}', float(count)) for name, count in sorted(counters.items())]
        put("transport_events_total", "counter", "What the transport's guards counted.", *rows)
    return "\n".join(lines) + "\n"


def _uptime_s(body: Body) -> float:
    return float((body.clock.now().mono_ms - body.started.mono_ms) / 1000)
