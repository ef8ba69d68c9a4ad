"""The client of the control socket, against a server that answers well, badly, late or not at all."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from luminous.node.shell.cli.client import Client, NotRunning
from luminous.node.shell.failure import Exit, Failure


@contextmanager
def answering(path: Path, raw: bytes | None) -> Iterator[list[bytes]]:
    """A server that reads one request and sends ``raw``; None: it never answers."""
    heard: list[bytes] = []
    done = threading.Event()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            text = connection.recv(65536)
            length = int(text.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            while len(text.partition(b"\r\n\r\n")[2]) < length:
                text += connection.recv(65536)
            heard.append(text)
            if raw is None:
                done.wait(10)
            else:
                connection.sendall(raw)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heard
    finally:
        done.set()
        thread.join()
        listener.close()


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)


@pytest.fixture
def control(tmp_path: Path) -> Path:
    return tmp_path / "c.sock"


def test_it_asks_and_decodes(control: Path) -> None:
    with answering(control, http(200, b'{"peers": []}')) as heard:
        assert Client(control).get("/v1/why", question="a b&c") == {"peers": []}
    assert heard[0].startswith(b"GET /v1/why?question=a+b%26c HTTP/1.1\r\n")


def test_it_posts_json(control: Path) -> None:
    with answering(control, http(200, b"{}")) as heard:
        assert Client(control).post("/v1/vote", {"proposal": "ab", "choice": "yes"}) == {}
    assert heard[0].endswith(b'{"proposal": "ab", "choice": "yes"}')
    assert b"Content-Type: application/json" in heard[0]


def test_a_path_cannot_smuggle_a_request(control: Path) -> None:
    with answering(control, http(200, b"{}")) as heard:
        Client(control).get("/v1/decision/a b\r\nX: 1")
    assert heard[0].startswith(b"GET /v1/decision/a%20b%0D%0AX%3A%201 HTTP/1.1\r\n")


def test_the_nodes_own_refusal_arrives_as_it_is(control: Path) -> None:
    body = b'{"error": {"what": "w", "why": "y", "do": "d"}, "code": 7}'
    with answering(control, http(409, body)), pytest.raises(Failure) as caught:
        Client(control).post("/v1/propose", {})
    failure = caught.value
    assert (failure.what, failure.why, failure.do, failure.code) == ("w", "y", "d", Exit.NETWORK)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage\r\n\r\n",
        http(200, b"not json"),
        http(200, b"[" * 100_000),
        http(500, b"{}"),
        http(400, b'{"error": 1}'),
        b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{",
    ],
)
def test_a_bad_answer_is_a_failure_in_words(control: Path, raw: bytes) -> None:
    with answering(control, raw), pytest.raises(Failure) as caught:
        Client(control).get("/v1/status")
    assert caught.value.code == Exit.CHECK_FAILED


def test_a_code_that_is_none_is_not_believed(control: Path) -> None:
    with (
        answering(control, http(400, b'{"error": {"what": "w"}, "code": 0}')),
        pytest.raises(Failure) as caught,
    ):
        Client(control).get("/v1/status")
    assert caught.value.code == Exit.CHECK_FAILED


def test_no_answer_is_a_time_out(control: Path) -> None:
    with answering(control, None), pytest.raises(Failure) as caught:
        Client(control).get("/v1/status", timeout_s=0.05)
    assert caught.value.code == Exit.TIMEOUT


def test_nobody_there_is_not_running(control: Path) -> None:
    with pytest.raises(NotRunning):
        Client(control).get("/v1/status")
    left = socket.socket(socket.AF_UNIX)  # a socket file whose owner died
    left.bind(str(control))
    left.close()
    with pytest.raises(NotRunning):
        Client(control).get("/v1/status")


def test_a_path_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        Client(tmp_path / ("x" * 120)).get("/v1/status")
    assert caught.value.code == Exit.CONFIGURATION
