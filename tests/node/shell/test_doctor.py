"""``doctor``: each fault that it must find is planted, and a sound installation has none."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from luminous.node.core.effects import Append, Store
from luminous.node.shell import consent, doctor, keyfile, networks
from luminous.node.shell.check import Check, Verdict
from luminous.node.shell.doctor import examine, is_sound
from luminous.node.shell.paths import Paths
from luminous.node.shell.sqlite_store import SqliteStore

STATUS: dict[str, Any] = {
    "halted": "",
    "mute": False,
    "version": "0.1.0",
    "uptime_s": 3,
    "privacy": {"consent": {"network": True}},
    "addresses": ["/ip4/10.0.0.1/tcp/4001"],
    "peers": 2,
    "network": {"members": 3},
}
PEER = {"id": "p", "direction": "outbound", "mesh": ["t"], "banned": ""}
SEEN = {"p": {"host": "10.0.0.1", "ports": [4001]}}
ANSWERS: dict[str, Any] = {
    "/v1/status": STATUS,
    "/v1/clock": {"members": 4, "ahead_ms": -1500},
    "/v1/peers": {"peers": [PEER, PEER], "seen_by": SEEN, "reachability": "reachable", "relays": []},
}


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    """A sound installation that has run before, in a network, with consent."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    keyfile.create(data / "keys")
    networks.create(data, "lab", False, [])
    for name, durable in (("journal", True), ("state", False)):
        store = SqliteStore(data / f"{name}.sqlite", durable=durable)
        body = os.urandom(64)
        store.commit([Append(Store.STATE, "x", bytes([n]), body * 40) for n in range(200)])
        store.checkpoint()
        store.close()
    consent.write(data / "consent.json", consent.grant_network(consent.Record(), 1))
    yield Paths(tmp_path / "none.yaml", data, data / "run")


def found(paths: Paths, answers: dict[str, Any] | None = None, **environ: str) -> dict[str, Check]:
    shown = ANSWERS | (answers or {})
    return {check.name: check for check in examine(paths, environ, lambda path: shown[path])}


def test_a_sound_installation_has_no_fault(paths: Paths) -> None:
    checks = found(paths)
    about_node = [check for name, check in checks.items() if not name.startswith(("disk", "/boot", "nix"))]
    assert {check.verdict for check in about_node} == {Verdict.PASS}, about_node
    assert [check.do for check in about_node] == [""] * len(about_node)
    assert "port 4001" in checks["reachability"].text


def planted_key(paths: Paths) -> None:
    (paths.keys / "author.seed").chmod(0o644)


def planted_directory(paths: Paths) -> None:
    paths.data.chmod(0o777)


def planted_damage(path: Path) -> None:
    with path.open("r+b") as file:
        for page in range(2, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)


READABLE = "/ip4/203.0.113.7/tcp/4001/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
UNREADABLE = "203.0.113.7:4001"


def planted_bootstrap(paths: Paths, *addresses: str) -> None:
    lines = "".join(f"    - {address!r}\n" for address in addresses)
    paths.config.write_text("network:\n  bootstrap:\n" + lines)


FAULTS = [
    ("configuration", lambda paths: paths.config.write_text("netwrok:\n  listen: []\n"), Verdict.FAIL),
    ("keys", planted_key, Verdict.FAIL),
    ("data directory", planted_directory, Verdict.FAIL),
    ("journal", lambda paths: planted_damage(paths.journal), Verdict.FAIL),
    ("journal", lambda paths: paths.journal.unlink(), Verdict.FAIL),
    ("state store", lambda paths: planted_damage(paths.state), Verdict.FAIL),
    ("consent", lambda paths: paths.consent.write_text("{"), Verdict.WARN),
    ("bootstrap addresses", lambda paths: planted_bootstrap(paths, UNREADABLE), Verdict.FAIL),
    ("bootstrap addresses", lambda paths: planted_bootstrap(paths, UNREADABLE, READABLE), Verdict.WARN),
]


@pytest.mark.parametrize(("name", "plant", "verdict"), FAULTS)
def test_a_planted_fault_is_found_and_has_a_remedy(
    paths: Paths, name: str, plant: Any, verdict: Verdict
) -> None:
    plant(paths)
    check = found(paths)[name]
    assert check.verdict is verdict
    assert check.do
    assert is_sound((check,)) == (verdict is not Verdict.FAIL)


def status(**changes: Any) -> dict[str, Any]:
    return {"/v1/status": STATUS | changes}


BLOCKED = {"p": {"host": "192.0.2.7", "ports": []}}
NAT = "behind NAT or a firewall"
RELAYED = f"{READABLE}/p2p-circuit/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"


def peers(
    *rows: dict[str, Any], seen: Any = None, word: str = "unknown", relays: list[str] | None = None
) -> dict[str, Any]:
    facts = {"peers": list(rows), "seen_by": seen or {}, "reachability": word, "relays": relays or []}
    return {"/v1/peers": facts}


ABOUT_THE_NETWORK = [
    ("node", status(halted="another machine signs with this key"), Verdict.FAIL),
    ("node", status(mute=True), Verdict.FAIL),
    ("clock", {"/v1/clock": {"members": 3, "ahead_ms": 700_000}}, Verdict.FAIL),
    ("clock", {"/v1/clock": {"members": 3, "ahead_ms": -90_000}}, Verdict.WARN),
    ("clock", {"/v1/clock": {"members": 0, "ahead_ms": None}}, Verdict.SKIP),
    ("reachability", status(addresses=[]), Verdict.FAIL),
    ("reachability", peers(PEER, seen=BLOCKED, word=NAT), Verdict.WARN),
    ("reachability", peers(PEER, seen=BLOCKED, word=NAT, relays=[RELAYED]), Verdict.PASS),
    ("reachability", peers(PEER, seen=BLOCKED), Verdict.SKIP),
    ("reachability", peers(PEER | {"direction": "inbound", "address": "/p2p/r/p2p-circuit"}), Verdict.SKIP),
    ("reachability", peers(PEER), Verdict.SKIP),
    ("reachability", peers(PEER | {"direction": "inbound"}), Verdict.PASS),
    ("mesh", peers(PEER | {"mesh": []}), Verdict.WARN),
    ("mesh", status(peers=0), Verdict.WARN),
    ("mesh", status(peers=0, network={"members": 1}), Verdict.PASS),
]


@pytest.mark.parametrize(("name", "answers", "verdict"), ABOUT_THE_NETWORK)
def test_what_the_node_and_its_peers_say_decides(
    paths: Paths, name: str, answers: dict[str, Any], verdict: Verdict
) -> None:
    check = found(paths, answers)[name]
    assert check.verdict is verdict
    assert bool(check.do) == (verdict in (Verdict.WARN, Verdict.FAIL))


def test_a_barrier_is_named(paths: Paths) -> None:
    check = found(paths, DO_NOT_TRACK="1")["consent"]
    assert check.verdict is Verdict.WARN and "DO_NOT_TRACK=1" in check.text


def test_without_a_daemon_the_network_is_skipped(paths: Paths) -> None:
    checks = {check.name: check for check in examine(paths, {}, None)}
    assert checks["node"].do == "luminous-node run"
    assert {checks[name].verdict for name in ("clock", "reachability", "mesh")} == {Verdict.SKIP}


@pytest.mark.parametrize(("free_mb", "verdict"), [(50, "FAIL"), (500, "WARN"), (5000, "PASS")])
def test_a_full_disk_is_found(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, free_mb: int, verdict: str
) -> None:
    class Space:
        f_bavail, f_frsize, f_files, f_favail = free_mb * 1000, 1000, 0, 0

    monkeypatch.setattr(doctor.os, "statvfs", lambda path: Space)
    assert found(paths)["disk"].verdict == verdict


@pytest.mark.parametrize(("inodes", "verdict"), [(10, "FAIL"), (10_000, "PASS")])
def test_a_disk_without_inodes_is_found(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, inodes: int, verdict: str
) -> None:
    class Space:
        f_bavail, f_frsize, f_files, f_favail = 5_000_000, 1000, 100_000, inodes

    monkeypatch.setattr(doctor.os, "statvfs", lambda path: Space)
    assert found(paths)["disk"].verdict == verdict


def test_only_the_bootstrap_address_that_cannot_be_dialled_is_named(paths: Paths) -> None:
    planted_bootstrap(paths, UNREADABLE, READABLE)
    text = found(paths)["bootstrap addresses"].text
    assert UNREADABLE in text and READABLE not in text and "1 of 2" in text
    planted_bootstrap(paths, READABLE)
    assert found(paths)["bootstrap addresses"].verdict is Verdict.PASS
