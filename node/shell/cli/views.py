"""What the node answers, as words: one function a view. Unknown or absent facts are left out.

Refuses to compute: every number was made by the node.
"""

import time
from collections.abc import Mapping
from typing import Any

from luminous.node.shell.author_words import words_of
from luminous.node.shell.cli.printing import duration, outline, pairs, safe, table

Facts = Mapping[str, Any]


def moment(value: object) -> str:
    """A wall-clock time in milliseconds as local time."""
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return "-"
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(value / 1000))
    except (OverflowError, ValueError, OSError):
        return str(value)


def milli(value: object) -> str:
    """Thousandths as a decimal."""
    return f"{value / 1000:g}" if isinstance(value, int) else "-"


def status(facts: Facts) -> str:
    """The one-screen summary."""
    health, privacy = facts.get("health") or {}, facts.get("privacy") or {}
    network = facts.get("network")
    name = network.get("name") if isinstance(network, dict) else network
    coverage = health.get("coverage_percent", health.get("coverage"))
    score = "" if health.get("score") is None else f" {safe(health['score'])} of 100"
    shown = [
        ("node", f"{safe(facts.get('version'))}, up {duration(facts.get('uptime_s'))}"),
        ("author", _author(facts.get("author"))),
        ("network", safe(name) if name else "none: alone (luminous-node network create | join)"),
        ("peers", f"{safe(facts.get('peers'))}, in the mesh {safe(facts.get('mesh'))}"),
        ("health", _health(health, score, coverage)),
        ("sharing", _sharing(privacy)),
        ("proposals", _count(facts.get("proposals"))),
    ]
    notes = facts.get("notes")
    return "\n".join([pairs(shown), *map(safe, notes if isinstance(notes, list) else [])])


def _health(health: Facts, score: str, coverage: object) -> str:
    status = str(health.get("status") or "unknown").lower()
    if status == "unknown" and score:
        return f"{score.strip()} so far, too early for a status; coverage {safe(coverage)} %"
    return f"{status}{score}, coverage {safe(coverage)} %"


def _author(author: object) -> str:
    try:
        raw = bytes.fromhex(str(author))
    except ValueError:
        return safe(author)
    return f"{words_of(raw)} ({raw.hex()[:8]}…)"


def _sharing(privacy: Facts) -> str:
    consent = privacy.get("consent")
    if not (consent.get("network") if isinstance(consent, dict) else consent):
        return "off"
    level = safe(privacy.get("level"))
    told = ["network on, learning off" if level == "LOCAL_ONLY" else f"network on, learning {level}"]
    if privacy.get("spent") is not None:
        told.append(f"ε spent {safe(privacy['spent'])}, left {safe(privacy.get('left'))}")
    if privacy.get("unbounded"):
        told.append("PUBLIC releases have no bound")
    if privacy.get("not_released"):
        told.append(f"not released: {safe(privacy['not_released'])}")
    return "; ".join(told)


def _count(value: object) -> str:
    return str(len(value)) if isinstance(value, list | dict) else safe(value)


def peers(facts: Facts) -> str:
    """Who it is connected to."""
    rows = [
        {
            "peer": str(row.get("id", ""))[-8:],
            "author": str(row.get("author", ""))[:8] or "-",
            "direction": row.get("direction"),
            "address": _address(row.get("address")),
            "mesh": len(row.get("mesh") or ()),
            "score": row.get("score"),
            "in": row.get("messages_in"),
            "same records": _synced(row.get("sync")),
            "banned": row.get("banned") or "",
        }
        for row in _maps(facts.get("peers"))
    ]
    shown = table(rows) if rows else "nobody is connected"
    return "\n".join([shown, *_seen_by(facts.get("seen_by")), *_relayed(facts)])


def _synced(state: object) -> str:
    """When sync last found that a peer holds what this node holds."""
    if not isinstance(state, Mapping):
        return "-"
    if state.get("failures"):
        return f"{safe(state.get('failures'))} tries failed"
    ago_s = state.get("equal_s_ago")
    return "not yet" if ago_s is None else f"{safe(ago_s)} s ago"


def _address(value: object) -> str:
    """A host, or the end of the id of the relay that a peer comes through."""
    parts = str(value or "").split("/")
    return f"via {parts[2][-8:]}" if parts[-1] == "p2p-circuit" and len(parts) == 4 else str(value or "")


def _relayed(facts: Facts) -> list[str]:
    """How others reach this machine if not directly, and whom it relays."""
    lines = []
    relays = facts.get("relays")
    if isinstance(relays, list) and relays:
        lines.append(f"{safe(facts.get('reachability'))}; others reach it through {len(relays)} relays")
    relaying = facts.get("relaying")
    if isinstance(relaying, Mapping):
        held, carried = safe(relaying.get("reservations")), safe(relaying.get("circuits"))
        lines.append(f"relays for {held} peers behind NAT, {carried} connections now")
    return lines


def _seen_by(seen: object) -> list[str]:
    """How peers see this machine: a firewall shows here first."""
    views = _maps(list(seen.values())) if isinstance(seen, Mapping) else []
    if not views:
        return []
    hosts = ", ".join(sorted({safe(view.get("host")) for view in views}))
    reached = sum(1 for view in views if view.get("ports"))
    words = f"seen at {hosts} by {len(views)}, who could dial it: {reached}"
    return [words if reached else words + " (yet, or a firewall is in the way)"]


def verify(facts: Facts) -> str:
    """Whether every outcome comes out the same again."""
    outcomes = _maps(facts.get("outcomes"))
    lines = [f"{'ok   ' if row.get('holds') else 'WRONG'}  {safe(row.get('title'))}" for row in outcomes]
    lines = [
        text
        for head, row in zip(lines, outcomes, strict=True)
        for text in (head, *(f"       {safe(line)}" for line in row.get("why") or ()))
    ]
    verdict = (
        "every outcome comes out the same" if facts.get("holds") else "some outcomes do not come out the same"
    )
    if facts.get("history_refused"):
        verdict = f"nothing is final here: {safe(facts['history_refused'])}"
    windows = len(_maps(facts.get("windows")))
    return "\n".join([*lines, f"{len(outcomes)} decisions, {windows} learning windows recounted: {verdict}"])


def released(facts: Facts) -> str:
    """What this node signed and sent."""
    rows = [
        {
            "id": str(row.get("id", ""))[:8],
            "kind": row.get("kind"),
            "when": moment(row.get("issued_at_ms")),
            "bytes": row.get("size_bytes"),
        }
        for row in _maps(facts.get("sent"))
    ]
    return (table(rows) + "\nThe exact bytes: --json") if rows else "nothing ever left this machine"


def budget(facts: Facts) -> str:
    """Level, budget and what keeps the next release back."""
    if "epsilon_milli_allowed" not in facts:
        return outline(facts)
    shown = [
        ("level", facts.get("level")),
        (
            f"ε of {safe(facts.get('period_days'))} days",
            f"{milli(facts.get('epsilon_milli_spent'))} spent of {milli(facts.get('epsilon_milli_allowed'))} "
            f"(replace-one: {milli(facts.get('epsilon_milli_spent_replace_one'))}; "
            f"δ {safe(facts.get('delta'))})",
        ),
        (
            "ε of a lifetime",
            f"{milli(facts.get('lifetime_epsilon_milli_spent'))} spent of "
            f"{milli(facts.get('lifetime_epsilon_milli_allowed'))}",
        ),
        ("PUBLIC releases", f"{safe(facts.get('public_releases'))} (they have no bound)"),
        ("held back", facts.get("not_released") or "-"),
    ]
    end = "Ballots, proposals and sync are not model data: they are outside this budget and visible to all."
    return pairs(shown) + "\n" + end


def health(facts: Facts) -> str:
    """How well this machine is."""
    lines = [safe(facts.get("summary") or facts.get("status"))]
    lines += [
        f"  {safe(row.get('part'))}: {safe(row.get('points'))} of 100 ({safe(row.get('signal'))})"
        for row in _maps(facts.get("worst"))
    ]
    lines.append(f"coverage {safe(facts.get('coverage_percent'))} %")
    for name in ("symptoms", "missing", "incidents"):
        if facts.get(name):
            lines.append(f"{name}: {', '.join(map(safe, facts[name]))}")
    return "\n".join(lines)


def heal_open(facts: Facts) -> str:
    """What is wrong now and what is waited for."""
    rows = [
        {
            "id": str(row.get("id", ""))[:8],
            "symptom": row.get("symptom"),
            "target": row.get("target"),
            "since": moment(row.get("opened")),
            "cause": row.get("cause") or "unknown",
            "waiting for": row.get("waiting_for") or "-",
        }
        for row in _maps(facts.get("open"))
    ]
    return table(rows) if rows else "nothing is wrong that the node could see"


def heal_past(facts: Facts) -> str:
    """What was done, newest last."""
    rows = [
        {
            "id": str(row.get("id", ""))[:8],
            "when": moment(row.get("at")),
            "symptom": row.get("symptom"),
            "did": f"{safe(row.get('verb'))} {safe(row.get('on') or row.get('target'))}",
            "ended": row.get("phase"),
            "undo": row.get("undo") or "-",
        }
        for row in _maps(facts.get("intents"))
    ]
    return table(rows) if rows else "nothing was done"


def events(facts: Facts) -> str:
    """What the node told since it started."""
    lines = []
    for row in _maps(facts.get("events")):
        told = row.get("facts") or {}
        lines.append(f"{safe(row.get('name'))}  {'; '.join(f'{safe(k)} {safe(v)}' for k, v in told.items())}")
    return "\n".join(lines) or "nothing happened yet"


def _maps(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
