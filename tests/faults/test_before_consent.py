"""Before network consent: no socket, no packet, nothing heavy loaded, little memory; after it, as told."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon

pytestmark = [pytest.mark.slow, pytest.mark.alone]

RSS_MB_MAX = 45
HEAVY = {"libp2p", "numpy", "networkx", "multiaddr", "grpc"}
# A network of its own with one wire out of it; what leaves by that wire is counted by the kernel.
NAMESPACE = """
set -e
ip link set lo up
ip tuntap add dev tap0 mode tap
ip addr add 10.9.8.1/24 dev tap0
ip link set tap0 up
ip route add default via 10.9.8.2
sysctl -qw net.ipv6.conf.tap0.disable_ipv6=1 2>/dev/null || echo 1 > /proc/sys/net/ipv6/conf/tap0/disable_ipv6
exec "$@"
"""
SHOWS_MODULES = """
import atexit, json, sys
def show():
    names = sorted({name.split(".")[0] for name in sys.modules})
    sys.stderr.write("LOADED " + json.dumps(names) + chr(10))
atexit.register(show)
from luminous.node.shell.daemon import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    it = Daemon(tmp_path)
    assert it.type("network", "create", "lab", "--fleet").returncode == 0
    yield it
    it.kill()


def sockets(pid: int) -> int:
    """Lines of the internet sockets that belong to the process."""
    own = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    count = 0
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            count += f"socket:[{line.split()[9]}]" in own
    return count


def namespace(daemon: Daemon) -> tuple[str, ...]:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("no unshare or ip on this machine")
    script = daemon.folder / "namespace.sh"
    script.write_text(NAMESPACE)
    prefix = ("unshare", "-rn", "sh", str(script))
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no network namespace with a tap here: {tried.stderr.strip()[:100]}")
    return prefix


def packets(pid: int) -> int:
    """Packets that something tried to send by the counting tap, the dropped ones too."""
    for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "tap0":
            fields = counts.split()
            return int(fields[9]) + int(fields[10]) + int(fields[11])
    raise AssertionError("no tap in this namespace")


def test_no_socket_and_no_packet_before_consent(daemon: Daemon) -> None:
    prefix = namespace(daemon)
    daemon.start(prefix=prefix)
    daemon.post("/v1/propose", {"kind": "text", "title": "Quiet", "closes_in_s": 86_400})
    daemon.until(lambda: (daemon.data / "backups/state.sqlite").exists())
    assert sockets(daemon.pid) == 0
    assert packets(daemon.pid) == 0
    tables = [Path(f"/proc/{daemon.pid}/net/{name}").read_text() for name in ("tcp", "tcp6", "udp", "udp6")]
    assert [len(text.splitlines()) for text in tables] == [1, 1, 1, 1]
    assert not any(name in daemon_maps(daemon) for name in ("numpy", "_gmpy", "fastecdsa"))


def test_the_tap_counts(daemon: Daemon) -> None:
    """The opposite demand: one datagram in the same namespace is counted."""
    prefix = namespace(daemon)
    talk = (
        "import socket, pathlib; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1); s.sendto(b'x', ('10.9.8.255', 9));"
        "line = [l for l in pathlib.Path('/proc/net/dev').read_text().splitlines() if 'tap0' in l][0];"
        "print(sum(int(n) for n in line.split(':')[1].split()[9:12]))"
    )
    run = subprocess.run([*prefix, sys.executable, "-c", talk], capture_output=True, text=True, check=True)
    assert int(run.stdout) >= 1


def daemon_maps(daemon: Daemon) -> str:
    return Path(f"/proc/{daemon.pid}/maps").read_text()


def test_nothing_heavy_is_loaded_and_little_memory_is_used(daemon: Daemon) -> None:
    program = daemon.folder / "shows_modules.py"
    program.write_text(SHOWS_MODULES)
    daemon.start(module=str(program))
    daemon.until(lambda: daemon.get("/v1/health")["samples"] >= 1)
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    rss_mb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
    daemon.stop()
    line = next(line for line in daemon.told().splitlines() if line.startswith("LOADED "))
    loaded = set(json.loads(line.removeprefix("LOADED ")))
    assert "trio" in loaded, "the probe sees what is loaded"
    assert loaded & HEAVY == set()
    assert rss_mb <= RSS_MB_MAX


@pytest.mark.parametrize("name", ["DO_NOT_TRACK", "LUMINOUS_OFFLINE"])
def test_what_beats_consent_beats_it_at_the_socket(daemon: Daemon, name: str) -> None:
    assert daemon.type("consent", "grant", "network").returncode == 0
    daemon.env[name] = "1"
    daemon.start("--listen", "/ip4/127.0.0.1/tcp/0")
    status = daemon.get("/v1/status")
    assert status["privacy"]["consent"]["network"] is False
    assert any(name in note for note in status["notes"])
    assert sockets(daemon.pid) == 0
    daemon.stop()


def test_consent_opens_and_its_withdrawal_closes_while_it_runs(daemon: Daemon) -> None:
    """Granted: it listens where it was told, and nowhere else. Revoked: closed within a second."""
    daemon.start("--listen", "/ip4/127.0.0.1/tcp/0")
    assert sockets(daemon.pid) == 0
    for _ in range(2):
        assert daemon.post("/v1/consent", {"what": "network", "grant": True})["network"] is True
        daemon.until(lambda: bool(daemon.get("/v1/status")["addresses"]))
        (address,) = daemon.get("/v1/status")["addresses"]
        assert address.startswith("/ip4/127.0.0.1/tcp/")
        assert f":{int(address.split('/')[4]):04X}" in Path(f"/proc/{daemon.pid}/net/tcp").read_text()
        assert daemon.get("/v1/status")["peer_id"]
        assert daemon.post("/v1/consent", {"what": "network", "grant": False})["network"] is False
        daemon.until(lambda: sockets(daemon.pid) == 0)
        assert daemon.get("/v1/status")["peer_id"] is None
    daemon.stop()


def test_the_level_of_learning_changes_while_it_runs(daemon: Daemon) -> None:
    daemon.start("--listen", "/ip4/127.0.0.1/tcp/0")
    daemon.post("/v1/consent", {"what": "learning", "level": "PUBLIC", "grant": True})
    assert daemon.get("/v1/status")["privacy"]["level"] == "LOCAL_ONLY", "learning without a network is none"
    daemon.post("/v1/consent", {"what": "network", "grant": True})
    for level in ("PUBLIC", "DIFFERENTIAL"):
        daemon.post("/v1/consent", {"what": "learning", "level": level, "grant": True})
        assert daemon.get("/v1/privacy")["level"] == level
    daemon.post("/v1/consent", {"what": "network", "grant": False})
    assert daemon.get("/v1/privacy")["level"] == "LOCAL_ONLY"
    daemon.stop()
