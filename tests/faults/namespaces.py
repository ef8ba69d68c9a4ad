"""Hosts behind different NATs, as network namespaces with nft masquerading. Needs root. Not a test.

``NatWorld``: one public segment with addresses that are global in their form (no packet leaves the
namespaces), and homes: a private host behind a router that masquerades and lets nothing in.
"""

import os
import shutil
import subprocess

PUBLIC = "11.7.0"


def is_possible() -> str:
    """Why this machine cannot do it; empty if it can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    missing = [tool for tool in ("ip", "nft") if shutil.which(tool) is None]
    if missing:
        return f"needs {' and '.join(missing)}"
    probe = subprocess.run(["ip", "netns", "add", "lum-probe"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", "lum-probe"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "this machine allows no network namespaces"


def sh(*words: str) -> None:
    """One command; its words on stderr when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)


class NatWorld:
    """Namespaces of one test, named after its process; taken down on leaving."""

    def __init__(self) -> None:
        self._tag = f"lum{os.getpid() % 100_000}"
        self._made: list[str] = []

    def __enter__(self) -> "NatWorld":
        self._make("net")
        sh("ip", "-n", self.name("net"), "link", "add", "br0", "type", "bridge")
        sh("ip", "-n", self.name("net"), "link", "set", "br0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def name(self, role: str) -> str:
        return f"{self._tag}-{role}"

    def inside(self, role: str) -> tuple[str, ...]:
        """The prefix that runs a command there."""
        return ("ip", "netns", "exec", self.name(role))

    def _make(self, role: str) -> None:
        sh("ip", "netns", "add", self.name(role))
        self._made.append(self.name(role))
        sh("ip", "-n", self.name(role), "link", "set", "lo", "up")

    def _wire(self, one: str, one_dev: str, other: str, other_dev: str) -> None:
        a, b = self.name(one), self.name(other)
        sh("ip", "link", "add", one_dev, "netns", a, "type", "veth", "peer", "name", other_dev, "netns", b)
        for name, dev in ((a, one_dev), (b, other_dev)):
            sh("ip", "-n", name, "link", "set", dev, "up")

    def public(self, role: str, number: int) -> str:
        """A host of the public segment; its address."""
        self._make(role)
        self._wire(role, "eth0", "net", f"p{number}")
        sh("ip", "-n", self.name("net"), "link", "set", f"p{number}", "master", "br0")
        sh("ip", "-n", self.name(role), "addr", "add", f"{PUBLIC}.{number}/24", "dev", "eth0")
        return f"{PUBLIC}.{number}"

    def home(self, role: str, number: int, hosts: int = 1) -> None:
        """``hosts`` private hosts ``role``, ``role2``… behind a router that masquerades as one address."""
        router = f"{role}r"
        self.public(router, number)
        inside = self.inside(router)
        sh("ip", "-n", self.name(router), "link", "add", "lan", "type", "bridge")
        sh("ip", "-n", self.name(router), "link", "set", "lan", "up")
        sh("ip", "-n", self.name(router), "addr", "add", f"192.168.{number}.1/24", "dev", "lan")
        for index in range(hosts):
            name = role if index == 0 else f"{role}{index + 1}"
            self._make(name)
            self._wire(name, "eth0", router, f"h{index}")
            sh("ip", "-n", self.name(router), "link", "set", f"h{index}", "master", "lan")
            sh("ip", "-n", self.name(name), "addr", "add", f"192.168.{number}.{10 + index}/24", "dev", "eth0")
            sh("ip", "-n", self.name(name), "route", "add", "default", "via", f"192.168.{number}.1")
        sh(*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        rules = (
            "add table ip nat",
            "add chain ip nat post { type nat hook postrouting priority 100 ; }",
            'add rule ip nat post oifname "eth0" masquerade',
            "add table ip wall",
            "add chain ip wall passing { type filter hook forward priority 0 ; policy drop ; }",
            "add rule ip wall passing ct state established,related accept",
            'add rule ip wall passing iifname "lan" accept',
            "add chain ip wall arriving { type filter hook input priority 0 ; policy drop ; }",
            'add rule ip wall arriving iifname { "lan", "lo" } accept',
            "add rule ip wall arriving ct state established,related accept",
        )
        for rule in rules:
            sh(*inside, "nft", rule)
