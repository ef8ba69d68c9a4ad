"""One sync dialogue from the asking side: compare, fetch what is missing, offer what the peer lacks.

A plain object that is asked for the next request and told the answer. Refuses envelopes that it did not
ask for, ids beyond its bounds, and to judge content: what it returns still has to be admitted.
"""

from collections.abc import Callable, Collection
from enum import Enum

from luminous.node.core.instant import Instant
from luminous.node.core.peers.outcomes import Ask, Ended
from luminous.protocol.envelope import envelope_id
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.limits import SYNC_DIALOGUE_SIZE_BYTES_MAX, SYNC_IDS_MAX
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.reconciliation import Client, Snapshot
from luminous.protocol.sync_messages import (
    Answer,
    Denied,
    Envelopes,
    Fetch,
    Offer,
    Reconcile,
    Request,
    decode_answer,
    encode_request,
)

DIALOGUE_MS_MAX = 120_000


class Phase(Enum):
    """Where a dialogue is."""

    COMPARING = "comparing"
    FETCHING = "fetching"
    OFFERING = "offering"
    OVER = "over"


class Session:
    """One dialogue. Call ``next_request`` and ``on_response`` in turn until there is no next request.

    ``peer``: with whom; ``fetched``: the ids of what it brought so far.

    ``is_wanted(id)`` says whether an id is still worth fetching; ``in_flight`` is shared by the dialogues
    of one node, so that two of them do not fetch the same envelope.
    """

    def __init__(
        self,
        ask: Ask,
        network: NetworkId,
        snapshot: Snapshot,
        is_wanted: Callable[[bytes], bool],
        in_flight: set[bytes],
        offset: int,
        started: Instant,
    ) -> None:
        self.peer = ask.peer
        self._network = network
        self._is_wanted = is_wanted
        self._in_flight = in_flight
        self._started_ms = started.mono_ms
        self._client = Client(snapshot)
        self._need = list(ask.wanted)
        self._have: list[bytes] = []
        self._fetching: tuple[bytes, ...] = ()
        self.fetched: list[bytes] = []
        self._compares = not ask.wanted
        self._is_complete = self._is_equal = self._compares
        self._frame: bytes | None = self._client.initiate(offset) if self._compares else None
        self._phase = Phase.COMPARING if self._compares else Phase.FETCHING
        self._received = self._offered = self._withheld = self._size_bytes = 0
        self._refused: Refused | None = None

    @property
    def only_fetches(self) -> bool:
        """True if it fetches what the peer offered, without comparing."""
        return not self._compares

    @property
    def phase(self) -> Phase:
        """Where the dialogue is."""
        return self._phase

    def next_request(self, at: Instant) -> bytes | None:
        """The next request's bytes; None when the dialogue is over."""
        if at.mono_ms - self._started_ms > DIALOGUE_MS_MAX:
            self._stop(Refused(Reason.TOO_MANY, "minutes in one dialogue"))
        if self._size_bytes > SYNC_DIALOGUE_SIZE_BYTES_MAX:
            self._stop(Refused(Reason.TOO_MANY, "bytes in one dialogue"))
        request = self._next()
        if request is None:
            self._phase = Phase.OVER
            return None
        data = encode_request(self._network, request)
        self._size_bytes += len(data)
        return data

    def on_response(self, data: bytes | None) -> tuple[bytes, ...]:
        """Take the answer; None or nothing if there was none. Returns raw envelopes to admit."""
        if not data:
            self._stop(Refused(Reason.NO_ANSWER, ""))
            return ()
        self._size_bytes += len(data)
        answer = decode_answer(data)
        if isinstance(answer, Refused):
            self._stop(answer)
            return ()
        return self._take(answer)

    def end(self) -> Ended:
        """What it came to. Also releases what was being fetched, so call it whatever happened."""
        self._in_flight.difference_update(self._fetching)
        is_whole = self._is_complete and self._refused is None and self._phase is Phase.OVER
        return Ended(
            peer=self.peer,
            is_equal=is_whole and self._is_equal,
            is_caught_up=is_whole and self._withheld == 0,
            received=self._received,
            offered=self._offered,
            withheld=self._withheld,
            size_bytes=self._size_bytes,
            refused=self._refused,
        )

    def _next(self) -> Request | None:
        if self._phase is Phase.COMPARING:
            assert self._frame is not None
            return Reconcile(self._frame)
        if self._phase is Phase.FETCHING:
            batch = self._next_batch()
            if batch:
                self._fetching = batch
                self._in_flight.update(batch)
                return Fetch(batch)
            self._phase = Phase.OFFERING if self._have else Phase.OVER
        if self._phase is Phase.OFFERING:
            return Offer(tuple(self._have[-SYNC_IDS_MAX:]))
        return None

    def _next_batch(self) -> tuple[bytes, ...]:
        batch: list[bytes] = []
        while self._need and len(batch) < SYNC_IDS_MAX:
            identifier = self._need.pop(0)
            if identifier in self._in_flight:
                self._is_complete = False  # another dialogue has it under way: not ours to vouch for
            elif self._is_wanted(identifier):
                batch.append(identifier)
        return tuple(batch)

    def _take(self, answer: Answer) -> tuple[bytes, ...]:
        match answer, self._phase:
            case Denied(), _:
                self._stop(Refused(answer.reason, "said the peer"))
            case Reconcile(), Phase.COMPARING:
                self._compare(answer.frame)
            case Envelopes(), Phase.FETCHING:
                return self._collect(answer)
            case Offer(), Phase.OFFERING:
                self._offered = len(answer.ids)
                self._phase = Phase.OVER
            case _:
                self._stop(Refused(Reason.MALFORMED, "an answer to another question"))
        return ()

    def _compare(self, frame: bytes) -> None:
        progress = self._client.advance(frame)
        if isinstance(progress, Refused):
            self._stop(progress)
            return
        wanted = [identifier for identifier in progress.need if self._is_wanted(identifier)]
        self._need += wanted
        self._have += progress.have
        self._is_equal = self._is_equal and not wanted and not progress.have
        self._frame = progress.message
        if progress.message is None:
            self._is_complete = progress.is_complete
            self._phase = Phase.FETCHING

    def _collect(self, answer: Envelopes) -> tuple[bytes, ...]:
        asked = self._fetching
        self._in_flight.difference_update(asked)
        self._fetching = ()
        if not 1 <= answer.considered <= len(asked):
            self._stop(Refused(Reason.MALFORMED, "a fetch that goes nowhere"))
            return ()
        expected = dict.fromkeys(asked[: answer.considered])
        for raw in answer.raws:
            identifier = envelope_id(raw)
            if identifier not in expected:
                self._stop(Refused(Reason.MALFORMED, "an envelope that was not asked for"))
                return ()
            del expected[identifier]
            self.fetched.append(identifier)
        self._received += len(answer.raws)
        self._withheld += len(expected)
        self._need[:0] = asked[answer.considered :]
        return answer.raws

    def _stop(self, refused: Refused) -> None:
        self._refused = self._refused or refused
        self._phase = Phase.OVER


def fetchable(ids: Collection[bytes], is_wanted: Callable[[bytes], bool]) -> tuple[bytes, ...]:
    """Those of the offered ``ids`` that are worth a fetch, in the order offered, once each."""
    return tuple(identifier for identifier in dict.fromkeys(ids) if is_wanted(identifier))
