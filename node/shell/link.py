"""The node's link to its network: gossip in and out, sync dialogues, the founding record for newcomers.

Refuses to exist without network consent: nobody makes one before. It decides nothing: what is relayed is
``protocol.admission``'s, when to compare is the node's.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from luminous.node.core import events
from luminous.node.core.commands import Bind
from luminous.node.core.effects import Compare, Report
from luminous.node.core.founding import join
from luminous.node.core.node import Node
from luminous.node.core.peers.outcomes import Ask
from luminous.node.shell.author_quotas import AuthorQuotas
from luminous.node.shell.service import Service, TooBusy
from luminous.protocol.admission import Admissions, Arrival, Verdict, judge, topic_of
from luminous.protocol.envelope import Admitted
from luminous.protocol.genesis import network_id
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.limits import ENVELOPE_SIZE_BYTES_MAX
from luminous.protocol.reasons import Refused

SYNC_PROTOCOL = "/luminous/sync/1"
GENESIS_PROTOCOL = "/luminous/genesis/1"
REQUEST_TIMEOUT_S = 15.0
BINDING_MS = 180 * 24 * 3600 * 1000
FETCH_PAUSE_S = 2.0

Validate = Callable[[str, bytes, str], Verdict]
Heard = Callable[[str, bytes, str], None]
Handler = Callable[[str, bytes], Awaitable[bytes]]


class Transport(Protocol):
    """What the link needs of a mesh; ``LibP2PTransport`` is the real one."""

    async def run(self, *, task_status: Any) -> None:
        """Work until cancelled."""
        ...

    def peer_id(self) -> str:
        """This peer's id."""
        ...

    def addresses(self) -> tuple[str, ...]:
        """Where it can be reached."""
        ...

    def peers(self) -> tuple[Any, ...]:
        """The peers as ``PeerView``."""
        ...

    async def publish(self, topic: str, data: bytes) -> None:
        """Gossip."""
        ...

    async def request(self, peer: str, protocol: str, data: bytes, timeout_s: float) -> bytes | None:
        """Ask a peer."""
        ...


class MakeTransport(Protocol):
    """Builds a transport around the link's callbacks."""

    def __call__(
        self,
        *,
        topics: tuple[str, ...],
        validate: Validate,
        received: Heard,
        serve: dict[str, Handler],
        joined: Callable[[str], None],
        left: Callable[[str], None],
    ) -> Transport:
        """A transport that opens nothing before it runs."""
        ...


class Link:
    """One node's place in the mesh of one network."""

    def __init__(
        self, service: Service, network: NetworkId, make: MakeTransport, genesis: bytes | None
    ) -> None:
        self._service = service
        self._network = network
        self._topic = topic_of(network)
        self._admissions = Admissions(network)
        self.quotas = AuthorQuotas()
        # Records and their bytes by (kind, way): gossip, sync, own. As bounded as the kinds.
        self.traffic: Counter[tuple[str, str]] = Counter()
        self.traffic_bytes: Counter[tuple[str, str]] = Counter()
        self._genesis = genesis
        self._nursery: trio.Nursery | None = None
        self._outgoing: list[bytes] = []
        self.found_genesis: bytes | None = None
        self._has_told_genesis = False
        self.transport = make(
            topics=(self._topic,) if genesis is not None else (),
            validate=self._validate,
            received=self._received,
            serve={SYNC_PROTOCOL: self._serve_sync, GENESIS_PROTOCOL: self._serve_genesis},
            joined=lambda peer: self._post_peer(events.PeerJoined, peer),
            left=lambda peer: self._post_peer(events.PeerLeft, peer),
        )

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Be part of the mesh until cancelled; without a founding record, until one was fetched."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.transport.run)
            self._nursery = nursery
            task_status.started()
            try:
                if self._genesis is None:
                    await self._fetch_genesis()
                    nursery.cancel_scope.cancel()
                else:
                    nursery.start_soon(self._bind)
                    await trio.sleep_forever()
            finally:
                self._nursery = None
                for peer in self.transport.peers():
                    self._post_peer(events.PeerLeft, peer.id)

    def publish(self, raw: bytes) -> None:
        """Gossip an envelope; while there is no mesh, sync is the outbox."""
        envelope = self._admissions.admit(raw)
        if not isinstance(envelope, Refused):
            self._count(envelope, "own")
        if self._nursery is not None:
            self._nursery.start_soon(self.transport.publish, self._topic, raw)

    def compare(self, compare: Compare) -> None:
        """Hold a sync dialogue."""
        if self._nursery is not None:
            self._nursery.start_soon(self._dialogue, compare)

    # What the transport asks

    def _validate(self, topic: str, data: bytes, peer: str) -> Verdict:
        now = self._service.clock.now()
        verdict = judge(self._admissions, Arrival(data, topic, peer), self._topic, now.wall_ms)
        if verdict is Verdict.ACCEPT:
            envelope = self._admissions.admit(data)
            assert not isinstance(envelope, Refused)
            if not self.quotas.allows(envelope.author, len(data), now.mono_ms / 1000):
                return Verdict.IGNORE
        return verdict

    def _received(self, topic: str, data: bytes, peer: str) -> None:
        self._hear(data, gossiped=True)

    def _hear(self, raw: bytes, *, gossiped: bool) -> None:
        envelope = self._admissions.admit(raw)
        if not isinstance(envelope, Refused):
            self._count(envelope, "gossip" if gossiped else "sync")
            self._service.post(events.Received(self._service.clock.now(), envelope, gossiped))

    def _count(self, envelope: Admitted, way: str) -> None:
        self.traffic[envelope.kind.name, way] += 1
        self.traffic_bytes[envelope.kind.name, way] += len(envelope.raw)

    async def _serve_sync(self, peer: str, data: bytes) -> bytes:
        def serve(node: Node) -> bytes:
            assert node.sync is not None
            if self._service.is_mute:
                return b""  # what is held may not be durable yet
            return node.sync.serve(peer, data, node.records, self._service.clock.now())

        try:
            return await self._service.ask(serve)
        except TooBusy:
            return b""

    async def _serve_genesis(self, peer: str, data: bytes) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._genesis if self._genesis is not None and data == self._network else b""

    def _post_peer(self, kind: type[events.PeerJoined] | type[events.PeerLeft], peer: str) -> None:
        self._service.post(kind(self._service.clock.now(), peer))

    # What the link does by itself

    async def _dialogue(self, compare: Compare) -> None:
        now = self._service.clock.now
        ask = Ask(compare.peer, compare.wanted)

        def open_session(node: Node) -> Any:
            assert node.sync is not None
            return node.sync.open(ask, node.records, now())

        try:
            session = await self._service.ask(open_session)
        except TooBusy:
            return
        try:
            while True:
                request = await self._service.ask(lambda node: session.next_request(now()))
                if request is None:
                    break
                answer = await self.transport.request(compare.peer, SYNC_PROTOCOL, request, REQUEST_TIMEOUT_S)
                raws = await self._service.ask(lambda node: session.on_response(answer))  # noqa: B023
                for raw in raws:
                    self._hear(raw, gossiped=False)
        except TooBusy:
            pass
        finally:
            self._service.post(events.Synced(now(), session))

    async def _bind(self) -> None:
        """Say once in a while which transport identity is this author's."""
        peer, wall_ms = self.transport.peer_id(), self._service.clock.now().wall_ms

        def is_bound(node: Node) -> bool:
            return AuthorId(node.me) not in node.machines.roll or any(
                item.author == node.me
                and item.kind.name == "BINDING"
                and item.payload.peer == peer
                and item.payload.not_after_ms > wall_ms + BINDING_MS // 2
                for item in node.records.envelopes()
            )

        try:
            if not await self._service.ask(is_bound):
                await self._service.command(Bind(peer, wall_ms + BINDING_MS))
        except TooBusy:
            return

    async def _fetch_genesis(self) -> None:
        while True:
            for peer in self.transport.peers():
                raw = await self.transport.request(
                    peer.id, GENESIS_PROTOCOL, bytes(self._network), REQUEST_TIMEOUT_S
                )
                if raw and self._is_usable(raw):
                    self.found_genesis = raw
                    return
            await trio.sleep(FETCH_PAUSE_S)

    def _is_usable(self, raw: bytes) -> bool:
        """Whether it is the founding record of the card's network, and one this version can live by."""
        if len(raw) > ENVELOPE_SIZE_BYTES_MAX or network_id(raw) != self._network:
            return False
        refusal = join(raw)
        if isinstance(refusal, Refused):
            why = refusal.detail or refusal.reason.value
            if not self._has_told_genesis:
                self._service.told(Report(0, "genesis_refused", {"why": why, "do": "upgrade luminous-node"}))
            self._has_told_genesis = True
            return False
        return True
