"""The independent implementation, as a child process that speaks one JSON line per message."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "simulations" / "js_negentropy"


def why_absent() -> str | None:
    """The reason why the partner cannot run here, or None."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (FOLDER / "node_modules").is_dir():
        return "the packages are not installed: run npm ci in simulations/js_negentropy"
    return None


class Partner:
    """One partner process; ``open`` starts a new dialogue in it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(FOLDER / "partner.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def open(self, records: Sequence[tuple[int, bytes]], frame_size_bytes_max: int) -> None:
        items = [[at, identifier.hex()] for at, identifier in records]
        self._ask({"cmd": "open", "items": items, "frame": frame_size_bytes_max})

    def initiate(self) -> bytes:
        return bytes.fromhex(self._ask({"cmd": "initiate"})["message"])

    def reconcile(self, message: bytes) -> tuple[bytes | None, set[bytes], set[bytes]]:
        answer = self._ask({"cmd": "reconcile", "message": message.hex()})
        following = None if answer["message"] is None else bytes.fromhex(answer["message"])
        return following, {*map(bytes.fromhex, answer["have"])}, {*map(bytes.fromhex, answer["need"])}

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer
        return answer
