"""Case-crossover counts: each occurrence of a cause is its own control.

For an occurrence of ``a`` at t and a window W: was ``b`` seen in (t, t+W], and in the controls (t-3W, t-2W]
and (t+2W, t+3W]? A user who works all morning raises both alike, so activity cancels out (Maclure 1991,
bidirectional by Navidi 1998). Kept online as integers; raw events are forgotten after six windows.

Refuses to conclude: it counts; ``relations`` judges.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import chain

WINDOWS_MS: tuple[int, ...] = (10_000, 60_000, 300_000, 3_600_000)
# Beyond an hour's window nothing is told apart from the rhythm of the day, so it is not counted.
HORIZON_MS = 6 * WINDOWS_MS[-1]
# Raw events held. Stops a log storm from filling memory; the oldest go first.
EVENTS_MAX = 20_000
# Ordered pairs counted. Stops a machine with very many kinds of events; the least telling go first.
PAIRS_MAX = 200_000
# Candidate causes of one effect that are looked at closely (stratified counts).
PARENTS_MAX = 20
# A pair this many standard deviations from its controls is looked at closely (its rivals are counted).
CLOSE_LOOK_AT = 3.0
CLOSE_LOOK_CASES = 3
# The hour's window is counted but never looked at closely: within an hour the rhythm of a day confounds.
CLOSE_WINDOWS = 3
CONTEXTS_MAX = 4
WIDTH = 2 * len(WINDOWS_MS)
LAG_BINS = 8


@dataclass(frozen=True, slots=True)
class Counts:
    """What was seen of one pair in one window: ``cases`` of ``n`` effect windows, ``controls`` of 2n."""

    n: int
    cases: int
    controls: int

    @property
    def risk_difference(self) -> float:
        """How much likelier the effect is after the cause than away from it."""
        return 0.0 if self.n == 0 else self.cases / self.n - self.controls / (2 * self.n)


class Crossover:
    """Online counts over events given as (kind index, milliseconds)."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._kinds: list[int] = []
        self._contexts: list[int] = []
        self._next = [0] * len(WINDOWS_MS)
        self._now_ms = -HORIZON_MS
        self._last: dict[tuple[int, int], int] = {}
        self.occurrences: dict[int, list[int]] = {}
        self.pairs: dict[tuple[int, int], list[int]] = {}
        self.children: dict[int, dict[int, None]] = {}
        self.parents: dict[int, dict[int, None]] = {}
        self.without: dict[tuple[int, int, int], list[int]] = {}
        self.by_context: dict[tuple[int, int, int], list[int]] = {}
        self.lags: dict[tuple[int, int], list[int]] = {}
        self.dropped = 0

    def add(self, kind: int, at_ms: int, context: int = 0) -> None:
        """Take one event. Late ones are put in their place while their windows are still open."""
        assert 0 <= context < CONTEXTS_MAX
        times = self._times
        if at_ms <= self._now_ms - 3 * WINDOWS_MS[0]:
            self.dropped += 1  # its shortest windows are closed
            return
        if not times or at_ms >= times[-1]:
            times.append(at_ms)
            self._kinds.append(kind)
            self._contexts.append(context)
        else:
            place = bisect_right(times, at_ms)
            times.insert(place, at_ms)
            self._kinds.insert(place, kind)
            self._contexts.insert(place, context)
        if len(times) > EVENTS_MAX:
            self._trim(len(times) - EVENTS_MAX)
        self.advance(times[-1])

    def advance(self, now_ms: int) -> None:
        """Count every occurrence whose windows have closed by ``now_ms``."""
        self._now_ms = now_ms = max(now_ms, self._now_ms)
        times = self._times
        for window, width in enumerate(WINDOWS_MS):
            place, limit = self._next[window], now_ms - 3 * width
            while place < len(times) and times[place] <= limit:
                self._count(place, window, width)
                place += 1
            self._next[window] = place
        if times and times[0] < now_ms - 2 * HORIZON_MS:
            self._trim(bisect_left(times, now_ms - HORIZON_MS))

    def new_boot(self) -> None:
        """Close all windows unseen: monotonic times of two boots cannot be compared."""
        self._times.clear()
        self._kinds.clear()
        self._contexts.clear()
        self._last.clear()
        self._now_ms = -HORIZON_MS
        self._next = [0] * len(WINDOWS_MS)

    def counts(self, cause: int, effect: int, window: int) -> Counts:
        """The counts of a pair in one window."""
        row = self.pairs.get((cause, effect))
        n = self.occurrences.get(cause, _ZERO)[window]
        return Counts(n, 0, 0) if row is None else Counts(n, row[2 * window], row[2 * window + 1])

    def counts_without(self, cause: int, effect: int, rival: int, window: int) -> Counts:
        """The counts of a pair over occurrences with no ``rival`` within a window of them."""
        row = self.without.get((cause, effect, rival))
        return Counts(0, 0, 0) if row is None else Counts(*row[3 * window : 3 * window + 3])

    def counts_in(self, cause: int, effect: int, context: int) -> Counts:
        """The counts of a pair in one context, in the 60 s window."""
        row = self.by_context.get((cause, effect, context))
        return Counts(0, 0, 0) if row is None else Counts(*row)

    def halve(self) -> None:
        """Forget half: what was true a month ago weighs half as much."""
        for row in chain(
            self.occurrences.values(),
            self.pairs.values(),
            self.without.values(),
            self.by_context.values(),
            self.lags.values(),
        ):
            row[:] = [count >> 1 for count in row]

    def _count(self, place: int, window: int, width: int) -> None:
        times, kinds = self._times, self._kinds
        cause, at = kinds[place], times[place]
        key = (cause, window)
        if at - self._last.get(key, -width) < width:
            return  # a storm of one kind is one occurrence, else its repetitions would be proof
        self._last[key] = at
        rows = self.occurrences.get(cause)
        if rows is None:
            rows = self.occurrences[cause] = [0] * len(WINDOWS_MS)
        rows[window] += 1
        after = bisect_right(times, at + width, place)
        case = dict.fromkeys(kinds[place + 1 : after])
        low, high = (
            bisect_right(times, at - 3 * width, 0, place),
            bisect_right(times, at - 2 * width, 0, place),
        )
        before = dict.fromkeys(kinds[low:high])
        low, high = bisect_right(times, at + 2 * width, after), bisect_right(times, at + 3 * width, after)
        later = dict.fromkeys(kinds[low:high])
        column = 2 * window
        for effect in case:
            if effect != cause:
                self._row(cause, effect)[column] += 1
        for control in (before, later):
            for effect in control:
                if effect != cause:
                    self._row(cause, effect)[column + 1] += 1
        children = self.children.get(cause)
        if children and window < CLOSE_WINDOWS:
            # A common cause may have come before the window: it is looked for in the next wider one.
            reach = WINDOWS_MS[min(window + 1, CLOSE_WINDOWS - 1)]
            near = dict.fromkeys(kinds[bisect_right(times, at - reach, 0, place) : place])
            near.update(case)
            self._stratify(cause, children, window, case, before, later, near)
            if window == 1:
                self._context_and_lags(place, after, children, case, before, later)

    def _row(self, cause: int, effect: int) -> list[int]:
        pair = (cause, effect)
        row = self.pairs.get(pair)
        if row is None:
            if len(self.pairs) >= PAIRS_MAX:
                self._forget_least_telling()
            row = self.pairs[pair] = [0] * WIDTH
        elif pair not in self.lags:
            for column in range(0, 2 * CLOSE_WINDOWS, 2):
                cases, controls = row[column], row[column + 1]
                gap = cases - controls / 2
                if cases + controls >= CLOSE_LOOK_CASES and gap * gap >= CLOSE_LOOK_AT**2 * (
                    cases + controls / 4
                ):
                    self._look_closely(cause, effect)
                    break
        return row

    def _look_closely(self, cause: int, effect: int) -> None:
        parents = self.parents.setdefault(effect, {})
        if len(parents) >= PARENTS_MAX:
            weakest = min(parents, key=lambda parent: (self.excess(parent, effect), parent))
            if self.excess(cause, effect) <= self.excess(weakest, effect):
                return
            self._look_away(weakest, effect)
        parents[cause] = None
        self.children.setdefault(cause, {})[effect] = None
        self.lags[(cause, effect)] = [0] * LAG_BINS

    def _look_away(self, cause: int, effect: int) -> None:
        del self.parents[effect][cause]
        del self.children[cause][effect]
        del self.lags[(cause, effect)]
        for key in [key for key in self.without if key[1] == effect and cause in (key[0], key[2])]:
            del self.without[key]
        for context in range(CONTEXTS_MAX):
            self.by_context.pop((cause, effect, context), None)

    def excess(self, cause: int, effect: int) -> float:
        """How far a pair is from its controls, in standard deviations, in its most telling window."""
        row = self.pairs[(cause, effect)]
        best = 0.0
        for column in range(0, 2 * CLOSE_WINDOWS, 2):
            cases, controls = row[column], row[column + 1]
            if cases + controls:
                best = max(best, abs(cases - controls / 2) / (cases + controls / 4) ** 0.5)
        return best

    def _stratify(
        self,
        cause: int,
        children: dict[int, None],
        window: int,
        case: dict[int, None],
        before: dict[int, None],
        later: dict[int, None],
        near: dict[int, None],
    ) -> None:
        base = 3 * window
        for effect in children:
            seen = effect in case
            controls = (effect in before) + (effect in later)
            for rival in self.parents[effect]:
                if rival == cause or rival in near:
                    continue
                key = (cause, effect, rival)
                row = self.without.get(key)
                if row is None:
                    row = self.without[key] = [0] * (3 * CLOSE_WINDOWS)
                row[base] += 1
                row[base + 1] += seen
                row[base + 2] += controls

    def _context_and_lags(
        self,
        place: int,
        after: int,
        children: dict[int, None],
        case: dict[int, None],
        before: dict[int, None],
        later: dict[int, None],
    ) -> None:
        cause, at, context = self._kinds[place], self._times[place], self._contexts[place]
        for effect in children:
            row = self.by_context.setdefault((cause, effect, context), [0, 0, 0])
            row[0] += 1
            row[1] += effect in case
            row[2] += (effect in before) + (effect in later)
            if effect in case:
                lag = self._times[self._kinds.index(effect, place + 1, after)] - at
                self.lags[(cause, effect)][min(LAG_BINS - 1, (lag // 250).bit_length())] += 1

    def _forget_least_telling(self) -> None:
        ranked = sorted(
            (pair for pair in self.pairs if pair not in self.lags),
            key=lambda pair: (self.pairs[pair][2] - self.pairs[pair][3] / 2, pair),
        )
        for pair in ranked[: PAIRS_MAX // 10]:
            del self.pairs[pair]

    def _trim(self, count: int) -> None:
        if count <= 0:
            return
        del self._times[:count], self._kinds[:count], self._contexts[:count]
        self._next = [max(0, place - count) for place in self._next]


_ZERO = [0] * len(WINDOWS_MS)
