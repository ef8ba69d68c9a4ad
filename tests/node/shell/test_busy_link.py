"""A node that is too busy to answer keeps its connections: the link's own notes wait."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import trio
from trio.testing import MockClock

from luminous.node.shell import networks
from luminous.node.shell.body import Body
from luminous.node.shell.service import TooBusy


def test_notes_wait_for_a_busy_node(tmp_path: Path, monkeypatch: Any) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(networks, "keep_addresses", lambda data, addresses: kept.append(addresses))
    monkeypatch.setattr(networks, "keep_minutes", lambda data, *minutes: kept.append(minutes))
    monkeypatch.setattr(networks, "read_minutes", lambda data: (0, b""))
    asked = 0

    async def ask(question: Any) -> tuple[int, bytes]:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise TooBusy("the node is busy")
        return (7, b"seven")

    body: Any = SimpleNamespace(paths=SimpleNamespace(data=tmp_path), service=SimpleNamespace(ask=ask))
    link: Any = SimpleNamespace(transport=SimpleNamespace(addresses=lambda: ("here",)))

    async def main() -> None:
        with trio.move_on_after(5):
            await Body._note_addresses(body, link)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert kept == [("here",), (7, b"seven")]
    assert asked >= 3
