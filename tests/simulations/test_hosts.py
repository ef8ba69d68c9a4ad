"""Real daemons on hosts of their own: links are late, lossy and cut; the scenario's outcome is one on all."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from luminous.simulations import namespaces
from luminous.simulations.bodies import run
from luminous.simulations.faults import Crash, DiskFull, Link, Partition
from luminous.simulations.hosts_play import compare, outcome
from luminous.simulations.namespaces import Bridges, Lab, netem_words, opened
from luminous.simulations.scenario import Scenario, ScenarioError, Vote, read_scenario
from luminous.simulations.switch import Switch


@pytest.fixture
def machine() -> None:
    """Skips where namespaces or devices cannot be made: no root, or a container that forbids it."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    try:
        with opened(1, Link(), 1):
            pass
    except (ScenarioError, OSError) as error:
        pytest.skip(f"this machine makes no network namespaces: {error}")


VOTE = Vote(title="Count me", yes=3, no=1, threshold="super", closes_ms=240_000, passes=True)


def small(**changes: Any) -> Scenario:
    """Four hosts and one vote."""
    facts: dict[str, Any] = {
        "id": "hosts",
        "summary": "",
        "nodes": 4,
        "duration_ms": 600_000,
        "vote": (VOTE,),
    }
    return Scenario(**{**facts, **changes})


# The switch, without devices


class Ports:
    """Pipes in place of devices; what the switch carries to each port."""

    def __init__(self, link: Link, count: int) -> None:
        self.switch = Switch(link, 1)
        self.ends = [os.pipe() for _ in range(count)]
        for port, (_, write) in enumerate(self.ends):
            self.switch._ports[port] = write

    def frame(self, source: int, target: int, body: bytes = b"x") -> bytes:
        """An Ethernet frame; target 255 is everybody."""
        to = b"\xff" * 6 if target == 255 else bytes([2, 0, 0, 0, 0, target])
        return to + bytes([2, 0, 0, 0, 0, source]) + b"\x08\x00" + body

    def waiting(self) -> list[tuple[int, bytes]]:
        """Frames on their way, in the order in which they will arrive."""
        return [(port, frame[14:]) for _, _, port, frame in sorted(self.switch._waiting)]

    def close(self) -> None:
        """The switch closes the writing ends."""
        self.switch.close()
        for read, _ in self.ends:
            os.close(read)


@pytest.fixture
def slow() -> Iterator[Ports]:
    """An hour's delay: what is sent stays visible, nothing is carried meanwhile."""
    ports = Ports(Link(delay_ms_mean=3_600_000, delay_ms_min=3_600_000), 3)
    yield ports
    ports.close()


def test_a_switch_learns_where_a_host_is(slow: Ports) -> None:
    slow.switch.take(0, slow.frame(0, 1))
    assert [port for port, _ in slow.waiting()] == [1, 2], "nobody knows yet: to all but the sender"
    slow.switch.take(1, slow.frame(1, 0))
    assert [port for port, _ in slow.waiting()] == [1, 2, 0]
    slow.switch.take(0, slow.frame(0, 1))
    assert sorted(port for port, _ in slow.waiting()) == [0, 1, 1, 2]


def test_a_switch_keeps_the_order_of_two_hosts(slow: Ports) -> None:
    for number in range(50):
        slow.switch.take(0, slow.frame(0, 255, bytes([number])))
    bodies = [body for port, body in slow.waiting() if port == 1]
    assert bodies == sorted(bodies) and len(bodies) == 50


def test_a_switch_holds_every_frame_back_for_the_least_delay(slow: Ports) -> None:
    begun_s = time.monotonic()
    slow.switch.take(0, slow.frame(0, 255))
    assert all(due_s >= begun_s + 3600 for due_s, *_ in slow.switch._waiting)


def test_a_cut_switch_carries_within_each_side_only(slow: Ports) -> None:
    slow.switch.cut([0, 1])
    slow.switch.take(0, slow.frame(0, 255))
    slow.switch.take(2, slow.frame(2, 255))
    assert [port for port, _ in slow.waiting()] == [1] and slow.switch.dropped == 3
    slow.switch.cut(())
    slow.switch.take(2, slow.frame(2, 255))
    assert sorted(port for port, _ in slow.waiting()) == [0, 1, 1]


def test_a_switch_loses_and_doubles_its_share() -> None:
    lossy = Ports(Link(delay_ms_mean=3_600_000, delay_ms_min=3_600_000, loss=0.2, duplicate=0.5), 2)
    try:
        for _ in range(1000):
            lossy.switch.take(0, lossy.frame(0, 255))
        assert 150 < lossy.switch.dropped < 250
        assert 1100 < len(lossy.waiting()) < 1300
    finally:
        lossy.close()


# Namespaces


CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), 1).close()
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("silence")
"""
TRIES = 30


def knock(lab: Lab, one: int, other: int) -> str:
    """A TCP connection to a closed port: "refused" means that packets went both ways."""
    words = [*lab.prefix(one), sys.executable, "-c", CONNECT, lab.address(other)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def is_reached(lab: Lab, one: int, other: int) -> bool:
    """Do packets come through sooner or later? A busy machine may need more than one try."""
    return any(knock(lab, one, other) == "refused" for _ in range(TRIES))


def test_hosts_hear_one_another_until_they_are_cut(machine: None) -> None:
    with opened(3, Link(delay_ms_mean=20, delay_ms_min=10), 1) as lab:
        assert is_reached(lab, 0, 2)
        lab.links.cut([0])
        assert knock(lab, 0, 2) == "silence" and is_reached(lab, 1, 2)
        lab.links.cut(())
        assert is_reached(lab, 0, 2)


def test_bridges_cut_and_heal_too(machine: None) -> None:
    name = f"lumtest{os.getpid()}"
    try:
        links = Bridges(None, name)
    except ScenarioError as error:
        subprocess.run(["ip", "netns", "delete", f"{name}-bridges"], check=False, capture_output=True)
        pytest.skip(f"this kernel makes no bridges: {error}")
    lab = Lab(links, 3, name)
    try:
        lab.open()
        assert is_reached(lab, 0, 2)
        links.cut([0])
        assert knock(lab, 0, 2) == "silence" and is_reached(lab, 1, 2)
        links.cut(())
        assert is_reached(lab, 0, 2)
    finally:
        lab.close()


def test_nothing_stays_behind(machine: None) -> None:
    def mine() -> list[str]:
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if line.startswith(f"lum{os.getpid()}-")]

    with pytest.raises(ValueError, match="planted"), opened(2, Link(), 1):
        assert len(mine()) == 2
        raise ValueError("planted")
    assert mine() == []


def test_netem_is_told_what_the_link_is() -> None:
    words = netem_words(Link(delay_ms_mean=40, delay_ms_min=5, loss=0.025, duplicate=0.01))
    assert " ".join(words) == "netem delay 40ms 35ms loss 2.5% duplicate 1%"


# What is refused, and what is compared


def test_without_root_there_are_no_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces.os, "geteuid", lambda: 1000)
    with pytest.raises(ScenarioError, match="need root"):
        run(small(), "hosts", 1)


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        (read_scenario("churn", 8), "churn"),
        (read_scenario("hostile_members", 8), "adversary"),
        (read_scenario("late_joiner", 8), "late_joiners"),
        (small(vote=()), "no vote to agree on"),
        (small(link=Link(loss=0.1)), "loss above 5 %"),
        (small(crash=(Crash(node=1, at_ms=1, lose_state=True),)), "lost disks"),
        (small(partition=(Partition(from_ms=1, until_ms=2, one_way=True),)), "one-way"),
    ],
)
def test_what_hosts_cannot_play_is_refused(scenario: Scenario, why: str) -> None:
    with pytest.raises(ScenarioError, match=why):
        run(scenario, "hosts", 1)


def shown(**changes: Any) -> dict[str, Any]:
    facts = {"title": "Count me (1000)", "final": True, "outcome": "passed", "yes": 3, "no": 1}
    return {**facts, "abstain": 0, "void": 0, "members": 4, **changes}


@pytest.mark.parametrize(
    ("change", "recounts", "broken"),
    [
        ({}, True, []),
        ({"yes": 2}, True, ["agreement"]),
        ({"final": False, "outcome": None}, True, ["agreement", "liveness", "inclusion"]),
        ({"no": 2}, True, ["agreement", "inclusion"]),
        ({}, False, ["independence"]),
    ],
)
def test_a_host_that_differs_is_seen(change: dict[str, Any], recounts: bool, broken: list[str]) -> None:
    rows = [[shown()], [shown()], [shown(**change)]]
    checks = compare(small(), rows, [True, True, recounts])
    assert [name for name, check in checks.items() if not check["ok"]] == broken
    assert json.dumps(outcome(shown()))


# The whole thing


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize(
    "scenario",
    [
        read_scenario("calm", 8),
        read_scenario("partition", 8),
        small(
            id="kill-and-full",
            nodes=7,
            link=Link(delay_ms_mean=60, delay_ms_min=20, loss=0.02),
            crash=(Crash(node=2, at_ms=60_000, down_ms=60_000), Crash(node=3, at_ms=90_000, down_ms=200_000)),
            disk_full=(DiskFull(node=4, from_ms=40_000, until_ms=260_000),),
        ),
    ],
    ids=lambda item: item.id,
)
def test_real_daemons_agree_through_cuts_kills_and_full_disks(machine: None, scenario: Scenario) -> None:
    began = time.monotonic()
    result = run(scenario, "hosts", 1)
    print(f"{scenario.id}: {result.checks} {result.figures} {time.monotonic() - began:.0f} s")
    assert result.ok, result.checks
