"""Bans that outlive the process: the ledger's in memory, the book's on disk, kept the same.

Refuses to judge: the ledger bans for offences, an operator for his own reasons; this only remembers.
"""

import time

import trio

from luminous.node.shell.guards import PeerLedger
from luminous.node.shell.peer_book import Ban, PeerBook

FOR_EVER_S = float("inf")


class KeptBans:
    """The bans of one transport. The ledger's clock is ``trio.current_time``."""

    def __init__(self, ledger: PeerLedger, book: PeerBook) -> None:
        self._ledger = ledger
        self._book = book

    def recall(self) -> None:
        """Tell the ledger what the book knows, and from now on the book what the ledger decides."""
        now_s, wall_ms = trio.current_time(), _wall_ms()
        for ban in self._book.bans(wall_ms):
            left_s = FOR_EVER_S if ban.until_ms is None else (ban.until_ms - wall_ms) / 1000
            self._ledger.ban(ban.peer, ban.reason, now_s, left_s)
        self._ledger.on_ban = self._keep

    def _keep(self, peer: str, reason: str, duration_s: float) -> None:
        self._book.ban(lasting(peer, reason, duration_s))

    def lift(self, peer: str) -> bool:
        """Lift a ban; False if there was none."""
        was_banned = bool(self._ledger.banned(peer, trio.current_time()))
        self._ledger.pardon(peer)
        return self._book.pardon(peer) or was_banned


def lasting(peer: str, reason: str, duration_s: float) -> Ban:
    """A ban from now on; infinite ``duration_s``: until it is lifted."""
    return Ban(peer, reason, None if duration_s == FOR_EVER_S else _wall_ms() + int(duration_s * 1000))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
