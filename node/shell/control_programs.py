"""The control API for programs: tell what was seen, hand over a signed record, read graph and sum.

Refuses text: an observation is made of the closed vocabulary, and a record without a valid signature of a
member is not held, whoever brings it.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from luminous.node.core import events, observing
from luminous.node.core.causes.edge_wisdom import Claim, Wisdom, is_heuristic
from luminous.node.core.node import Node
from luminous.node.shell.body import Body
from luminous.node.shell.command_class import COMMAND_CLASSES
from luminous.node.shell.failure import Failure
from luminous.node.shell.http_server import Request
from luminous.protocol.envelope import Admitted
from luminous.protocol.limits import ENVELOPE_SIZE_BYTES_MAX
from luminous.protocol.reasons import Refused

Endpoint = Callable[[Body, Request], Awaitable[dict[str, Any]]]

# Names of classes, fixes and signatures; a sentence, a path or a secret does not fit.
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
DURATION_MS_MAX = 7 * 24 * 3600 * 1000
WISDOM_SHOWN_MAX = 200


async def observe(body: Body, request: Request) -> dict[str, Any]:
    """POST /v1/observe {name, facts}: ``command_ended`` or ``fix_tried``, seen by a local program."""
    name, facts = request.body["name"], request.body["facts"]
    if name == observing.FIX_TRIED:
        seen: dict[str, Any] = {
            "class": _name(facts["class"]),
            "fix": _name(facts["fix"]),
            "success": _truth(facts["success"]),
        }
    elif name == observing.COMMAND_ENDED:
        command = str(facts["command"])
        seen = {
            "command": command if command in COMMAND_CLASSES else "other",
            "success": _truth(facts["success"]),
            "class": _name(facts["class"]) if facts.get("class") else "",
            "signature": _name(facts["signature"]) if facts.get("signature") else "",
            "duration_ms": min(DURATION_MS_MAX, max(0, int(facts.get("duration_ms") or 0))),
        }
    else:
        raise ValueError(f"{str(name)[:40]!r} is not {observing.COMMAND_ENDED} or {observing.FIX_TRIED}")
    await body.service.put(events.Observed(body.clock.now(), str(name), seen))
    await body.service.ask(lambda node: None)  # answered after the event was handled
    return {"observed": name, "facts": seen}


async def receive(body: Body, request: Request) -> dict[str, Any]:
    """POST /v1/receive {bytes}: an envelope in hexadecimal, admitted as if a peer had sent it."""
    raw = bytes.fromhex(str(request.body["bytes"]))
    if len(raw) > ENVELOPE_SIZE_BYTES_MAX:
        raise ValueError(f"more than {ENVELOPE_SIZE_BYTES_MAX} bytes")
    admitted = await body.service.ask(lambda node: node.admit(raw))
    if isinstance(admitted, Refused):
        why = f"{admitted.detail or 'not a valid record of this network'} ({admitted.reason.value})"
        raise Failure("The record is refused.", why, "Ask its author for the bytes as they were signed.")
    envelope: Admitted = admitted
    await body.service.put(events.Received(body.clock.now(), envelope, gossiped=False))
    is_held = await body.service.ask(lambda node: envelope.id in node.records)
    return {"id": envelope.id.hex(), "held": is_held, "author": envelope.author.hex()}


async def causes(body: Body, request: Request) -> dict[str, Any]:
    """GET /v1/causes: how large the causal graph is, its cycles, and what its counts justify."""

    def look(node: Node) -> dict[str, Any]:
        machine = node.machines.causes
        graph = machine.graph(causal_only=False)
        return {
            **machine.view(),
            "graph": {
                "nodes": len(machine.names),
                "edges": graph.edge_count(),
                "cycles": len(graph.find_cycles()),
            },
            "claims": [
                {"kind": claim.kind.value, "statement": claim.statement, "evidence": dict(claim.evidence)}
                for claim in (*machine.claims(), *_heuristics(node))[:WISDOM_SHOWN_MAX]
            ],
        }

    found: dict[str, Any] = await body.service.ask(look)
    return found


def _heuristics(node: Node) -> list[Claim]:
    """Fixes that this machine's own outcomes show to work."""
    counts = {} if node.machines.learning is None else node.machines.learning.counts()
    return [
        Claim(
            Wisdom.HEURISTIC,
            f"For {name}, {fix} works here.",
            {"successes": successes, "trials": trials},
        )
        for (name, fix), (successes, trials) in sorted(counts.items())
        if is_heuristic(successes, trials)
    ]


async def clock(body: Body, request: Request) -> dict[str, Any]:
    """GET /v1/clock: how far this clock is from the members' that were heard within the hour."""

    def look(node: Node) -> dict[str, Any]:
        learning, last = node.machines.learning, node.last
        if learning is None or last is None:
            return {"members": 0, "ahead_ms": None}
        members, ahead_ms = learning.releases.clock.offset(last)
        return {"members": members, "ahead_ms": ahead_ms}

    shown: dict[str, Any] = await body.service.ask(look)
    return shown


async def aggregate(body: Body, request: Request) -> dict[str, Any]:
    """GET /v1/aggregate: the newest window's sum that enough authors stand behind, or why there is none."""

    def look(node: Node) -> dict[str, Any]:
        learning = node.machines.learning
        if learning is None:
            return {"window": None, "why": "this node belongs to no network"}
        most = 0
        for window in learning.pool.windows():
            found = learning.pool.compute_aggregate(window)
            if isinstance(found, Refused):
                most = max(most, learning.pool.count(window))
            elif found.contributors < learning.contributors_min:
                most = max(most, found.contributors)
            else:
                return {
                    "window": window,
                    "contributors": found.contributors,
                    "exact": found.is_exact,
                    "vector": list(found.vector),
                    "digest": found.digest.hex(),
                    "why": "",
                }
        return {"window": None, "why": f"{most} contributors heard, {learning.contributors_min} needed"}

    shown: dict[str, Any] = await body.service.ask(look)
    return shown


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("a class, fix or signature is a name such as missing_channel")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("success is true or false")
    return value


GET: dict[str, Endpoint] = {"/v1/causes": causes, "/v1/aggregate": aggregate, "/v1/clock": clock}
POST: dict[str, Endpoint] = {"/v1/observe": observe, "/v1/receive": receive}
