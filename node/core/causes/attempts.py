"""Attempts at a fix as interventions: what a person changed between a failure and the next run, and how it
ended.

An attempt succeeded when the same command succeeds, or when its failure has been gone for 24 hours of use; it
failed when its failure came back. Refuses to call a change an attempt that left the failure's class unknown,
to count waiting without use as success, and to grow.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from luminous.crypto.digest import digest

GONE_MS = 24 * 3600 * 1000
# A failure that was neither seen nor could have been seen for this long says nothing about its fix.
GIVEN_UP_MS = 7 * 24 * 3600 * 1000
# Commands that fail at one time, and attempts that wait. Stop a failing loop from filling memory.
EPISODES_MAX = 64
WAITING_MAX = 64
OFFERS_MAX = 8
_NOISE = re.compile(r"(?<=/)[0-9a-z]{32}-|\bsha(?:256|512)[-:]\S+|\b[0-9a-f]{32,64}\b|\b[0-9a-z]{52}\b|:\d+")


@dataclass(frozen=True, slots=True)
class Attempt:
    """do(``fix``) for one failure. ``place``: 1 for the first fix tried in its episode;
    ``propensity_milli``: the chance, in thousandths, with which it was offered first (0: it was not offered).
    ``mark`` names the failure, ``key`` the command; both stay here.
    """

    key: str
    mark: str
    class_id: str
    fix: str
    place: int
    propensity_milli: int
    tried_ms: int
    was_used: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended: ``why`` is `command`, `gone`, `back` or `replaced`."""

    attempt: Attempt
    is_success: bool
    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """One run of a command that ended. ``mark`` and ``class_id`` are "" when it succeeded or is unknown.

    ``changed``: the kind of change since its failure before, "" when there was none to compare with.
    ``offers``: (fix, chance in thousandths) as shown after this failure.
    """

    key: str
    at_ms: int
    is_success: bool
    mark: str = ""
    class_id: str = ""
    changed: str = ""
    offers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Episode:
    """A command that fails now: with what, what was offered, and the fix that is being tried."""

    mark: str
    class_id: str
    places: int
    offers: tuple[tuple[str, int], ...]
    attempt: Attempt | None


def mark_of(signature: str, said: str) -> str:
    """One failure, finer than its signature: the names in the line that it said count, hashes do not."""
    return digest("failure", signature.encode(), _NOISE.sub("", said).encode())[:8].hex() if signature else ""


class Attempts:
    """Episodes by command, and attempts whose failure went away but whose command does not work yet."""

    def __init__(self) -> None:
        self.episodes: dict[str, Episode] = {}
        self.waiting: list[Attempt] = []

    def end(self, run: Ended) -> tuple[Verdict, ...]:
        """A command ended: the attempts that this decides. Times that run backwards count as no time."""
        verdicts = [*self._settle(run.at_ms), *self._judge_waiting(run)]
        episode = self.episodes.pop(run.key, None)
        attempt = episode.attempt if episode else None
        places = episode.places if episode else 0
        is_fresh = episode is not None and bool(episode.class_id and run.changed)
        if episode is not None and is_fresh and (attempt is None or attempt.fix != run.changed):
            if attempt is not None:
                verdicts.append(Verdict(attempt, False, "replaced"))
            places += 1
            attempt = Attempt(
                run.key, episode.mark, episode.class_id, run.changed, places,
                dict(episode.offers).get(run.changed, 0), run.at_ms,
            )  # fmt: skip
        if run.is_success:
            if attempt is not None:
                verdicts.append(Verdict(attempt, True, "command"))
            return tuple(verdicts)
        if episode is not None and attempt is not None and run.mark != episode.mark:
            # Another failure: this one is gone, if it stays away.
            self.waiting.append(replace(attempt, tried_ms=run.at_ms))
            del self.waiting[:-WAITING_MAX]
            attempt, places = None, 0
        self.episodes[run.key] = Episode(run.mark, run.class_id, places, run.offers[:OFFERS_MAX], attempt)
        for key in list(self.episodes)[: max(0, len(self.episodes) - EPISODES_MAX)]:
            del self.episodes[key]
        return tuple(verdicts)

    def _settle(self, at_ms: int) -> list[Verdict]:
        """What time alone decides."""
        found, still = [], []
        for attempt in self.waiting:
            age_ms = at_ms - attempt.tried_ms
            if age_ms >= GONE_MS and attempt.was_used:
                found.append(Verdict(attempt, True, "gone"))
            elif age_ms < GIVEN_UP_MS:
                still.append(attempt)
        self.waiting = still
        return found

    def _judge_waiting(self, run: Ended) -> list[Verdict]:
        """What this run decides about failures that went away."""
        found, still = [], []
        for attempt in self.waiting:
            if run.mark and run.mark == attempt.mark:
                found.append(Verdict(attempt, False, "back"))
            elif run.is_success and run.key == attempt.key:
                found.append(Verdict(attempt, True, "command"))
            else:
                still.append(replace(attempt, was_used=True))
        self.waiting = still
        return found

    def facts(self) -> dict[str, object]:
        """Everything, as plain values to keep."""
        return {
            "episodes": [
                [
                    key, e.mark, e.class_id, e.places, [list(offer) for offer in e.offers],
                    _row(e.attempt) if e.attempt else None,
                ]
                for key, e in self.episodes.items()
            ],
            "waiting": [_row(attempt) for attempt in self.waiting],
        }  # fmt: skip

    def restore(self, facts: Mapping[str, object]) -> None:
        """Take back what ``facts`` gave. Raises ValueError for anything else; then nothing is taken."""
        episodes, waiting = facts.get("episodes"), facts.get("waiting")
        if not isinstance(episodes, list) or not isinstance(waiting, list):
            raise ValueError("not attempts")
        taken: dict[str, Episode] = {}
        for row in episodes[-EPISODES_MAX:]:
            key, mark, class_id, places, offers, attempt = _sized(row, 6)
            chances = tuple((_text(fix), _number(chance)) for fix, chance in map(_pair, _list(offers)))
            taken[_text(key)] = Episode(
                _text(mark), _text(class_id), _number(places), chances[:OFFERS_MAX],
                None if attempt is None else _attempt(attempt),
            )  # fmt: skip
        self.waiting = [_attempt(row) for row in waiting[-WAITING_MAX:]]
        self.episodes = taken


def _row(attempt: Attempt) -> list[object]:
    a = attempt
    return [a.key, a.mark, a.class_id, a.fix, a.place, a.propensity_milli, a.tried_ms, a.was_used]


def _attempt(row: object) -> Attempt:
    key, mark, class_id, fix, place, propensity_milli, tried_ms, was_used = _sized(row, 8)
    words = (_text(key), _text(mark), _text(class_id), _text(fix))
    return Attempt(*words, _number(place), _number(propensity_milli), _number(tried_ms), was_used is True)


def _sized(row: object, size: int) -> Sequence[object]:
    found = _list(row)
    if len(found) != size:
        raise ValueError("not an attempt")
    return found


def _pair(row: object) -> tuple[object, object]:
    first, second = _sized(row, 2)
    return first, second


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError("not a name")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError("not a number")
    return value
