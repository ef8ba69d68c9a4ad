"""One real daemon in a process of its own on a host of its own, driven as a user would: command line, socket.

Refuses to look into it: what it shows is all that is known.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from luminous.node.api import Connection
from luminous.node.shell.failure import Failure
from luminous.simulations.namespaces import Lab
from luminous.simulations.scenario import ScenarioError

PORT = 4001
# A lossy link and a busy machine need it; a quiet machine never.
START_S = 240.0
LOOK_S = 0.25


class Host:
    """One daemon on one host."""

    def __init__(self, lab: Lab, index: int, folder: Path) -> None:
        self.index = index
        self.data = folder / str(index)
        self._prefix = lab.prefix(index)
        self._listen = f"/ip4/{lab.address(index)}/tcp/{PORT}"
        clean = {
            name: text for name, text in os.environ.items() if not name.startswith(("LUMINOUS_", "XDG_"))
        }
        self._environ = clean | {"HOME": str(folder), "LUMINOUS_DATA_DIR": str(self.data)}
        self._log = folder / f"{index}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.api = Connection(self.data)

    def type(self, *words: str) -> dict[str, Any]:
        """A command of ``luminous-node``; what it says as JSON. Raises ScenarioError with its words."""
        command = [sys.executable, "-m", "luminous.node", *words]
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ScenarioError(f"host {self.index}: {' '.join(words)}: {done.stderr.strip()[-300:]}")
        return dict(json.loads(done.stdout)) if "--json" in words else {}

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        words = [sys.executable, "-m", "luminous.node.shell.daemon", "--listen", self._listen]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._prefix, *words], env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait(
            self.is_up, START_S, lambda: f"host {self.index} does not answer: {self._log.read_text()[-500:]}"
        )

    def is_up(self) -> bool:
        """Does it answer?"""
        with suppress(Failure):
            return "author" in self.api.get("/v1/status")
        return False

    def end(self, *, kill: bool) -> None:
        """Stop it as systemd does, or with kill -9."""
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def has_peers(self) -> bool:
        """Is it connected? A daemon that has just joined gives way to its next start for a moment."""
        with suppress(Failure):
            return bool(self.api.get("/v1/peers")["peers"])
        return False

    def decisions(self) -> list[dict[str, Any]]:
        """What it shows of every proposal; nothing if it does not answer."""
        with suppress(Failure):
            return sorted(self.api.get("/v1/proposals")["proposals"], key=lambda item: str(item["title"]))
        return []

    def cast(self, title: str, word: str) -> bool:
        """Vote; False where that cannot be yet: it is down, mute, or does not know the proposal."""
        for item in self.decisions():
            if item["title"] == title:
                with suppress(Failure):
                    self.api.post("/v1/vote", {"proposal": item["id"], "choice": word})
                    return True
        return False

    def has_recounted(self) -> bool:
        """Does its own recount from the records come out the same?"""
        with suppress(Failure):
            return bool(self.api.get("/v1/verify")["holds"])
        return False


def wait(is_so: Callable[[], bool], patience_s: float, why: Callable[[], str]) -> None:
    """Look until it is so. Raises ScenarioError with ``why`` when it does not come."""
    until_s = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > until_s:
            raise ScenarioError(why())
        time.sleep(LOOK_S)


def fill(hog: Path) -> None:
    """Take every byte that is left on a disk."""
    with hog.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(b"h" * size)
