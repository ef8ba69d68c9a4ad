"""A real daemon in a process of its own, and its control socket. Not a test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# How long a state is waited for: a machine that is busy with much else needs it, a quiet one never.
PATIENCE_S = 120.0


class Daemon:
    """One data directory and the processes that were started on it."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.data = folder / "d"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LUMINOUS_", "XDG_", "DO_NOT"))}
        self.env = clean | {
            "HOME": str(folder),
            "LUMINOUS_DATA_DIR": str(self.data),
            "PYTHONPATH": str(ROOT / "src"),
            **environ,
        }
        self.process: subprocess.Popen[str] | None = None

    def type(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "luminous.node", *words],
            env=self.env | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def start(self, *words: str, prefix: tuple[str, ...] = (), module: str = "") -> "Daemon":
        """Start the daemon, or a module in its place, and wait until it answers."""
        self.launch(*words, prefix=prefix, module=module)
        self.until(lambda: self._is_up())
        return self

    def launch(self, *words: str, prefix: tuple[str, ...] = (), module: str = "") -> None:
        """Start without waiting."""
        program = [module] if module else ["-m", "luminous.node.shell.daemon"]
        self.process = subprocess.Popen(
            [*prefix, sys.executable, *program, *words],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "stderr.txt").open("a"),
            text=True,
        )

    @property
    def pid(self) -> int:
        """The daemon's own process, whatever started it."""
        return int((self.data / "lock").read_text())

    def told(self) -> str:
        """Everything it said on stderr."""
        path = self.folder / "stderr.txt"
        return path.read_text() if path.exists() else ""

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.told()
        try:
            return "author" in self.get("/v1/status")
        except (OSError, json.JSONDecodeError):  # not yet, or just giving way to its next start
            return False

    def get(self, path: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The answer of one GET."""
        return self._ask(f"GET {path} HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n".encode(), timeout_s)

    def post(self, path: str, body: object, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The answer of one POST."""
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: l\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
        return self._ask(head.encode() + data, timeout_s)

    def _ask(self, raw: bytes, timeout_s: float) -> dict[str, Any]:
        answer = json.loads(self.exchange(raw, timeout_s).partition(b"\r\n\r\n")[2])
        assert isinstance(answer, dict)
        return answer

    def exchange(self, raw: bytes, timeout_s: float = PATIENCE_S) -> bytes:
        """Send bytes to the control socket; all bytes that came back."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(timeout_s)
            sock.connect(str(self.data / "run/control.sock"))
            sock.sendall(raw)
            parts = []
            while part := sock.recv(65_536):
                parts.append(part)
        return b"".join(parts)

    def until(self, is_so: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
        """Wait for something, looking often; fails when it does not come."""
        end_s = time.monotonic() + limit_s
        while not is_so():
            assert time.monotonic() < end_s, self.told()[-3000:]
            time.sleep(0.05)

    def died(self) -> int:
        """Wait for the process to end by itself; its return code."""
        assert self.process is not None
        return self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        """End it as systemd does; nothing may have been raised."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(PATIENCE_S) == 0, self.told()
        assert "Traceback" not in self.told(), self.told()

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
