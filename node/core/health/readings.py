"""What was measured at one moment, as typed values, and what could not be.

Refuses to fill gaps: a signal that could not be read is listed, never guessed. Values are integers in
thousandths of the signal's unit, so that readings can be kept and compared without floats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from luminous.node.core.instant import Instant

# Signals of one moment. Stops a host with thousands of mounts from filling the monitor.
READINGS_MAX = 96


@dataclass(frozen=True, slots=True)
class Readings:
    """One sample of the machine.

    ``values``: signal name to thousandths of its unit; a per-mount signal is ``name:mount``.
    ``missing``: signals that this machine has and that could not be read now.
    ``unsupported``: signals that this machine does not offer at all; they count neither way and are shown.
    """

    at: Instant
    values: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.values) + len(self.missing) + len(self.unsupported) <= READINGS_MAX

    def with_own(self, own: Mapping[str, int]) -> "Readings":
        """The same moment with the node's own signals (loop lag, errors, peers, integrity) added."""
        values = {**self.values, **own}
        return Readings(
            at=self.at,
            values=values,
            missing=tuple(name for name in self.missing if name not in values),
            unsupported=tuple(name for name in self.unsupported if name not in values),
        )


def base_name(signal: str) -> str:
    """The signal without its mount: ``disk_free_share:/nix`` is ``disk_free_share``."""
    return signal.partition(":")[0]


def target_of(signal: str) -> str:
    """The mount or unit a signal is about; empty when it is about the whole machine."""
    return signal.partition(":")[2]
