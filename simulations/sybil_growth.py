"""How fast false members can take a third of a roll: by votes that all pass, and by sponsors of their own.

Refuses to defend by people: nobody objects, nobody is convicted, and the attacker's members never sleep. What
is left are the rules alone: the growth cap, and how seldom and how early a member may vouch.
"""

import sys
from collections.abc import Sequence

from luminous.protocol.electorate import Electorate, Signed, follow, vouch_refusal
from luminous.protocol.identifiers import AuthorId
from luminous.protocol.operations import Operation, Verb
from luminous.protocol.roll import Roll
from luminous.protocol.sponsors import SPONSORS_MIN

_DAY_MS = 24 * 60 * 60 * 1000
_START_MS = 1_700_000_000_000
_DAYS_MAX = 3650


def _key(number: int) -> AuthorId:
    return AuthorId(number.to_bytes(32, "big"))


def _founded(members: int) -> Electorate:
    return Electorate(Roll(tuple(map(_key, range(members)))))


def days_to_a_third(members: int, attackers: int, minutes_a_day: int = 8) -> int:
    """Whole days until a third of a roll belongs to an attacker who begins with some and wins every vote."""
    now = _founded(members)
    fresh, hour_ms = members, _DAY_MS // minutes_a_day
    for step in range(minutes_a_day * _DAYS_MAX):
        if 3 * (attackers + now.roll.size - members) >= now.roll.size:
            return step // minutes_a_day
        at_ms = _START_MS + step * hour_ms
        # As many as the cap can take at once, so that none has to wait for the next day.
        wanted = [(at_ms, _key(fresh + offset)) for offset in range(4)]
        fresh += len(wanted)
        now = follow(now, at_ms, now.roll.members, [], wanted)
    raise AssertionError("never: the cap admits at least one a day")


def days_by_sponsors(members: int, attackers: int) -> int | None:
    """The same for an attacker who wins no vote and vouches for its own; None: not in ten years."""
    now = _founded(members)
    fresh = members
    for day in range(_DAYS_MAX):
        own = [*map(_key, range(attackers)), *now.roll.members[members:]]
        if 3 * len(own) >= now.roll.size:
            return day
        at_ms = _START_MS + day * _DAY_MS
        able = [key for key in own if vouch_refusal(now, key, _key(fresh), at_ms) is None]
        words = [
            _vouch(sponsor, _key(fresh + place // SPONSORS_MIN), at_ms)
            for place, sponsor in enumerate(able[: len(able) - len(able) % SPONSORS_MIN])
        ]
        fresh += len(words) // SPONSORS_MIN
        now = follow(now, at_ms, now.roll.members, words, [])
        if not able and not now.waiting and len(own) < SPONSORS_MIN:
            return None
    return None


def _vouch(sponsor: AuthorId, candidate: AuthorId, at_ms: int) -> Signed:
    return Signed(sponsor, at_ms, Operation(Verb.VOUCH, candidate), candidate)


def bound_days(attackers: int, members: int) -> int:
    """The least days that the cap of 2 % a day promises: (1 - a) / 1.02^k <= 2/3, in integers."""
    days, honest, grown = 0, 3 * (members - attackers) * 100, 2 * members * 100
    while honest > grown:
        days, honest, grown = days + 1, honest * 100, grown * 102
    return days


def table(sizes: Sequence[int]) -> list[str]:
    """Days to a third for attackers of 1, 5 and 20 %, as rows of a table."""
    rows = [
        "| members | of the attacker | wins every vote | the cap's bound | only vouches |",
        "|---|---|---|---|---|",
    ]
    for members in sizes:
        for percent in (1, 5, 20):
            attackers = members * percent // 100
            by_words = days_by_sponsors(members, attackers)
            rows.append(
                f"| {members} | {attackers} | {days_to_a_third(members, attackers)} days "
                f"| {bound_days(attackers, members)} days "
                f"| {'never' if by_words is None else f'{by_words} days'} |"
            )
    return rows


def main() -> None:
    """``python -m luminous.simulations.sybil_growth [MEMBERS ...]``: the table."""
    for row in table([int(word) for word in sys.argv[1:]] or [50, 100, 500]):
        print(row, flush=True)


if __name__ == "__main__":
    main()
