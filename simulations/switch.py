"""A switch in user space: Ethernet frames between TAP devices, late, lost, doubled or cut off.

Refuses to look above Ethernet and to reorder what one host sends another: TCP must see a link, not a lottery.
Real time and real chance order: a seed makes two runs alike, not equal.
"""

import fcntl
import heapq
import os
import random
import selectors
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from luminous.simulations.faults import Link

FRAME_SIZE_BYTES_MAX = 65_536
# Frames on their way. Stops a fast sender from filling memory behind a slow link.
WAITING_MAX = 20_000
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def open_tap(name: str) -> int:
    """A new TAP device; its frames are read from and written to the descriptor. Raises OSError."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return tap


class Switch:
    """Learns who is where from the frames' sources; a thread carries them. ``close`` ends it."""

    def __init__(self, link: Link, seed: int) -> None:
        self._link = link
        self._chance = random.Random(f"switch/{seed}")
        self._ports: dict[int, int] = {}
        self._where: dict[bytes, int] = {}
        self._apart: frozenset[int] = frozenset()
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._last_s: dict[tuple[int, int], float] = {}
        self._number = 0
        self.carried = 0
        self.dropped = 0
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._is_open = True
        self._thread = threading.Thread(target=self._carry, name="switch", daemon=True)
        self._thread.start()

    def plug(self, port: int, tap: int) -> None:
        """A host more."""
        self._ports[port] = tap
        self._selector.register(tap, selectors.EVENT_READ, port)
        os.write(self._wake_write, b".")

    def cut(self, apart: Sequence[int]) -> None:
        """Frames between these ports and the others are dropped from now on."""
        self._apart = frozenset(apart)

    def close(self) -> None:
        """Stop carrying; the devices vanish."""
        self._is_open = False
        os.write(self._wake_write, b".")
        self._thread.join()
        self._selector.close()
        for descriptor in (*self._ports.values(), self._wake_read, self._wake_write):
            os.close(descriptor)
        self._ports.clear()

    def _carry(self) -> None:
        while self._is_open:
            pause_s = self._waiting[0][0] - time.monotonic() if self._waiting else None
            for key, _ in self._selector.select(None if pause_s is None else max(0.0, pause_s)):
                if key.data is None:
                    os.read(self._wake_read, 64)
                else:
                    self._read(key.data)
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, port, frame = heapq.heappop(self._waiting)
                # A device that is down or full loses the frame, as a wire would.
                with suppress(OSError):
                    os.write(self._ports[port], frame)
                    self.carried += 1

    def _read(self, port: int) -> None:
        with suppress(BlockingIOError, OSError):
            while True:
                self.take(port, os.read(self._ports[port], FRAME_SIZE_BYTES_MAX))

    def take(self, port: int, frame: bytes) -> None:
        """A frame from a port: to where its destination is, or to all."""
        self._where[frame[6:12]] = port
        found = self._where.get(frame[:6])
        for target in list(self._ports) if found is None else [found]:
            if target != port:
                self._send(port, target, frame)

    def _send(self, port: int, target: int, frame: bytes) -> None:
        link = self._link
        is_cut = (port in self._apart) != (target in self._apart)
        if is_cut or self._chance.random() < link.loss or len(self._waiting) >= WAITING_MAX:
            self.dropped += 1
            return
        for _ in range(1 + (self._chance.random() < link.duplicate)):
            above_ms = max(1, link.delay_ms_mean - link.delay_ms_min)
            delay_s = (link.delay_ms_min + self._chance.expovariate(1 / above_ms)) / 1000
            due_s = max(time.monotonic() + delay_s, self._last_s.get((port, target), 0.0))
            self._last_s[port, target] = due_s
            self._number += 1
            heapq.heappush(self._waiting, (due_s, self._number, target, frame))
