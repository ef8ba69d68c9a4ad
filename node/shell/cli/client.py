"""Talks to the running node: HTTP/1.1 with JSON over its unix socket, with the standard library alone.

Refuses any address but that socket, and an answer larger than it can hold.
"""

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.paths import check_socket_length

ANSWER_SIZE_BYTES_MAX = 64 * 1024 * 1024
TIMEOUT_S = 10.0


class NotRunning(Failure):
    """Nobody listens on the control socket."""

    def __init__(self, control: Path) -> None:
        super().__init__(
            "the node is not running",
            f"nobody answers on {control}",
            "start it: luminous-node run",
            Exit.NO_DAEMON,
        )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """Calls one node through the socket at ``control``."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def call(
        self, method: str, path: str, body: dict[str, object] | None = None, timeout_s: float = TIMEOUT_S
    ) -> tuple[int, dict[str, Any]]:
        """Status and decoded body of one request; raises Failure when there is no answer."""
        check_socket_length(self._control)
        connection = _UnixConnection(self._control, timeout_s)
        raw = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, raw, {"Content-Type": "application/json"} if raw else {})
            answer = connection.getresponse()
            content = answer.read(ANSWER_SIZE_BYTES_MAX + 1)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
            raise NotRunning(self._control) from error
        except PermissionError as error:
            why = f"{self._control} belongs to another user"
            raise Failure("the node cannot be asked", why, "ask as its user", Exit.PERMISSION) from error
        except TimeoutError as error:
            why = f"no answer within {timeout_s:g} s"
            raise Failure(
                "the node did not answer", why, "try again; luminous-node status", Exit.TIMEOUT
            ) from error
        except (OSError, http.client.HTTPException) as error:
            why = f"{type(error).__name__}: {error}"
            raise Failure("the node broke off", why, "see its log, then try again") from error
        finally:
            connection.close()
        return answer.status, _decoded(content)

    def get(self, path: str, timeout_s: float = TIMEOUT_S, **query: object) -> dict[str, Any]:
        """A GET's body; raises the node's own Failure."""
        given = {key: str(value) for key, value in query.items() if value is not None}
        full = quote(path) + (f"?{urlencode(given)}" if given else "")
        return _wanted(*self.call("GET", full, None, timeout_s))

    def post(self, path: str, body: dict[str, object], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """A POST's body; raises the node's own Failure."""
        return _wanted(*self.call("POST", quote(path), body, timeout_s))


def _decoded(content: bytes) -> dict[str, Any]:
    if len(content) > ANSWER_SIZE_BYTES_MAX:
        raise Failure("the answer is too large", f"more than {ANSWER_SIZE_BYTES_MAX} bytes", "ask for less")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        what = "the answer was not understood"
        raise Failure(
            what, "it is not JSON", "are node and command of one version? luminous-node version"
        ) from error
    return value if isinstance(value, dict) else {"value": value}


def _wanted(status: int, body: dict[str, Any]) -> dict[str, Any]:
    if status < 400:
        body.pop("schema", None)  # the command's own number stands in its output
        return body
    error = body.get("error")
    if not isinstance(error, dict):
        why = f"it answered {status}"
        raise Failure(
            "the node could not do it", why, "are node and command of one version? luminous-node version"
        )
    code = body.get("code", Exit.CHECK_FAILED)
    raise Failure(
        str(error.get("what", "the node refused")),
        str(error.get("why", "")),
        str(error.get("do", "")),
        code if isinstance(code, int) and 0 < code < 126 else Exit.CHECK_FAILED,
    )
