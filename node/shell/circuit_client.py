"""A peer behind NAT and its relays: it keeps slots, takes the circuits that arrive, and dials others' so.

Refuses circuits from a peer that it has no slot at, more of them than a bound, and to believe a relay about
who is at the other end: Noise proves that, or the circuit is closed.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID

from luminous.node.shell import connections
from luminous.node.shell.address_scope import address_at
from luminous.node.shell.circuit_messages import (
    HOP_PROTOCOL,
    CircuitMessage,
    Status,
    Wish,
    read_hop,
    read_message,
    read_stop,
    write_hop,
    write_stop,
)
from luminous.node.shell.circuit_stream import CircuitStream, circuit_of, raw_connection
from luminous.node.shell.dial_address import CIRCUIT, DialAddress
from luminous.node.shell.guards import Offence, PeerLedger
from luminous.protocol.reasons import Refused

# Relays at which a slot is kept, and how often a slot is renewed: well before any sensible relay's end.
SLOTS_WANTED = 2
RENEW_S = 300.0
ASK_S_MAX = 10.0
LOOK_S = 1.0
# A peer that gave no slot is not asked again for so long.
REFUSED_PAUSE_S = 300.0
REFUSERS_MAX = 256
# Circuits through one relay, and those whose peer is not proven yet. Stops a relay from filling the node.
CIRCUITS_PER_RELAY_MAX = 16
UNPROVEN_MAX = 4


class CircuitClient:
    """The slots and circuits of one transport. Outlives the service tree; ``host`` is that of its life.

    ``needs_relay``: whether peers said that this node cannot be dialled; ``may_ask``: whether one peer in
    particular may be asked for a slot.
    """

    def __init__(
        self, ledger: PeerLedger, needs_relay: Callable[[], bool], may_ask: Callable[[str], bool]
    ) -> None:
        self.host: Any = None
        self._ledger = ledger
        self._needs_relay = needs_relay
        self._may_ask = may_ask
        self._slots: dict[str, tuple[str, float]] = {}  # relay to its address and when to renew
        self._refused: OrderedDict[str, float] = OrderedDict()
        self._taken: Counter[str] = Counter()
        self._unproven: Counter[str] = Counter()

    def addresses(self, me: str) -> tuple[str, ...]:
        """Where ``me`` can be dialled through relays."""
        return tuple(f"{address}{CIRCUIT}{me}" for address, _ in self._slots.values())

    # Slots

    async def run(self) -> None:
        """Keep slots while they are needed, until cancelled."""
        self._slots.clear()  # they ended with the connections of the life before
        while True:
            opened = {str(peer): of_peer for peer, of_peer in self.host.get_network().connections.items()}
            for relay in [relay for relay in self._slots if relay not in opened]:
                del self._slots[relay]
            now_s = trio.current_time()
            for relay, (_, renew_s) in list(self._slots.items()):
                if renew_s <= now_s:
                    await self._ask(relay, opened[relay])
            if self._needs_relay():
                for peer, of_peer in opened.items():
                    if len(self._slots) < SLOTS_WANTED and self._is_worth_asking(peer, now_s):
                        await self._ask(peer, of_peer)
            await trio.sleep(LOOK_S)

    def _is_worth_asking(self, peer: str, now_s: float) -> bool:
        if peer in self._slots or not self._may_ask(peer):
            return False
        return now_s - self._refused.get(peer, -REFUSED_PAUSE_S) >= REFUSED_PAUSE_S

    async def _ask(self, peer: str, of_peer: Any) -> None:
        address = next(filter(None, map(_dialled_at, list(of_peer))), "")
        answer = None
        if address:
            answer = await self._exchange(peer, CircuitMessage(Wish.RESERVE))
        if answer is not None and answer.status is Status.OK:
            self._slots[peer] = (address, trio.current_time() + RENEW_S)
            self._ledger.counters["slots.reserved"] += 1
            return
        self._slots.pop(peer, None)
        self._ledger.counters["slots.refused"] += 1
        self._refused[peer] = trio.current_time()
        self._refused.move_to_end(peer)
        if len(self._refused) > REFUSERS_MAX:
            self._refused.popitem(last=False)

    async def _exchange(self, relay: str, question: CircuitMessage) -> CircuitMessage | None:
        stream = None
        try:
            with trio.fail_after(ASK_S_MAX):
                stream = await self.host.new_stream(ID.from_string(relay), [TProtocol(HOP_PROTOCOL)])
                await stream.write(write_hop(question))
                answer = read_hop(await read_message(stream))
            return None if isinstance(answer, Refused) else answer
        except Exception as error:  # noqa: BLE001 - a guard: a peer that is no relay answers in many ways
            self._ledger.counters[f"slots.{type(error).__name__}"] += 1
            return None
        finally:
            if stream is not None:
                with trio.CancelScope(shield=True):
                    await connections.quietly(stream.reset)

    # Circuits that arrive

    async def take(self, stream: Any) -> None:
        """One stop stream: a circuit from somebody, to be proven and kept until it closes."""
        relay = str(stream.muxed_conn.peer_id)
        if self._ledger.debt_s(relay, "requests_in", 1, trio.current_time()) > 0:
            self._ledger.strike(relay, Offence.REQUESTS, trio.current_time(), "circuits")
            await connections.quietly(stream.reset)
            return
        is_proven = False
        self._taken[relay] += 1
        self._unproven[relay] += 1
        try:
            with trio.fail_after(ASK_S_MAX):
                question = read_stop(await read_message(stream))
                status = self._judge(stream.muxed_conn, relay, question)
                await stream.write(write_stop(CircuitMessage(Wish.STATUS, status=status)))
                if status is not Status.OK:
                    self._ledger.counters[f"circuits.{status.name.lower()}"] += 1
                    await stream.close_write()
                    await stream.read(1)
                    return
                assert not isinstance(question, Refused)
                raw = raw_connection(self._carrier(stream, relay), False, question.peer)
                network = self.host.get_network()
                muxed = await network.upgrade_inbound_raw_conn(raw, raw.get_transport_addresses()[0])
            is_proven = True
            _discount(self._unproven, relay)
            self._ledger.counters["circuits.taken"] += 1
            await muxed.event_closed.wait()
        except Exception as error:  # noqa: BLE001 - a guard: a circuit may not end the node
            self._ledger.counters[f"circuits.{type(error).__name__}"] += 1
        finally:
            _discount(self._taken, relay)
            if not is_proven:
                _discount(self._unproven, relay)
            with trio.CancelScope(shield=True):
                await connections.quietly(stream.reset)

    def _judge(self, over: Any, relay: str, question: CircuitMessage | Refused) -> Status:
        if isinstance(question, Refused):
            return Status.MALFORMED_MESSAGE
        if question.wish is not Wish.CONNECT or not question.peer:
            return Status.UNEXPECTED_MESSAGE
        if relay not in self._slots or circuit_of(over) is not None:
            return Status.PERMISSION_DENIED
        if self._taken[relay] > CIRCUITS_PER_RELAY_MAX or self._unproven[relay] > UNPROVEN_MAX:
            return Status.RESOURCE_LIMIT_EXCEEDED
        return Status.OK

    def _carrier(self, stream: Any, relay: str) -> CircuitStream:
        opened = self.host.get_network().connections.get(ID.from_string(relay), ())
        host = next(filter(None, map(connections.remote_host, list(opened))), "")
        return CircuitStream(stream, relay, host)

    # Circuits to others

    async def dial(self, address: DialAddress) -> None:
        """Connect to the peer of ``address`` through its relay, which is connected. Raises if that fails."""
        stream = await self.host.new_stream(ID.from_string(address.relay), [TProtocol(HOP_PROTOCOL)])
        try:
            if circuit_of(stream.muxed_conn) is not None:
                raise ConnectionError("a relay is not reached through a relay")
            await stream.write(write_hop(CircuitMessage(Wish.CONNECT, address.peer)))
            answer = read_hop(await read_message(stream))
            if isinstance(answer, Refused) or answer.status is not Status.OK:
                why = answer.detail if isinstance(answer, Refused) else answer.status
                raise ConnectionError(f"the relay did not connect: {why!r}")
            raw = raw_connection(self._carrier(stream, address.relay), True, address.peer)
            await self.host.get_network().upgrade_outbound_raw_conn(raw, ID.from_string(address.peer))
        except BaseException:
            with trio.CancelScope(shield=True):
                await connections.quietly(stream.reset)
            raise


def _dialled_at(connection: Any) -> str:
    """The address at which this node reached the peer of a connection; empty if the peer came to it."""
    endpoint = connections.remote_endpoint(connection)
    if endpoint is None or connection.direction.name != "OUTBOUND":
        return ""
    return address_at(*endpoint, str(connection.muxed_conn.peer_id))


def _discount(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
