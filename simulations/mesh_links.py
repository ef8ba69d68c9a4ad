"""The physics under the mesh: addresses, delays, loss and cuts between simulated hosts, in virtual time.

Refuses to know libp2p: it carries callables from one address to another, in order on each pipe, and says
who can reach whom. All chance comes from one seeded source, drawn in the order of sending.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import trio

# A lost segment is sent again after this long, as TCP does.
RETRANSMIT_S = 0.3
# A pipe that is cut for this long breaks, as TCP and the keep-alives above it would.
GIVE_UP_S = 30.0


@dataclass(frozen=True, slots=True)
class Physics:
    """One way through any link: seconds at least and on average, and the share of segments lost."""

    delay_s_min: float = 0.005
    delay_s_mean: float = 0.04
    loss: float = 0.0


class Links:
    """Everything between the hosts. Run ``run`` beside them."""

    def __init__(self, physics: Physics, seed: int) -> None:
        self.physics = physics
        self.is_cut: Callable[[str, str], bool] = lambda source, target: False
        # How much longer bytes of this moment take on a clogged way.
        self.clogged_s: Callable[[str, str], float] = lambda source, target: 0.0
        self.carried = 0
        self.size_bytes = 0
        self._random = Random(seed)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._wake = trio.Event()
        self._pipes: dict[int, Pipe] = {}

    async def run(self) -> None:
        """Deliver what is due, until cancelled."""
        while True:
            while self._heap and self._heap[0][0] <= trio.current_time():
                heapq.heappop(self._heap)[2]()
            self._wake = trio.Event()
            if self._heap:
                with trio.move_on_at(self._heap[0][0]):
                    await self._wake.wait()
            else:
                await self._wake.wait()

    def delay_s(self) -> float:
        """One draw of a one-way delay, retransmissions included."""
        physics = self.physics
        extra_s = physics.delay_s_mean - physics.delay_s_min
        delay_s = physics.delay_s_min + (self._random.expovariate(1 / extra_s) if extra_s > 0 else 0.0)
        while physics.loss and self._random.random() < physics.loss:
            delay_s += RETRANSMIT_S
        return delay_s

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        """Do ``action`` at a virtual time; in the order asked for among equals."""
        self._serial += 1
        heapq.heappush(self._heap, (time_s, self._serial, action))
        if self._heap[0][1] == self._serial:
            self._wake.set()

    def pipe(self, source: str, target: str, broken: Callable[[], None]) -> "Pipe":
        """A new ordered one-way pipe; ``broken`` is called when a long cut breaks it."""
        self._serial += 1
        return Pipe(self, source, target, broken, self._serial)

    def cut(self, is_cut: Callable[[str, str], bool]) -> None:
        """From now on bytes from ``source`` to ``target`` wait while ``is_cut(source, target)``."""
        self.is_cut = is_cut
        for serial in sorted(self._pipes):
            self._pipes[serial].look_again()

    def hold(self, pipe: "Pipe") -> None:
        """Remember a pipe that waits for a cut to heal."""
        self._pipes[pipe.serial] = pipe

    def release(self, pipe: "Pipe") -> None:
        """The pipe waits no longer."""
        self._pipes.pop(pipe.serial, None)


class Pipe:
    """Ordered delivery one way. Bytes sent during a cut wait for its end, or break the pipe."""

    def __init__(
        self, links: Links, source: str, target: str, broken: Callable[[], None], serial: int
    ) -> None:
        self.serial = serial
        self._links = links
        self._source = source
        self._target = target
        self._broken = broken
        self._last_s = 0.0
        self._held: deque[Callable[[], None]] = deque()
        self._is_closed = False

    def send(self, size_bytes: int, deliver: Callable[[], None]) -> None:
        """Call ``deliver`` at the other end, after everything sent before."""
        self._links.carried += 1
        self._links.size_bytes += size_bytes
        if self._is_closed:
            return
        if self._held or self._links.is_cut(self._source, self._target):
            if not self._held:
                self._links.hold(self)
                self._links.at(trio.current_time() + GIVE_UP_S, self._give_up)
            self._held.append(deliver)
        else:
            self._schedule(deliver)

    def look_again(self) -> None:
        """The cuts changed: let go of what waits if the way is free."""
        if self._held and not self._links.is_cut(self._source, self._target):
            self._links.release(self)
            held, self._held = self._held, deque()
            for deliver in held:
                self._schedule(deliver)

    def close(self) -> None:
        """Carry nothing more; what is under way still arrives."""
        self._is_closed = True
        self._held.clear()
        self._links.release(self)

    def _schedule(self, deliver: Callable[[], None]) -> None:
        wait_s = self._links.clogged_s(self._source, self._target) + self._links.delay_s()
        self._last_s = max(self._last_s, trio.current_time() + wait_s)
        self._links.at(self._last_s, deliver)

    def _give_up(self) -> None:
        if self._held and not self._is_closed:
            self._broken()
