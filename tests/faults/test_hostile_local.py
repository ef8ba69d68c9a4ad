"""Hostile local input: whatever arrives at the control socket or in the spool, the node goes on."""

import contextlib
import json
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon

from luminous.node.shell import experience

pytestmark = [pytest.mark.slow, pytest.mark.alone]

POSTS = ["propose", "vote", "override", "set", "consent", "forget", "heal", "observe", "receive"]
HOSTILE = (
    None, True, -1, 2**63, 2**64, 10**400, 0.5, "", "x" * 5000, "\ud800", "\x00", "../..", [], [[]], {},
    {"a": {}}, [1, 2], ["k", 2**70], "ff" * 70_000, "network", "learning", "PUBLIC", "text", "yes",
)  # fmt: skip
FIELDS = [
    "kind", "title", "text", "effects", "threshold", "closes_at_ms", "closes_in_s", "unknowns",
    "value", "key", "confidence_milli", "proposal", "choice", "what", "level", "models", "grant",
    "intent", "undo", "name", "facts", "bytes",
]  # fmt: skip


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    it = Daemon(tmp_path_factory.mktemp("hostile"))
    assert it.type("network", "create", "lab", "--fleet").returncode == 0
    it.start()
    yield it
    it.stop()


def assert_well(daemon: Daemon) -> None:
    status = daemon.get("/v1/status")
    assert status["mute"] is False
    assert daemon.process is not None and daemon.process.poll() is None


def test_seeded_requests_of_every_shape(daemon: Daemon) -> None:
    """Well-formed JSON with hostile values: each an answer with a code, none a fall of the node."""
    chance = random.Random(7)
    paths = [f"/v1/{name}" for name in POSTS]
    for number in range(400):
        body = {chance.choice(FIELDS): chance.choice(HOSTILE) for _ in range(chance.randint(0, 7))}
        if body.get("what") in ("network", "learning") and body.get("grant", True):
            body["grant"] = False
        path = paths[number % len(paths)]
        if path == "/v1/forget" and number > 20:
            path = "/v1/propose"
        answer = daemon.post(path, body)
        assert "schema" in answer or answer["code"] in (1, 2, 6, 7), (path, body, answer)
        assert "fault of luminous-node" not in str(answer), (path, body, answer)
    assert daemon.get("/v1/health")["incidents"] == []
    assert_well(daemon)


def test_fields_of_the_right_name_with_hostile_values(daemon: Daemon) -> None:
    good = {
        "/v1/propose": {
            "kind": "text",
            "title": "t",
            "text": "",
            "threshold": "simple",
            "closes_in_s": 86_400,
        },
        "/v1/vote": {"proposal": "ab", "choice": "yes"},
        "/v1/override": {"key": "feature.command_prediction", "value": 0},
        "/v1/set": {"key": "feature.command_prediction", "value": 0},
        "/v1/observe": {"name": "command_ended", "facts": {"command": "nix", "success": False}},
    }
    for path, body in good.items():
        for field in [*body, "effects", "unknowns", "confidence_milli", "closes_at_ms"]:
            for value in HOSTILE:
                answer = daemon.post(path, body | {field: value})
                assert "schema" in answer or answer["code"] in (1, 2, 6, 7), (path, field, value, answer)
                assert "fault of luminous-node" not in str(answer), (path, field, value, answer)
    assert daemon.get("/v1/health")["incidents"] == []
    assert_well(daemon)


def test_bytes_that_are_no_http(daemon: Daemon) -> None:
    chance = random.Random(8)
    good = b"POST /v1/vote HTTP/1.1\r\nHost: l\r\nContent-Length: 2\r\n\r\n{}"
    wrong = [
        b"\x00" * 100, b"GET\r\n\r\n", b"GET //[ HTTP/1.1\r\nHost: l\r\n\r\n", b"A" * 70_000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"POST /v1/vote HTTP/1.1\r\nHost: l\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/vote HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /v1/why?" + b"a=b&" * 3000 + b" HTTP/1.1\r\nHost: l\r\n\r\n",
        b"POST /v1/vote HTTP/1.1\r\nHost: l\r\nContent-Length: 40\r\n\r\n" + b"[" * 40,
        b"POST /v1/vote HTTP/1.1\r\nHost: l\r\nContent-Length: 8\r\n\r\n{\"a\":NaN"[:-1] + b"}",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]  # fmt: skip
    for _ in range(150):
        mutated = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        wrong.append(bytes(mutated))
    for raw in wrong:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(daemon.data / "run/control.sock"))
            try:
                sock.sendall(raw)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65_536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert_well(daemon)


def test_a_huge_body_is_refused_and_not_held(daemon: Daemon) -> None:
    before = _rss_mb(daemon)
    answer = b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(daemon.data / "run/control.sock"))
        sock.sendall(b"POST /v1/propose HTTP/1.1\r\nHost: l\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            for _ in range(400):
                sock.sendall(b"x" * 65_536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        with contextlib.suppress(ConnectionResetError):
            answer = sock.recv(65_536)
    assert answer == b"" or b" 413 " in answer
    assert _rss_mb(daemon) < before + 8
    assert_well(daemon)


def test_a_hundred_slow_clients_hold_nobody_up(daemon: Daemon) -> None:
    held = []
    for number in range(100):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(daemon.data / "run/control.sock"))
        sock.sendall(b"GET /v1/status HTTP/1.1\r\nHost: l\r\n"[: number % 30])
        held.append(sock)
    assert_well(daemon)
    for sock in held:
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):  # still served: nobody had to be thrown out for it
            sock.recv(1)
        sock.close()
    assert_well(daemon)


def _rss_mb(daemon: Daemon) -> float:
    lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def spool_file(daemon: Daemon, name: str, record: object) -> Path:
    folder = daemon.data / "spool"
    folder.mkdir(mode=0o700, exist_ok=True)
    draft = folder / f".{name}"
    draft.write_bytes(record if isinstance(record, bytes) else json.dumps(record).encode())
    draft.chmod(0o600)
    return draft.rename(folder / name)


def good_record(**more: object) -> dict[str, object]:
    base = {
        "schema": 1,
        "kind": "attempt",
        "wall_ms": 1,
        "mono_ms": 1,
        "boot_id": "b",
        "command_class": "nix-build",
    }
    tried = {"error_class": "hash_mismatch", "fix_observed": "replace_hash", "success": True, "place": 1}
    return {**base, **tried, "propensity_milli": 900, **more}


def test_garbage_in_the_spool_is_taken_away_and_told(daemon: Daemon, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(json.dumps(good_record()))
    spool_file(daemon, "0.json", b"\x00\xff garbage")
    spool_file(daemon, "1.json", b"[" * 40_000)
    spool_file(daemon, "2.json", good_record(evidence="x" * 60_000))
    for number, value in enumerate((None, 3, [], {}, "x" * 9000, "../../etc", "\ud800", True, -(2**70))):
        fields = (
            "command_class",
            "error_class",
            "signature",
            "fix_observed",
            "success",
            "place",
            "propensity_milli",
            "duration_ms",
            "evidence",
        )
        for name in fields:
            spool_file(daemon, f"3-{number}-{name}.json", good_record(**{name: value}))
    (daemon.data / "spool/4.json").symlink_to(secret)
    (daemon.data / "spool/5.json").mkdir()
    open_to_all = spool_file(daemon, "6.json", good_record())
    open_to_all.chmod(0o666)
    if os.geteuid() == 0:
        os.chown(spool_file(daemon, "7.json", good_record()), 65534, 65534)
    last = spool_file(daemon, "9.json", good_record())
    daemon.until(lambda: not last.exists())
    daemon.until(lambda: [p.name for p in (daemon.data / "spool").glob("*.json")] == ["5.json"])
    assert secret.exists()
    told = daemon.told()
    for why in ("not a record", "a link", "another user could have written it", "at most"):
        assert why in told, why
    (daemon.data / "spool/5.json").rmdir()
    assert daemon.get("/v1/health")["incidents"] == []
    daemon.until(lambda: experience.read(daemon.data)[0] != {})
    assert_well(daemon)


def test_a_spool_that_is_a_link_is_not_read(daemon: Daemon, tmp_path: Path) -> None:
    folder = daemon.data / "spool"
    if folder.is_dir():
        folder.rename(tmp_path / "old")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "0.json").write_text(json.dumps(good_record()))
    before = daemon.told().count("spool_refused")
    folder.symlink_to(elsewhere)
    daemon.until(lambda: daemon.told().count("spool_refused") > before)
    assert (elsewhere / "0.json").exists()
    folder.unlink()
    assert_well(daemon)


ROWS = [
    b"", b"\x00", b"[]", b"{}", b"[" * 100_000, b'{"local": 5, "prior": []}',

    b'{"local": [[1]], "prior": []}',
    b'{"local": [["a","b","x","y"]], "prior": []}', b'{"local": [["a","b",NaN,NaN]], "prior": []}',
    b'{"local": [["a","b",1e308,1e309]], "prior": []}', b'{"local": {"a": 1}, "prior": []}',
    b'{"local": [["a","b",-1,5]], "prior": []}', b"x" * 300_000,
]  # fmt: skip


@pytest.mark.parametrize("raw", ROWS)
def test_a_hostile_experience_is_no_experience(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / experience.NAME).write_bytes(raw)
    assert experience.read(tmp_path) == ({}, {})


def test_a_link_or_a_strangers_experience_is_not_read(tmp_path: Path) -> None:
    good = {("hash_mismatch", "hash_mismatch.replace"): (1.0, 1.0)}
    experience.write(tmp_path, good, {})
    assert experience.read(tmp_path) == (good, {})
    (tmp_path / experience.NAME).rename(tmp_path / "elsewhere")
    (tmp_path / experience.NAME).symlink_to(tmp_path / "elsewhere")
    assert experience.read(tmp_path) == ({}, {})
    (tmp_path / experience.NAME).unlink()
    (tmp_path / "elsewhere").rename(tmp_path / experience.NAME)
    (tmp_path / experience.NAME).chmod(0o666)
    assert experience.read(tmp_path) == ({}, {})
