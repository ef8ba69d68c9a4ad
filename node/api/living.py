"""Nodes for a test, a demonstration or a notebook: real daemon processes, started and stopped here.

Refuses the caller's own node: a data directory is named, and consent in it is given only by ``consent=``.
``DO_NOT_TRACK`` and ``LUMINOUS_OFFLINE`` keep these nodes silent too.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from luminous.node.api.connection import Connection, Facts, in_worker
from luminous.node.shell import consent as consents
from luminous.node.shell import networks
from luminous.node.shell.cli.client import NotRunning
from luminous.node.shell.failure import Failure
from luminous.node.shell.paths import make_private

STARTED_WITHIN_S = 60.0
STOPPED_WITHIN_S = 20.0
POLL_S = 0.1
LOOPBACK = "/ip4/127.0.0.1/tcp/0"


Holds = Callable[[Facts], bool]


class LivingNode:
    """One daemon process on ``data_dir``; also an (async) context manager. Listens on loopback alone."""

    def __init__(self, data_dir: Path | str, *, listen: str = LOOPBACK) -> None:
        self.data_dir = Path(data_dir)
        self.connection = Connection(self.data_dir)
        self._listen = listen
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "LivingNode":
        """Start the process and wait until it answers. Raises ``Failure`` with its last words."""
        make_private(self.data_dir, "the node cannot be started")
        log = self.data_dir / "daemon.log"
        words = ["--data-dir", str(self.data_dir), "--config", str(self.data_dir / "phase4.yaml")]
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "luminous.node.shell.daemon", *words, "--listen", self._listen],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=_environment(),
            )
        ends_s = time.monotonic() + STARTED_WITHIN_S
        while time.monotonic() < ends_s and self._process.poll() is None:
            with suppress(Failure):
                self.connection.get("/v1/status")
                return self
            time.sleep(POLL_S)
        self.stop()
        raise Failure("the node did not start", log.read_text("utf-8", "replace")[-2000:], f"see {log}")

    def stop(self) -> int | None:
        """End the process as a service manager would; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def restart(self) -> "LivingNode":
        """Stop and start again on the same data."""
        self.stop()
        return self.start()

    def wait_until(self, path: str, holds: Holds, timeout_s: float = 60.0) -> Facts:
        """The facts at ``path`` as soon as ``holds`` says yes to them; raises ``Failure`` after a while."""
        ends_s = time.monotonic() + timeout_s
        facts: object = "nothing"
        while time.monotonic() < ends_s:
            with suppress(NotRunning):  # a node that has just fetched its network's founding starts anew
                facts = self.connection.get(path)
                if holds(facts):
                    return facts
            time.sleep(POLL_S)
        raise Failure("it did not happen", f"{path} still says {str(facts)[:1500]}", "wait longer")

    def __enter__(self) -> "LivingNode":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> "LivingNode":
        return await in_worker(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()  # not in a worker: it must also happen when the task was cancelled


def running_node(data_dir: Path | str, *, consent: str | None = None, listen: str = LOOPBACK) -> LivingNode:
    """A node for ``with`` or ``async with``. ``consent``: None (no network), or the learning level."""
    give_consent(Path(data_dir), consent)
    return LivingNode(data_dir, listen=listen)


@contextmanager
def running_fleet(
    folder: Path | str,
    size: int,
    *,
    name: str = "fleet",
    is_fleet: bool = True,
    level: str | None = "PUBLIC",
    values: Mapping[str, int] | None = None,
) -> Iterator[list[LivingNode]]:
    """``size`` connected nodes of one network on loopback, each with consent at ``level`` (None: none).

    The first founds the network with the others' cards, runs, and gives them a card to join with. ``values``:
    the network's first parameters.
    """
    places = [Path(folder) / str(number) for number in range(size)]
    for place in places:
        make_private(place, "the fleet cannot be made")
    cards = [str(networks.card(place)["card"]) for place in places[1:]]
    networks.create(places[0], name, is_fleet, cards, values)
    with ExitStack() as stack:
        nodes = [stack.enter_context(running_node(places[0], consent=level))]
        entrance = _reachable_card(places[0]) if size > 1 else ""
        for place in places[1:]:
            networks.join(place, entrance)
            nodes.append(stack.enter_context(running_node(place, consent=level)))
        for node in nodes:
            node.wait_until("/v1/status", lambda facts: _has_joined(facts) and (facts["peers"] or size == 1))
        yield nodes


def _has_joined(status: Facts) -> bool:
    return status["network"] is not None and "members" in status["network"]


def give_consent(data_dir: Path, level: str | None) -> None:
    """Record consent to the network and to learning at ``level`` in ``data_dir``; None records nothing."""
    if level is None:
        return
    make_private(data_dir, "the node cannot be started")
    path = data_dir / "consent.json"
    at_ms = time.time_ns() // 1_000_000
    record = consents.grant_network(consents.read(path), at_ms)
    consents.write(path, consents.grant_learning(record, level, (), at_ms))


def _reachable_card(data_dir: Path) -> str:
    ends_s = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < ends_s:
        shown = networks.card(data_dir)
        if shown["addresses"]:
            return str(shown["card"])
        time.sleep(POLL_S)
    raise Failure(
        "the fleet did not start",
        "its first node is not reachable",
        "is DO_NOT_TRACK or LUMINOUS_OFFLINE set? They beat every consent",
    )


def _environment() -> dict[str, str]:
    """Without settings of the caller's own node; what forbids sharing stays."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("LUMINOUS_") or key == "LUMINOUS_OFFLINE"
    }
    return kept | {"PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
