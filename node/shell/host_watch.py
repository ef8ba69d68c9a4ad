"""The part that reads this machine at intervals and hands the readings to the node.

Refuses to judge: what a reading means is the node's. A mount that does not answer does not hold it.
"""

from collections.abc import Callable

import trio

from luminous.node.core import events
from luminous.node.core.health.readings import Readings
from luminous.node.core.instant import Instant
from luminous.node.shell.host import Host
from luminous.node.shell.link import Link
from luminous.node.shell.service import Service

# While the state store is damaged: a symptom is believed when it stays.
DAMAGED_INTERVAL_S = 2.0
INTERVAL_S_MIN = 1.0


class HostWatch:
    """Measures every ``health.interval_ms`` of the node, and when told to look."""

    def __init__(self, host: Host, beat: Callable[[], None] = lambda: None) -> None:
        self._host = host
        self._beat = beat
        self._look_now = trio.Event()

    def look(self) -> None:
        """Measure now instead of at the next interval."""
        self._look_now.set()

    async def run(self, service: Service, link: Callable[[], Link | None]) -> None:
        """Measure until cancelled. ``link``: the present link to the network, if there is one."""
        while True:
            began_s = trio.current_time()
            self._look_now = trio.Event()  # before measuring: what is told meanwhile is looked at again
            now = service.clock.now()
            own = {
                "store_integrity:state": 0 if service.state_fault else 1000,
                "response_ms": 1000 * await _lag_ms(service),
            }
            present = link()
            if present is not None:
                own["peers"] = 1000 * sum(1 for peer in present.transport.peers() if peer.address)
            # The stubs know an older name of the argument.
            readings = await trio.to_thread.run_sync(  # type: ignore[call-arg]
                self._read, now, own, abandon_on_cancel=True
            )
            service.post(events.Measured(now, readings))
            interval_s = await service.ask(lambda node: node.machines.health.interval_ms / 1000)
            if service.state_fault:
                interval_s = min(interval_s, DAMAGED_INTERVAL_S)
            self._beat()
            with trio.move_on_after(max(INTERVAL_S_MIN, interval_s - (trio.current_time() - began_s))):
                await self._look_now.wait()

    def _read(self, now: Instant, own: dict[str, int]) -> Readings:
        return self._host.read(now, own)


async def _lag_ms(service: Service) -> int:
    before_s = trio.current_time()
    await service.ask(lambda node: None)
    return int((trio.current_time() - before_s) * 1000)
