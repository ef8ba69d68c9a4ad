"""The yamux session of one connection (spec: github.com/hashicorp/yamux, spec.md), in place of the library's.

The library's session sends a window update for every small read, formats log lines that nobody reads,
polls for window space, lets a peer overrun its receive window without end, and answers pings from the
loop that reads, so that a peer which does not read can stop it. These functions replace those methods on
the library's own classes; frames on the wire are the same.

Refuses: frames beyond the window given, foreign stream ids, more inbound streams than allowed, a peer
that asks for answers faster than it reads them. Each ends the connection or the stream and is counted.
"""

import struct
from typing import Any

import trio
from libp2p.stream_muxer.exceptions import MuxedStreamEOF, MuxedStreamError, MuxedStreamReset
from libp2p.stream_muxer.yamux import yamux

HEADER = struct.Struct("!BBHII")
WINDOW_SIZE_BYTES = yamux.DEFAULT_WINDOW_SIZE
# Credit is given back in halves of the window (go-yamux does the same).
CREDIT_STEP_BYTES = WINDOW_SIZE_BYTES // 2
FRAME_BODY_BYTES_MAX = 32 * 1024
# Answers (acks, pongs, resets) waiting for a peer that does not read.
ANSWERS_MAX = 512
# A writer waits this long for window space before the stream counts as dead.
WINDOW_WAIT_S = 20.0
STREAMS_PER_CONNECTION_MAX = 32
# A probe is a ping with a value of its own; its answer counts as any other sign of life.
PROBE_VALUE = 0x7E57
PROBE_S_MAX = 5.0

DATA, WINDOW_UPDATE, PING, GO_AWAY = 0, 1, 2, 3
GO_AWAY_FRAME = HEADER.pack(0, 3, 0, 0, 0)
SYN, ACK, FIN, RST = 1, 2, 4, 8


class SessionFault(Exception):
    """The peer broke the protocol; the connection ends. ``args[0]`` says how."""


def _frame(kind: int, flags: int, stream_id: int, length: int, body: bytes = b"") -> bytes:
    return HEADER.pack(0, kind, flags, stream_id, length) + body


async def write_frame(conn: Any, data: bytes) -> None:
    """Write one frame; writes of one connection never interleave."""
    async with conn._write_lock:
        await conn.secured_conn.write(data)


async def stream_write(stream: Any, data: bytes) -> None:
    """Write ``data`` within the peer's window, waiting for space at most ``WINDOW_WAIT_S``."""
    sent = 0
    while sent < len(data):
        if stream.send_closed or stream.closed:
            raise MuxedStreamError("stream is closed for sending")
        if stream.send_window <= 0:
            stream._window_grew = trio.Event()
            with trio.move_on_after(WINDOW_WAIT_S) as scope:
                await stream._window_grew.wait()
            if scope.cancelled_caught:
                raise MuxedStreamError("the peer does not read")
            continue
        size = min(stream.send_window, FRAME_BODY_BYTES_MAX, len(data) - sent)
        stream.send_window -= size
        body = data if size == len(data) else data[sent : sent + size]
        await stream.conn._write_frame(_frame(DATA, 0, stream.stream_id, size, body))
        sent += size


async def stream_read(stream: Any, n: int | None = -1) -> bytes:
    """Read what is there, ``n`` bytes at most (None or negative: all); waits for the first byte."""
    conn, stream_id = stream.conn, stream.stream_id
    while True:
        buffer = conn.stream_buffers.get(stream_id)
        if buffer:
            data = bytes(buffer) if n is None or n < 0 or n >= len(buffer) else bytes(buffer[:n])
            del buffer[: len(data)]
            if not stream.recv_closed:
                await give_credit(stream, bytes_read=len(data))
            elif stream.closed and not buffer:
                await conn._finalize_stream(stream, fully_closed=True)
            return data
        if stream.reset_received:
            raise MuxedStreamReset("stream was reset")
        if buffer is None or stream.recv_closed or conn.event_shutting_down.is_set():
            raise MuxedStreamEOF("stream is closed for receiving")
        arrived = conn.stream_events.get(stream_id)
        if arrived is None:
            raise MuxedStreamEOF("stream is gone")
        await arrived.wait()
        if stream_id in conn.stream_events:
            conn.stream_events[stream_id] = trio.Event()


async def give_credit(stream: Any, *, bytes_read: int = 0) -> None:
    """Return window space in steps of half a window instead of with every read."""
    stream._pending_recv_release += bytes_read
    credit = stream._pending_recv_release
    if credit < CREDIT_STEP_BYTES:
        return
    stream._pending_recv_release = 0
    stream.recv_window += credit
    await stream.send_window_update(credit)


async def probe(conn: Any) -> None:
    """Ask a quiet peer whether it is there; any answer moves ``conn.heard_s``. Never raises."""
    conn.probed_s = trio.current_time()
    try:
        with trio.move_on_after(PROBE_S_MAX):
            await conn._write_frame(_frame(PING, SYN, 0, PROBE_VALUE))
    except Exception:  # noqa: BLE001 - a dead connection is what a probe is for
        pass


class _Session:
    """What the reading loop keeps: the answers it must not wait for."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn
        self.remote_parity = 0 if conn.is_initiator_value else 1
        self.send, self.receive = trio.open_memory_channel[bytes](ANSWERS_MAX)

    def answer(self, frame: bytes) -> None:
        try:
            self.send.send_nowait(frame)
        except trio.WouldBlock:
            raise SessionFault("asks faster than it reads") from None

    async def write_answers(self) -> None:
        try:
            async for frame in self.receive:
                await write_frame(self.conn, frame)
        except Exception:  # noqa: BLE001 - the connection is going down; the reading loop reports it
            self.conn.event_shutting_down.set()


def _close_in(stream: Any, flags: int) -> None:
    if flags & FIN:
        stream.recv_closed = True
        stream.closed = stream.send_closed
    if flags & RST:
        stream.closed = stream.recv_closed = stream.send_closed = True
        stream.reset_received = True
    _wake(stream)
    if stream.closed:
        stream.conn._finalize_stream_locked(stream, fully_closed=True)


def _wake(stream: Any) -> None:
    arrived = stream.conn.stream_events.get(stream.stream_id)
    if arrived is not None:
        arrived.set()
    grew = getattr(stream, "_window_grew", None)
    if grew is not None:
        grew.set()


def _fill(stream: Any, body: bytes) -> None:
    if len(body) > stream.recv_window:
        raise SessionFault("window exceeded")
    stream.recv_window -= len(body)
    stream.conn.stream_buffers[stream.stream_id].extend(body)
    stream.conn.stream_events[stream.stream_id].set()


async def _on_syn(session: _Session, kind: int, flags: int, stream_id: int, length: int, body: bytes) -> None:
    conn = session.conn
    if stream_id % 2 != session.remote_parity or stream_id == 0:
        raise SessionFault("stream id of the wrong side")
    inbound = sum(1 for other in conn.streams if other % 2 == session.remote_parity)
    limit = getattr(conn, "streams_max", STREAMS_PER_CONNECTION_MAX)
    if stream_id in conn.streams or inbound >= limit or flags & RST:
        session.answer(_frame(WINDOW_UPDATE, RST, stream_id, 0))
        conn.streams_refused = getattr(conn, "streams_refused", 0) + 1
        if conn.streams_refused > 8 * limit:
            raise SessionFault("too many streams")
        return
    stream = yamux.YamuxStream(stream_id, conn, False)
    conn.streams[stream_id] = stream
    conn.stream_buffers[stream_id] = bytearray()
    conn.stream_events[stream_id] = trio.Event()
    if kind == WINDOW_UPDATE:
        stream.send_window += length
    else:
        _fill(stream, body)
    session.answer(_frame(WINDOW_UPDATE, ACK, stream_id, 0))
    await conn.new_stream_send_channel.send(stream)
    if flags & FIN:
        _close_in(stream, flags)


async def _on_frame(
    session: _Session, kind: int, flags: int, stream_id: int, length: int, body: bytes
) -> bool:
    """Handle one frame; False ends the session."""
    conn = session.conn
    if kind == GO_AWAY:
        return False
    if kind == PING:
        if flags & SYN:
            session.answer(_frame(PING, ACK, 0, length))
        elif flags & ACK:
            rtt_s = trio.current_time() - conn._ping_sent_time
            conn._rtt = rtt_s if conn._rtt == 0.0 else (conn._rtt + rtt_s) / 2
            conn._ping_event.set()
        return True
    if kind not in (DATA, WINDOW_UPDATE):
        raise SessionFault("unknown frame type")
    if flags & SYN:
        await _on_syn(session, kind, flags, stream_id, length, body)
        return True
    stream = conn.streams.get(stream_id)
    if stream is None:
        return True  # a stream that we have already forgotten
    if kind == WINDOW_UPDATE:
        stream.send_window += length
        _wake_writer(stream)
    elif body:
        _fill(stream, body)
    if flags & (FIN | RST):
        _close_in(stream, flags)
    return True


def _wake_writer(stream: Any) -> None:
    grew = getattr(stream, "_window_grew", None)
    if grew is not None:
        grew.set()


async def handle_incoming(conn: Any) -> None:
    """Read and handle frames until the connection ends, then clean up as the library expects."""
    session = _Session(conn)
    if conn._nursery is not None:
        conn._nursery.start_soon(session.write_answers)
    try:
        await _read_frames(session)
    except SessionFault as fault:
        told = getattr(conn, "on_fault", None)
        if told is not None:
            told(str(fault))
    except Exception:  # noqa: BLE001 - closed, reset, undecryptable: every end of a connection is one end
        pass
    finally:
        conn.event_shutting_down.set()
        session.send.close()
    await conn._cleanup_on_error()


async def _read_frames(session: _Session) -> None:
    conn = session.conn
    buffer = bytearray()
    while not conn.event_shutting_down.is_set():
        chunk = await conn.secured_conn.read(None)
        if not chunk:
            return
        conn.heard_s = trio.current_time()
        buffer += chunk
        offset = 0
        while len(buffer) - offset >= HEADER.size:
            version, kind, flags, stream_id, length = HEADER.unpack_from(buffer, offset)
            if version != 0:
                raise SessionFault("unknown version")
            size = length if kind == DATA else 0
            if size > WINDOW_SIZE_BYTES:
                raise SessionFault("window exceeded")
            end = offset + HEADER.size + size
            if len(buffer) < end:
                break
            body = bytes(buffer[offset + HEADER.size : end])
            offset = end
            if not await _on_frame(session, kind, flags, stream_id, length, body):
                return
        del buffer[:offset]
