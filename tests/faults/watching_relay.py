"""A relay that keeps what it carries and can be told to misbehave, in a process of its own. Not a test.

``watching_relay.py NETWORK_HEX LISTEN FOLDER``: belongs to no topic, so whatever two peers know of each other
they know through circuits. ``FOLDER/mode`` says what it does: ``pass``, ``delay``, ``drop``, ``change``;
``FOLDER/seen.json`` is what it learnt; ``FOLDER/carried`` every byte.
"""

import json
import sys
import types
from pathlib import Path
from typing import Any

import trio

from luminous.node.shell.circuit_relay import READ_SIZE_BYTES
from luminous.node.shell.circuit_slots import RelayLimits
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.transport_types import Verdict

DELAY_S = 2.0


async def main(network: str, listen: str, folder: Path) -> None:
    transport = LibP2PTransport(
        transport_seed=b"W" * 32,
        noise_seed=b"N" * 32,
        listen=(listen,),
        topics=(),
        validate=lambda topic, data, peer: Verdict.ACCEPT,
        received=lambda topic, data, peer: None,
        exchange=bytes.fromhex(network),  # type: ignore[arg-type]
        offers_relay=RelayLimits(),
        peers_wanted=0,
    )
    carried = (folder / "carried").open("ab", buffering=0)
    pairs: dict[str, int] = {}

    async def copy(relay: Any, circuit: Any, origin: Any, end: Any, both: trio.CancelScope) -> None:
        pair = f"{circuit.source} -> {circuit.target}"
        try:
            while data := await origin.read(READ_SIZE_BYTES):
                mode = (folder / "mode").read_text()
                carried.write(data)
                pairs[pair] = pairs.get(pair, 0) + len(data)
                if mode == "drop":
                    continue
                if mode == "delay":
                    await trio.sleep(DELAY_S)
                if mode == "change" and len(data) > 20:
                    data = data[:-1] + bytes([data[-1] ^ 1])
                await end.write(data)
        except Exception:  # noqa: BLE001 - the end of the circuit
            pass
        both.cancel()

    relay = transport._circuits._relay
    assert relay is not None
    relay._copy = types.MethodType(copy, relay)  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        print(json.dumps({"address": transport.addresses()[0]}), flush=True)
        while True:
            hosts = {view.id: view.address for view in transport.peers()}
            (folder / "seen.new").write_text(json.dumps({"pairs": pairs, "hosts": hosts}))
            (folder / "seen.new").rename(folder / "seen.json")
            await trio.sleep(0.2)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], Path(sys.argv[3]))
