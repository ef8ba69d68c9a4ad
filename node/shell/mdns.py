"""Finds and tells peers on the local network by multicast, where its user switched that on.

Refuses to be on by default (it shows the neighbours that this machine takes part), to leave the link, to
believe an address that is not the sender's own, and to answer more than once a second. What is heard is a
rumour like any other: dialled a few times at most, and its key verified.
"""

import secrets
import socket
import struct
from collections import Counter
from collections.abc import Callable

import psutil
import trio

from luminous.crypto.digest import digest
from luminous.node.shell import mdns_packets
from luminous.node.shell.address_scope import Scope, fitting, scope_of
from luminous.node.shell.guards import Bucket, Rate
from luminous.node.shell.reach import host_of
from luminous.node.shell.rumours import Rumours
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.limits import ADDRESSES_PER_CARD_MAX
from luminous.protocol.reasons import Refused

GROUP, PORT = "224.0.0.251", 5353
# Between two questions: short at first, long when all is known.
ASK_FIRST_S, ASK_MAX_S = 2.0, 120.0
ANSWER_PAUSE_S = 1.0
# Packets of the link that are looked at. Stops a noisy neighbour from keeping the node busy.
PACKETS = Rate(20.0, 100.0)
_FINGERPRINT_SIZE_BYTES = 8


def service_of(network: NetworkId) -> str:
    """The service's name for one network; others cannot tell the network from it."""
    return f"_p2p-{digest('mdns', network, size_bytes=_FINGERPRINT_SIZE_BYTES).hex()}._udp.local"


class LocalDiscovery:
    """Questions and answers on every IPv4 interface of this machine."""

    def __init__(
        self,
        network: NetworkId,
        addresses: Callable[[], tuple[str, ...]],
        known: Callable[[], set[str]],
        rumours: Rumours,
        counters: Counter[str],
    ) -> None:
        self._service = service_of(network)
        self._name = secrets.token_hex(16)
        self._addresses = addresses
        self._known = known
        self._rumours = rumours
        self._counters = counters
        self._answered_s = 0.0

    async def run(self) -> None:
        """Ask and answer until cancelled; a link that cannot be used is tried again."""
        while True:
            try:
                with _opened() as sock:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._listen, sock)
                        await self._ask(sock)
            except* OSError as group:
                name = type(group.exceptions[0]).__name__
                self._counters[f"mdns.{name}"] += 1
            await trio.sleep(ASK_MAX_S / 2)

    async def _ask(self, sock: trio.socket.SocketType) -> None:
        pause_s = ASK_FIRST_S
        while True:
            await self._send(sock, mdns_packets.write_question(self._service))
            await trio.sleep(pause_s)
            pause_s = min(ASK_MAX_S, pause_s * 1.5)

    async def _listen(self, sock: trio.socket.SocketType) -> None:
        bucket = Bucket(PACKETS, trio.current_time())
        while True:
            raw, (host, *_) = await sock.recvfrom(mdns_packets.PACKET_SIZE_BYTES_MAX + 1)
            if bucket.take(1, trio.current_time()) > 0:
                bucket.take(-1, trio.current_time())
                self._counters["mdns.dropped"] += 1
                continue
            packet = mdns_packets.read(raw, self._service)
            if isinstance(packet, Refused):
                self._counters["mdns.refused"] += 1
                continue
            self.hear(packet, host)
            if packet.is_question and trio.current_time() - self._answered_s >= ANSWER_PAUSE_S:
                self._answered_s = trio.current_time()
                own = [a for a in self._addresses() if scope_of(host_of(a)) is not Scope.MACHINE]
                if own:
                    answer = mdns_packets.write_answer(self._service, self._name, tuple(own))
                    await self._send(sock, answer)

    def hear(self, packet: mdns_packets.Packet, host: str) -> int:
        """Take what the machine at ``host`` told about itself; how much of it was new."""
        own = (address for address in packet.addresses if host_of(address) == host)
        new = self._rumours.tell(f"mdns {host}", fitting(own, host, self._known(), ADDRESSES_PER_CARD_MAX))
        self._counters["mdns.told"] += new
        return new

    async def _send(self, sock: trio.socket.SocketType, packet: bytes) -> None:
        for interface in _interfaces():
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
            await sock.sendto(packet, (GROUP, PORT))
            self._counters["mdns.sent"] += 1


def _interfaces() -> list[str]:
    """The IPv4 addresses of this machine, loopback excepted."""
    entries = [entry for of_name in psutil.net_if_addrs().values() for entry in of_name]
    hosts = [entry.address for entry in entries if entry.family == socket.AF_INET]
    return [host for host in hosts if scope_of(host) > Scope.MACHINE]


def _opened() -> trio.socket.SocketType:
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):  # other programs listen on this port too
            plain.setsockopt(socket.SOL_SOCKET, option, 1)
        plain.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        plain.bind(("", PORT))
        for interface in _interfaces():
            member = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(interface))
            plain.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    except OSError:
        plain.close()
        raise
    return trio.socket.from_stdlib_socket(plain)
