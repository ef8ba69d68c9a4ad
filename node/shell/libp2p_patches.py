"""What this node replaces inside py-libp2p 0.8.1, and the check that it is still there to be replaced.

Each entry names a function of the library, the digest of its source in the pinned version and why it is
replaced (docs/upstream.md has the reproductions). ``check`` names every one that is missing or changed;
``install`` refuses to run then. Refuses to guess: another version needs another look at each entry.
"""

import functools
import hashlib
import importlib
import importlib.metadata
import inspect
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

from luminous.node.shell import connections, yamux_session
from luminous.node.shell.frame_queue import FrameQueue
from luminous.node.shell.seen_ids import SeenIds

LIBP2P_VERSION = "0.8.1"
SEEN_TTL_S = 600.0
SEEN_IDS_MAX = 65_536
# A protocol name in stream negotiation. Stops unbounded announced lengths before any handler runs.
PROTOCOL_NAME_BYTES_MAX = 1024
READ_SIZE_BYTES = 65_536


class LibraryChanged(Exception):
    """The library is not the one that the guards were written for. ``args[0]`` lists what differs."""


@dataclass(frozen=True, slots=True)
class Target:
    """A function of the library: module, dotted name inside it, source digest, why it matters."""

    module: str
    name: str
    digest: str
    why: str

    def owner(self) -> tuple[Any, str]:
        """The object that holds the attribute, and its name. Raises ImportError, AttributeError."""
        owner: Any = importlib.import_module(self.module)
        *path, last = self.name.split(".")
        for part in path:
            owner = getattr(owner, part)
        return owner, last


_PUBSUB = "libp2p.pubsub.pubsub"
_GOSSIP = "libp2p.pubsub.gossipsub"
_YAMUX = "libp2p.stream_muxer.yamux.yamux"
_SWARM = "libp2p.network.swarm"
_CONN = "libp2p.network.connection.swarm_connection"

TARGETS = (
    Target(_PUBSUB, "Pubsub.continuously_read_stream", "ac0c4ad87ca3", "a malformed frame ends the process"),
    Target(
        _PUBSUB, "Pubsub.push_msg", "1531483ab4d7", "a garbage key or a raising validator ends the process"
    ),
    Target(
        _PUBSUB, "Pubsub.handle_sending_messages", "4eb0b978f9c4", "one write a frame, bounds by count only"
    ),
    Target(
        _PUBSUB,
        "Pubsub._handle_dead_peer",
        "10026d998d30",
        "called when a connection with gossip on it closes",
    ),
    Target(
        _PUBSUB,
        "Pubsub.handle_subscription",
        "c200deee0f0a",
        "called for what passes the subscription limits",
    ),
    Target(_PUBSUB, "Pubsub._handle_new_peer", "305ba4224e61", "builds the queue that is replaced"),
    Target(_PUBSUB, "RpcQueue", "f816055e5c2b", "drops silently at 32 frames"),
    Target(_PUBSUB, "LastSeenCache", "233b00298cbb", "a thread for each pubsub; asking keeps ids alive"),
    Target(_PUBSUB, "env_to_send_in_RPC", "9fea9d702c18", "marshals the address record for every frame"),
    Target(_GOSSIP, "env_to_send_in_RPC", "9fea9d702c18", "marshals the address record for every frame"),
    Target(_GOSSIP, "GossipSub.handle_rpc", "bb6f7311e295", "verifies an address record for every frame"),
    Target(_GOSSIP, "GossipSub.handle_iwant", "cae61a447ac5", "answers without a limit of repetitions"),
    Target(_GOSSIP, "GossipSub.publish", "b978282af462", "copies a frame for each peer; grows for ever"),
    Target(_YAMUX, "Yamux.handle_incoming", "ad15ff6943fe", "receive windows are not enforced"),
    Target(_YAMUX, "Yamux._write_frame", "16ff969cdd0d", "formats log lines for every frame"),
    Target(_YAMUX, "YamuxStream.read", "ca585f2199fd", "locks and log lines for every read"),
    Target(_YAMUX, "YamuxStream.write", "d87f74dfb53a", "polls for window space"),
    Target(
        _YAMUX,
        "YamuxStream._auto_tune_and_send_window_update",
        "6ebcbd822fe7",
        "one window update for every read",
    ),
    Target(
        _SWARM, "Swarm._do_handle_inbound_connection", "c22fdfd5289f", "an inbound slot is never given back"
    ),
    Target(_SWARM, "Swarm._schedule_auto_connect", "3fbd49fa201b", "dials by itself below half of its slots"),
    Target(
        "libp2p.network.auto_connector",
        "AutoConnector.run_background_task",
        "eb8fcee6e5a0",
        "dials by itself",
    ),
    Target(_SWARM, "Swarm.add_conn", "d469d71b3ed1", "where peers are admitted"),
    Target(_SWARM, "Swarm.upgrade_inbound_raw_conn", "e24c4285f494", "called for circuits that arrive"),
    Target(_SWARM, "Swarm.upgrade_outbound_raw_conn", "54a8867681b2", "called for circuits that are dialled"),
    Target(
        "libp2p.network.connection.raw_connection",
        "RawConnection",
        "aea4072e0037",
        "what a circuit is wrapped in",
    ),
    Target(
        _CONN, "SwarmConn._handle_muxed_stream", "fb51f8a3e37c", "an error of one stream ends the process"
    ),
    Target(_CONN, "SwarmConn.start", "583b5405b69f", "an error of one connection ends the process"),
    Target("libp2p.io.trio", "TrioTCPStream.read", "c606ac89ec9d", "two system calls for every message"),
    Target(
        "libp2p.protocol_muxer.multiselect_communicator",
        "read_delim",
        "48fe700247b1",
        "no bound, bad text ends the process",
    ),
    Target(
        "libp2p.host.basic_host", "BasicHost._identify_task_entry", "cc4e84278bbc", "runs as a system task"
    ),
)

_originals: dict[tuple[str, str], Any] = {}


def source_digest(thing: Any) -> str:
    """Twelve hex digits of the SHA-256 of a function's or class's source; empty if there is no source."""
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def check() -> tuple[str, ...]:
    """What differs from the library that the guards were written for; empty if nothing does."""
    found = []
    version = importlib.metadata.version("libp2p")
    if version != LIBP2P_VERSION:
        found.append(f"libp2p is {version}, the guards are for {LIBP2P_VERSION}")
    for target in TARGETS:
        name = f"{target.module}.{target.name}"
        try:
            owner, last = target.owner()
            original = _originals.get((target.module, target.name)) or getattr(owner, last)
            getattr(owner, last)
        except (ImportError, AttributeError):
            found.append(f"missing: {name} ({target.why})")
            continue
        digest = source_digest(original)
        if digest and digest != target.digest:
            found.append(f"changed: {name} ({target.why})")
    return tuple(found)


def install() -> None:
    """Replace the targets, once a process. Raises ``LibraryChanged`` if the library is another."""
    differences = check()
    if differences:
        raise LibraryChanged("; ".join(differences))
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    for (module, name), replacement in _replacements().items():
        if (module, name) not in _originals:
            owner, last = Target(module, name, "", "").owner()
            _originals[(module, name)] = getattr(owner, last)
            setattr(owner, last, replacement)


def uninstall() -> None:
    """Put the library back as it was. For tests that show what happens without the guards."""
    while _originals:
        (module, name), original = _originals.popitem()
        owner, last = Target(module, name, "", "").owner()
        setattr(owner, last, original)


def _replacements() -> dict[tuple[str, str], Any]:
    original_stream = getattr(*_owner(_CONN, "SwarmConn._handle_muxed_stream"))
    original_start = getattr(*_owner(_CONN, "SwarmConn.start"))
    original_identify = getattr(*_owner("libp2p.host.basic_host", "BasicHost._identify_task_entry"))
    original_record = getattr(*_owner(_PUBSUB, "env_to_send_in_RPC"))
    record = _cached_record(original_record)
    return {
        (_PUBSUB, "RpcQueue"): FrameQueue,
        (_PUBSUB, "LastSeenCache"): _seen_ids,
        (_PUBSUB, "env_to_send_in_RPC"): record,
        (_GOSSIP, "env_to_send_in_RPC"): record,
        (_YAMUX, "Yamux.handle_incoming"): yamux_session.handle_incoming,
        (_YAMUX, "Yamux._write_frame"): yamux_session.write_frame,
        (_YAMUX, "YamuxStream.read"): yamux_session.stream_read,
        (_YAMUX, "YamuxStream.write"): yamux_session.stream_write,
        (_YAMUX, "YamuxStream._auto_tune_and_send_window_update"): yamux_session.give_credit,
        (_SWARM, "Swarm._do_handle_inbound_connection"): connections.inbound_connection,
        (_CONN, "SwarmConn._handle_muxed_stream"): contained(original_stream),
        (_CONN, "SwarmConn.start"): contained(original_start),
        ("libp2p.io.trio", "TrioTCPStream.read"): _buffered_read,
        ("libp2p.protocol_muxer.multiselect_communicator", "read_delim"): _read_protocol_name,
        ("libp2p.host.basic_host", "BasicHost._identify_task_entry"): contained(original_identify),
    }


def _owner(module: str, name: str) -> tuple[Any, str]:
    return Target(module, name, "", "").owner()


def contained(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with every ``Exception`` stopped and counted where the transport can see it."""

    @functools.wraps(function)
    async def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await function(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a guard: a peer's stream may not end the node
            swarm = getattr(self, "swarm", None) or getattr(self, "_network", None)
            counters = getattr(swarm, "guard_counters", None)
            if counters is not None:
                counters[f"contained.{type(error).__name__}"] += 1
            return None

    return wrapper


def _seen_ids(ttl: float = SEEN_TTL_S, sweep_interval: float = 0.0) -> SeenIds:
    return SeenIds(SEEN_TTL_S, SEEN_IDS_MAX, time.monotonic)


def _cached_record(original: Callable[[Any], tuple[bytes, bool]]) -> Callable[[Any], tuple[bytes, bool]]:
    def cached(host: Any) -> tuple[bytes, bool]:
        now_s = time.monotonic()
        held = getattr(host, "_record_cache", None)
        if held is None or held[0] <= now_s:
            held = host._record_cache = (now_s + 30.0, original(host)[0])
        return held[1], False

    return cached


async def _buffered_read(stream: Any, n: int | None = None) -> bytes:
    """Read ahead, so that a length and its message cost one system call."""
    from libp2p.io.exceptions import ConnectionClosedError

    if n == 0:
        return b""
    async with stream.read_lock:
        ahead: bytes = getattr(stream, "_ahead", b"")
        if not ahead:
            try:
                ahead = await stream.stream.receive_some(READ_SIZE_BYTES)
            except trio.BrokenResourceError as error:
                raise ConnectionClosedError("reset by the peer", transport="tcp") from error
            except trio.ClosedResourceError:
                return b""
        if n is None or n >= len(ahead):
            stream._ahead = b""
            return bytes(ahead)
        stream._ahead = ahead[n:]
        return bytes(ahead[:n])


async def _read_protocol_name(reader: Any) -> bytes:
    """One line of stream negotiation: bounded, complete, UTF-8."""
    from libp2p.exceptions import ParseError
    from libp2p.utils.varint import decode_uvarint_from_stream

    size = await decode_uvarint_from_stream(reader)
    if not 0 < size <= PROTOCOL_NAME_BYTES_MAX:
        raise ParseError("protocol name out of bounds")
    data = bytearray()
    while len(data) < size:
        chunk = await reader.read(size - len(data))
        if not chunk:
            raise ParseError("protocol name cut short")
        data += chunk
    if data[-1:] != b"\n":
        raise ParseError("protocol name without its end")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise ParseError("protocol name is not text") from error
    return bytes(data[:-1])
