"""Hosts of a small network on one machine: a network namespace each, joined by links with delay and loss.

Where the kernel has netem: veth pairs, two bridges and ``tc netem``. Where it has not: a TAP device in each
namespace and a switch in this process that holds frames back and drops them. Packets are the kernel's own
either way. Refuses to run without root, and leaves nothing behind.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from luminous.simulations.faults import Link
from luminous.simulations.scenario import ScenarioError
from luminous.simulations.switch import Switch, open_tap

HOSTS_MAX = 25
SUBNET = "10.77.0"


class Links(Protocol):
    """What joins the hosts: made, cut in two, healed, taken away."""

    kind: str

    def join(self, index: int, space: str) -> None:
        """Give the namespace its ``eth0``."""

    def cut(self, apart: Sequence[int]) -> None:
        """From now on these hosts reach one another and nobody else; of nobody: everybody is together."""

    def close(self) -> None:
        """Take away what was made outside the hosts' namespaces."""


class Lab:
    """``count`` namespaces: ``prefix(i)`` before a command runs it on host i, which has ``address(i)``."""

    def __init__(self, links: Links, count: int, name: str) -> None:
        self.links = links
        self._spaces = [f"{name}-{index}" for index in range(count)]

    def open(self) -> None:
        """Make namespaces and links. Raises ScenarioError where this machine cannot."""
        for index, space in enumerate(self._spaces):
            run("ip", "netns", "add", space)
            self.links.join(index, space)
            inside(space, "ip", "link", "set", "lo", "up")
            inside(space, "ip", "address", "add", f"{self.address(index)}/24", "dev", "eth0")
            inside(space, "ip", "link", "set", "eth0", "up")

    def address(self, index: int) -> str:
        """The IPv4 address of a host."""
        return f"{SUBNET}.{index + 1}"

    def prefix(self, index: int) -> list[str]:
        """Words that run a command on a host."""
        return ["ip", "netns", "exec", self._spaces[index]]

    def close(self) -> None:
        """Take everything away, also what was made only half."""
        self.links.close()
        for space in self._spaces:
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)


class Bridges:
    """veth pairs into a namespace of their own with two bridges; delay and loss by ``tc netem``."""

    kind = "veth, bridge, tc netem"

    def __init__(self, link: Link | None, name: str) -> None:
        self._link = link
        self._space = f"{name}-bridges"
        self._joined: list[int] = []
        run("ip", "netns", "add", self._space)
        for bridge in ("together", "apart"):
            inside(self._space, "ip", "link", "add", bridge, "type", "bridge")
            inside(self._space, "ip", "link", "set", bridge, "up")

    def join(self, index: int, space: str) -> None:
        """A veth pair: eth0 on the host, the other end on the bridge."""
        run(
            "ip",
            "link",
            "add",
            "eth0",
            "netns",
            space,
            "type",
            "veth",
            "peer",
            f"v{index}",
            "netns",
            self._space,
        )
        inside(self._space, "ip", "link", "set", f"v{index}", "master", "together", "up")
        self._joined.append(index)
        if self._link is not None:
            inside(space, "tc", "qdisc", "add", "dev", "eth0", "root", *netem_words(self._link))

    def cut(self, apart: Sequence[int]) -> None:
        """Move ends from bridge to bridge."""
        for index in self._joined:
            bridge = "apart" if index in apart else "together"
            inside(self._space, "ip", "link", "set", f"v{index}", "master", bridge)

    def close(self) -> None:
        """The pairs go with their namespace."""
        subprocess.run(["ip", "netns", "delete", self._space], capture_output=True, check=False)


class Taps:
    """A TAP device on each host and a switch here."""

    kind = "TAP devices, a switch in user space (this kernel has no netem)"

    def __init__(self, link: Link, seed: int, name: str) -> None:
        self._switch = Switch(link, seed)
        self._name = name

    def join(self, index: int, space: str) -> None:
        """A TAP device that moves into the namespace; its other side stays here."""
        name = f"t{os.getpid() % 10**6}n{index}"
        try:
            tap = open_tap(name)
        except OSError as error:
            raise ScenarioError(f"no TAP device can be made here: {error}") from error
        self._switch.plug(index, tap)
        run("ip", "link", "set", name, "netns", space, "name", "eth0")

    def cut(self, apart: Sequence[int]) -> None:
        """Drop every frame between the two sides."""
        self._switch.cut(apart)

    def close(self) -> None:
        """The devices go with their descriptors."""
        self._switch.close()


def netem_words(link: Link) -> list[str]:
    """What ``tc qdisc add … root`` needs for a link: the spread around the mean reaches the minimum."""
    spread_ms = link.delay_ms_mean - link.delay_ms_min
    words = ["netem", "delay", f"{link.delay_ms_mean}ms", f"{spread_ms}ms"]
    return [*words, "loss", f"{100 * link.loss:g}%", "duplicate", f"{100 * link.duplicate:g}%"]


def has_netem() -> bool:
    """Can this kernel delay packets? Asked in a namespace that is gone afterwards."""
    space = f"lum{os.getpid()}-probe"
    run("ip", "netns", "add", space)
    try:
        words = [
            "ip",
            "netns",
            "exec",
            space,
            "tc",
            "qdisc",
            "add",
            "dev",
            "lo",
            "root",
            "netem",
            "delay",
            "1ms",
        ]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    finally:
        run("ip", "netns", "delete", space)


@contextmanager
def opened(count: int, link: Link, seed: int) -> Iterator[Lab]:
    """A lab for as long as it is used. Raises ScenarioError where this machine cannot."""
    if os.geteuid() != 0:
        raise ScenarioError("network namespaces need root; run it as root, or without --processes")
    if count > HOSTS_MAX:
        raise ScenarioError(f"at most {HOSTS_MAX} hosts on one machine; use --nodes")
    name = f"lum{os.getpid()}"
    links: Links = Bridges(link, name) if has_netem() else Taps(link, seed, name)
    lab = Lab(links, count, name)
    try:
        lab.open()
        yield lab
    finally:
        lab.close()


def run(*words: str) -> None:
    """Run a command of iproute2. Raises ScenarioError with its own words."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ScenarioError(f"{words[0]} is not installed (package iproute2)") from None
    if done.returncode:
        raise ScenarioError(f"{' '.join(words)}: {done.stderr.strip()}")


def inside(space: str, *words: str) -> None:
    """Run a command in a namespace."""
    run("ip", "netns", "exec", space, *words)
