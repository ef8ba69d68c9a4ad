"""Mutated inputs break no decoder; the fuzzer finds planted faults. Ten million inputs are long."""

import random
import subprocess
import sys

import pytest
import trio

from luminous.protocol import codec
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.reasons import Refused
from luminous.simulations import fuzz_targets
from luminous.simulations.fuzz_decoders import GROWTH_MB_MAX, Fault, fuzz, mutate, mutate_value
from luminous.simulations.fuzz_targets import TARGETS


def only(name: str) -> dict:
    return {name: (TARGETS[name][0], 100)}


def test_shares_are_a_whole() -> None:
    assert sum(share for _, share in TARGETS.values()) == 100


def test_twenty_thousand_inputs_break_nothing_and_reach_every_target() -> None:
    found = trio.run(fuzz, 20_000, 5)
    assert set(found.given) == set(TARGETS)
    for name, given in found.given.items():
        assert 0 < found.taken[name] < given, f"{name}: all were refused unread, or all were taken"


def test_the_same_seed_gives_the_same_inputs() -> None:
    first, second = trio.run(fuzz, 2_000, 6), trio.run(fuzz, 2_000, 6)
    assert first.taken == second.taken
    seeds = fuzz_targets.codec()[1]
    assert mutate(seeds[3], seeds, random.Random(1)) == mutate(seeds[3], seeds, random.Random(1))
    values = {mutate_value(seeds[-1], random.Random(number)) for number in range(50)}
    assert len(values) > 20


def planted_codec(monkeypatch: pytest.MonkeyPatch) -> str:
    real = codec.cbor2.dumps
    # The comparison with the canonical bytes always succeeds: what is not canonical is taken.
    monkeypatch.setattr(codec, "decode", lambda data, size_bytes_max=65_536: _lax(data, real))
    monkeypatch.setattr(fuzz_targets, "decode", codec.decode)
    return "codec"


def _lax(data: bytes, real) -> object:
    shape = codec._scan(data)
    if isinstance(shape, Refused):
        return shape
    try:
        return codec.cbor2.loads(data)
    except (codec.cbor2.CBORDecodeError, ValueError):
        return Refused(codec.Reason.MALFORMED, "")


def planted_signature(monkeypatch: pytest.MonkeyPatch) -> str:
    from luminous.protocol import admission

    monkeypatch.setattr(admission, "is_signed", lambda *args: True)
    return "envelopes"


def planted_schema(monkeypatch: pytest.MonkeyPatch) -> str:
    kind = min(SCHEMAS)
    real = SCHEMAS[kind]

    class Careless:
        pack = staticmethod(real.pack)

        @staticmethod
        def parse(value: dict) -> object:
            return real.parse(value) if len(value) > 3 else value[3]  # a map without the key

    monkeypatch.setitem(SCHEMAS, kind, Careless)
    return "payloads"


def planted_session(monkeypatch: pytest.MonkeyPatch) -> str:
    from luminous.node.shell import yamux_session

    # A reset looks for a waiter that is not always there.
    monkeypatch.setattr(
        yamux_session, "_wake", lambda stream: stream.conn.stream_events[stream.stream_id + 2]
    )
    return "yamux"


@pytest.mark.parametrize("plant", [planted_codec, planted_signature, planted_schema, planted_session])
def test_a_planted_fault_is_found_with_its_input(plant, monkeypatch: pytest.MonkeyPatch) -> None:
    name = plant(monkeypatch)
    with pytest.raises(Fault) as caught:
        trio.run(fuzz, 5_000, 7, only(name))
    target, data, why = caught.value.args
    assert target == name and bytes.fromhex(data) and why


@pytest.mark.long
@pytest.mark.alone
def test_ten_million_inputs_break_nothing_and_memory_stays_flat() -> None:
    command = [sys.executable, "-m", "luminous.simulations.fuzz_decoders", "--progress"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=7200)
    assert done.returncode == 0, f"{done.stdout} (memory may grow by {GROWTH_MB_MAX} MB)"
