"""Learning windows that are over: which deltas this node held of each, frozen, until Minutes agree on them.

Refuses to look into a delta: ids are all that is agreed on here. Refuses to hurry the network for ever about
a window that others do not list: each try waits twice as long as the one before.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from luminous.protocol.identifiers import EnvelopeId, ProposalId
from luminous.protocol.minutes import REPORT_DELTAS_MAX, REPORT_WINDOWS_MAX, Report, Window, window_key


class Windows:
    """Registry of frozen windows and of those that are due now."""

    def __init__(self) -> None:
        self._frozen: dict[int, Window] = {}
        self._due: dict[int, None] = {}
        self._tries: dict[int, int] = {}
        self._since_ms: dict[int, int] = {}

    def offer(self, held: Mapping[int, Iterable[EnvelopeId]]) -> None:
        """Freeze what is held of windows that are over and not retired; no others are due any more."""
        self._due = dict.fromkeys(sorted(held))
        for window in self._due:
            if window not in self._frozen:
                deltas = tuple(sorted(set(held[window]))[:REPORT_DELTAS_MAX])
                self._frozen[window] = Window(window, deltas)
        if self._due:
            self._forget_before(min(self._due))

    def _forget_before(self, oldest: int) -> None:
        """What retired is never due again."""
        kept: tuple[dict[int, Any], ...] = (self._frozen, self._tries, self._since_ms)
        for known in kept:
            for window in [number for number in known if number < oldest]:
                del known[window]

    def recall(self, report: Report) -> None:
        """An own Report binds: what it lists is what was frozen."""
        for window in report.windows:
            self._frozen[window.window] = window
            self._tries[window.window] = self._tries.get(window.window, 0) + 1

    def due(self, decided: Mapping[ProposalId, object]) -> tuple[Window, ...]:
        """What a Report made now lists."""
        open_ones = [number for number in self._due if ProposalId(window_key(number)) not in decided]
        return tuple(self._frozen[number] for number in open_ones[-REPORT_WINDOWS_MAX:])

    def urgent_at_ms(self, due: Iterable[Window], wall_ms: int, pace_ms: int) -> int | None:
        """When the first of them is worth a Report of its own."""
        moments: list[int] = []
        for window in due:
            since_ms = self._since_ms.setdefault(window.window, wall_ms)
            moments.append(since_ms + (pace_ms << min(self._tries.get(window.window, 0), 20)))
        return min(moments, default=None)
