"""The local control API: HTTP and JSON on a unix socket of mode 0600 in a directory of mode 0700.

Refuses callers of other users (the socket's mode), and to know more than the node and its body show.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from luminous import __version__
from luminous.node.core import commands, views
from luminous.node.core.causes.why import WhyAnswer
from luminous.node.core.effects import Report
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.node.shell import (
    consent,
    control_members,
    control_peers,
    control_programs,
    http_server,
    networks,
)
from luminous.node.shell.body import Body
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.http_server import CONNECTIONS_MAX, Request, Response, as_json, failure
from luminous.node.shell.metrics import metrics_text
from luminous.node.shell.paths import check_socket_length, make_private
from luminous.node.shell.service import TooBusy
from luminous.protocol.reasons import Refused

SCHEMA = 1
# What a bootstrap node does not do, whoever asks.
_SIGNING = (
    "propose",
    "vote",
    *(f"member/{what}" for what in ("invite", "leave", "rotate", "vouch", "object")),
)
MEMBERS_ONLY = frozenset(f"/v1/{name}" for name in (*_SIGNING, "override", "consent", "forget"))
Endpoint = Callable[[Body, Request], Awaitable[dict[str, Any]]]


class NotDone(Exception):
    """The node refuses what was asked."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


async def serve_control(body: Body, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    """Answer on the control socket until cancelled."""
    path = body.paths.socket
    check_socket_length(path)
    make_private(path.parent, "the control socket cannot be opened")
    listener = await _listen(path)
    task_status.started()
    try:
        await http_server.serve(listener, lambda request: answer(body, request))
    finally:
        path.unlink(missing_ok=True)


async def _listen(path: Path) -> trio.SocketListener:
    path.unlink(missing_ok=True)  # the data directory's lock says that nobody else serves here
    sock = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        await sock.bind(str(path))
    finally:
        os.umask(before)
    sock.listen(CONNECTIONS_MAX)  # a full queue is refused at once on this kind of socket
    return trio.SocketListener(sock)


async def answer(body: Body, request: Request) -> Response:
    """One request, one answer; faults of the asker are told in words."""
    if request.path == "/metrics" and request.method == "GET":
        text = await metrics_text(body)
        return Response(200, text.encode(), "text/plain; version=0.0.4")
    endpoint = (GET if request.method == "GET" else POST).get(request.path)
    if endpoint is None and request.method == "GET" and request.path.startswith("/v1/decision/"):
        endpoint = _decision
    if endpoint is None:
        return failure(
            404, "There is no such thing.", f"{request.method} {request.path}", "See docs/control.md.", 2
        )
    if body.is_bootstrap and request.path in MEMBERS_ONLY and request.method == "POST":
        why = "a bootstrap node helps others to find each other; it neither votes nor learns"
        return failure(409, "The node refuses.", why, "Do it on a member: luminous-node run.", 1)
    try:
        return as_json(200, {"schema": SCHEMA, **(await endpoint(body, request))})
    except NotDone as error:
        code = Exit.NETWORK if error.reason == "no_network" else Exit.CHECK_FAILED
        return failure(409, "The node refuses.", f"{error.detail} ({error.reason})", _hint(error), code)
    except Failure as error:
        return failure(409, error.what, error.why, error.do, error.code)
    except TooBusy as error:
        return failure(503, "The node is busy.", str(error), "Try again.", Exit.TIMEOUT)
    except (KeyError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        return failure(400, "The request is not understood.", why, "See docs/control.md.", Exit.USAGE)


def _hint(error: NotDone) -> str:
    """What to do about a refusal that people meet often."""
    if ".requires:" in error.detail:
        return "Say what you do not know: --unknown 'TEXT' (it may be repeated)."
    if error.reason == "no_network":
        return "Found or join one: luminous-node network create NAME, or network join CARD."
    return ""


def _view(make: Callable[[Node], views.View | Refused]) -> Endpoint:
    async def endpoint(body: Body, request: Request) -> dict[str, Any]:
        return _shown(await body.service.ask(make))

    return endpoint


def _shown(found: views.View | Refused) -> dict[str, Any]:
    if isinstance(found, Refused):
        raise NotDone(found.reason.value, found.detail)
    return _jsonable(found)  # type: ignore[no-any-return]


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value


async def _status(body: Body, request: Request) -> dict[str, Any]:
    found = _shown(await body.service.ask(views.status))
    force = body.in_force()
    spent = found.pop("learning") or {}
    transport = body.link.transport if body.link else None
    peers = transport.peers() if transport else ()  # connected ones, and those under a ban
    joined = networks.joined_card(body.paths.data)
    if found["network"] is None and joined is not None and joined.network is not None:
        found["network"] = {"id": joined.network.hex(), "name": joined.name, "fetching": True}
    return found | {
        "version": __version__,
        "peer_id": transport.peer_id() if transport else None,
        "addresses": list(transport.addresses()) if transport else [],
        "peers": sum(1 for peer in peers if peer.address),
        "mesh": sum(1 for peer in peers if peer.mesh),
        "banned": sum(1 for peer in peers if peer.banned),
        "privacy": {
            "level": force.level,
            "consent": {"network": force.network, "learning": force.level},
            "spent": _epsilon(spent.get("epsilon_milli_spent")),
            "left": _epsilon(spent.get("epsilon_milli_allowed"), spent.get("epsilon_milli_spent")),
            "unbounded": spent.get("is_unbounded", False),
            "not_released": spent.get("not_released"),
        },
        "notes": [*force.why, *body.incidents, *body.falls[-5:]],
        "uptime_s": (body.clock.now().mono_ms - body.started.mono_ms) // 1000,
    }


def _epsilon(allowed: Any, spent: Any = 0) -> float | None:
    return None if allowed is None else max(0, allowed - (spent or 0)) / 1000


async def _decision(body: Body, request: Request) -> dict[str, Any]:
    prefix = request.path.rsplit("/", 1)[1]
    return _shown(await body.service.ask(lambda node: views.decision(node, prefix)))


async def _health(body: Body, request: Request) -> dict[str, Any]:
    view = _jsonable(await body.service.ask(lambda node: node.machines.health.view()))
    return dict(view) | {"incidents": [*body.incidents, *body.falls]}


async def _forecast(body: Body, request: Request) -> dict[str, Any]:
    return {
        "forecasts": _jsonable(await body.service.ask(lambda node: node.machines.health.forecasts.view()))
    }


async def _heal(body: Body, request: Request) -> dict[str, Any]:
    return dict(_jsonable(await body.service.ask(lambda node: node.machines.healing.view())))


async def _why(body: Body, request: Request) -> dict[str, Any]:
    question = request.query.get("question", "")
    found: WhyAnswer = await body.service.ask(lambda node: node.machines.causes.why(question))
    return dict(_jsonable(found.facts()))


async def _metrics_json(body: Body, request: Request) -> dict[str, Any]:
    return {"text": await metrics_text(body)}


async def _history(body: Body, request: Request) -> dict[str, Any]:
    return {"events": [{"name": item.name, "facts": _jsonable(item.facts)} for item in body.service.history]}


async def _do(body: Body, command: commands.Command, at: Instant | None = None) -> dict[str, Any]:
    report: Report = await body.service.command(command, at)
    if report.name == "refused":
        raise NotDone(str(report.facts["reason"]), str(report.facts["detail"]))
    return dict(_jsonable(report.facts))


async def _propose(body: Body, request: Request) -> dict[str, Any]:
    asked = request.body
    at = body.clock.now()  # one instant for both, or the shortest period would be a millisecond too short
    closes_at_ms = asked.get("closes_at_ms")
    if closes_at_ms is None:
        closes_at_ms = at.wall_ms + control_members.period_ms(asked.get("closes_in_s"))
    done = await _do(
        body,
        commands.Propose(
            kind=str(asked["kind"]),
            title=str(asked["title"]),
            text=str(asked.get("text") or ""),
            effects=tuple((str(key), int(value)) for key, value in asked.get("effects") or ()),
            threshold=str(asked.get("threshold") or "simple"),
            closes_at_ms=int(closes_at_ms),
            unknowns=tuple(str(item) for item in asked.get("unknowns") or ()),
            confidence_milli=int(asked.get("confidence_milli") or 0),
        ),
        at,
    )
    return {"proposal": done["ids"][0] if done["ids"] else None, "closes_at_ms": closes_at_ms}


async def _vote(body: Body, request: Request) -> dict[str, Any]:
    await _do(body, commands.CastVote(str(request.body["proposal"]), str(request.body["choice"])))
    return {"voted": str(request.body["choice"])}


async def _override(body: Body, request: Request) -> dict[str, Any]:
    value = request.body.get("value")
    await _do(body, commands.Override(str(request.body["key"]), None if value is None else int(value)))
    return {"key": str(request.body["key"]), "value": value}


async def _set(body: Body, request: Request) -> dict[str, Any]:
    return await _do(body, commands.SetParameter(str(request.body["key"]), int(request.body["value"])))


async def _consent(body: Body, request: Request) -> dict[str, Any]:
    asked = request.body
    record = consent.read(body.paths.consent)
    at_ms = body.clock.now().wall_ms
    if not asked.get("grant", True):
        record = consent.revoke(record, str(asked["what"]))
    elif asked["what"] == "network":
        record = consent.grant_network(record, at_ms)
    else:
        record = consent.grant_learning(
            record, str(asked.get("level") or ""), tuple(asked.get("models") or ()), at_ms
        )
    await trio.to_thread.run_sync(consent.write, body.paths.consent, record)
    body.consent_changed()
    await body.sync_learning_consent()
    return await _consent_status(body, request)


async def _consent_status(body: Body, request: Request) -> dict[str, Any]:
    force = body.in_force()
    return {
        "network": force.network,
        "level": force.level,
        "models": list(force.models),
        "why": list(force.why),
    }


async def _forget(body: Body, request: Request) -> dict[str, Any]:
    await body.forget()
    return {"forgotten": True, "kept": "charges and own signed acts: they hold no content"}


async def _heal_act(body: Body, request: Request) -> dict[str, Any]:
    return await _do(body, commands.Heal(str(request.body["intent"]), bool(request.body.get("undo"))))


GET: dict[str, Endpoint] = {
    "/v1/status": _status,
    "/v1/proposals": _view(views.proposals),
    "/v1/parameters": _view(views.parameters),
    "/v1/verify": _view(views.verify),
    "/v1/privacy": _view(views.privacy),
    "/v1/privacy/preview": _view(views.preview),
    "/v1/privacy/log": _view(views.sent),
    "/v1/privacy/ledger": _view(views.privacy),
    "/v1/wisdom": _view(views.wisdom),
    "/v1/health": _health,
    "/v1/forecast": _forecast,
    "/v1/heal": _heal,
    "/v1/why": _why,
    "/v1/history": _history,
    "/v1/metrics": _metrics_json,
    "/v1/consent": _consent_status,
    **control_members.GET,
    **control_peers.GET,
    **control_programs.GET,
}
POST: dict[str, Endpoint] = {
    "/v1/propose": _propose,
    "/v1/vote": _vote,
    "/v1/override": _override,
    "/v1/set": _set,
    "/v1/consent": _consent,
    "/v1/forget": _forget,
    "/v1/heal": _heal_act,
    **control_members.posts(_do),
    **control_peers.POST,
    **control_programs.POST,
}
