"""Peer exchange: tells others whom this node reached lately, and asks them, until it knows enough peers.

Refuses to pass on what it was told: only what this node dialled itself, within the last hour, is answered. To
that end it dials an asker back, at the host it sees and at the ports the asker names, so that nobody can make
it dial a stranger; the asker learns from the answer whether it can be reached.
"""

import ipaddress
import random
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from luminous.node.shell.address_scope import address_at, fitting, is_dialable
from luminous.node.shell.dial_address import CIRCUIT
from luminous.node.shell.reach import relay_of
from luminous.node.shell.reachability import SETTLED_S, Reachability, Seen, is_settled, judged
from luminous.node.shell.rumours import Rumours
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.peer_exchange import (
    ADDRESSES_MAX,
    PEERS_PROTOCOL,
    PORTS_MAX,
    Answer,
    Question,
    read_answer,
    read_question,
    write_answer,
    write_question,
)
from luminous.protocol.reasons import Refused

# Reached addresses that are remembered, and for how long they are told.
REACHED_MAX = 512
FRESH_S = 3600.0
# Dialling back: an address again after this pause, so many at once, so many waiting.
PROOF_PAUSE_S = 60.0
PROVING_MAX = 8
PROOFS_WAITING_MAX = 64
# Between two questions while peers are missing (growing to the second), and while none are.
ASK_FIRST_S = 2.0
ASK_MAX_S = 60.0
ASK_CONTENT_S = 600.0
REQUEST_S_MAX = 10.0
VIEWS_MAX = 16


@dataclass(frozen=True, slots=True)
class Doors:
    """What the exchange needs of its transport. ``through_me``: addresses of peers that it relays to."""

    peer_id: Callable[[], str]
    ports: Callable[[], tuple[int, ...]]
    connected: Callable[[], set[str]]
    host_of_peer: Callable[[str], str]
    prove: Callable[[str], Awaitable[bool]]
    request: Callable[[str, str, bytes, float], Awaitable[bytes | None]]
    through_me: Callable[[], tuple[str, ...]] = tuple


class PeerExchange:
    """Both ends of the exchange of one transport. Outlives the service tree; ``run`` once a life."""

    def __init__(
        self,
        network: NetworkId,
        doors: Doors,
        rumours: Rumours,
        wanted: int,
        counters: Counter[str],
        chance: random.Random,
        ask_first_s: float = ASK_FIRST_S,
        settled_s: float = SETTLED_S,
    ) -> None:
        self._network = network
        self._doors = doors
        self._rumours = rumours
        self._wanted = wanted
        self._counters = counters
        self._chance = chance
        self._ask_first_s = ask_first_s
        self._settled_s = settled_s
        self._reached: OrderedDict[str, float] = OrderedDict()
        self._tried: OrderedDict[str, float] = OrderedDict()
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._proofs, self._to_prove = trio.open_memory_channel[str](PROOFS_WAITING_MAX)

    # Answering

    async def serve(self, peer: str, data: bytes) -> bytes:
        """Answer one question; nothing to a peer of another network or one that does not ask properly."""
        question = read_question(data)
        await trio.lowlevel.checkpoint()
        if isinstance(question, Refused) or question.network != self._network:
            self._counters["exchange.refused"] += 1
            return b""
        host, now_s = self._doors.host_of_peer(peer), trio.current_time()
        own: dict[int, str] = {}
        for port in question.ports:
            address = address_at(host, port, peer) if host else ""
            if is_dialable(address):
                own[port] = address
                self._prove_soon(address, now_s)
        fresh = [a for a, at_s in self._reached.items() if now_s - at_s < FRESH_S]
        relayed = self._doors.through_me()
        fresh_and_relayed = [*fresh, *relayed]
        shuffled = self._chance.sample(fresh_and_relayed, len(fresh_and_relayed))
        told = fitting(shuffled, host, (peer,), ADDRESSES_MAX)
        self._counters["exchange.answered"] += 1
        return write_answer(
            Answer(
                tuple(told),
                ipaddress.ip_address(host.split("%")[0]).packed if host else b"",
                tuple(port for port, address in own.items() if address in fresh),
            )
        )

    def reached(self, address: str, now_s: float) -> None:
        """This node dialled ``address`` and found its peer. A circuit is its relay's to tell."""
        if CIRCUIT in address:
            return
        self._reached[address] = now_s
        self._reached.move_to_end(address)
        if len(self._reached) > REACHED_MAX:
            self._reached.popitem(last=False)

    def failed(self, address: str) -> None:
        """This node dialled ``address`` in vain."""
        self._reached.pop(address, None)

    def _prove_soon(self, address: str, now_s: float) -> None:
        if now_s - self._tried.get(address, -PROOF_PAUSE_S) < PROOF_PAUSE_S:
            return
        try:
            self._proofs.send_nowait(address)
        except trio.WouldBlock:
            self._counters["exchange.proofs_dropped"] += 1
            return
        self._tried[address] = now_s
        self._tried.move_to_end(address)
        if len(self._tried) > REACHED_MAX:
            self._tried.popitem(last=False)

    async def _prove(self) -> None:
        while True:
            address = await self._to_prove.receive()
            if await self._doors.prove(address):
                self.reached(address, trio.current_time())
                self._counters["exchange.proven"] += 1
            else:
                self.failed(address)
                self._counters["exchange.unproven"] += 1

    # Asking

    async def run(self) -> None:
        """Prove askers and ask for peers until cancelled."""
        async with trio.open_nursery() as nursery:
            for _ in range(PROVING_MAX):
                nursery.start_soon(self._prove)
            nursery.start_soon(self._ask)

    async def _ask(self) -> None:
        pause_s = self._ask_first_s
        while True:
            connected = self._doors.connected()
            is_content = len(connected) >= self._wanted
            peer = self._whom(connected)
            learnt = 0 if not peer else await self.ask(peer)
            if not peer or (learnt and not is_content):
                pause_s = self._ask_first_s
            elif is_content and self._knows_its_doors():
                pause_s = ASK_CONTENT_S
            else:
                pause_s = min(ASK_MAX_S, pause_s * 1.5)
            with trio.move_on_after(pause_s * self._chance.uniform(0.7, 1.3)):
                while is_content == (len(self._doors.connected()) >= self._wanted):
                    await trio.sleep(min(1.0, pause_s))

    def _knows_its_doors(self) -> bool:
        """True if there is nothing to find out by asking about this node's own ports."""
        return not self._doors.ports() or any(view.ports for view in self._seen.values())

    def _whom(self, connected: set[str]) -> str:
        """The connected peer that was asked longest ago; chance decides among those never asked."""
        if not connected:
            return ""
        found = self._chance.sample(sorted(connected), len(connected))
        return min(found, key=lambda peer: self._asked.get(peer, -1.0))

    async def ask(self, peer: str) -> int:
        """Ask one connected peer; how many addresses were new."""
        self._asked[peer] = now_s = trio.current_time()
        self._asked.move_to_end(peer)
        if len(self._asked) > REACHED_MAX:
            self._asked.popitem(last=False)
        question = Question(self._network, self._doors.ports()[:PORTS_MAX])
        raw = await self._doors.request(peer, PEERS_PROTOCOL, write_question(question), REQUEST_S_MAX)
        answer = read_answer(raw) if raw else None
        if answer is None or isinstance(answer, Refused):
            self._counters["exchange.unanswered"] += 1
            return 0
        if len(answer.observed) in (4, 16):
            host, before = str(ipaddress.ip_address(answer.observed)), self._seen.get(peer)
            self._seen[peer] = Seen(
                host,
                tuple(port for port in answer.reached_ports if port in question.ports),
                now_s,
                before.first_s if before is not None and before.host == host else now_s,
            )
            self._seen.move_to_end(peer)
            if len(self._seen) > VIEWS_MAX:
                self._seen.popitem(last=False)
        known = {self._doors.peer_id(), *self._doors.connected()}
        own = (address for address in answer.addresses if relay_of(address) in ("", peer))  # no hearsay
        told = fitting(own, self._doors.host_of_peer(peer), known, ADDRESSES_MAX)
        new = self._rumours.tell(peer, told)
        self._counters["exchange.told"] += new
        return new

    def seen_by(self) -> dict[str, Seen]:
        """How the peers that answered lately see this node."""
        return dict(self._seen)

    def reachability(self) -> Reachability:
        """Whether others can dial this node."""
        return judged(self._seen.values(), trio.current_time(), self._settled_s)

    def cannot_reach_me(self, peer: str) -> bool:
        """True if ``peer`` itself tried to dial this node in vain."""
        view = self._seen.get(peer)
        return view is not None and not view.ports and is_settled(view, self._settled_s)
