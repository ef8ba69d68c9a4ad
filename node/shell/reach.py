"""Whom to dial and when, and which addresses are neighbours.

Refuses sockets: a plan says what is due, the transport dials. Own reconnect plan, because the library
drops a bootstrap peer for good after three failures and remembers every failure for a minute.
"""

import ipaddress
import itertools
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from luminous.node.shell.dial_address import CIRCUIT

BACK_OFF_FIRST_S = 1.0
BACK_OFF_MAX_S = 300.0
# Addresses waited for at once. Stops a lying peer list from filling the plan.
PLAN_MAX = 512


def host_of(address: str) -> str:
    """The IP address or DNS name inside a multiaddr, or an empty string."""
    parts = address.split("/")
    for kind, value in itertools.pairwise(parts):
        if kind in ("ip4", "ip6", "dns", "dns4", "dns6"):
            return value
    return ""


def port_of(address: str) -> int:
    """The TCP port inside a multiaddr, or 0."""
    parts = address.split("/")
    for kind, value in itertools.pairwise(parts):
        if kind == "tcp" and value.isdigit():
            return int(value)
    return 0


def is_ip(text: str) -> bool:
    """True for a literal IP address (a zone is allowed)."""
    try:
        ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    return True


def peer_of(address: str) -> str:
    """The peer id at the end of a multiaddr, or an empty string."""
    _, found, peer = address.rpartition("/p2p/")
    return peer.split("/")[0] if found else ""


def relay_of(address: str) -> str:
    """The peer id of the relay that a multiaddr goes through, or an empty string."""
    direct, circuit, _ = address.partition(CIRCUIT)
    return peer_of(direct) if circuit else ""


def address_group(host: str) -> str:
    """What one machine can have for free: an IPv4 address, or a /64 of IPv6."""
    try:
        ip = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        if ip.is_loopback:
            return str(ip)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def subnet(host: str, *, is_loopback_counted: bool = False) -> str:
    """The /24 (IPv4) or /48 (IPv6) of an address; empty for loopback and names, which are not limited."""
    try:
        ip = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback and not is_loopback_counted:
        return ""
    prefix = 24 if isinstance(ip, ipaddress.IPv4Address) else 48
    return str(ipaddress.ip_network((ip, prefix), strict=False))


def overcrowded(
    mesh: Mapping[str, str], others: Mapping[str, str], per_subnet_max: int, enough: int
) -> tuple[tuple[str, str], ...]:
    """Whom to replace in a mesh: pairs (peer out, peer in; empty if nobody comes in).

    ``mesh`` and ``others`` map peers to subnets (empty: not limited). A peer leaves if another from a subnet
    with room can take its place, or if more than ``enough`` remain: diversity never costs connectivity.
    """
    members: dict[str, list[str]] = {}
    for peer, net in sorted(mesh.items()):
        if net:
            members.setdefault(net, []).append(peer)
    used = {net: len(peers) for net, peers in members.items()}
    swaps: list[tuple[str, str]] = []
    spare = sorted(others.items())
    size = len(mesh)
    for net in sorted(members):
        for peer in members[net][per_subnet_max:]:
            fit = next((s for s in spare if not s[1] or used.get(s[1], 0) < per_subnet_max), None)
            if fit is None:
                if size > enough:
                    size -= 1
                    swaps.append((peer, ""))
                continue
            spare.remove(fit)
            used[net] -= 1
            if fit[1]:
                used[fit[1]] = used.get(fit[1], 0) + 1
            swaps.append((peer, fit[0]))
    return tuple(swaps)


def expanded(address: str, interfaces: Iterable[str]) -> tuple[str, ...]:
    """A wildcard listen address as the addresses that others can dial; any other address as it is."""
    host = host_of(address)
    if host not in ("0.0.0.0", "::"):
        return (address,)
    wanted = 4 if host == "0.0.0.0" else 6
    found = []
    for name in interfaces:
        ip = ipaddress.ip_address(name.split("%")[0])
        if ip.version == wanted and not ip.is_link_local and not ip.is_loopback:
            found.append(address.replace(host, str(ip), 1))
    return tuple(found)


@dataclass(slots=True)
class _Due:
    at_s: float
    failures: int = 0
    is_bootstrap: bool = False


class DialPlan:
    """When to try which address again: exponential back-off with jitter, never giving up a bootstrap peer."""

    def __init__(self, bootstrap: Iterable[str], jitter: random.Random, now_s: float) -> None:
        self._jitter = jitter
        self._due: dict[str, _Due] = {address: _Due(now_s, 0, True) for address in bootstrap}

    def add(self, address: str, now_s: float) -> None:
        """Learn an address that is not a bootstrap address."""
        if address not in self._due and len(self._due) < PLAN_MAX:
            self._due[address] = _Due(now_s)

    def due(self, connected: Iterable[str], wanted: int, now_s: float) -> tuple[str, ...]:
        """What to dial now while fewer than ``wanted`` are connected, or while no bootstrap peer is.

        One bootstrap peer is held always, so that a crowd of newcomers' friends is never all that is known.
        """
        held = set(connected)
        missing = wanted - len(held)
        is_cut_off = not any(
            due.is_bootstrap and peer_of(address) in held for address, due in self._due.items()
        )
        found = []
        for address, due in self._due.items():
            if due.at_s > now_s or peer_of(address) in held:
                continue
            if missing > 0 or (due.is_bootstrap and is_cut_off):
                found.append(address)
                missing -= 1
        return tuple(found)

    def failed(self, address: str, now_s: float) -> None:
        """Wait longer; forget an address that is no bootstrap address after ten failures in a row."""
        due = self._due.get(address)
        if due is None:
            return
        due.failures += 1
        if due.failures >= 10 and not due.is_bootstrap:
            del self._due[address]
            return
        pause_s = min(BACK_OFF_MAX_S, BACK_OFF_FIRST_S * 2 ** (due.failures - 1))
        due.at_s = now_s + pause_s * self._jitter.uniform(0.5, 1.5)

    def connected(self, address: str, now_s: float) -> None:
        """Reset the back-off, with a short pause so that a peer that drops us at once is not hammered."""
        due = self._due.get(address)
        if due is not None:
            due.failures = 0
            due.at_s = now_s + BACK_OFF_FIRST_S * self._jitter.uniform(1.0, 2.0)

    def addresses(self) -> tuple[str, ...]:
        """Every address in the plan."""
        return tuple(self._due)
