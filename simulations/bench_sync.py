"""What reconciliation costs: rounds, bytes and CPU for two sets that differ a little.

Refuses to judge: it measures; the goals are in the tests and the documentation.
"""

import time
from dataclasses import dataclass
from random import Random

from luminous.protocol.reasons import Refused
from luminous.protocol.reconciliation import Client, Server, Snapshot


@dataclass(frozen=True, slots=True)
class Cost:
    """One dialogue. Bytes count both directions; CPU both sides, snapshots included."""

    records: int
    different: int
    found: int
    round_trips: int
    size_bytes: int
    cpu_ms: float


def draw_sets(
    records: int, different: int, seed: int
) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """Two sorted sets of ``records`` ids over 30 days; ``different`` ids are in only one of them."""
    random = Random(seed)
    month_ms = 30 * 24 * 3600 * 1000
    start_ms = 1_780_000_000_000
    drawn = [(start_ms + random.randrange(month_ms), random.randbytes(32)) for _ in range(records)]
    only_left, only_right = drawn[: different // 2], drawn[different // 2 : different]
    return sorted(drawn[different:] + only_left), sorted(drawn[different:] + only_right)


def measure(records: int = 10_000, different: int = 100, seed: int = 1) -> Cost:
    """Hold one dialogue between two sets of ``records`` that differ in ``different`` and count."""
    left, right = draw_sets(records, different, seed)
    started = time.process_time()
    client, server = Client(Snapshot(left)), Server(Snapshot(right))
    message: bytes | None = client.initiate(seed)
    round_trips = size_bytes = found = 0
    while message is not None:
        answer = server.respond(message)
        assert not isinstance(answer, Refused)
        round_trips += 1
        size_bytes += len(message) + len(answer)
        progress = client.advance(answer)
        assert not isinstance(progress, Refused)
        found += len(progress.have) + len(progress.need)
        message = progress.message
    cpu_ms = (time.process_time() - started) * 1000
    return Cost(records, different, found, round_trips, size_bytes, cpu_ms)


def main() -> None:
    """Print the table."""
    print("records  different  found  round trips      bytes   CPU ms (both sides)")
    for records, different in ((10_000, 0), (10_000, 1), (10_000, 100), (10_000, 1000), (100_000, 100)):
        cost = measure(records, different)
        print(
            f"{cost.records:7d}  {cost.different:9d}  {cost.found:5d}  {cost.round_trips:11d}"
            f"  {cost.size_bytes:9d}   {cost.cpu_ms:7.1f}"
        )


if __name__ == "__main__":
    main()
