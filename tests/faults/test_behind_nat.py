"""Hosts behind different NATs, as network namespaces: they reach each other through a relay, and what a relay
could do to them. Real daemons; needs root. ``make long``; the last result is docs/records/nat.md.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import ROOT, Daemon
from namespaces import NatWorld, is_possible
from watching_relay import DELAY_S

from luminous.node.shell.reach import relay_of

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.long]
WAIT_S = 180.0
TITLE = "a title that a relay would recognise"


@pytest.fixture
def world() -> Iterator[NatWorld]:
    why = is_possible()
    if why:
        pytest.skip(why)
    with NatWorld() as made:
        yield made


@pytest.fixture
def made(tmp_path: Path) -> Iterator[dict[str, Daemon]]:
    found = {}
    for name in ("boot", "alice", "bob", "bob2"):
        (tmp_path / name).mkdir()
        found[name] = Daemon(tmp_path / name)
    yield found
    for daemon in found.values():
        daemon.kill()


def told(line: str) -> None:
    print(line, flush=True)


def founded(alice: Daemon, bob: Daemon) -> str:
    """Alice founds a network with Bob; the card that others join with."""
    mine = json.loads(bob.type("network", "card", "--json").stdout)["card"]
    assert alice.type("network", "create", "lab", "--founder", mine).returncode == 0
    return str(json.loads(alice.type("network", "card", "--json").stdout)["card"])


def agreed(daemon: Daemon) -> None:
    done = daemon.type("consent", "grant", "network")
    assert done.returncode == 0, done.stdout + done.stderr


def address_of(daemon: Daemon, other: Daemon) -> str:
    """From where ``other`` is connected to ``daemon``; empty if it is not."""
    peer = other.get("/v1/status")["peer_id"]
    rows = daemon.get("/v1/peers")["peers"]
    return next((row.get("address", "") for row in rows if row["id"] == peer), "")


def are_joined(one: Daemon, other: Daemon) -> bool:
    """Whether the two are connected through a relay; one that just joined gives way to its next life."""
    try:
        return one._is_up() and other._is_up() and "p2p-circuit" in address_of(one, other)
    except (OSError, json.JSONDecodeError, KeyError):
        return False


def is_meshed(daemon: Daemon) -> bool:
    """Whether it runs and has a peer in its mesh."""
    try:
        return daemon._is_up() and bool(daemon.get("/v1/status")["mesh"])
    except (OSError, json.JSONDecodeError, KeyError):
        return False


def titles(daemon: Daemon) -> list[str]:
    return [row["title"] for row in daemon.get("/v1/proposals")["proposals"]]


def propose(daemon: Daemon, title: str) -> str:
    done = daemon.type("propose", "text", title, "--text", "between two NATs", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["proposal"])


def test_two_behind_nat_meet_through_a_bootstrap_node(world: NatWorld, made: dict[str, Daemon]) -> None:
    boot, alice, bob = made["boot"], made["alice"], made["bob"]
    world.public("boot", 2)
    world.home("alice", 3)
    world.home("bob", 4)
    card = founded(alice, bob)
    assert boot.type("network", "join", card).returncode == 0
    boot.launch("--bootstrap", "--listen", "/ip4/11.7.0.2/tcp/4001", prefix=world.inside("boot"))
    boot.until(lambda: "ready" in boot.told())
    boot.until(lambda: bool(boot.get("/v1/status")["addresses"]))
    (door,) = boot.get("/v1/status")["addresses"]
    began_s = time.monotonic()
    assert bob.type("network", "join", card).returncode == 0
    for name, daemon in (("alice", alice), ("bob", bob)):
        agreed(daemon)
        daemon.env["LUMINOUS_NETWORK__BOOTSTRAP"] = door
        daemon.launch(prefix=world.inside(name))
    alice.until(lambda: are_joined(alice, bob) and are_joined(bob, alice), WAIT_S)
    told(f"two homes joined through a bootstrap node after {time.monotonic() - began_s:.0f} s")
    facts = alice.get("/v1/peers")
    assert facts["reachability"] == "behind NAT or a firewall"
    (relayed,) = facts["relays"]
    assert relay_of(relayed) == boot.get("/v1/status")["peer_id"]
    alice.until(lambda: relayed in (alice.data / "network/addresses").read_text())  # its card says so
    boot.until(lambda: boot.get("/v1/peers")["relaying"]["reservations"] == 2, WAIT_S)
    told(json.dumps(boot.get("/v1/peers")["relaying"]))
    checks = json.loads(alice.type("doctor", "--json").stdout)["checks"]
    said = {check["name"]: check for check in checks}
    assert said["reachability"]["verdict"] == "PASS" and "reach it through" in said["reachability"]["text"]
    told(said["reachability"]["text"])
    assert said["mesh"]["verdict"] == "PASS", said["mesh"]
    proposal = propose(alice, TITLE)
    bob.until(lambda: TITLE in titles(bob), WAIT_S)
    assert bob.type("vote", proposal[:12], "yes").returncode == 0
    alice.until(lambda: alice.get(f"/v1/decision/{proposal[:12]}")["yes"] == 1, WAIT_S)
    told("a proposal crossed, a vote came back")
    for daemon in (alice, bob, boot):
        daemon.stop()


def test_what_a_relay_could_do_to_those_behind_it(world: NatWorld, made: dict[str, Daemon]) -> None:
    alice, bob = made["alice"], made["bob"]
    world.public("boot", 2)
    world.home("alice", 3)
    world.home("bob", 4)
    card = founded(alice, bob)
    network = json.loads(alice.type("network", "card", "--json").stdout)["network"]
    folder = made["boot"].folder
    mode = folder / "mode"
    mode.write_text("pass")
    relay = subprocess.Popen(
        [
            *world.inside("boot"), sys.executable, str(ROOT / "tests/faults/watching_relay.py"),
            network, "/ip4/11.7.0.2/tcp/4001", str(folder),
        ],
        env=alice.env, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert relay.stdout is not None
        door = json.loads(relay.stdout.readline())["address"]
        began_s = time.monotonic()
        assert bob.type("network", "join", card).returncode == 0
        for name, daemon in (("alice", alice), ("bob", bob)):
            agreed(daemon)
            daemon.env["LUMINOUS_NETWORK__BOOTSTRAP"] = door
            daemon.launch(prefix=world.inside(name))
        # The founding record itself crosses the circuit: nobody else has it.
        bob.until(lambda: (bob.data / "network/genesis").exists(), WAIT_S)
        told(f"founding record through the circuit after {time.monotonic() - began_s:.0f} s")
        bob.until(lambda: are_joined(alice, bob) and is_meshed(bob), WAIT_S)

        def crossing(title: str) -> float:
            start_s = time.monotonic()
            propose(alice, title)
            bob.until(lambda: title in titles(bob), WAIT_S)
            return time.monotonic() - start_s

        told(f"pass: a proposal crosses in {crossing(TITLE):.1f} s, typing included")
        assert TITLE.encode() not in (folder / "carried").read_bytes()
        seen = json.loads((folder / "seen.json").read_text())
        ids = {one.get("/v1/status")["peer_id"] for one in (alice, bob)}
        assert any(all(peer in pair for peer in ids) for pair in seen["pairs"])
        assert {"11.7.0.3", "11.7.0.4"} <= set(seen["hosts"].values())
        told(f"sees: {len(seen['pairs'])} pair, {sum(seen['pairs'].values())} bytes, both public addresses; "
             "no byte of the title")  # fmt: skip
        mode.write_text("delay")
        told(f"delay of {DELAY_S:g} s for every read: crosses in {crossing('delayed by a relay'):.1f} s")
        mode.write_text("drop")
        propose(alice, "dropped by a relay")
        alice.until(lambda: not address_of(alice, bob), WAIT_S)  # silence is noticed, the circuit closed
        assert "dropped by a relay" not in titles(bob)
        told("drop: nothing crosses; the circuit is closed as dead")
        mode.write_text("pass")
        start_s = time.monotonic()
        bob.until(lambda: "dropped by a relay" in titles(bob), WAIT_S)
        told(f"after dropping ends: sync brings it in {time.monotonic() - start_s:.0f} s")
        before = set(titles(alice))
        mode.write_text("change")
        propose(bob, "changed by a relay")
        bob.until(lambda: not address_of(bob, alice), WAIT_S)
        assert set(titles(alice)) == before
        mode.write_text("pass")
        alice.until(lambda: "changed by a relay" in titles(alice), WAIT_S)
        told("change: Noise refuses the bytes, the circuit is closed; afterwards the true record arrives")
        assert alice.get("/v1/status")["refused"] in ({}, None) and "Traceback" not in alice.told()
        for daemon in (alice, bob):
            daemon.stop()
    finally:
        relay.kill()
        relay.wait(10)


def test_two_on_one_link_find_each_other_by_multicast_where_it_is_switched_on(
    world: NatWorld, made: dict[str, Daemon]
) -> None:
    bob, bob2 = made["bob"], made["bob2"]
    world.home("bob", 4, hosts=2)
    card = founded(bob, bob2)
    assert bob2.type("network", "join", card).returncode == 0
    listener = subprocess.Popen(
        [*world.inside("bob2"), sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True
    )
    try:
        for name, daemon in (("bob", bob), ("bob2", bob2)):
            agreed(daemon)
            daemon.launch(prefix=world.inside(name))
        bob.until(lambda: bob._is_up() and bob2._is_up() and bool(bob.get("/v1/status")["addresses"]))
        time.sleep(5)  # long enough for the first questions, had there been any
        assert listener.poll() is None, "a packet by default"
        assert not bob.get("/v1/peers")["peers"]
        for name, daemon in (("bob", bob), ("bob2", bob2)):
            daemon.stop()
            daemon.env["LUMINOUS_NETWORK__MDNS"] = "true"
            daemon.launch(prefix=world.inside(name))
        began_s = time.monotonic()
        bob2.until(lambda: is_meshed(bob2), WAIT_S)
        told(f"found by multicast, founding record fetched, in the mesh: {time.monotonic() - began_s:.0f} s")
        assert listener.wait(10) == 0  # and now there were packets
        for daemon in (bob, bob2):
            daemon.stop()
    finally:
        listener.kill()
        listener.wait(10)


LISTENER = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
sock.bind(("", 5353))
member = socket.inet_aton("224.0.0.251") + socket.inet_aton("192.168.4.11")
sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
sock.recvfrom(9000)
"""
