"""The deltas heard, by window and author, until their window retires.

Refuses unbounded memory: at most two deltas of an author and window (two prove equivocation; a third adds
nothing), a roll's worth of authors, and only windows near this machine's own.
"""

from collections.abc import Iterable, Mapping

from luminous.protocol.aggregation import Aggregate, aggregate, select
from luminous.protocol.deltas import WINDOWS_HELD, WINDOWS_KEPT, LearningLaw
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, NetworkId
from luminous.protocol.layout import Layout
from luminous.protocol.limits import ROLL_MAX
from luminous.protocol.reasons import Reason, Refused

DELTAS_PER_AUTHOR_MAX = 2


class Pool:
    """Held deltas and what follows from them, computed when asked and remembered until one arrives."""

    def __init__(self, network: NetworkId, law: LearningLaw, layout: Layout) -> None:
        self._network, self._law, self._layout = network, law, layout
        self._windows: dict[int, dict[AuthorId, dict[bytes, Admitted]]] = {}
        self._aggregates: dict[int, Aggregate | Refused] = {}
        self._selected: dict[int, tuple[Admitted, ...]] = {}
        self._eligible: frozenset[AuthorId] | None = frozenset()
        self._agreed: dict[int, frozenset[EnvelopeId]] = {}
        self._current = 0

    def set_eligible(self, eligible: frozenset[AuthorId] | None) -> None:
        """Whose deltas count; None: anyone's."""
        if eligible != self._eligible:
            self._eligible = eligible
            self._aggregates.clear()
            self._selected.clear()

    def set_agreed(self, agreed: Mapping[int, Iterable[EnvelopeId]]) -> None:
        """S(w) as Minutes list it, by window: from then on these deltas count and no others."""
        for window in agreed:
            if window not in self._agreed:
                self._agreed[window] = frozenset(agreed[window])
                self._changed(window)

    def agreed(self, window: int) -> frozenset[EnvelopeId] | None:
        """The agreed deltas of a window, or None."""
        return self._agreed.get(window)

    def over(self, current: int) -> dict[int, tuple[EnvelopeId, ...]]:
        """Held deltas of the window that ended a whole window ago: whoever wanted to release, has."""
        window = current - WINDOWS_HELD
        chosen = self._select(window) if window in self._windows else ()
        return {window: tuple(item.id for item in chosen)} if chosen else {}

    @property
    def eligible(self) -> frozenset[AuthorId] | None:
        """Whose deltas count."""
        return self._eligible

    def add(self, envelope: Admitted, current: int) -> bool:
        """Hold a delta. False if it changes nothing or is of a window too old or too far ahead."""
        window = envelope.payload.window
        self._current = max(self._current, current)
        if not current - WINDOWS_KEPT <= window <= current + 1:
            return False
        authors = self._windows.setdefault(window, {})
        held = authors.setdefault(envelope.author, {})
        if envelope.id in held or len(held) >= DELTAS_PER_AUTHOR_MAX or len(authors) > ROLL_MAX:
            return False
        held[envelope.id] = envelope
        self._changed(window)
        return True

    def retire(self, current: int) -> None:
        """Let go of windows that are over."""
        self._current = current
        for window in [w for w in self._windows if not current - WINDOWS_KEPT <= w <= current + 1]:
            del self._windows[window]
            self._changed(window)

    def windows(self) -> tuple[int, ...]:
        """Windows with deltas that count for what is learnt, newest first."""
        recent = [window for window in self._windows if window >= self._current - WINDOWS_HELD]
        return tuple(sorted(recent, reverse=True))

    def count(self, window: int) -> int:
        """Authors whose deltas of ``window`` count."""
        return len(self._select(window))

    def find(self, window: int, author: AuthorId) -> Admitted | None:
        """The delta of one author, if there is exactly one."""
        held = list(self._windows.get(window, {}).get(author, {}).values())
        return held[0] if len(held) == 1 else None

    def equivocators(self, window: int) -> tuple[AuthorId, ...]:
        """Authors of two different deltas."""
        return tuple(sorted(a for a, held in self._windows.get(window, {}).items() if len(held) > 1))

    def compute_aggregate(self, window: int) -> Aggregate | Refused:
        """What the held deltas of ``window`` say together."""
        found = self._aggregates.get(window)
        if found is None and self.missing(window):
            return Refused(Reason.NOTHING_NEW, f"{self.missing(window)} agreed deltas are not held yet")
        if found is None:
            found = aggregate(self._select(window), window, self._law, self._network)
            self._aggregates[window] = found
        return found

    def missing(self, window: int) -> int:
        """How many agreed deltas of a window are not held."""
        held = {name for both in self._windows.get(window, {}).values() for name in both}
        return len(self._agreed.get(window, frozenset()) - held)

    def _changed(self, window: int) -> None:
        self._aggregates.pop(window, None)
        self._selected.pop(window, None)

    def _select(self, window: int) -> tuple[Admitted, ...]:
        """S(w) as far as it is held; looked for once until something changes, as every tick asks."""
        found = self._selected.get(window)
        if found is None:
            found = self._look(window)
            if window in self._windows:
                self._selected[window] = found
        return found

    def _look(self, window: int) -> tuple[Admitted, ...]:
        held = [e for both in self._windows.get(window, {}).values() for e in both.values()]
        agreed = self._agreed.get(window)
        if agreed is None:
            return select(held, window, self._law, self._layout.id, self._eligible)
        listed = [envelope for envelope in held if envelope.id in agreed]
        return select(listed, window, self._law, self._layout.id, None)
