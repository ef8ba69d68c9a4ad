"""What one author may have heard by gossip: messages and bytes a minute, counted after the signature.

An author over quota is neither relayed nor heard now; nobody is blamed, and sync brings the records later, at
the pace of sync. Refuses to count what is not signed: else anybody could spend the quota of another.
"""

from collections import OrderedDict

from luminous.node.shell.guards import Bucket, Rate

# An author's ordinary life is some messages an hour; a burst is a whole election's ballots of one operator.
MESSAGES = Rate(10.0, 600.0)
BYTES = Rate(128 * 1024.0, 8 * 1024 * 1024.0)
# Authors remembered. Stops throw-away keys from filling memory; the peer quota bounds how fast they come.
AUTHORS_MAX = 4096


class AuthorQuotas:
    """Token buckets of authors, bounded. Time is an argument, in seconds of one monotonic clock."""

    def __init__(self, messages: Rate = MESSAGES, size_bytes: Rate = BYTES) -> None:
        self._messages = messages
        self._bytes = size_bytes
        self._held: OrderedDict[bytes, tuple[Bucket, Bucket]] = OrderedDict()
        self.refused = 0

    def allows(self, author: bytes, size_bytes: int, now_s: float) -> bool:
        """Take one message of ``author``; False, at no cost to the author, if it is over a quota."""
        buckets = self._held.get(author)
        if buckets is None:
            buckets = self._held[author] = (Bucket(self._messages, now_s), Bucket(self._bytes, now_s))
            if len(self._held) > AUTHORS_MAX:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(author)
        debts = (buckets[0].take(1, now_s), buckets[1].take(size_bytes, now_s))
        if max(debts) > 0:
            buckets[0].take(-1, now_s)
            buckets[1].take(-size_bytes, now_s)
            self.refused += 1
            return False
        return True
