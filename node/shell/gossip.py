"""Gossip as this node does it: reading frames, admitting messages, forwarding, answering control traffic.

Stands where the library's ``Pubsub`` and ``GossipSub`` would call their own methods (attached to the
instance, so nothing of a node is global). The library keeps the mesh, the heartbeat and the subscriptions.

Refuses: anything that does not decode, is not signed by its author, is on a topic that was not asked for,
comes faster than a peer may send (its stream is then read later; nothing is lost) or was judged before.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import trio
from google.protobuf.message import DecodeError
from libp2p.io.exceptions import IOException
from libp2p.network.connection.exceptions import RawConnError
from libp2p.network.stream.exceptions import StreamError
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.validators import PUBSUB_SIGNING_PREFIX, signature_validator

from luminous.node.shell.control_traffic import MESSAGE_ID_BYTES_MAX, within_limits
from luminous.node.shell.frame_queue import FrameQueue
from luminous.node.shell.frames import FrameError, framed, split_frames
from luminous.node.shell.guards import Offence, PeerLedger
from luminous.node.shell.seen_ids import SeenIds
from luminous.node.shell.transport_types import Verdict

READ_SIZE_BYTES = 65_536
# A refused message is not judged again for this long; an ignored one only while its copies come in.
REJECTED_TTL_S = 300.0
IGNORED_TTL_S = 5.0
JUDGED_IDS_MAX = 16_384
# Messages kept to answer IWANT, over all heartbeats of the history.
HISTORY_MESSAGES_MAX = 4096
MESSAGES_PER_FRAME_MAX = 2000
SUBSCRIPTIONS_PER_FRAME_MAX = 256
# A peer that is read too fast waits at most this long per read, so its flow-control window keeps moving.
PAUSE_S_MAX = 1.0
WRITE_S_MAX = 30.0

Validate = Callable[[str, bytes, str], Verdict]
Received = Callable[[str, bytes, str], None]


class Gossip:
    """The gossip of one life of the service tree. ``seen`` and ``ledger`` outlive it."""

    def __init__(
        self,
        pubsub: Any,
        router: Any,
        ledger: PeerLedger,
        seen: SeenIds,
        topics: tuple[str, ...],
        validate: Validate,
        received: Received,
        drop: Callable[[Any], None],
    ) -> None:
        self._pubsub = pubsub
        self._router = router
        self._ledger = ledger
        self._limits = ledger.limits
        self._topics = frozenset(topics)
        self._validate = validate
        self._received = received
        self._drop = drop
        self._self_id = pubsub.my_id
        self._self_bytes = pubsub.my_id.to_bytes()
        self._rejected = SeenIds(REJECTED_TTL_S, JUDGED_IDS_MAX, trio.current_time)
        self._ignored = SeenIds(IGNORED_TTL_S, JUDGED_IDS_MAX, trio.current_time)
        self._streams: dict[Any, list[Any]] = {}  # peer to the connections of its gossip streams
        self._sent_again: OrderedDict[tuple[Any, bytes], int] = OrderedDict()
        pubsub.seen_messages = seen
        pubsub.continuously_read_stream = self.read
        pubsub.handle_sending_messages = self.write
        pubsub.push_msg = self.push_msg
        pubsub.write_msg = self.write_msg
        router.handle_iwant = self.answer_wants
        router.scorer = None
        self._seen = seen

    def lost(self, muxed_conn: Any) -> None:
        """A connection closed. If gossip was written on it, write on another one.

        The library looks only whether the peer has any connection left: a peer that comes back before its
        old connection is noticed dead would never be written to again. And it forgets what the peer has
        subscribed to meanwhile, which the peer will not say again.
        """
        peer = muxed_conn.peer_id
        stream = self._pubsub.peers.get(peer)
        if stream is None or stream.muxed_conn is not muxed_conn:
            return
        subscribed = sorted(t for t, peers in self._pubsub.peer_topics.items() if peer in peers)
        self._pubsub._handle_dead_peer(peer)
        if any(conn is not muxed_conn for conn in self._streams.get(peer, ())):
            for topic in subscribed:
                change = rpc_pb2.RPC.SubOpts(subscribe=True, topicid=topic)
                self._pubsub.handle_subscription(peer, change)

    # Reading -----------------------------------------------------------------------------------------

    async def read(self, stream: Any) -> None:
        """Read frames from one inbound gossip stream until it ends. Never raises for what a peer does."""
        peer = stream.muxed_conn.peer_id
        name = str(peer)
        readers = self._streams.setdefault(peer, [])
        readers.append(stream.muxed_conn)
        try:
            if len(readers) > self._limits.gossip_streams_per_peer_max:
                raise FrameError(Offence.STREAMS)
            await self._read_frames(stream, peer, name)
        except FrameError as error:
            self._ledger.strike(name, error.offence, trio.current_time())
            self._drop(peer)
        except (StreamError, IOException, RawConnError):
            pass  # closed or reset: the ordinary end of a stream
        except Exception as error:  # noqa: BLE001 - a guard: whatever a frame does, it ends this stream only
            self._ledger.counters[f"contained.{type(error).__name__}"] += 1
            self._drop(peer)
        finally:
            readers.remove(stream.muxed_conn)
            if not readers:
                self._streams.pop(peer, None)

    async def _read_frames(self, stream: Any, peer: Any, name: str) -> None:
        buffer = bytearray()
        ledger, limits = self._ledger, self._limits
        begun_s = 0.0
        while True:
            if not buffer:
                chunk = await stream.read(READ_SIZE_BYTES)
                begun_s = trio.current_time()
            else:
                chunk = b""
                with trio.move_on_at(begun_s + limits.frame_s_max):
                    chunk = await stream.read(READ_SIZE_BYTES)
                if not chunk and trio.current_time() >= begun_s + limits.frame_s_max:
                    raise FrameError(Offence.STALLED)
            if not chunk:
                return
            now_s = trio.current_time()
            ledger.account(name).bytes_in += len(chunk)
            ledger.counters["bytes.in"] += len(chunk)
            debt_s = ledger.debt_s(name, "bytes_in", len(chunk), now_s)
            buffer += chunk
            frames = split_frames(buffer, limits.frame_size_bytes_max)
            if frames:
                begun_s = now_s
            for frame in frames:
                debt_s = max(debt_s, await self._frame(peer, name, frame, now_s))
            if debt_s:
                ledger.counters["throttled"] += 1
                await trio.sleep(min(debt_s, PAUSE_S_MAX))
                begun_s += min(debt_s, PAUSE_S_MAX)

    async def _frame(self, peer: Any, name: str, frame: bytes, now_s: float) -> float:
        """Handle one frame; return the seconds that the peer is ahead of its rate."""
        rpc = rpc_pb2.RPC()
        try:
            rpc.ParseFromString(frame)
        except DecodeError:
            raise FrameError(Offence.MALFORMED) from None
        if len(rpc.publish) > MESSAGES_PER_FRAME_MAX:
            raise FrameError(Offence.OVERSIZED)
        debt_s = 0.0
        if rpc.publish:
            debt_s = self._ledger.debt_s(name, "messages_in", len(rpc.publish), now_s)
            self._ledger.account(name).messages_in += len(rpc.publish)
            for message in rpc.publish:
                debt_s = max(debt_s, self.admit(peer, name, message))
        if rpc.subscriptions:
            self._subscribe(peer, name, rpc, now_s)
        if rpc.HasField("control"):
            await self._control(peer, name, rpc.control, now_s)
        return debt_s

    def _subscribe(self, peer: Any, name: str, rpc: Any, now_s: float) -> None:
        count = len(rpc.subscriptions)
        is_flood = self._ledger.debt_s(name, "subscriptions", count, now_s) > 0
        if is_flood or count > SUBSCRIPTIONS_PER_FRAME_MAX:
            raise FrameError(Offence.SUBSCRIPTIONS)
        for change in rpc.subscriptions:
            if change.topicid in self._topics:
                self._pubsub.handle_subscription(peer, change)

    async def _control(self, peer: Any, name: str, control: Any, now_s: float) -> None:
        """Keep what is about our topics and within the rates, then let the library handle it."""
        kept = within_limits(control, self._ledger, name, now_s, self._topics, self._is_wanted)
        if kept is None:
            if self._ledger.strike(name, Offence.CONTROL, now_s):
                self._drop(peer)
            return
        await self._router.handle_rpc(kept, peer)

    def _is_wanted(self, mid: bytes) -> bool:
        return not (self._seen.has(mid) or self._rejected.has(mid) or self._ignored.has(mid))

    # Messages ----------------------------------------------------------------------------------------

    def admit(self, peer: Any, name: str, message: Any) -> float:
        """Judge one message, hear it once and pass it on; seconds that its sender is ahead of its rate."""
        counters = self._ledger.counters
        mid = message.from_id + message.seqno
        if self._seen.has(mid):
            counters["messages.duplicate"] += 1
            return 0.0
        topics = message.topicIDs
        if len(topics) != 1 or topics[0] not in self._topics or len(mid) > MESSAGE_ID_BYTES_MAX:
            self._strike(peer, name, Offence.FOREIGN_TOPIC)
            return 0.0
        if self._rejected.has(mid) or self._ignored.has(mid):
            counters["messages.judged"] += 1
            return 0.0
        if message.from_id == self._self_bytes:
            counters["messages.own_echo"] += 1
            return 0.0
        debt_s = self._ledger.debt_s(name, "signatures", 1, trio.current_time())
        if not self._is_signed(message):
            self._strike(peer, name, Offence.BAD_SIGNATURE)
            return debt_s
        verdict = self._judge(topics[0], message.data, name)
        counters[f"messages.{verdict.value}"] += 1
        if verdict is Verdict.IGNORE:
            self._ignored.add(mid)
        elif verdict is Verdict.REJECT:
            self._rejected.add(mid)
            self._strike(peer, name, Offence.REJECTED)
        else:
            self._seen.add(mid)
            self._ledger.account(name).first_deliveries += 1
            self.forward(message, mid, peer)
            self._hear(topics[0], message.data, name)
        return debt_s

    def _is_signed(self, message: Any) -> bool:
        try:
            return bool(signature_validator(message))
        except Exception:  # noqa: BLE001 - a guard: a garbage key raises whatever its decoder raises
            return False

    def _judge(self, topic: str, data: bytes, name: str) -> Verdict:
        try:
            return self._validate(topic, data, name)
        except Exception as error:  # noqa: BLE001 - a guard: a fault of ours is counted, not the peer's
            self._ledger.counters[f"validator.{type(error).__name__}"] += 1
            return Verdict.IGNORE

    def _hear(self, topic: str, data: bytes, name: str) -> None:
        try:
            self._received(topic, data, name)
        except Exception as error:  # noqa: BLE001 - a guard: the reader of messages may not stop the mesh
            self._ledger.counters[f"received.{type(error).__name__}"] += 1

    def _strike(self, peer: Any, name: str, offence: Offence) -> None:
        if self._ledger.strike(name, offence, trio.current_time()):
            self._drop(peer)

    async def push_msg(self, forwarder: Any, message: Any) -> None:
        """As the library calls it; nothing of ours does."""
        self.admit(forwarder, str(forwarder), message)

    def publish(self, topic: str, data: bytes) -> None:
        """Sign and send a message of our own. It is not heard again."""
        message = rpc_pb2.Message(
            data=data, topicIDs=[topic], from_id=self._self_bytes, seqno=self._pubsub._next_seqno()
        )
        payload = PUBSUB_SIGNING_PREFIX.encode() + message.SerializeToString()
        message.signature = self._pubsub.sign_key.sign(payload)
        message.key = self._pubsub.host.get_public_key().serialize()
        mid = message.from_id + message.seqno
        self._seen.add(mid)
        self._ledger.counters["messages.published"] += 1
        self.forward(message, mid, self._self_id)

    def forward(self, message: Any, mid: bytes, forwarder: Any) -> None:
        """Send to the mesh, and to other subscribers while the mesh is thin; encode once."""
        topic = message.topicIDs[0]
        if len(self._router.mcache.msgs) < HISTORY_MESSAGES_MAX:
            self._router.mcache.put(message)
        peers = set(self._router.mesh.get(topic, ()))
        if len(peers) < self._router.degree_low:
            peers |= set(list(self._pubsub.peer_topics.get(topic, ()))[: self._router.degree])
        peers -= {forwarder, ID(message.from_id)}
        frame = framed(rpc_pb2.RPC(publish=[message]).SerializeToString())
        for peer in peers:
            queue = self._pubsub.peer_queues.get(peer)
            if queue is not None and not queue.push_frame(frame):
                self._ledger.counters["queue.dropped"] += 1

    async def answer_wants(self, wants: Any, peer: Any) -> None:
        """Send wanted messages that are still in the history, each a few times at most."""
        queue = self._pubsub.peer_queues.get(peer)
        if queue is None:
            return
        for mid in wants.messageIDs:
            message = self._router.mcache.get(mid)
            if message is None:
                continue
            key = (peer, mid)
            times = self._sent_again.get(key, 0)
            if times >= self._limits.retransmissions_max:
                self._ledger.counters["wants.refused"] += 1
                continue
            self._sent_again[key] = times + 1
            if len(self._sent_again) > JUDGED_IDS_MAX:
                self._sent_again.popitem(last=False)
            queue.push_frame(framed(rpc_pb2.RPC(publish=[message]).SerializeToString()))

    # Writing -----------------------------------------------------------------------------------------

    async def write_msg(self, stream: Any, rpc: Any) -> bool:
        """As the library calls it, past its own queue: two writers on one stream would mix their frames."""
        queue = self._pubsub.peer_queues.get(stream.muxed_conn.peer_id)
        return queue is not None and queue.push(rpc)

    async def write(self, peer: Any, stream: Any, queue: FrameQueue) -> None:
        """Write what waits for ``peer`` until its queue closes or the stream fails."""
        account = self._ledger.account(str(peer))
        try:
            while (data := await queue.take()) is not None:
                with trio.move_on_after(WRITE_S_MAX) as scope:
                    await stream.write(data)
                if scope.cancelled_caught:
                    self._ledger.counters["slow_readers"] += 1
                    break
                account.bytes_out += len(data)
                self._ledger.counters["bytes.out"] += len(data)
        except Exception as error:  # noqa: BLE001 - a guard: a broken stream ends its writer only
            self._ledger.counters[f"write.{type(error).__name__}"] += 1
        if not queue.closed:
            queue.close()
            self._drop(peer)
