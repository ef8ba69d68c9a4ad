"""When and with whom this node compares records, and how it answers those who compare with it.

Gossip is fast and lossy; this is the guarantee. A dialogue with a random peer every 10 to 30 s while
something differs, up to every 10 minutes while nothing does; at once with a peer that joins; with three
random peers in the minute before a closing. Refuses to send or to wait: the shell carries requests.
Peers that fail, or claim what they do not give, are asked ever more rarely. Deadlines are mono_ms.
"""

from collections.abc import Callable, Iterable

from luminous.crypto.entropy import Entropy, uniform_below
from luminous.node.core.instant import Instant
from luminous.node.core.peers.known_peer import KnownPeer
from luminous.node.core.peers.outcomes import Ask, Ended, RecordIndex
from luminous.node.core.peers.session import DIALOGUE_MS_MAX, Session, fetchable
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.limits import (
    SYNC_IDS_MAX,
    SYNC_PEERS_MAX,
    SYNC_RESPONSE_SIZE_BYTES_MAX,
    SYNC_SERVED_BYTES_PER_MINUTE_MAX,
)
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.reconciliation import Server, Snapshot
from luminous.protocol.sync_messages import (
    Answer,
    Denied,
    Envelopes,
    Fetch,
    Offer,
    Reconcile,
    Request,
    decode_request,
    encode_answer,
)

PAUSE_MS_MIN, PAUSE_MS_MAX = 10_000, 30_000
QUIET_MS_MAX = 600_000
# A peer that did not answer is tried again within this, and while there is one somebody is asked this often,
# however quiet it was: a link that healed must not go unnoticed.
SILENT_MS_MAX = 60_000
JOIN_JITTER_MS = 1_000
# The same peer is not asked again sooner, whatever happens.
PEER_PAUSE_MS_MIN = 5_000
DIALOGUES_AT_ONCE = 3
CLOSING_PEERS = 3
CLOSING_LEAD_MS = 60_000
# A dialogue this fresh counts as done for a closing.
CLOSING_FRESH_MS = 45_000
# Envelopes that were fetched and not kept (refused, over a quota) are not fetched again for a while.
PASSED_OVER_MAX = 8192
PASSED_OVER_MS = 600_000
_MINUTE_MS = 60_000


class Sync:
    """The sync machine of one node in one network."""

    def __init__(self, network: NetworkId, entropy: Entropy) -> None:
        self._network = network
        self._entropy = entropy
        self._peers: dict[str, KnownPeer] = {}
        # When each running dialogue was asked for; at most DIALOGUES_AT_ONCE.
        self._busy: dict[str, tuple[int, Session | None]] = {}
        self._round_ms: int | None = None
        self._quiet = 0
        self._closings_ms: tuple[int, ...] = ()
        self._passed_over: dict[bytes, int] = {}
        self._in_flight: set[bytes] = set()
        self._cached: tuple[bytes, Snapshot] | None = None
        self._seen: Instant | None = None
        # While the journal takes nothing, an own act may be held that no disk knows: nobody may fetch it.
        self.is_mute = False

    # What happens

    def peer_joined(self, peer: str, at: Instant) -> None:
        """A peer is connected: compare at once."""
        if peer not in self._peers and len(self._peers) >= SYNC_PEERS_MAX:
            return
        state = self._peers.setdefault(peer, KnownPeer())
        state.due_ms = at.mono_ms + uniform_below(self._entropy, JOIN_JITTER_MS)
        self._wake(at)

    def peer_left(self, peer: str) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)

    def woke(self, at: Instant) -> None:
        """The machine slept, or the network healed: compare with three peers at once."""
        self._wake(at)
        for peer in self._draw(CLOSING_PEERS, at, sooner_than_ms=at.mono_ms):
            self._peers[peer].due_ms = at.mono_ms

    def expect(self, closings_wall_ms: Iterable[int]) -> None:
        """The wall times at which something closes: before each, three peers are asked."""
        self._closings_ms = tuple(sorted(closings_wall_ms))

    def tick(self, at: Instant) -> tuple[Ask, ...]:
        """The dialogues to hold now."""
        self._seen = at
        self._give_up(at)
        for peer in self._draw(self._missing(at), at, sooner_than_ms=at.mono_ms - CLOSING_FRESH_MS):
            self._peers[peer].due_ms = at.mono_ms
        asks: list[Ask] = []
        for peer in sorted(name for name, state in self._peers.items() if state.due_ms is not None):
            if len(self._busy) < DIALOGUES_AT_ONCE and self._is_due(peer, at):
                asks.append(self._ask(peer, at))
        if self._round_ms is not None and at.mono_ms >= self._round_ms:
            drawn = self._draw(1, at, sooner_than_ms=at.mono_ms)
            if drawn and len(self._busy) < DIALOGUES_AT_ONCE:
                asks.append(self._ask(drawn[0], at))
            self._round_ms = at.mono_ms + self._pause_ms()
        return tuple(asks)

    def deadline(self) -> int | None:
        """mono_ms of the next tick that could do something; None without peers."""
        if not self._peers:
            return None
        due = [] if self._round_ms is None else [self._round_ms]
        if len(self._busy) < DIALOGUES_AT_ONCE:
            asked = (peer for peer, state in self._peers.items() if state.due_ms is not None)
            due += [due_ms for due_ms in map(self._due_ms, asked) if due_ms is not None]
        if self._seen is not None:
            ahead_ms = [closing - self._seen.wall_ms - CLOSING_LEAD_MS for closing in self._closings_ms]
            due += [self._seen.mono_ms + wait_ms for wait_ms in ahead_ms if wait_ms > 0][:1]
            if self._missing(self._seen) > 0:
                due.append(self._seen.mono_ms + PEER_PAUSE_MS_MIN)
        return min(due, default=None)

    def states(self, at: Instant) -> dict[str, dict[str, int | None]]:
        """Of each peer: seconds since its records were found equal to ours, if so; failures in a row."""
        return {
            peer: {
                "equal_s_ago": None if state.equal_ms is None else (at.mono_ms - state.equal_ms) // 1000,
                "failures": state.failures,
            }
            for peer, state in sorted(self._peers.items())
        }

    # Asking

    def open(self, ask: Ask, held: RecordIndex, at: Instant) -> Session:
        """The dialogue for an ``Ask``. Hold it to its end, then ``close`` it, whatever happened."""
        offset = uniform_below(self._entropy, 1 << 32)

        judge = self._judge_of(held)
        session = Session(ask, self._network, self._snapshot(held), judge, self._in_flight, offset, at)
        self._busy[ask.peer] = (at.mono_ms, session)
        return session

    def close(self, session: Session, at: Instant) -> Ended:
        """Learn from a dialogue, whether it came to its end or was broken off."""
        ended = session.end()
        self._busy.pop(session.peer, None)
        # What was fetched is now held, or was refused: not to be fetched again soon either way.
        self._pass_over(session.fetched, at)
        state = self._peers.get(session.peer)
        failed = ended.refused is not None or (ended.withheld > 0 and ended.received == 0)
        if state is not None:
            state.failures = min(state.failures + 1, 16) if failed else 0
            state.is_silent = ended.refused is not None and ended.refused.reason is Reason.NO_ANSWER
            if failed:
                pause_ms_max = SILENT_MS_MAX if state.is_silent else QUIET_MS_MAX
                state.not_before_ms = at.mono_ms + min(pause_ms_max, PAUSE_MS_MIN << state.failures)
            if state.is_silent:  # deep in a quiet time the next round could be ten minutes away
                self._round_within(at)
            if ended.is_caught_up:
                state.equal_ms = at.mono_ms
            elif not failed and not session.only_fetches:
                state.due_ms = at.mono_ms + PEER_PAUSE_MS_MIN
        if ended.is_equal:
            self._quiet = min(self._quiet + 1, 8)
        elif not failed:
            self._wake(at)
        return ended

    # Answering

    def serve(self, peer: str, data: bytes, held: RecordIndex, at: Instant) -> bytes:
        """The answer to one request, for any bytes; bounded for each peer and minute."""
        if self.is_mute:
            return encode_answer(Denied(Reason.MUTE))
        request = decode_request(self._network, data)
        if isinstance(request, Refused):
            return encode_answer(Denied(request.reason))
        state = self._peers.get(peer)
        if state is None and len(self._peers) < SYNC_PEERS_MAX:
            state = self._peers.setdefault(peer, KnownPeer())
        minute = at.mono_ms // _MINUTE_MS
        if state is None:
            return encode_answer(Denied(Reason.TOO_MANY))
        if state.minute != minute:
            state.minute, state.served_bytes = minute, 0
        if state.served_bytes >= SYNC_SERVED_BYTES_PER_MINUTE_MAX:
            return encode_answer(Denied(Reason.TOO_MANY))
        if state.is_silent:  # it asks: the link is back
            state.is_silent, state.failures, state.not_before_ms = False, 0, 0
            state.due_ms = at.mono_ms
            self._wake(at)
        answer = encode_answer(self._answer(state, request, held, at))
        state.served_bytes += len(answer) + len(data)
        return answer

    def _answer(self, state: KnownPeer, request: Request, held: RecordIndex, at: Instant) -> Answer:
        match request:
            case Reconcile():
                frame = Server(self._snapshot(held)).respond(request.frame)
                if isinstance(frame, Refused):
                    return Denied(frame.reason)
                return Reconcile(frame)
            case Fetch():
                return _give(request.ids, held)
            case Offer():
                state.offered = fetchable(request.ids, self._judge_of(held))
                if state.offered:
                    state.due_ms = at.mono_ms
                    self._wake(at)
                return Offer(state.offered)

    def _judge_of(self, held: RecordIndex) -> Callable[[bytes], bool]:
        return lambda identifier: held.raw(identifier) is None and identifier not in self._passed_over

    def _snapshot(self, held: RecordIndex) -> Snapshot:
        digest = held.digest()
        if self._cached is None or self._cached[0] != digest:
            self._cached = (digest, Snapshot(held.ids_sorted()))
        return self._cached[1]

    # When

    def _wake(self, at: Instant) -> None:
        self._quiet = 0
        self._round_within(at)

    def _round_within(self, at: Instant) -> None:
        next_ms = at.mono_ms + self._pause_ms()
        self._round_ms = next_ms if self._round_ms is None else min(self._round_ms, next_ms)

    def _pause_ms(self) -> int:
        drawn_ms = PAUSE_MS_MIN + uniform_below(self._entropy, PAUSE_MS_MAX - PAUSE_MS_MIN)
        is_any_silent = any(state.is_silent for state in self._peers.values())
        return min(SILENT_MS_MAX if is_any_silent else QUIET_MS_MAX, drawn_ms << self._quiet)

    def _due_ms(self, peer: str) -> int | None:
        state = self._peers[peer]
        if state.due_ms is None or peer in self._busy:
            return None
        asked_ms = -PEER_PAUSE_MS_MIN if state.asked_ms is None else state.asked_ms
        return max(state.due_ms, state.not_before_ms, asked_ms + PEER_PAUSE_MS_MIN)

    def _is_due(self, peer: str, at: Instant) -> bool:
        due_ms = self._due_ms(peer)
        return due_ms is not None and due_ms <= at.mono_ms

    def _give_up(self, at: Instant) -> None:
        """Free the places of dialogues that the body never ended."""
        for peer, (asked_ms, session) in list(self._busy.items()):
            if at.mono_ms - asked_ms > 2 * DIALOGUE_MS_MAX:
                del self._busy[peer]
                if session is not None:
                    session.end()

    def _is_closing_near(self, at: Instant) -> bool:
        return any(0 <= closing - at.wall_ms <= CLOSING_LEAD_MS for closing in self._closings_ms)

    def _missing(self, at: Instant) -> int:
        """How many peers have still to be asked for a closing that is near."""
        if not self._is_closing_near(at):
            return 0
        fresh_ms = at.mono_ms - CLOSING_FRESH_MS
        peers = self._peers.values()
        agreed = sum(1 for one in peers if one.equal_ms is not None and one.equal_ms > fresh_ms)
        pending = sum(1 for one in peers if one.due_ms is not None)
        return max(0, CLOSING_PEERS - agreed - pending - len(self._busy))

    def _draw(self, count: int, at: Instant, sooner_than_ms: int) -> list[str]:
        """Up to ``count`` random idle peers that did not agree with us after ``sooner_than_ms``."""
        if count <= 0:
            return []
        idle = [
            peer
            for peer, state in sorted(self._peers.items())
            if peer not in self._busy
            and state.due_ms is None
            and state.not_before_ms <= at.mono_ms
            and (state.equal_ms is None or state.equal_ms <= sooner_than_ms)
        ]
        drawn: list[str] = []
        while idle and len(drawn) < count:
            drawn.append(idle.pop(uniform_below(self._entropy, len(idle))))
        return drawn

    def _ask(self, peer: str, at: Instant) -> Ask:
        state = self._peers[peer]
        wanted, state.offered = state.offered, ()
        state.due_ms, state.asked_ms = None, at.mono_ms
        self._busy[peer] = (at.mono_ms, None)
        return Ask(peer, wanted[:SYNC_IDS_MAX])

    def _pass_over(self, ids: Iterable[bytes], at: Instant) -> None:
        for identifier in ids:
            self._passed_over[identifier] = at.mono_ms
        while self._passed_over:
            oldest = next(iter(self._passed_over))
            is_stale = self._passed_over[oldest] < at.mono_ms - PASSED_OVER_MS
            if not is_stale and len(self._passed_over) <= PASSED_OVER_MAX:
                break
            del self._passed_over[oldest]


def _give(ids: tuple[bytes, ...], held: RecordIndex) -> Envelopes:
    raws: list[bytes] = []
    room = SYNC_RESPONSE_SIZE_BYTES_MAX
    for considered, identifier in enumerate(ids):
        raw = held.raw(identifier)
        if raw is None:
            continue
        room -= len(raw) + 5
        if room < 0:
            return Envelopes(considered, tuple(raws))
        raws.append(raw)
    return Envelopes(len(ids), tuple(raws))
