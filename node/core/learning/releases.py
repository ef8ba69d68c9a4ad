"""The releases of one author: when one is due, whether it may leave, and what it says.

Refuses to release without consent, twice for one window, without a charge, by a clock it cannot trust, or
when it would not help.
"""

from luminous.crypto.digest import digest
from luminous.crypto.entropy import Entropy
from luminous.node.core.instant import Instant
from luminous.node.core.learning.clock import Clock
from luminous.node.core.learning.ledger import Charge, Ledger
from luminous.node.core.learning.pool import Pool
from luminous.node.core.learning.release import (
    build_noised,
    build_public,
    compute_cosine,
    compute_norm_milli,
    refuse_if_useless,
)
from luminous.node.core.outcomes import Emit, Outcome, Tell
from luminous.protocol.codec import Value
from luminous.protocol.deltas import Delta, LearningLaw, Level, compute_window
from luminous.protocol.identifiers import AuthorId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import Layout
from luminous.protocol.reasons import Reason, Refused

OFFSET_MS_MAX = 6 * 3600 * 1000
RETRY_MS = 10 * 60 * 1000

Counts = tuple[int, ...]


class Releases:
    """Consent, ledger, clock and the fixed offset at which this author releases after a window's end."""

    def __init__(
        self,
        network: NetworkId,
        author: AuthorId,
        law: LearningLaw,
        layout: Layout,
        entropy: Entropy,
        epsilon_milli: int,
    ) -> None:
        self._network, self._law, self._layout, self._entropy = network, law, layout, entropy
        self.ledger = Ledger(law, epsilon_milli)
        self.clock = Clock()
        self.level, self._consented_ms = Level.LOCAL_ONLY, 0
        self.refusal: tuple[int, Refused] | None = None  # the newest window not released, and why
        self.next_at_ms: int | None = None
        span = max(1, min(law.window_ms // 10, OFFSET_MS_MAX))
        self._offset_ms = int.from_bytes(digest("release-offset", network, author)[:8], "big") % span

    def consent(self, level: Level, wall_ms: int) -> None:
        """The user's choice, from the window that runs at ``wall_ms`` on."""
        if level == Level.LOCAL_ONLY or self.level == Level.LOCAL_ONLY:
            self._consented_ms = wall_ms
        self.level, self.refusal, self.next_at_ms = (
            level,
            None,
            None if level == Level.LOCAL_ONLY else wall_ms,
        )

    def _due(self, wall_ms: int) -> int:
        """The newest window whose release is due: its end plus this author's fixed offset has passed."""
        return (wall_ms - self._offset_ms) // self._law.window_ms - 1

    def _first(self) -> int:
        """The first window that consent covers and that has not been released."""
        return max(compute_window(self._consented_ms, self._law), self.ledger.newest_window + 1)

    def _date(self, window: int) -> int:
        """When this author releases ``window``."""
        return (window + 1) * self._law.window_ms + self._offset_ms

    def release(self, counts: Counts, pool: Pool, at: Instant) -> tuple[Outcome, ...]:
        """The Emit of the window that is due, or why there is none (told once a window), or nothing."""
        if self.level == Level.LOCAL_ONLY:
            return ()
        window = self._due(at.wall_ms)
        self.next_at_ms = self._date(max(window + 1, self._first()))
        if window < self._first():
            return ()
        charge = self.ledger.make_charge(window, self.level, at.wall_ms)
        refusal = self._refuse(charge, pool, at)
        if refusal is None:
            self.ledger.add(charge)
            self.refusal = None
            return (Emit(Kind.DELTA, self._build(window, counts), charge=charge.pack()),)
        if refusal.reason == Reason.NO_BUDGET:
            self.next_at_ms = min(self.next_at_ms, max(at.wall_ms + 1, self.ledger.frees_at(charge)))
        elif refusal.reason == Reason.CLOCK:
            self.next_at_ms = min(self.next_at_ms, at.wall_ms + RETRY_MS)
        former, self.refusal = self.refusal, (window, refusal)
        if former is not None and former[0] == window and former[1].reason == refusal.reason:
            return ()
        return (Tell("learning.not_released", {"window": window, "why": refusal.detail}),)

    def _refuse(self, charge: Charge, pool: Pool, at: Instant) -> Refused | None:
        refusal = self.clock.refuse(at, self.ledger.newest_wall_ms) or self.ledger.refuse(charge)
        if refusal is None and charge.level == Level.DIFFERENTIAL:
            refusal = refuse_if_useless(_expect(charge.window, pool), self._law, charge.noise_milli)
        return refusal

    def _build(self, window: int, counts: Counts) -> Delta:
        if self.level == Level.PUBLIC:
            return build_public(counts, window, self._layout)
        noise = self.ledger.noise_milli
        return build_noised(counts, window, self._layout, self._law, self._network, noise, self._entropy)

    def preview(self, counts: Counts, pool: Pool, at: Instant) -> dict[str, Value]:
        """What the next release would say and cost, before noise. Draws no chance, sends nothing."""
        window = max(self._due(at.wall_ms), self._first())
        due_ms = self._date(window)
        facts: dict[str, Value] = {"level": self.level.name, "window": window, "due_at_ms": due_ms}
        if self.level == Level.LOCAL_ONLY:
            return facts | {"leaves": "nothing: no consent to learning"}
        charge = self.ledger.make_charge(window, self.level, due_ms)
        expected = _expect(window, pool)
        refusal = self.ledger.refuse(charge)
        if refusal is None and self.level == Level.DIFFERENTIAL:
            refusal = refuse_if_useless(expected, self._law, charge.noise_milli)
        return facts | {
            "counts": [
                [*pair, counts[2 * j], counts[2 * j + 1]]
                for j, pair in enumerate(self._layout.pairs)
                if counts[2 * j] or counts[2 * j + 1]
            ],
            "norm_milli": compute_norm_milli(counts),
            "noise_milli": charge.noise_milli,
            "cost_nano": charge.cost_nano,
            "contributors_expected": expected,
            "cosine_milli": int(1000 * compute_cosine(expected, self._law.dimension, charge.noise_milli)),
            "refusal": refusal.detail if refusal else None,
        }


def _expect(window: int, pool: Pool) -> int:
    """Contributors to expect: the most of this window and the two before it. When nobody has released
    for so long, every member: else a network that fell silent would stay silent."""
    heard = max(pool.count(w) for w in (window, window - 1, window - 2))
    return heard or len(pool.eligible or ())
