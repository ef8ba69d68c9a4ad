"""How much memory the real daemon takes: only started, and in the mesh with idle peers.

Refuses to measure anything but the daemon's own process.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import trio

from luminous.node.shell import consent, networks
from luminous.node.shell.libp2p_transport import LibP2PTransport
from luminous.node.shell.paths import locate
from luminous.node.shell.transport_types import Verdict
from luminous.protocol.admission import topic_of


@contextmanager
def daemon(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon on a data directory below ``folder``."""
    environ = {**os.environ, "HOME": str(folder), "LUMINOUS_DATA_DIR": str(folder / "d")}
    command = [sys.executable, "-m", "luminous.node.shell.daemon", *words]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        process.stderr.readline()
        yield process
    finally:
        process.terminate()
        process.stderr.close()
        process.wait(20)


def rss_before_consent(settle_s: float = 5.0) -> float:
    """MB of the daemon that was only started."""
    with tempfile.TemporaryDirectory() as folder, daemon(Path(folder)) as process:
        time.sleep(settle_s)
        return _rss_mb(process.pid)


def rss_with_peers(peers: int = 8, settle_s: float = 15.0, *, is_bootstrap: bool = False) -> dict[str, float]:
    """MB of a consenting daemon with ``peers`` peers, when they have come and ``settle_s`` later.

    Also the CPU it takes meanwhile, in percent of one core. ``is_bootstrap``: as a bootstrap node, whose
    connection cap is higher.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = locate({"HOME": name, "LUMINOUS_DATA_DIR": str(folder / "d")})
        networks.create(places.data, "bench", False, [])
        consent.write(places.consent, consent.grant_network(consent.Record(), 1))
        network = networks.network_of(places.data)
        assert network is not None
        profile = ["--bootstrap"] if is_bootstrap else []
        with daemon(folder, *profile, "--listen", "/ip4/127.0.0.1/tcp/0") as process:
            while not (addresses := networks.read_addresses(places.data)):
                time.sleep(0.1)
            return trio.run(_visited, process.pid, addresses[0], topic_of(network), peers, settle_s)


async def _visited(pid: int, address: str, topic: str, peers: int, settle_s: float) -> dict[str, float]:
    async with trio.open_nursery() as nursery:
        for index in range(peers):
            visitor = LibP2PTransport(
                transport_seed=index.to_bytes(32, "big"),
                noise_seed=index.to_bytes(32, "little"),
                listen=(),
                topics=(topic,),
                validate=lambda topic, data, peer: Verdict.IGNORE,
                received=lambda topic, data, peer: None,
                peers_wanted=0,
            )
            await nursery.start(visitor.run)
            assert await visitor.connect(address)
        came, cpu_s = _rss_mb(pid), _cpu_s(pid)
        await trio.sleep(settle_s)
        found = {
            "peers": float(peers),
            "came_mb": came,
            "idle_mb": _rss_mb(pid),
            "idle_cpu_percent": 100 * (_cpu_s(pid) - cpu_s) / settle_s,
        }
        nursery.cancel_scope.cancel()
    return found


def _rss_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / 1e6)


def _cpu_s(pid: int) -> float:
    return float(sum(psutil.Process(pid).cpu_times()[:2]))
