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
# From a request's first byte to its last, and for a whole answer to be taken. A client that dawdles goes.
READ_TIMEOUT_S = 10.0
WRITE_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 60.0
CONNECTIONS_MAX = 256
# What an endpoint may raise: the asker is told, everybody else is served on.
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


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
    """Serve connections until cancelled. One too many is closed at once."""
    served = 0

    async def connection(stream: trio.SocketStream) -> None:
        nonlocal served
        async with stream:
            if served >= CONNECTIONS_MAX:
                return
            served += 1
            try:
                await _converse(stream, answer)
            finally:
                served -= 1

    await trio.serve_listeners(connection, [listener])


async def _converse(stream: trio.SocketStream, answer: Answer) -> None:
    machine = h11.Connection(h11.SERVER, max_incomplete_event_size=16 * 1024)
    try:
        while True:
            if machine.trailing_data == (b"", False):
                with trio.fail_after(IDLE_TIMEOUT_S):
                    machine.receive_data(await stream.receive_some(64 * 1024))
            with trio.fail_after(READ_TIMEOUT_S):
                request = await _read(stream, machine)
            if request is None:
                return
            response = request if isinstance(request, Response) else await _answered(answer, request)
            with trio.fail_after(WRITE_TIMEOUT_S):
                await _write(stream, machine, response)
            if machine.our_state is not h11.DONE or machine.their_state is not h11.DONE:
                return
            machine.start_next_cycle()
    except (
        trio.BrokenResourceError,
        trio.ClosedResourceError,
        trio.TooSlowError,
        h11.LocalProtocolError,
        h11.RemoteProtocolError,
    ):
        return


async def _answered(answer: Answer, request: Request) -> Response:
    try:
        return await answer(request)
    except FAULTS as error:
        why = f"{type(error).__name__}: {error}"[:300]
        return failure(500, "This is a fault of luminous-node.", why, "See luminous-node logs.", 1)


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
    try:
        parts = urlsplit(head.target.decode("ascii", "replace"))
        query = dict(parse_qsl(parts.query, max_num_fields=64))
    except ValueError as error:
        return failure(400, "The address cannot be read.", str(error), "See docs/control.md.", 2)
    value: Any = {}
    if body:
        try:
            value = json.loads(body, parse_constant=_refuse_constant)
            json.dumps(value, ensure_ascii=False).encode()  # half a character is no text
        except (ValueError, RecursionError) as error:
            return failure(400, "The body is not JSON.", str(error), "Send one JSON object.", 2)
    if not isinstance(value, dict):
        return failure(400, "The body is not a JSON object.", type(value).__name__, "Send an object.", 2)
    headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in head.headers}
    return Request(method, parts.path, query, value, headers)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


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
