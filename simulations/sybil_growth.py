"""How fast an attacker who wins every vote can take a third of a roll: the growth cap's promise, simulated.

Refuses to defend by votes: every admission that the attacker asks for passes, at every moment, and its
members never sleep. What is left is the cap alone.
"""

import sys

from luminous.protocol.electorate import Electorate, follow
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.roll import Roll

_DAY_MS = 24 * 60 * 60 * 1000
_START_MS = 1_700_000_000_000


def days_to_a_third(members: int, attackers: int, minutes_a_day: int = 8) -> int:
    """Whole days until a third of a roll of ``members`` belongs to an attacker that begins with some."""
    keys = [AuthorId(number.to_bytes(32, "big")) for number in range(members)]
    now = Electorate(Roll(tuple(keys)))
    fresh, hour_ms = members, _DAY_MS // minutes_a_day
    for step in range(minutes_a_day * 1000):
        if 3 * (attackers + now.roll.size - members) >= now.roll.size:
            return step // minutes_a_day
        at_ms = _START_MS + step * hour_ms
        wanted = [(at_ms, AuthorId((fresh + offset).to_bytes(32, "big"))) for offset in range(4)]
        fresh += len(wanted)
        now = follow(now, at_ms, now.roll.members, [], wanted)
    raise AssertionError("never: the cap admits at least one a day")


def bound_days(attackers: int, members: int) -> int:
    """The least days that the cap of 2 % a day promises: (1 - a) / 1.02^k <= 2/3, in integers."""
    days, honest, grown = 0, 3 * (members - attackers) * 100, 2 * members * 100
    while honest > grown:
        days, honest, grown = days + 1, honest * 100, grown * 102
    return days


def main() -> None:
    """``python -m luminous.simulations.sybil_growth [MEMBERS ...]``: an attacker that begins with 5 %."""
    for members in [int(word) for word in sys.argv[1:]] or [50, 100, 1000]:
        attackers = members * 5 // 100
        days = days_to_a_third(members, attackers)
        print(f"{members} members, {attackers} of the attacker: a third after {days} days at the earliest")


if __name__ == "__main__":
    main()
