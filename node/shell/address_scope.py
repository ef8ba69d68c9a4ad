"""How far an address reaches, and which addresses may be told to whom.

Refuses names and every transport but TCP, straight or through one relay: what a stranger tells is dialled
only in a form that can be judged by looking at it.
"""

import ipaddress
import re
from collections.abc import Iterable
from enum import IntEnum

from luminous.node.shell.reach import expanded, host_of, is_ip, peer_of, relay_of, subnet
from luminous.protocol.limits import ADDRESS_SIZE_BYTES_MAX

# Addresses of one /24 or /48 in one answer. Stops one subnet from becoming all that a newcomer knows.
PER_SUBNET_MAX = 2
_PEER = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,64}")
_FORM = re.compile(
    r"/ip[46]/([0-9a-f.:]{2,45})/tcp/([1-9][0-9]{0,4})/p2p/[1-9A-HJ-NP-Za-km-z]{40,64}"
    r"(/p2p-circuit/p2p/[1-9A-HJ-NP-Za-km-z]{40,64})?"
)


class Scope(IntEnum):
    """From where an address can be dialled. NOWHERE: multicast, link-local, unspecified, not an address."""

    NOWHERE = 0
    MACHINE = 1
    SITE = 2
    WORLD = 3


def scope_of(host: str) -> Scope:
    """The scope of a literal IP address."""
    try:
        ip = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return Scope.NOWHERE
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return Scope.MACHINE
    if ip.is_multicast or ip.is_unspecified or ip.is_link_local or int(ip) == 2**32 - 1:
        return Scope.NOWHERE
    return Scope.WORLD if ip.is_global else Scope.SITE


def is_peer_id(text: str) -> bool:
    """True if ``text`` has the form of a peer id."""
    return _PEER.fullmatch(text) is not None


def is_dialable(address: str) -> bool:
    """True for ``/ip4|ip6/HOST/tcp/PORT/p2p/PEER`` with a host that can be dialled from somewhere.

    ``PEER`` may be a relay, followed by ``/p2p-circuit/p2p/`` and the peer behind it.
    """
    found = _FORM.fullmatch(address) if len(address) <= ADDRESS_SIZE_BYTES_MAX else None
    if found is None or int(found[2]) > 65_535:
        return False
    try:
        version = ipaddress.ip_address(found[1]).version
    except ValueError:
        return False
    if relay_of(address) == peer_of(address):
        return False
    return address.startswith(f"/ip{version}/") and scope_of(found[1]) > Scope.NOWHERE


def address_at(host: str, port: int, peer: str) -> str:
    """The multiaddr of a peer at an IP address and TCP port; an IPv4-mapped address as IPv4."""
    ip = ipaddress.ip_address(host.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return f"/ip{ip.version}/{ip}/tcp/{port}/p2p/{peer}"


def own_addresses(bound: Iterable[str], announced: tuple[str, ...], me: str) -> tuple[str, ...]:
    """Where others can dial this peer: what its user announces, else every interface of what is ``bound``."""
    import psutil  # not for those who only read addresses

    found = list(announced)
    if not announced:
        hosts = [entry.address for group in psutil.net_if_addrs().values() for entry in group]
        found = [address for one in bound for address in expanded(one, filter(is_ip, hosts))]
    return tuple(address if "/p2p/" in address else f"{address}/p2p/{me}" for address in found)


def fitting(addresses: Iterable[str], from_host: str, excluded: Iterable[str], count_max: int) -> list[str]:
    """Those of ``addresses`` that make sense between this machine and ``from_host``, in their order.

    One of each peer, at most ``PER_SUBNET_MAX`` of a subnet, none that reaches less far than ``from_host``
    does: a peer on the internet is told, and believed, nothing about a site or a machine.
    """
    least = scope_of(from_host)
    peers = set(excluded)
    subnets: dict[str, int] = {}
    found: list[str] = []
    if least is Scope.NOWHERE:
        return found
    for address in addresses:
        peer, net = peer_of(address), subnet(host_of(address))
        if len(found) >= count_max or not is_dialable(address) or peer in peers:
            continue
        if scope_of(host_of(address)) < least or (net and subnets.get(net, 0) >= PER_SUBNET_MAX):
            continue
        peers.add(peer)
        subnets[net] = subnets.get(net, 0) + 1
        found.append(address)
    return found
