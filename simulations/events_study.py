"""Streams of events with planted causes, to find out what discovery finds.

A user who is now active, now away, drives every kind of event alike: the strongest confounder there is.
Planted are direct causes (chains among them), common causes, weak causes, inhibition and a pair that causes
each other. Refuses to be taken for the field: it is a model's regression test, no user's machine.
"""

from dataclasses import dataclass
from math import log

from luminous.crypto.entropy import SeededEntropy

KINDS = 40
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted cause: after ``cause``, with ``chance``, ``effect`` follows after about ``lag_ms``."""

    cause: int
    effect: int
    chance: float
    lag_ms: int
    kind: str


@dataclass(frozen=True, slots=True)
class Stream:
    """Events in order of time as (at_ms, kind, active), and the truth about them."""

    events: tuple[tuple[int, int, bool], ...]
    planted: tuple[Planted, ...]
    inhibited: tuple[tuple[int, int], ...]
    hidden: tuple[tuple[int, int], ...]

    @property
    def edges(self) -> frozenset[tuple[int, int]]:
        """Every true cause and effect."""
        return frozenset([(p.cause, p.effect) for p in self.planted] + list(self.inhibited))

    def indirect(self) -> frozenset[tuple[int, int]]:
        """Pairs that a chain joins and that are no causes themselves."""
        direct = self.edges
        found = [
            (p.cause, q.effect)
            for p in self.planted
            for q in self.planted
            if p.effect == q.cause and p.cause != q.effect
        ]
        return frozenset(pair for pair in found if pair not in direct)

    def confounded(self) -> frozenset[tuple[int, int]]:
        """Pairs that only a common cause joins."""
        direct = self.edges
        found = [
            (p.effect, q.effect)
            for p in self.planted
            for q in self.planted
            if p.cause == q.cause and p.effect != q.effect
        ]
        return frozenset(pair for pair in found if pair not in direct)


class _Chance:
    """Numbers from a seeded stream: simulations use the project's own, never the process's."""

    def __init__(self, seed: int, label: str) -> None:
        self._entropy = SeededEntropy(f"events/{seed}/{label}".encode())

    def unit(self) -> float:
        return (int.from_bytes(self._entropy.take(6), "big") + 0.5) / 2**48

    def wait(self, mean: float) -> float:
        return -mean * log(self.unit())

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.unit()


def plan(seed: int) -> tuple[tuple[Planted, ...], tuple[tuple[int, int], ...]]:
    """23 causes among 40 kinds: 8 in chains, 8 of common causes, 3 weak, 2 inhibitory, a pair both ways."""
    chance = _Chance(seed, "plan")

    def lag() -> int:
        return round(chance.between(1_000, 20_000))

    planted: list[Planted] = []
    for chain in range(4):  # kinds 0..11: a -> m -> b
        a, m, b = 3 * chain, 3 * chain + 1, 3 * chain + 2
        planted.append(Planted(a, m, chance.between(0.7, 0.95), lag(), "chain"))
        planted.append(Planted(m, b, chance.between(0.7, 0.95), lag(), "chain"))
    for common in range(4):  # kinds 12..23: c -> a, c -> b
        c = 12 + 3 * common
        planted.append(Planted(c, c + 1, chance.between(0.6, 0.9), lag(), "common"))
        planted.append(Planted(c, c + 2, chance.between(0.6, 0.9), lag(), "common"))
    for weak in range(3):  # kinds 24..29
        planted.append(Planted(24 + 2 * weak, 25 + 2 * weak, 0.3, lag(), "weak"))
    planted.append(Planted(34, 35, 0.7, lag(), "pair"))
    planted.append(Planted(35, 34, 0.7, lag(), "pair"))
    return tuple(planted), ((30, 31), (32, 33))


def generate(
    seed: int, days: int, loss: float = 0.0, hidden: int = 0, clock_ms: int = 1, null: bool = False
) -> Stream:
    """A stream of ``days``. ``loss``: share of events never seen; ``hidden``: common causes that leave no
    events (kinds 12, 15, …); ``clock_ms``: how coarse the stamps are; ``null``: nothing causes anything."""
    planted, inhibited = plan(seed)
    if null:
        planted, inhibited = (), ()
    rates = _Chance(seed, "rates")
    per_hour = [rates.between(0.15, 0.75) for _ in range(KINDS)]
    if not null:
        for kind in (31, 33):  # what is inhibited must be frequent, else its absence says nothing
            per_hour[kind] = 8.0
    bouts = _bouts(_Chance(seed, "user"), days * 24 * HOUR_MS)
    spontaneous = _spontaneous(_Chance(seed, "base"), per_hour, bouts)
    events = _react(_Chance(seed, "effects"), spontaneous, planted, inhibited)
    lost = _Chance(seed, "loss")
    unseen = tuple(12 + 3 * index for index in range(hidden))
    kept = [
        (at_ms // clock_ms * clock_ms, kind, active)
        for at_ms, kind, active in events
        if kind not in unseen and lost.unit() >= loss
    ]
    kept.sort()
    confounded = tuple((kind + 1, kind + 2) for kind in unseen)
    seen = tuple(p for p in planted if p.cause not in unseen)
    return Stream(tuple(kept), seen, inhibited, confounded)


def _bouts(chance: _Chance, end_ms: int) -> list[tuple[int, int, float]]:
    """(start, end, activity): away at 0.1 of the rates, active at 2, for about an hour or two each."""
    found, at, active = [], 0.0, False
    while at < end_ms:
        stay = chance.wait((1.0 if active else 2.0) * HOUR_MS)
        found.append((int(at), int(min(end_ms, at + stay)), 2.0 if active else 0.1))
        at, active = at + stay, not active
    return found


def _spontaneous(
    chance: _Chance, per_hour: list[float], bouts: list[tuple[int, int, float]]
) -> list[tuple[int, int, bool]]:
    found = []
    for start, end, activity in bouts:
        for kind, rate in enumerate(per_hour):
            mean_ms = HOUR_MS / (rate * activity)
            at = start + chance.wait(mean_ms)
            while at < end:
                found.append((int(at), kind, activity > 1))
                at += chance.wait(mean_ms)
    found.sort()
    return found


def _react(
    chance: _Chance,
    events: list[tuple[int, int, bool]],
    planted: tuple[Planted, ...],
    inhibited: tuple[tuple[int, int], ...],
) -> list[tuple[int, int, bool]]:
    effects: dict[int, list[Planted]] = {}
    for cause in planted:
        effects.setdefault(cause.cause, []).append(cause)
    found, queue = [], [(*event, 0) for event in events]
    while queue:
        follow: list[tuple[int, int, bool, int]] = []
        for at_ms, kind, active, depth in queue:
            found.append((at_ms, kind, active))
            for cause in effects.get(kind, ()):
                if depth < 4 and chance.unit() < cause.chance:
                    lag = chance.between(0.5, 1.5) * cause.lag_ms
                    follow.append((at_ms + int(lag), cause.effect, active, depth + 1))
        queue = follow
    found.sort()
    last: dict[int, int] = {}
    quiet = {effect: cause for cause, effect in inhibited}
    kept = []
    for at_ms, kind, active in found:
        last[kind] = at_ms
        cause_kind = quiet.get(kind)
        if cause_kind is not None and at_ms - last.get(cause_kind, -HOUR_MS) < 90_000 and chance.unit() < 0.9:
            continue
        kept.append((at_ms, kind, active))
    return kept
