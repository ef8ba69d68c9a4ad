"""When: readings of one moment, always given by the shell.

Refuses to read a clock.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment: ``mono_ms`` orders within ``boot_id``, ``wall_ms`` dates windows and closings.

    ``offset_ms``: local time minus UTC; nothing but quiet hours asks for it.
    """

    boot_id: str
    mono_ms: int
    wall_ms: int
    offset_ms: int = 0
