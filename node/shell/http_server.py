"""A small HTTP/1.1 server on trio and h11: JSON requests in, JSON or text out.

Refuses large requests, slow ones and any other method than GET and POST. It knows no endpoint.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import h11
import trio

BODY_SIZE_BYTES_MAX = 256 * 1024
REQUEST_TIMEOUT_S = 30.0
CONNECTIONS_MAX = 64


@dataclass(frozen=True, slots=True)
class Request:
    """One request: path without query, query as a flat map, decoded JSON body."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer: ``body`` is bytes of ``content_type``."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


Answer = Callable[[Request], Awaitable[Response]]


def as_json(status: int, value: dict[str, Any]) -> Response:
    """A JSON answer."""
    return Response(status, json.dumps(value, sort_keys=True).encode() + b"\n")


def failure(status: int, what: str, why: str, do: str, code: int = 1) -> Response:
    """An error for a person: what happened, why, what to do; ``code`` is the CLI's exit code."""
    return as_json(status, {"error": {"what": what, "why": why, "do": do}, "code": code})


async def serve(listener: trio.abc.Listener[trio.SocketStream], answer: Answer) -> None:
    """Serve connections until cancelled."""
    limit = trio.CapacityLimiter(CONNECTIONS_MAX)

    async def connection(stream: trio.SocketStream) -> None:
        async with limit, stream:
            await _converse(stream, answer)

    await trio.serve_listeners(connection, [listener])


async def _converse(stream: trio.SocketStream, answer: Answer) -> None:
    machine = h11.Connection(h11.SERVER, max_incomplete_event_size=16 * 1024)
    try:
        while True:
            with trio.fail_after(REQUEST_TIMEOUT_S):
                request = await _read(stream, machine)
            if request is None:
                return
            response = request if isinstance(request, Response) else await answer(request)
            with trio.fail_after(REQUEST_TIMEOUT_S):
                await _write(stream, machine, response)
            if machine.our_state is not h11.DONE or machine.their_state is not h11.DONE:
                return
            machine.start_next_cycle()
    except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, h11.LocalProtocolError):
        return


async def _read(stream: trio.SocketStream, machine: h11.Connection) -> Request | Response | None:
    head: h11.Request | None = None
    body = b""
    while True:
        try:
            event = machine.next_event()
        except h11.RemoteProtocolError as error:
            if machine.our_state is h11.ERROR:
                return None
            return failure(400, "The request cannot be read.", str(error), "Send plain HTTP/1.1.", 2)
        if event is h11.NEED_DATA:
            machine.receive_data(await stream.receive_some(64 * 1024))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
            if len(body) > BODY_SIZE_BYTES_MAX:
                return failure(413, "The request is too large.", f"over {BODY_SIZE_BYTES_MAX} bytes", "", 2)
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            return _request(head, body)
        else:
            return None


def _request(head: h11.Request, body: bytes) -> Request | Response:
    method = head.method.decode("ascii", "replace")
    if method not in ("GET", "POST"):
        return failure(405, f"{method} is not understood.", "only GET and POST exist", "", 2)
    parts = urlsplit(head.target.decode("ascii", "replace"))
    value: Any = {}
    if body:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as error:
            return failure(400, "The body is not JSON.", str(error), "Send one JSON object.", 2)
    if not isinstance(value, dict):
        return failure(400, "The body is not a JSON object.", type(value).__name__, "Send an object.", 2)
    headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in head.headers}
    return Request(method, parts.path, dict(parse_qsl(parts.query)), value, headers)


async def _write(stream: trio.SocketStream, machine: h11.Connection, response: Response) -> None:
    headers = [
        ("Content-Type", response.content_type),
        ("Content-Length", str(len(response.body))),
        ("X-Content-Type-Options", "nosniff"),
        *response.headers,
    ]
    data = machine.send(h11.Response(status_code=response.status, headers=headers))
    data = (data or b"") + (machine.send(h11.Data(data=response.body)) or b"")
    data += machine.send(h11.EndOfMessage()) or b""
    await stream.send_all(data)
