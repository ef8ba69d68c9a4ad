"""What happened before this node watched, as an owner let it be read: counted once, never as a trial.

Refuses to count a stretch of time of one source twice, and to let the past reach into the present's windows:
the clocks of then and of now cannot be compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from luminous.node.core.causes.crossover import Crossover
from luminous.node.core.causes.graph import Names
from luminous.node.core.causes.relations import CAUSAL, Link
from luminous.node.core.causes.why import WhyAnswer
from luminous.protocol.codec import Value

# Events of one handing over and sources ever known. Stop a damaged record from filling memory.
EVENTS_MAX = 2_000
SOURCES_MAX = 16
FOLLOWED_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One thing that happened: when (wall ms), where it was read, and the kind of event it is."""

    wall_ms: int
    source: str
    name: str


@dataclass(slots=True)
class Covered:
    """For each source the stretch of time [from, until) in wall ms that was counted already."""

    spans: dict[str, tuple[int, int]] = field(default_factory=dict)

    def fresh(self, events: Iterable[PastEvent], read: Mapping[str, tuple[int, int]]) -> list[PastEvent]:
        """Events inside what was `read` now and outside what was counted before, in order of time; what was
        read counts as covered from now on."""
        found = [
            event
            for event in events
            if _holds(read.get(event.source), event.wall_ms)
            and not _holds(self.spans.get(event.source), event.wall_ms)
        ]
        for source in sorted(read):
            if source in self.spans or len(self.spans) < SOURCES_MAX:
                start, end = self.spans.get(source, read[source])
                self.spans[source] = (min(start, read[source][0]), max(end, read[source][1]))
        return sorted(found, key=lambda event: (event.wall_ms, event.source, event.name))[:EVENTS_MAX]

    def facts(self) -> Value:
        """As plain values for a snapshot."""
        rows: list[Value] = []
        for source in sorted(self.spans):
            row: list[Value] = [source, *self.spans[source]]
            rows.append(row)
        return rows

    def restore(self, rows: Value) -> None:
        """Take back ``facts``; a snapshot of before there was a past holds none."""
        self.spans = {}
        for row in rows if isinstance(rows, list) else ():
            assert isinstance(row, list)
            source, start, end = row
            assert isinstance(source, str) and isinstance(start, int) and isinstance(end, int)
            self.spans[source] = (start, end)


def count_past(counts: Crossover, names: Names, events: Sequence[PastEvent]) -> int:
    """Count events in order of time as a stretch of its own; how many were counted."""
    counts.new_boot()
    counted = 0
    for event in events:
        kind = names.intern(event.name)
        if kind is not None:
            counts.add(kind, event.wall_ms)
            counted += 1
    if events:
        counts.advance(events[-1].wall_ms + 3 * 3_600_000)  # the last windows are over too
    counts.new_boot()
    return counted


def tell_unseen(
    question: str, node: int | None, names: Names, counts: Crossover, links: Sequence[Link]
) -> WhyAnswer:
    """About an event that did not happen since the node started: what is known of it from before.

    What came before one occurrence is forgotten; how often it followed something else was counted.
    """
    times = 0 if node is None else max(counts.occurrences.get(node, (0,)))
    if node is None or times == 0:
        text = "I don't know: I have seen no event like that on this machine since it started."
        return WhyAnswer(question, "", False, text, (), ())
    name = names.names[node]
    text = (
        f"I don't know why {name} happened: it has not since this node started, only before ({times} times)."
    )
    followed = [link for link in links if link.effect == node and link.relation in CAUSAL]
    for link in sorted(followed, key=lambda link: -link.counts.cases)[:FOLLOWED_SHOWN_MAX]:
        seen = link.counts
        text += (
            f" It followed {names.names[link.cause]} in {seen.cases} of {seen.n} cases and came in"
            f" {seen.controls} of {2 * seen.n} other moments; this was watched, never tried."
        )
    return WhyAnswer(question, name, False, text, (), ())


def read_past(facts: Mapping[str, Value]) -> tuple[list[PastEvent], dict[str, tuple[int, int]]]:
    """{events: [[wall_ms, source, name]…], read: {source: [from_ms, until_ms]}}, as the shell hands it."""
    events, read = facts["events"], facts["read"]
    assert isinstance(events, list) and isinstance(read, dict)
    spans: dict[str, tuple[int, int]] = {}
    for source, span in read.items():
        assert isinstance(source, str) and isinstance(span, list)
        start, end = span
        assert isinstance(start, int) and isinstance(end, int)
        spans[source] = (start, end)
    found = []
    for row in events:
        assert isinstance(row, list)
        wall_ms, where, name = row
        assert isinstance(wall_ms, int) and isinstance(where, str) and isinstance(name, str)
        found.append(PastEvent(wall_ms, where, name))
    return found, spans


def _holds(span: tuple[int, int] | None, wall_ms: int) -> bool:
    return span is not None and span[0] <= wall_ms < span[1]
