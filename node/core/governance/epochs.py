"""The Minutes so far, and what was heard of each epoch: every epoch has the roll that the one before left.

Refuses to judge and to sign. What comes before its epoch's roll is known waits here, so order never matters.
"""

from luminous.node.core.governance.epoch import Epoch
from luminous.protocol.electorate import Electorate
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, ProposalId
from luminous.protocol.minutes_count import BEGINNING, Minutes, decided_by
from luminous.protocol.minutes_count import Outcome as Counted
from luminous.protocol.roll import Roll

# Epochs beyond the present one that are listened to. Stops members that invent epochs.
EPOCHS_AHEAD_MAX = 1024
# Envelopes of later epochs that wait, of one author. Stops floods of what nobody can read yet.
EARLY_PER_AUTHOR_MAX = 4096


class Epochs:
    """Registry of final Minutes and of epochs by number, from 1."""

    def __init__(self, me: AuthorId | None, founders: Roll) -> None:
        self._author = me
        self.chain: list[Minutes] = [BEGINNING]
        self.electorates: list[Electorate] = [Electorate(founders)]
        self.decided: dict[ProposalId, Counted | None] = {}
        self._epochs: dict[int, Epoch] = {}
        self._early: dict[int, dict[EnvelopeId, Admitted]] = {}
        self._early_of: dict[AuthorId, int] = {}
        self._ever: dict[AuthorId, None] = dict.fromkeys(founders.members)
        self._is_double = False

    @property
    def number(self) -> int:
        """The epoch that is being decided."""
        return len(self.chain)

    @property
    def electorate(self) -> Electorate:
        """Who decides it."""
        return self.electorates[-1]

    @property
    def roll(self) -> Roll:
        """The roll that decides it."""
        return self.electorates[-1].roll

    @property
    def me(self) -> int:
        """The own number on that roll, or -1."""
        number = None if self._author is None else self.roll.index_of(self._author)
        return -1 if number is None else number

    def roll_at(self, anchor: int) -> Roll | None:
        """The roll after some Minutes; None if they are not final here."""
        return self.electorates[anchor].roll if anchor < len(self.electorates) else None

    def is_known(self, author: AuthorId) -> bool:
        """Was ``author`` ever on a roll?"""
        return author in self._ever

    def hear(self, envelope: Admitted) -> bool:
        """Record an envelope of some epoch: its member's, or early. The bounds are for others: what this node
        signed binds it, whatever of the chain it holds yet."""
        number: int = envelope.payload.epoch
        is_own = envelope.author == self._author
        if number < 1 or (number > self.number + EPOCHS_AHEAD_MAX and not is_own):
            return False
        if number > self.number:
            return self._wait(envelope, number)
        member = self.electorates[number - 1].roll.index_of(envelope.author)
        if member is None:
            return False
        epoch = self.at(number)
        is_new = epoch.hear(envelope, member)
        self._is_double = self._is_double or epoch.is_double
        return is_new

    def _wait(self, envelope: Admitted, number: int) -> bool:
        waiting, count = self._early.setdefault(number, {}), self._early_of.get(envelope.author, 0)
        is_full = count >= EARLY_PER_AUTHOR_MAX and envelope.author != self._author
        if envelope.id in waiting or is_full:
            return False
        waiting[envelope.id] = envelope
        self._early_of[envelope.author] = count + 1
        return True

    def at(self, number: int) -> Epoch:
        """What was heard of an epoch whose roll is known."""
        if number not in self._epochs:
            roll = self.electorates[number - 1].roll
            mine = None if self._author is None else roll.index_of(self._author)
            self._epochs[number] = Epoch(roll, -1 if mine is None else mine)
        return self._epochs[number]

    def append(self, minutes: Minutes) -> None:
        """Final: the next epoch begins, with what was heard of it already."""
        assert minutes.epoch == self.number
        assert minutes.electorate is not None, "derived Minutes say who decides next"
        self.chain.append(minutes)
        self.electorates.append(minutes.electorate)
        self._ever.update(dict.fromkeys(minutes.electorate.roll.members))
        self.decided.update(decided_by(minutes))
        for envelope in self._early.pop(self.number, {}).values():
            self._early_of[envelope.author] -= 1
            self.hear(envelope)

    def is_double(self) -> bool:
        """Do own records contradict one another?"""
        return self._is_double
