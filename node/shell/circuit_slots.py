"""Who may be reached through this node and how much of it: reservations and circuits of a relay, counted.

A reservation is the asker's own: nobody can reserve for another. Refuses to know libp2p and clocks (time is
an argument, in seconds of one monotonic clock), to remember a peer that is gone, and to exceed any bound of
``RelayLimits``: identities are free to make, so slots are counted by network address and subnet as well.
"""

from collections import Counter
from dataclasses import dataclass, field

from luminous.node.shell.circuit_messages import Status
from luminous.node.shell.guards import Bucket, Rate
from luminous.node.shell.reach import address_group, subnet


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """Every bound of the relay, with the abuse it stops."""

    # Peers that can be reached through this node. Stops reservation floods.
    reservations_max: int = 128
    # Of one address (IPv4) or /64 (IPv6), and of one /24 or /48. Stops one host or site taking every slot.
    reservations_per_address_max: int = 8
    reservations_per_subnet_max: int = 16
    # How long a reservation holds without being renewed.
    reservation_s: int = 3600
    # Circuits altogether; of one peer, whether it dials or is dialled. Stops one peer using up the relay.
    circuits_max: int = 128
    circuits_per_peer_max: int = 8
    # Of one circuit: how long, how much both ways together, how fast. Stops free tunnels; a mesh redials.
    circuit_s_max: int = 3600
    circuit_bytes_max: int = 64 << 20
    circuit_rate: Rate = field(default_factory=lambda: Rate(256e3, 4e6))
    # Whether the limits by address also hold for loopback (tests of the limits say yes).
    count_loopback: bool = False


@dataclass(slots=True)
class _Reservation:
    host: str
    until_s: float


@dataclass(slots=True, eq=False)
class Circuit:
    """One connection that is carried: between ``source``, who dialled, and ``target``, who has a slot."""

    source: str
    target: str
    bucket: Bucket
    carried_bytes: int = 0


class CircuitSlots:
    """The reservations and circuits of one relay."""

    def __init__(self, limits: RelayLimits) -> None:
        self.limits = limits
        self._reserved: dict[str, _Reservation] = {}
        self._circuits: list[Circuit] = []
        self._of_peer: Counter[str] = Counter()

    def reserve(self, peer: str, host: str, now_s: float) -> Status:
        """Give ``peer``, connected from ``host``, a slot, or renew the one it has."""
        self._expire(now_s)
        held = self._reserved.get(peer)
        if held is None or held.host != host:
            others = [one.host for name, one in self._reserved.items() if name != peer]
            if len(others) >= self.limits.reservations_max:
                return Status.RESERVATION_REFUSED
            if self._is_crowded(host, others):
                return Status.RESERVATION_REFUSED
        self._reserved[peer] = _Reservation(host, now_s + self.limits.reservation_s)
        return Status.OK

    def _is_crowded(self, host: str, others: list[str]) -> bool:
        group, net = address_group(host), subnet(host, is_loopback_counted=self.limits.count_loopback)
        if not net:  # loopback, or an address that nobody knows
            return False
        of_address = sum(1 for other in others if address_group(other) == group)
        of_subnet = sum(1 for other in others if subnet(other, is_loopback_counted=True) == net)
        return (
            of_address >= self.limits.reservations_per_address_max
            or of_subnet >= self.limits.reservations_per_subnet_max
        )

    def _expire(self, now_s: float) -> None:
        for peer in [peer for peer, held in self._reserved.items() if held.until_s <= now_s]:
            del self._reserved[peer]

    def release(self, peer: str) -> None:
        """``peer`` is gone, and with it its slot."""
        self._reserved.pop(peer, None)

    def reserved(self, now_s: float) -> tuple[str, ...]:
        """Who can be reached now, by id."""
        self._expire(now_s)
        return tuple(sorted(self._reserved))

    def open(self, source: str, target: str, now_s: float) -> Circuit | Status:
        """A circuit from ``source`` to ``target``, or why not."""
        self._expire(now_s)
        if target not in self._reserved:
            return Status.NO_RESERVATION
        if source == target:
            return Status.PERMISSION_DENIED
        most = self.limits.circuits_per_peer_max
        if len(self._circuits) >= self.limits.circuits_max or any(
            self._of_peer[peer] >= most for peer in (source, target)
        ):
            return Status.RESOURCE_LIMIT_EXCEEDED
        circuit = Circuit(source, target, Bucket(self.limits.circuit_rate, now_s))
        self._circuits.append(circuit)
        self._of_peer.update((source, target))
        return circuit

    def carry(self, circuit: Circuit, size_bytes: int, now_s: float) -> float | None:
        """Count bytes of a circuit; how long its reader waits, or None when it has carried its share."""
        circuit.carried_bytes += size_bytes
        if circuit.carried_bytes > self.limits.circuit_bytes_max:
            return None
        return circuit.bucket.take(size_bytes, now_s)

    def close(self, circuit: Circuit) -> None:
        """The circuit ended."""
        self._circuits.remove(circuit)
        for peer in (circuit.source, circuit.target):
            self._of_peer[peer] -= 1
            if self._of_peer[peer] <= 0:
                del self._of_peer[peer]

    def circuits(self) -> int:
        """How many circuits are open."""
        return len(self._circuits)
