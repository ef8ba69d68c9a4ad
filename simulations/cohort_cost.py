"""What secure aggregation costs one member: processor time and bytes, with the product's own rounds.

Refuses to count the network: these are local milliseconds and the bytes a member would send.
"""

import time
from dataclasses import dataclass

from luminous.crypto.digest import digest
from luminous.crypto.entropy import SeededEntropy
from luminous.protocol.cohort import Member, build_graph, finish
from luminous.protocol.identifiers import AuthorId


@dataclass(frozen=True, slots=True)
class CohortCost:
    """Medians over members: ``mask_ms`` (agree on keys and mask), ``deal_ms`` (share both secrets and accept
    the neighbours'), ``finish_ms`` (unmask, once a cohort), ``sent_bytes`` a member. ``is_exact``: the
    sum was right."""

    members: int
    dimension: int
    dropped: int
    mask_ms: float
    deal_ms: float
    finish_ms: float
    sent_bytes: int
    is_exact: bool


def measure_cohort(members: int = 16, dimension: int = 4096, dropped: int = 4, seed: int = 1) -> CohortCost:
    """One window of a cohort in which the last ``dropped`` members leave after dealing."""
    authors = [AuthorId(digest("cohort-cost", n.to_bytes(4, "big"))) for n in range(members)]
    graph, context = build_graph(authors, b"beacon"), b"cost"
    people = {a: Member(a, graph, context, SeededEntropy(a + bytes([seed]))) for a in authors}
    publics = {a: member.public for a, member in people.items()}
    dealt, deals = [], {}
    for a, member in people.items():
        begun = time.process_time()
        deals[a] = member.deal(publics)
        dealt.append(time.process_time() - begun)
    for place, (a, member) in enumerate(people.items()):
        begun = time.process_time()
        assert all(member.accept(deals[peer]) for peer in graph[a])
        dealt[place] += time.process_time() - begun
    values = [[(n * i) % 2001 - 1000 for i in range(dimension)] for n in range(members)]
    stayed, spent, masked = authors[: members - dropped], [], {}
    for n, a in enumerate(stayed):
        begun = time.process_time()
        masked[a] = people[a].contribute(values[n], authors)
        spent.append(time.process_time() - begun)
    reveals = [reveal for a in stayed if (reveal := people[a].reveal(stayed)) is not None]
    begun = time.process_time()
    total = finish(masked, deals, publics, reveals, graph, context)
    ended = time.process_time() - begun
    expected = tuple(map(sum, zip(*values[: members - dropped], strict=True)))
    sharing = deals[authors[0]]
    sent = 4 * dimension + 32 + sum(map(len, sharing.boxes.values()))
    sent += sum(map(len, (*sharing.key.commitments, *sharing.seed.commitments))) + 64
    sent += sum(map(len, (*reveals[0].seed_shares.values(), *reveals[0].key_shares.values())))
    return CohortCost(
        members,
        dimension,
        dropped,
        1000 * sorted(spent)[len(spent) // 2],
        1000 * sorted(dealt)[len(dealt) // 2],
        1000 * ended,
        sent,
        total == expected,
    )


def main() -> None:
    """Print the table: ``python -m luminous.simulations.cohort_cost``."""
    for members, dimension, dropped in ((3, 1024, 0), (16, 4096, 0), (16, 4096, 4), (100, 4096, 10)):
        measure_cohort(members, dimension, dropped)
        print(measure_cohort(members, dimension, dropped))


if __name__ == "__main__":
    main()
