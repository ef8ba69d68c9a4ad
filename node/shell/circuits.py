"""Circuits of one transport: what it offers as a relay, and what it uses of other relays.

Refuses both unless they are wished for: an ordinary node relays for nobody, and a node that peers can dial
asks nobody for a slot.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from libp2p.custom_types import TProtocol

from luminous.node.shell.circuit_client import CircuitClient
from luminous.node.shell.circuit_messages import HOP_PROTOCOL, STOP_PROTOCOL
from luminous.node.shell.circuit_relay import CircuitRelay
from luminous.node.shell.circuit_slots import RelayLimits
from luminous.node.shell.dial_address import CIRCUIT, DialAddress
from luminous.node.shell.guards import PeerLedger


class Circuits:
    """Both ends of the relaying of one transport. Outlives the service tree.

    ``offered``: the bounds of this node's relay, None to relay for nobody. ``is_used``: whether slots at
    other relays are asked for and circuits dialled.
    """

    def __init__(
        self,
        offered: RelayLimits | None,
        is_used: bool,
        ledger: PeerLedger,
        drop: Callable[[Any], None],
        needs_relay: Callable[[], bool],
        may_ask: Callable[[str], bool],
    ) -> None:
        self._relay = None if offered is None else CircuitRelay(offered, ledger, drop)
        self._client = CircuitClient(ledger, needs_relay, may_ask) if is_used else None

    def install(self, host: Any) -> None:
        """Serve on the host of a new life of the service tree."""
        if self._relay is not None:
            self._relay.host = host
            host.set_stream_handler(TProtocol(HOP_PROTOCOL), self._relay.serve)
        if self._client is not None:
            self._client.host = host
            host.set_stream_handler(TProtocol(STOP_PROTOCOL), self._client.take)

    async def run(self) -> None:
        """Keep what is needed until cancelled."""
        if self._client is not None:
            await self._client.run()

    def lost(self, peer: str) -> None:
        """The last connection of ``peer`` closed: so does its slot."""
        if self._relay is not None:
            self._relay.slots.release(peer)

    def addresses(self, me: str) -> tuple[str, ...]:
        """Where ``me`` can be dialled through relays."""
        return () if self._client is None else self._client.addresses(me)

    def through_me(self, own: tuple[str, ...]) -> tuple[str, ...]:
        """Where those who have a slot here can be dialled; ``own``: the addresses of this node."""
        if self._relay is None:
            return ()
        reserved = self._relay.slots.reserved(trio.current_time())
        return tuple(f"{address}{CIRCUIT}{peer}" for peer in reserved for address in own)

    def usage(self) -> dict[str, int] | None:
        """How much of this node's relay is taken; None if it has none."""
        if self._relay is None:
            return None
        slots = self._relay.slots
        return {"reservations": len(slots.reserved(trio.current_time())), "circuits": slots.circuits()}

    async def dial(self, address: DialAddress, connect: Callable[[str], Awaitable[bool]]) -> None:
        """Connect to the peer of ``address`` through its relay. Raises whatever the library raises."""
        if self._client is None:
            raise ConnectionError("relays are not used")
        if not await connect(address.through):
            raise ConnectionError("the relay cannot be reached")
        await self._client.dial(address)
