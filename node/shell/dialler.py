"""Carries out a dial plan: what is due is dialled, a few at once, so that a dead address delays nobody.

Known addresses come first, then rumours. Refuses to decide when: ``reach.DialPlan`` and ``Rumours`` do.
"""

import random
from collections.abc import Awaitable, Callable

import trio

from luminous.node.shell.reach import DialPlan, peer_of
from luminous.node.shell.rumours import Rumours

DIALS_AT_ONCE = 8


class Dialler:
    """Dials for one life of the service tree."""

    def __init__(
        self,
        plan: DialPlan,
        rumours: Rumours,
        connect: Callable[[str], Awaitable[bool]],
        connected: Callable[[], set[str]],
        is_welcome: Callable[[str], bool],
        wanted: int,
    ) -> None:
        self._plan = plan
        self._rumours = rumours
        self._connect = connect
        self._connected = connected
        self._is_welcome = is_welcome
        self._wanted = wanted
        self._dialling: set[str] = set()

    async def run(self) -> None:
        """Dial until cancelled."""
        jitter = random.Random()
        async with trio.open_nursery() as nursery:
            while True:
                busy = self._connected() | self._dialling
                now_s = trio.current_time()
                due = self._plan.due(busy, self._wanted, now_s)
                room = min(self._wanted - len(busy), DIALS_AT_ONCE - len(self._dialling)) - len(due)
                if room > 0:
                    due += self._rumours.due({*busy, *map(peer_of, due)}, room, now_s)
                for address in due:
                    peer = peer_of(address)
                    if len(self._dialling) < DIALS_AT_ONCE and self._is_welcome(peer):
                        self._dialling.add(peer)
                        nursery.start_soon(self._dial, address, peer)
                await trio.sleep(jitter.uniform(0.3, 0.7))

    async def _dial(self, address: str, peer: str) -> None:
        try:
            if await self._connect(address):
                self._plan.connected(address, trio.current_time())
                self._rumours.reached(address)
            else:
                self._plan.failed(address, trio.current_time())
                self._rumours.failed(address)
        finally:
            self._dialling.discard(peer)
