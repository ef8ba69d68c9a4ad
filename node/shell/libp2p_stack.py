"""One host, one pubsub, one router, with every constant that the library needs.

Each constant answers a trap of research/network.md, named beside it. Refuses to run anything.
"""

import random
import socket
from dataclasses import dataclass
from typing import Any

from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import X25519PrivateKey
from libp2p.custom_types import TProtocol
from libp2p.network.config import ConnectionConfig
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

from luminous.node.shell import reach
from luminous.node.shell.guards import Limits

MESHSUB = TProtocol("/meshsub/1.1.0")  # 1.2 sends a notice for each message: twice the frames (trap 17)
DEGREE, DEGREE_LOW, DEGREE_HIGH = 6, 4, 12
HEARTBEAT_S = 1.0  # the library's default is 120 (trap 4)
PRUNE_BACK_OFF_S = 5  # 60 isolates nodes (trap 3)
GOSSIP_WINDOW, GOSSIP_HISTORY = 5, 10
HANDSHAKE_S_MAX = 5.0
NEGOTIATION_S_MAX = 5.0


class AddressInUse(OSError):
    """A listen address cannot be opened; the text names it."""


class Identity:
    """The keys of a transport: what signs the peer id and what encrypts, each from its own seed."""

    def __init__(self, transport_seed: bytes, noise_seed: bytes) -> None:
        assert len(transport_seed) == 32 and len(noise_seed) == 32
        self.keys = create_new_key_pair(transport_seed)
        self.noise_key = X25519PrivateKey.from_bytes(noise_seed)
        self.peer_id = ID.from_pubkey(self.keys.public_key)


@dataclass(frozen=True, slots=True)
class Stack:
    """The library's objects of one life. Their types are the library's own."""

    host: Any
    network: Any
    pubsub: Any
    router: Any


def build(
    identity: Identity, topics: tuple[str, ...], limits: Limits, announce: tuple[str, ...], heartbeat_s: float
) -> Stack:
    """A stack that is not running yet and has opened nothing."""
    host = new_host(
        key_pair=identity.keys,
        # Without this the library also offers plain text.
        sec_opt={NOISE_ID: NoiseTransport(identity.keys, noise_privkey=identity.noise_key)},
        muxer_opt={TProtocol(YAMUX_ID): Yamux},
        announce_addrs=[Multiaddr(address) for address in announce] or None,
        connection_config=ConnectionConfig(
            min_connections=0,
            low_watermark=0,  # the library's own dialling stays off (trap 10)
            high_watermark=limits.connections_max,
            max_connections=limits.connections_max,
            inbound_upgrade_timeout=HANDSHAKE_S_MAX,
            inbound_stream_protocol_negotiation_timeout=NEGOTIATION_S_MAX,
        ),
    )
    network: Any = host.get_network()
    network.set_resource_manager(
        None
    )  # own limits; the library's depend on the machine's free memory (trap 12)
    network.retry_config.max_retries = 0  # reach.DialPlan decides when to try again
    router = GossipSub(
        [MESHSUB],
        degree=DEGREE,
        degree_low=DEGREE_LOW,
        degree_high=DEGREE_HIGH,
        heartbeat_interval=heartbeat_s,  # type: ignore[arg-type]
        # Nodes that start together must not beat together: two full meshes would prune each other.
        heartbeat_initial_delay=0.1 + random.random() * 0.1 * heartbeat_s,
        gossip_window=GOSSIP_WINDOW,
        gossip_history=GOSSIP_HISTORY,
        prune_back_off=PRUNE_BACK_OFF_S,
        unsubscribe_back_off=2,
        do_px=False,
        adaptive_gossip_enabled=False,  # rewrites the heartbeat (trap 4)
        spam_protection_enabled=False,  # drops own bursts (trap 5)
        eclipse_protection_enabled=False,  # reach.overcrowded does it
    )
    router.max_ihave_messages_per_second = router.max_iwant_requests_per_second = 100.0
    pubsub = Pubsub(host, router, strict_signing=True, allowed_topics=frozenset(topics))
    return Stack(host, network, pubsub, router)


def check_listen(addresses: tuple[str, ...]) -> None:
    """Raise ``AddressInUse`` if somebody listens on one of ``addresses`` already.

    The library shares ports between processes (SO_REUSEPORT): two nodes on one port would each get half of
    the connections. A plain bind finds the other one.
    """
    for address in addresses:
        host, port = reach.host_of(address), reach.port_of(address)
        if not port:
            continue
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise AddressInUse(f"cannot listen on {address}: {error.strerror}") from error
