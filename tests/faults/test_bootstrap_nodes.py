"""Three bootstrap nodes, one honest, one lying, one dead: newcomers still join; and stopping drains."""

import json
import re
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from daemon_process import Daemon

from luminous.node.shell.address_scope import address_at
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.link import GENESIS_PROTOCOL, SYNC_PROTOCOL
from luminous.node.shell.transport_types import Verdict
from luminous.protocol.cards import Card, read_card, write_card
from luminous.protocol.peer_exchange import PEERS_PROTOCOL, Answer, write_answer

pytestmark = [pytest.mark.slow, pytest.mark.alone]
DEAD = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
# From the signal to the end of the process: what an operator's service manager waits for.
DRAIN_S_MAX = 5.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Liar:
    """A bootstrap node that lies about peers, about the founding record and in every sync dialogue."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.address = ""
        self._up, self._stop = threading.Event(), trio.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread = threading.Thread(target=trio.run, args=(self._run,))

    def __enter__(self) -> "Liar":
        self._thread.start()
        assert self._up.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._token is not None
        self._token.run_sync_soon(self._stop.set)
        self._thread.join(20)

    async def _run(self) -> None:
        async def genesis(peer: str, data: bytes) -> bytes:
            self.asked.append("genesis")
            return b"\xa1\x01\x64evil"

        async def sync(peer: str, data: bytes) -> bytes:
            self.asked.append("sync")
            return bytes(1000)

        async def peers(peer: str, data: bytes) -> bytes:
            self.asked.append("peers")
            lies = tuple(address_at("127.0.0.1", n, DEAD[:-1] + "abcdefgh"[n - 1]) for n in range(1, 9))
            return write_answer(Answer(lies, b"\x0b\0\0\x01", ()))

        transport = LibP2PTransport(
            transport_seed=b"l" * 32,
            noise_seed=b"m" * 32,
            listen=("/ip4/127.0.0.1/tcp/0",),
            topics=(),
            validate=lambda topic, data, peer: Verdict.ACCEPT,
            received=lambda topic, data, peer: None,
            serve={GENESIS_PROTOCOL: genesis, SYNC_PROTOCOL: sync, PEERS_PROTOCOL: peers},
            peers_wanted=0,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(transport.run)
            self._token, self.address = trio.lowlevel.current_trio_token(), transport.addresses()[0]
            self._up.set()
            await self._stop.wait()
            nursery.cancel_scope.cancel()


def listening(port: int) -> tuple[str, ...]:
    return ("--listen", f"/ip4/127.0.0.1/tcp/{port}")


def peers_of(daemon: Daemon) -> set[str]:
    return {row["id"] for row in daemon.get("/v1/peers")["peers"] if row.get("address")}


def holds(daemon: Daemon, records: int) -> bool:
    """Whether it has so many records; a node that has just joined gives way to its next life meanwhile."""
    try:
        return bool(daemon._is_up() and daemon.get("/v1/status")["records"] >= records)
    except (OSError, json.JSONDecodeError):
        return False


def is_reached(daemon: Daemon) -> bool:
    seen = daemon.get("/v1/peers")["seen_by"].values()
    return any(view["host"] == "127.0.0.1" and view["ports"] for view in seen)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[list[Daemon]]:
    made = []
    for name in ("founder", "bootstrap", "first", "second", "third"):
        (tmp_path / name).mkdir()
        made.append(Daemon(tmp_path / name))
    yield made
    for daemon in made:
        daemon.kill()


def consenting(daemon: Daemon) -> None:
    done = daemon.type("consent", "grant", "network")
    assert done.returncode == 0, done.stdout + done.stderr


def test_newcomers_join_past_a_liar_and_a_dead_node_and_outlive_the_honest_one(daemons: list[Daemon]) -> None:
    founder, bootstrap, *newcomers = daemons
    assert founder.type("network", "create", "lab").returncode == 0
    consenting(founder)
    founder.start(*listening(free_port()))
    founder.until(lambda: bool(founder.get("/v1/status")["addresses"]))
    founder.until(lambda: (founder.data / "network/addresses").exists())
    card = json.loads(founder.type("network", "card", "--json").stdout)["card"]

    # The bootstrap node joins by a card, fetches the founding record and needs no member afterwards.
    assert bootstrap.type("network", "join", card).returncode == 0
    bootstrap.start("--bootstrap", *listening(free_port()))
    bootstrap.until(lambda: (bootstrap.data / "network/genesis").exists())
    records = founder.get("/v1/status")["records"]
    assert records >= 1  # the founder's binding
    bootstrap.until(lambda: holds(bootstrap, records))
    founder.stop()
    refused = bootstrap.post("/v1/vote", {"proposal": "x", "choice": "yes"})
    assert "neither votes" in refused["error"]["why"]
    assert bootstrap.get("/v1/status")["privacy"]["consent"]["learning"] == "LOCAL_ONLY"
    text = bootstrap.type("network", "card").stdout
    drawn = bootstrap.type("network", "card", "--qr").stdout
    assert len(drawn.splitlines()) > len(text.splitlines()) + 20
    shown = read_card(json.loads(bootstrap.type("network", "card", "--json").stdout)["card"].upper())
    assert isinstance(shown, Card) and len(shown.addresses) == 1
    assert "luminous_records" in bootstrap.type("metrics").stdout

    with Liar() as liar:
        dead = f"/ip4/127.0.0.1/tcp/{free_port()}/p2p/{DEAD}"
        addresses = (dead, liar.address, *shown.addresses)
        given = write_card(Card(shown.author, shown.network, shown.name, addresses))
        assert bootstrap.process is not None
        bootstrap.process.send_signal(signal.SIGSTOP)  # the liar is asked first, whatever chance says
        for daemon in newcomers:
            assert daemon.type("network", "join", given).returncode == 0
            daemon.env["LUMINOUS_NETWORK__BOOTSTRAP"] = "192.0.2.7:4001"  # no address: said, and no obstacle
            consenting(daemon)
            daemon.start(*listening(free_port()))
        newcomers[0].until(lambda: {"genesis", "peers"} <= set(liar.asked))
        assert not (newcomers[0].data / "network/genesis").exists()
        bootstrap.process.send_signal(signal.SIGCONT)
        for daemon in newcomers:
            daemon.until(lambda d=daemon: holds(d, records))
        ids = {daemon.get("/v1/status")["peer_id"] for daemon in newcomers}
        assert '"address_never_dialled"' in newcomers[0].told() and "192.0.2.7:4001" in newcomers[0].told()
        for daemon in newcomers:  # they know one another by peer exchange alone
            me = daemon.get("/v1/status")["peer_id"]
            daemon.until(lambda d=daemon, me=me: ids - {me} <= peers_of(d))
        newcomers[0].until(lambda: is_reached(newcomers[0]))
        # What it heard, by kind, and with whom its records agree.
        newcomers[0].until(
            lambda: any(
                row["sync"] and row["sync"]["equal_s_ago"] is not None
                for row in newcomers[0].get("/v1/peers")["peers"]
            )
        )
        assert re.search(r"same records.*\n(.*\n)*.*\d s ago", newcomers[0].type("peers").stdout)
        measured = newcomers[0].type("metrics").stdout
        assert re.search(
            r'luminous_records_heard_total\{kind="binding",way="(sync|gossip)"\} [1-9]', measured
        )
        assert re.search(r"luminous_sync_equal_peers \d", measured)

        # A ban by hand: carried out, shown with its reason, kept over a restart, lifted.
        peer = newcomers[2].get("/v1/status")["peer_id"]
        assert bootstrap.type("peers", "--ban", peer, "--reason", "planted").returncode == 0
        bootstrap.until(lambda: peer not in peers_of(bootstrap))
        assert re.search("planted", bootstrap.type("peers").stdout)
        assert bootstrap.get("/v1/status")["banned"] == 1  # and whom it refuses does not count as connected
        bootstrap.until(lambda: bootstrap.get("/v1/status")["peers"] == len(peers_of(bootstrap)))
        assert bootstrap.type("peers", "--ban", peer).returncode == 2

        # Draining: it says goodbye, the newcomers keep each other.
        boot_id = bootstrap.get("/v1/status")["peer_id"]
        assert boot_id in peers_of(newcomers[0])
        bootstrap.process.send_signal(signal.SIGTERM)
        assert bootstrap.process.wait(DRAIN_S_MAX) == 0, bootstrap.told()
        for daemon in newcomers:
            daemon.until(lambda d=daemon: boot_id not in peers_of(d))
            assert len(peers_of(daemon) & ids) == 2
        assert "Traceback" not in bootstrap.told()
        bootstrap.start("--bootstrap", *listening(free_port()))
        rows = bootstrap.get("/v1/peers")["peers"]
        assert [row["banned"] for row in rows if row["id"] == peer] == ["planted"]
        assert "welcome again" in bootstrap.type("peers", "--unban", peer).stdout
        for daemon in (bootstrap, *newcomers):
            daemon.stop()

    # Moved: the keys and the network alone are the same peer on another machine; bans stay behind, as said.
    moved = Daemon(founder.folder.parent / "moved")
    moved.data.mkdir(parents=True, mode=0o700)
    for name in ("keys", "network"):
        shutil.copytree(bootstrap.data / name, moved.data / name)
    try:
        moved.start("--bootstrap", *listening(free_port()))
        moved.until(lambda: bool(moved.get("/v1/status")["addresses"]))
        assert moved.get("/v1/status")["peer_id"] == boot_id and not moved.get("/v1/status")["banned"]
        assert moved.get("/v1/peers")["relaying"] == {"reservations": 0, "circuits": 0}  # its profile relays
        moved.stop()
    finally:
        moved.kill()


def test_without_segno_the_qr_code_says_what_to_install(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    assert daemon.type("network", "create", "lab").returncode == 0
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['segno'] = None\n")
    done = daemon.type("network", "card", "--qr", PYTHONPATH=f"{tmp_path}:{daemon.env['PYTHONPATH']}")
    assert done.returncode == 4 and "luminous-node[qr]" in done.stderr, (done.stderr, sys.path)
