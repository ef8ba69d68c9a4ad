"""The machine's clocks as ``Instant``.

Refuses to be read anywhere but in the shell.
"""

import time
from pathlib import Path

from luminous.node.core.instant import Instant

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The kernel's id of this boot; ``unknown`` where there is none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"


class SystemClock:
    """Reads the monotonic and the wall clock together."""

    def __init__(self) -> None:
        self._boot_id = boot_id()

    def now(self) -> Instant:
        """This moment."""
        wall_ms = time.time_ns() // 1_000_000
        offset_ms = 1000 * time.localtime(wall_ms // 1000).tm_gmtoff
        return Instant(self._boot_id, time.monotonic_ns() // 1_000_000, wall_ms, offset_ms)
