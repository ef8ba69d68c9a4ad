"""What a peer may cost this node, and what happens to one that costs more.

Token buckets slow a peer down (its stream is simply read later, so an honest burst loses nothing);
strikes for what no correct peer does add up to a ban with a reason. Refuses to know libp2p, to read a
clock and to hold more than ``PEERS_MAX`` peers: time is an argument, in seconds of one monotonic clock.

Identities are free to make, so nothing here trusts a count of peer ids; see ``reach.overcrowded`` and
``AddressGate`` for what is counted by network address instead.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

# Peers remembered, connected or not. Stops memory growth by throw-away identities.
PEERS_MAX = 2048
# A ban starts here and doubles with each repetition, up to the maximum.
BAN_FIRST_S = 600.0
BAN_MAX_S = 86_400.0
# Strikes that make a ban, and how fast they are forgiven.
STRIKES_MAX = 100.0
STRIKE_HALF_LIFE_S = 120.0


class Offence(StrEnum):
    """What a correct peer never does. The value is what `luminous-node peers` shows."""

    MALFORMED = "malformed frame"
    OVERSIZED = "oversized frame"
    BAD_SIGNATURE = "bad signature"
    REJECTED = "message that can never be valid"
    STALLED = "frame begun and not finished"
    STREAMS = "too many streams"
    WINDOW = "flow-control window exceeded"
    SUBSCRIPTIONS = "subscription flood"
    CONTROL = "control-message flood"
    FOREIGN_TOPIC = "message on a topic that was not asked for"
    REQUESTS = "request flood"


STRIKES = {
    Offence.MALFORMED: 34.0,
    Offence.OVERSIZED: 34.0,
    Offence.BAD_SIGNATURE: 20.0,
    Offence.REJECTED: 10.0,
    Offence.STALLED: 20.0,
    Offence.STREAMS: 20.0,
    Offence.WINDOW: 50.0,
    Offence.SUBSCRIPTIONS: 25.0,
    Offence.CONTROL: 10.0,
    Offence.FOREIGN_TOPIC: 1.0,
    Offence.REQUESTS: 10.0,
}


@dataclass(frozen=True, slots=True)
class Rate:
    """A sustained rate per second and the burst allowed on top."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of the transport, with the abuse it stops."""

    # All connections. Stops descriptor and memory exhaustion; the network design's default for a member.
    connections_max: int = 64
    # Of one address (IPv4) or /64 (IPv6), loopback excepted. Stops one host taking every slot.
    connections_per_address_max: int = 16
    # Connections of one address that have not proven an identity yet. Stops half-open floods.
    pending_per_address_max: int = 8
    # Whether the two limits above also hold for loopback (tests of the limits say yes).
    count_loopback: bool = False
    # Streams that one connection may hold open towards us. Stops slow-loris streams.
    streams_per_connection_max: int = 32
    # Gossip streams from one peer: one, and one more during a reconnect.
    gossip_streams_per_peer_max: int = 2
    # One gossip frame. Stops memory exhaustion by announced lengths.
    frame_size_bytes_max: int = 1 << 20
    # From the first byte of a frame to its last. Stops frames that never end.
    frame_s_max: float = 20.0
    # Bytes and messages of one peer; above them its stream is read later, nothing is lost.
    bytes_in: Rate = Rate(2e6, 16e6)
    messages_in: Rate = Rate(300.0, 4000.0)
    # Signatures verified for one peer: what it sends that was not seen before.
    signatures: Rate = Rate(150.0, 3000.0)
    # Subscription changes, ids in IHAVE and IWANT, GRAFT and PRUNE. Above the burst: a strike.
    subscriptions: Rate = Rate(1.0, 64.0)
    gossip_ids: Rate = Rate(500.0, 10_000.0)
    grafts: Rate = Rate(2.0, 60.0)
    # How often one message is sent again to the same peer on IWANT. Stops amplification.
    retransmissions_max: int = 3
    # Requests of one peer, and the sizes of a request and an answer.
    requests_in: Rate = Rate(10.0, 100.0)
    request_size_bytes_max: int = 1 << 20
    response_size_bytes_max: int = 10 << 20
    requests_at_once_max: int = 32
    request_s_max: float = 15.0
    # Frames and bytes waiting for one slow reader; what does not fit is dropped and counted.
    queue_frames_max: int = 1024
    queue_size_bytes_max: int = 8 << 20
    # Peers of one /24 (IPv4) or /48 (IPv6) in the mesh of a topic while others are available.
    mesh_peers_per_subnet_max: int = 2


class Bucket:
    """A token bucket. It may go into debt, so that the caller can wait instead of dropping."""

    __slots__ = ("_at_s", "_level", "_rate")

    def __init__(self, rate: Rate, now_s: float) -> None:
        self._rate = rate
        self._level = rate.burst
        self._at_s = now_s

    def take(self, cost: float, now_s: float) -> float:
        """Take ``cost`` tokens; return the seconds of debt (0.0 if within the rate)."""
        self._level = min(self._rate.burst, self._level + (now_s - self._at_s) * self._rate.per_s) - cost
        self._at_s = now_s
        return 0.0 if self._level >= 0 else -self._level / self._rate.per_s


@dataclass(slots=True)
class PeerAccount:
    """What is known of one peer id. Strikes are valid at ``strikes_at_s``."""

    strikes: float = 0.0
    strikes_at_s: float = 0.0
    bans: int = 0
    banned_until_s: float = 0.0
    banned_for: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    messages_in: int = 0
    first_deliveries: int = 0
    buckets: dict[str, Bucket] = field(default_factory=dict)


class PeerLedger:
    """Accounts of peers, bounded; the only place that decides a ban. Outlives the service tree."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.counters: Counter[str] = Counter()
        # Told of every ban (peer, reason, seconds; infinite: until it is lifted), so that it can be kept.
        self.on_ban: Callable[[str, str, float], None] = lambda peer, reason, duration_s: None
        self._accounts: OrderedDict[str, PeerAccount] = OrderedDict()

    def account(self, peer: str) -> PeerAccount:
        """The account of ``peer``; the least recently used one makes room, banned ones last."""
        found = self._accounts.get(peer)
        if found is None:
            found = self._accounts[peer] = PeerAccount()
            if len(self._accounts) > PEERS_MAX:
                self._forget_one()
        else:
            self._accounts.move_to_end(peer)
        return found

    def _forget_one(self) -> None:
        for peer, account in self._accounts.items():
            if not account.banned_for:
                del self._accounts[peer]
                return
        self._accounts.popitem(last=False)

    def debt_s(self, peer: str, kind: str, cost: float, now_s: float) -> float:
        """Take ``cost`` from the peer's bucket ``kind`` (a ``Rate`` field of ``Limits``); seconds of debt."""
        buckets = self.account(peer).buckets
        bucket = buckets.get(kind)
        if bucket is None:
            bucket = buckets[kind] = Bucket(getattr(self.limits, kind), now_s)
        return bucket.take(cost, now_s)

    def strikes(self, peer: str, now_s: float) -> float:
        """Strikes of ``peer`` now, after forgiveness."""
        account = self.account(peer)
        if account.strikes:
            age_s = max(0.0, now_s - account.strikes_at_s)
            account.strikes *= 0.5 ** (age_s / STRIKE_HALF_LIFE_S)
            account.strikes = account.strikes if account.strikes >= 0.5 else 0.0
        account.strikes_at_s = now_s
        return account.strikes

    def strike(self, peer: str, offence: Offence, now_s: float, detail: str = "") -> bool:
        """Count an offence; True if the peer is banned from now on."""
        self.counters[f"offence.{offence.name.lower()}"] += 1
        account = self.account(peer)
        account.strikes = self.strikes(peer, now_s) + STRIKES[offence]
        if account.strikes < STRIKES_MAX or self.banned(peer, now_s):
            return bool(self.banned(peer, now_s))
        self.ban(peer, offence.value + (f": {detail}" if detail else ""), now_s)
        return True

    def ban(self, peer: str, reason: str, now_s: float, duration_s: float | None = None) -> None:
        """Refuse ``peer`` for a while, longer each time. The reason is shown to people."""
        account = self.account(peer)
        if duration_s is None:
            duration_s = min(BAN_MAX_S, BAN_FIRST_S * 2**account.bans)
        account.bans += 1
        account.strikes = 0.0
        account.banned_until_s = now_s + duration_s
        account.banned_for = reason
        self.counters["bans"] += 1
        self.on_ban(peer, reason, duration_s)

    def pardon(self, peer: str) -> None:
        """Lift a ban."""
        account = self.account(peer)
        account.banned_for, account.banned_until_s = "", 0.0

    def banned(self, peer: str, now_s: float) -> str:
        """The reason of a ban in force, or an empty string."""
        account = self._accounts.get(peer)
        if account is None or not account.banned_for:
            return ""
        if account.banned_until_s <= now_s:
            account.banned_for = ""
        return account.banned_for

    def score(self, peer: str, now_s: float) -> float:
        """0 is neutral; first deliveries raise it (to 10 at most), strikes lower it to -100."""
        return min(10.0, self.account(peer).first_deliveries / 100) - self.strikes(peer, now_s)

    def bans(self, now_s: float) -> tuple[tuple[str, str, float], ...]:
        """Bans in force: peer, reason, seconds left."""
        return tuple(
            (peer, account.banned_for, account.banned_until_s - now_s)
            for peer, account in self._accounts.items()
            if self.banned(peer, now_s)
        )


class AddressGate:
    """Counts connections by network address, because addresses cost more than identities."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pending: Counter[str] = Counter()
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Admit one more unproven connection of ``address`` (an ``address_group``)."""
        if self._is_exempt(address):
            return True
        limits = self._limits
        if self._pending[address] >= limits.pending_per_address_max:
            return False
        if self._open[address] >= limits.connections_per_address_max:
            return False
        self._pending[address] += 1
        self._open[address] += 1
        return True

    def proven(self, address: str) -> None:
        """The connection has proven an identity."""
        _decrement(self._pending, address)

    def leave(self, address: str) -> None:
        """The connection is gone (call ``proven`` first if it was not)."""
        _decrement(self._open, address)

    def _is_exempt(self, address: str) -> bool:
        return not address or (address.startswith(("127.", "::1")) and not self._limits.count_loopback)


def _decrement(counter: Counter[str], key: str) -> None:
    if counter[key] <= 1:
        del counter[key]
    else:
        counter[key] -= 1
