"""The slim library delivers, its absent parts say so, and what does not load slim is loaded whole."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

DELIVERS = """
import sys
from luminous.node.shell import slim_import
assert slim_import.load("luminous.node.shell.libp2p_transport")
left = {name.split(".")[0] for name in sys.modules} & set(slim_import.ABSENT)
assert not left, left
import trio
from luminous.node.shell import libp2p_patches
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.transport_types import Verdict
assert libp2p_patches.check() == ()

def made(seed, heard, **options):
    key = bytes([seed]) * 32
    listen = ("/ip4/127.0.0.1/tcp/0",)
    return LibP2PTransport(transport_seed=key, noise_seed=key, listen=listen, topics=("t",),
        validate=lambda *a: Verdict.ACCEPT, received=lambda t, data, p: heard.append(data), peers_wanted=4,
        exchange=b"n" * 16, ask_first_s=0.1, **options)

async def echo(peer, data):
    return data

async def main():
    heard = [], [], []
    a = made(1, heard[0], serve={"/echo/1": echo})
    async with trio.open_nursery() as nursery:
        await nursery.start(a.run)
        b, c = (made(n, heard[n - 1], bootstrap=a.addresses()[:1]) for n in (2, 3))
        await nursery.start(b.run)
        await nursery.start(c.run)
        with trio.fail_after(90):
            while min(x.mesh_sizes()["t"] for x in (a, b, c)) < 2:
                await trio.sleep(0.02)
            assert await b.request(a.peer_id(), "/echo/1", b"hi", 5) == b"hi"
            for x in (a, b, c):
                await x.publish("t", x.peer_id().encode())
            while any(len(h) < 2 for h in heard):
                await trio.sleep(0.02)
        assert not [n for n in a.counters() if n.startswith(("contained", "restarts"))], a.counters()
        nursery.cancel_scope.cancel()

trio.run(main)
import libp2p.discovery.mdns.mdns as mdns
try:
    mdns.Zeroconf()
except slim_import.NotLoaded as error:
    assert "zeroconf" in str(error)
else:
    raise SystemExit("a stand-in worked")
import zeroconf
assert zeroconf.Zeroconf is not mdns.Zeroconf
print("slim")
"""

FALLS_BACK = """
import sys
from luminous.node.shell import slim_import
slim_import.ABSENT["multiaddr"] = "planted: the library cannot load without it"
assert not slim_import.load("luminous.node.shell.libp2p_transport")
import multiaddr, libp2p
assert multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/1")
assert not [finder for finder in sys.meta_path if type(finder).__name__ == "_Finder"]
from luminous.node.shell.libp2p_stack import Identity
assert str(Identity(b"x" * 32, b"y" * 32).peer_id).startswith("12D3")
assert not slim_import.load("luminous.node.shell.libp2p_transport")
print("whole")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("program", "said"), [(DELIVERS, "slim"), (FALLS_BACK, "whole")])
def test_in_a_process_of_its_own(program: str, said: str) -> None:
    env = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == said
