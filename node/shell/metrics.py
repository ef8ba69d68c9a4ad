"""Prometheus text of one running node.

Refuses labels that name people, paths or packages: counts and states only.
"""

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
    put("peers", "gauge", "Connected peers.", ("", float(len(peers))))
    put("mesh_peers", "gauge", "Peers in the gossip mesh.", ("", float(sum(1 for p in peers if p.mesh))))
    put("bytes_in_total", "counter", "Bytes from present peers.", ("", float(sum(p.bytes_in for p in peers))))
    put("bytes_out_total", "counter", "Bytes to present peers.", ("", float(sum(p.bytes_out for p in peers))))
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
    refused = found["refused"]
    if isinstance(refused, dict) and refused:
        rows = [(f'{{reason="{reason}"}}', float(str(count))) for reason, count in sorted(refused.items())]
        put("refused_total", "counter", "Envelopes not held, by reason.", *rows)
    counters: dict[str, int] = getattr(transport, "counters", dict)()
    if counters:
        rows = [(f'{{event="{name}"}}', float(count)) for name, count in sorted(counters.items())]
        put("transport_events_total", "counter", "What the transport's guards counted.", *rows)
    return "\n".join(lines) + "\n"
