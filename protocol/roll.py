"""The roll: who decides, and the arithmetic of how many are enough.

Refuses to admit anybody: the members are those of the genesis, in its order. One member, one vote.
"""

from dataclasses import dataclass, field

from luminous.protocol.identifiers import AuthorId
from luminous.protocol.limits import ROLL_MAX


def faulty_max(members: int) -> int:
    """f = ⌊(n-1)/3⌋: how many Byzantine members agreement survives; 0 for n < 4."""
    return max(0, (members - 1) // 3)


def quorum(members: int) -> int:
    """q = ⌊2n/3⌋+1: two quorums share more than f members. Equals n (all must agree) for n < 4."""
    return 2 * members // 3 + 1


@dataclass(frozen=True, slots=True)
class Roll:
    """The ordered members. ``index_of`` is their number in every bitmap and report."""

    members: tuple[AuthorId, ...]
    _index: dict[AuthorId, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        assert len(self.members) <= ROLL_MAX, "a roll larger than ROLL_MAX"
        self._index.update((author, number) for number, author in enumerate(self.members))
        assert len(self._index) == len(self.members), "a member twice on the roll"

    @property
    def size(self) -> int:
        """n"""
        return len(self.members)

    @property
    def faulty_max(self) -> int:
        """f"""
        return faulty_max(len(self.members))

    @property
    def quorum(self) -> int:
        """q"""
        return quorum(len(self.members))

    def index_of(self, author: AuthorId) -> int | None:
        """The member's number, or None for a stranger."""
        return self._index.get(author)

    def __contains__(self, author: AuthorId) -> bool:
        return author in self._index
