"""The counts as bytes, for snapshots: tables of small integers, seven bits a byte.

Refuses raw events: only counts are kept, what happened when is forgotten with the windows.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from luminous.node.core.causes.crossover import CLOSE_WINDOWS, LAG_BINS, WIDTH, WINDOWS_MS, Crossover
from luminous.protocol.codec import Value

Key = TypeVar("Key", bound=tuple[int, ...])
# Name to the length of a key and of a row.
SHAPES = {
    "occurrences": (1, len(WINDOWS_MS)),
    "pairs": (2, WIDTH),
    "without": (3, 3 * CLOSE_WINDOWS),
    "by_context": (3, 3),
    "lags": (2, LAG_BINS),
}


def pack_counts(counts: Crossover, cases_min: int) -> dict[str, bytes]:
    """All tables; of pairs that are not looked at closely only those with ``cases_min`` in some window."""
    pairs = {
        pair: row for pair, row in counts.pairs.items() if pair in counts.lags or max(row[::2]) >= cases_min
    }
    return {
        "occurrences": pack_table({(kind,): row for kind, row in counts.occurrences.items()}),
        "pairs": pack_table(pairs),
        "without": pack_table(counts.without),
        "by_context": pack_table(counts.by_context),
        "lags": pack_table(counts.lags),
    }


def unpack_counts(body: Mapping[str, Value]) -> Crossover:
    """The counts of a snapshot. Its tables are our own record: a wrong one is our fault."""
    counts = Crossover()
    tables = {}
    for name, (key_size, row_size) in SHAPES.items():
        blob = body[name]
        assert isinstance(blob, bytes)
        tables[name] = unpack_table(blob, key_size, row_size)
    counts.occurrences = {key[0]: row for key, row in tables["occurrences"].items()}
    counts.pairs = {(key[0], key[1]): row for key, row in tables["pairs"].items()}
    counts.without = {(key[0], key[1], key[2]): row for key, row in tables["without"].items()}
    counts.by_context = {(key[0], key[1], key[2]): row for key, row in tables["by_context"].items()}
    counts.lags = {(key[0], key[1]): row for key, row in tables["lags"].items()}
    for cause, effect in sorted(counts.lags):
        counts.children.setdefault(cause, {})[effect] = None
        counts.parents.setdefault(effect, {})[cause] = None
    return counts


def pack_table(table: Mapping[Key, Sequence[int]]) -> bytes:
    """Keys and rows in order of keys, each number little end first, seven bits a byte."""
    packed = bytearray()
    for key in sorted(table):
        for number in (*key, *table[key]):
            assert number >= 0
            while number > 127:
                packed.append(number & 127 | 128)
                number >>= 7
            packed.append(number)
    return bytes(packed)


def unpack_table(blob: bytes, key_size: int, row_size: int) -> dict[tuple[int, ...], list[int]]:
    """What ``pack_table`` packed."""
    numbers: list[int] = []
    number = shift = 0
    for byte in blob:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    size = key_size + row_size
    assert len(numbers) % size == 0 and shift == 0
    return {
        tuple(numbers[start : start + key_size]): numbers[start + key_size : start + size]
        for start in range(0, len(numbers), size)
    }
