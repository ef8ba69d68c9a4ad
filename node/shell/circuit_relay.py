"""The relay's side of circuit relay v2: gives slots to peers that ask, carries bytes between two peers.

Refuses to reserve for anybody but the asker, to dial a target that is not connected, to be reached through
another relay, and to read: what it carries is encrypted from end to end. Every bound is ``RelayLimits``'.
"""

import time
from collections.abc import Callable
from typing import Any

import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID

from luminous.node.shell import connections
from luminous.node.shell.circuit_messages import (
    STOP_PROTOCOL,
    CircuitMessage,
    Status,
    Wish,
    read_hop,
    read_message,
    read_stop,
    write_hop,
    write_stop,
)
from luminous.node.shell.circuit_slots import Circuit, CircuitSlots, RelayLimits
from luminous.node.shell.circuit_stream import circuit_of
from luminous.node.shell.guards import Offence, PeerLedger
from luminous.protocol.reasons import Refused

# From the first byte of a request to its last, and from the question to a target to its answer.
MESSAGE_S_MAX = 5.0
READ_SIZE_BYTES = 32 * 1024


class CircuitRelay:
    """Serves the hop protocol of one transport. Outlives the service tree; ``host`` is that of its life."""

    def __init__(self, limits: RelayLimits, ledger: PeerLedger, drop: Callable[[Any], None]) -> None:
        self.slots = CircuitSlots(limits)
        self.host: Any = None
        self._ledger = ledger
        self._drop = drop

    async def serve(self, stream: Any) -> None:
        """One hop stream, from its message to the end of the circuit that it became."""
        peer, counters = stream.muxed_conn.peer_id, self._ledger.counters
        name = str(peer)
        if self._ledger.debt_s(name, "requests_in", 1, trio.current_time()) > 0:
            if self._ledger.strike(name, Offence.REQUESTS, trio.current_time(), "circuits"):
                self._drop(peer)
            await connections.quietly(stream.reset)
            return
        try:
            with trio.fail_after(MESSAGE_S_MAX):
                message = read_hop(await read_message(stream))
            await self._answer(stream, name, message)
        except Exception as error:  # noqa: BLE001 - a guard: a circuit may not end the node
            counters[f"relay.{type(error).__name__}"] += 1
        finally:
            with trio.CancelScope(shield=True):
                await connections.quietly(stream.reset)

    async def _answer(self, stream: Any, name: str, message: CircuitMessage | Refused) -> None:
        if isinstance(message, Refused):
            self._ledger.strike(name, Offence.MALFORMED, trio.current_time(), "circuits")
            await self._end(stream, Status.MALFORMED_MESSAGE)
        elif circuit_of(stream.muxed_conn) is not None:
            await self._end(stream, Status.PERMISSION_DENIED)  # not through another relay
        elif message.wish is Wish.RESERVE:
            await self._reserve(stream, name)
        elif message.wish is Wish.CONNECT and message.peer:
            await self._connect(stream, name, message.peer)
        else:
            await self._end(stream, Status.UNEXPECTED_MESSAGE)

    async def _end(self, stream: Any, status: Status) -> None:
        """Answer, and let the asker read it before the stream ends."""
        self._ledger.counters[f"relay.{status.name.lower()}"] += 1
        await self._say(stream, CircuitMessage(Wish.STATUS, status=status))

    async def _say(self, stream: Any, answer: CircuitMessage) -> None:
        await stream.write(write_hop(answer))
        await stream.close_write()
        with trio.move_on_after(1.0):
            await connections.quietly(stream.read, 1)

    async def _reserve(self, stream: Any, name: str) -> None:
        limits, host = self.slots.limits, self._host_of(name)
        status = self.slots.reserve(name, host, trio.current_time())
        if status is not Status.OK:
            await self._end(stream, status)
            return
        self._ledger.counters["relay.reserved"] += 1
        until_s = int(time.time()) + limits.reservation_s
        addresses = tuple(address.to_bytes() for address in self.host.get_addrs())[:8]
        answer = CircuitMessage(Wish.STATUS, "", Status.OK, until_s, addresses, *_limit(limits))
        await self._say(stream, answer)

    def _host_of(self, name: str) -> str:
        opened = self.host.get_network().connections
        found = next((of_peer for peer, of_peer in list(opened.items()) if str(peer) == name), ())
        return next((host for host in map(connections.remote_host, found) if host), "")

    async def _connect(self, stream: Any, name: str, target: str) -> None:
        now_s = trio.current_time()
        if self._ledger.banned(target, now_s) or not self._is_connected(target):
            self.slots.release(target)
        circuit = self.slots.open(name, target, now_s)
        if isinstance(circuit, Status):
            await self._end(stream, circuit)
            return
        onward = None
        try:
            onward = await self._reach(name, target)
            if onward is None:
                await self._end(stream, Status.CONNECTION_FAILED)
                return
            answer = CircuitMessage(Wish.STATUS, "", Status.OK, 0, (), *_limit(self.slots.limits))
            await stream.write(write_hop(answer))
            self._ledger.counters["relay.circuits"] += 1
            await self._carry(circuit, stream, onward)
        finally:
            self.slots.close(circuit)
            self._ledger.counters["relay.bytes"] += circuit.carried_bytes
            if onward is not None:
                with trio.CancelScope(shield=True):
                    await connections.quietly(onward.reset)

    def _is_connected(self, name: str) -> bool:
        return any(str(peer) == name for peer in self.host.get_network().connections)

    async def _reach(self, source: str, target: str) -> Any:
        """The stream on which ``target`` takes the circuit; None if it does not."""
        stream = None
        try:
            with trio.fail_after(MESSAGE_S_MAX):
                stream = await self.host.new_stream(ID.from_string(target), [TProtocol(STOP_PROTOCOL)])
                question = CircuitMessage(Wish.CONNECT, source, None, 0, (), *_limit(self.slots.limits))
                await stream.write(write_stop(question))
                answer = read_stop(await read_message(stream))
            if not isinstance(answer, Refused) and answer.status is Status.OK:
                return stream
        except Exception as error:  # noqa: BLE001 - a guard: a target may fail in any way the library knows
            self._ledger.counters[f"relay.target.{type(error).__name__}"] += 1
        if stream is not None:
            await connections.quietly(stream.reset)
        return None

    async def _carry(self, circuit: Circuit, near: Any, far: Any) -> None:
        """Bytes both ways until either side ends or the circuit has had its share."""
        with trio.move_on_after(self.slots.limits.circuit_s_max):
            async with trio.open_nursery() as nursery:
                for origin, end in ((near, far), (far, near)):
                    nursery.start_soon(self._copy, circuit, origin, end, nursery.cancel_scope)

    async def _copy(self, circuit: Circuit, origin: Any, end: Any, both: trio.CancelScope) -> None:
        try:
            while True:
                data = await origin.read(READ_SIZE_BYTES)
                if not data:
                    break
                wait_s = self.slots.carry(circuit, len(data), trio.current_time())
                if wait_s is None:
                    self._ledger.counters["relay.share_used"] += 1
                    break
                await trio.sleep(wait_s)
                await end.write(data)
        except Exception as error:  # noqa: BLE001 - a guard: closed and reset are ends like any other
            self._ledger.counters[f"relay.end.{type(error).__name__}"] += 1
        both.cancel()


def _limit(limits: RelayLimits) -> tuple[int, int]:
    return limits.circuit_s_max, limits.circuit_bytes_max
