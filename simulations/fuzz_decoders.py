"""Seeded mutations of good inputs for everything that reads strangers' bytes: ten million, or a few.

Each input is a seed of the golden vectors with one to four mutations of its bytes, or one of a value in it;
the same seed gives the same inputs.
Refuses to go on after the first fault: it prints the input that made it, which replays by itself.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import psutil
import trio

from luminous.protocol.codec import decode, encode
from luminous.simulations.fuzz_targets import TARGETS, Target

# Values at which parsers go wrong: edges of lengths, heads of CBOR, ends of varints.
_EDGES = bytes(
    (0, 1, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1F, 0x7F, 0x80, 0x9F, 0xBF, 0xC2, 0xF4, 0xF9, 0xFB, 0xFF)
)
_VALUES: tuple[Any, ...] = (
    0,
    -1,
    2**63 - 1,
    -(2**63),
    b"",
    b"\0" * 32,
    "",
    "\u202e",
    "x" * 300,
    True,
    None,
    [],
    {},
)
# Targets that read CBOR: some of their inputs are canonical, so that they get past the codec.
_CBOR = frozenset({"codec", "envelopes", "payloads", "requests", "answers", "peers", "founding"})
# Inputs between two looks at memory, and the part of a run after which it is warm.
BATCH = 20_000
WARM_SHARE = 0.1
GROWTH_MB_MAX = 16.0
INPUT_SIZE_BYTES_MAX = 70_000


class Fault(Exception):
    """A target raised. ``args``: its name, the input in hex, the error."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What a run showed. ``taken``: by target, how many inputs were not refused."""

    inputs: int
    seed: int
    taken: dict[str, int]
    given: dict[str, int]
    growth_mb: float
    cpu_s: float
    per_cpu_s: int


def mutate(data: bytes, seeds: list[bytes], chance: Random) -> bytes:
    """``data`` with one to four mutations, bounded in size."""
    drawn, out = chance.random, bytearray(data)
    for _ in range(1 + int(drawn() * drawn() * 4)):
        kind, size = int(drawn() * 9), len(out)
        at = int(drawn() * size)
        if kind <= 2 and size:
            out[at] ^= 1 << int(drawn() * 8)
        elif kind == 3 and size:
            out[at] = _EDGES[int(drawn() * len(_EDGES))]
        elif kind == 4:
            del out[at : at + 1 + int(drawn() * 8)]
        elif kind == 5:
            out[at:at] = chance.randbytes(1 + int(drawn() * 8))
        elif kind == 6:
            del out[at:]
        elif kind == 7:  # a piece of itself again
            end = at + int(drawn() * 64)
            out[at:at] = out[at:end] * (1 + int(drawn() * 3))
        else:  # the end of another one
            other = seeds[int(drawn() * len(seeds))]
            out[at:] = other[int(drawn() * len(other)) :]
    return bytes(out[:INPUT_SIZE_BYTES_MAX])


def mutate_value(data: bytes, chance: Random) -> bytes:
    """``data`` decoded, one item of it replaced, removed or doubled, and encoded again; else a mutation."""
    root: Any = decode(data)
    node = root
    if not isinstance(root, (list, dict)) or not root:
        return mutate(data, [data], chance)
    while True:
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        inner = node[key]
        if isinstance(inner, (list, dict)) and inner and chance.random() < 0.7:
            node = inner
            continue
        break
    what = chance.randrange(6)
    if what == 0:
        node[key] = chance.choice(_VALUES)
    elif what == 1:
        del node[key]
    elif what == 2 and isinstance(node, list):
        node += [inner] * chance.randint(1, 40)
    elif what == 3 and isinstance(inner, int) and not isinstance(inner, bool):
        node[key] = inner + chance.choice((-1, 1, 1 << 16, -inner - 1))
    elif what == 4 and isinstance(inner, str):
        node[key] = inner[: chance.randrange(len(inner) + 1)] + inner[:1] * chance.randrange(3)
    elif isinstance(inner, bytes):
        node[key] = chance.randbytes(len(inner))
    else:
        node[key] = {0: inner, 99: inner} if isinstance(node, list) else [inner]
    return encode(root) if _is_encodable(root) else mutate(data, [data], chance)


def _is_encodable(value: Any) -> bool:
    try:
        encode(value)
    except AssertionError:
        return False
    return True


def inputs(name: str, seeds: list[bytes], seed: int) -> Iterator[bytes]:
    """Mutations without end; one in eight builds on the last one that grew from a mutation."""
    chance = Random(f"decoders/{name}/{seed}")
    last = seeds[0]
    has_values = name in _CBOR
    while True:
        if has_values and chance.random() < 0.3:
            yield mutate_value(seeds[int(chance.random() * len(seeds))], chance)
            continue
        start = last if chance.random() < 0.125 else seeds[int(chance.random() * len(seeds))]
        last = mutate(start, seeds, chance)
        yield last


def feed(name: str, target: Target, source: Iterator[bytes], count: int) -> int:
    """Hand ``count`` inputs to a target; how many it took. Raises ``Fault``."""
    taken = 0
    for _, data in zip(range(count), source, strict=False):
        try:
            taken += target(data)
        except Exception as error:
            raise Fault(name, data.hex(), f"{type(error).__name__}: {error}") from error
    return taken


async def fuzz(
    count: int, seed: int, targets: dict[str, Any] | None = None, progress: bool = False
) -> Fuzzed:
    """Give ``count`` inputs to all targets by their shares. Raises ``Fault`` at the first one that fails."""
    parts = {}
    for name, (make, share) in (TARGETS if targets is None else targets).items():
        target, seeds = make()
        feed(name, target, iter(seeds), len(seeds))
        parts[name] = (target, inputs(name, seeds, seed), share)
    process, began_s = psutil.Process(), time.process_time()
    taken, given = dict.fromkeys(parts, 0), dict.fromkeys(parts, 0)
    done, warm = 0, 0
    while done < count:
        batch = min(BATCH, count - done)
        for name, (target, source, share) in parts.items():
            some = max(1, batch * share // 100)
            taken[name] += feed(name, target, source, some)
            given[name] += some
            done += some
        if done <= WARM_SHARE * count or not warm:
            warm = process.memory_info().rss
        if progress:
            rate = done / max(0.001, time.process_time() - began_s)
            print(f"{done} of {count} inputs, {rate:.0f} per CPU second", file=sys.stderr, flush=True)
        await trio.lowlevel.checkpoint()
    cpu_s = time.process_time() - began_s
    growth_mb = (process.memory_info().rss - warm) / 2**20
    return Fuzzed(
        done, seed, taken, given, round(growth_mb, 2), round(cpu_s, 1), int(done / max(cpu_s, 0.001))
    )


def main() -> None:
    """Print one run as JSON; exit 1 at a fault or if memory grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--progress", action="store_true")
    asked = parser.parse_args()
    try:
        found = trio.run(fuzz, asked.inputs, asked.seed, None, asked.progress)
    except Fault as fault:
        print(json.dumps({"target": fault.args[0], "input": fault.args[1], "error": fault.args[2]}))
        sys.exit(1)
    print(json.dumps(asdict(found)))
    sys.exit(0 if found.growth_mb <= GROWTH_MB_MAX else 1)


if __name__ == "__main__":
    main()
