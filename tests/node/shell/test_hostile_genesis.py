"""A newcomer and the founding record it is given: a wrong, oversized or foreign one is not taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from luminous.crypto.keys import signer_from_seed
from luminous.node.core.effects import Report
from luminous.node.core.founding import found
from luminous.node.shell import consent, networks
from luminous.node.shell.body import Body, NetworkJoined
from luminous.node.shell.failure import Failure
from luminous.node.shell.keyfile import load_or_create
from luminous.node.shell.paths import locate
from luminous.node.shell.settings import Settings
from luminous.node.shell.transport_types import PeerView
from luminous.protocol.cards import Card, write_card
from luminous.protocol.genesis import network_id
from luminous.protocol.identifiers import AuthorId

FOUNDER = signer_from_seed(b"\x07" * 32).public


def genesis(name: str = "lab") -> bytes:
    return found(
        name, [FOUNDER], is_fleet=True, is_open=False, parameters={}, created_at_ms=1, salt=b"s" * 16
    )


def other_constitution(monkeypatch: pytest.MonkeyPatch) -> bytes:
    with monkeypatch.context() as patch:
        patch.setattr("luminous.node.core.founding.table_digest", lambda: b"\x13" * 32)
        return genesis()


class Giver:
    """A transport with one peer, which answers a request for the founding record as it likes."""

    def __init__(self, answers: Callable[[], bytes | None], callbacks: dict[str, Any]) -> None:
        self._answers = answers
        self.asked = 0
        assert callbacks["topics"] == (), "without a founding record nothing is heard"

    async def run(self, *, task_status: Any) -> None:
        task_status.started()
        await trio.sleep_forever()

    def peer_id(self) -> str:
        return "newcomer"

    def addresses(self) -> tuple[str, ...]:
        return ()

    def peers(self) -> tuple[PeerView, ...]:
        return (PeerView("giver", "", "", (), 0.0, 0.0, 0, 0, 0, ""),)

    async def request(self, peer: str, protocol: str, data: bytes, timeout_s: float) -> bytes | None:
        await trio.lowlevel.checkpoint()
        return self._answers()


def newcomer(folder: Path, wanted: bytes, answers: Callable[[], bytes | None], told: list[Report]) -> Body:
    paths = locate({"HOME": str(folder), "LUMINOUS_DATA_DIR": str(folder / "d")})
    card = Card(AuthorId(FOUNDER), network_id(wanted), "lab", ())
    networks.join(paths.data, write_card(card))
    consent.write(paths.consent, consent.grant_network(consent.Record(), 1))
    return Body(
        paths=paths,
        settings=Settings(),
        seeds=load_or_create(paths.keys),
        environ={},
        make_transport=lambda body: lambda **callbacks: Giver(answers, callbacks),  # type: ignore[arg-type, return-value]
        tell=told.append,
    )


def live(body: Body, answered: Callable[[], int], wanted: int) -> bool:
    """Whether it joined before it had been answered so often."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(body.run)
            with trio.fail_after(90):
                while answered() < wanted:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    has_joined = False
    try:
        trio.run(main)
    except* NetworkJoined:
        has_joined = True
    finally:
        body.close()
    return has_joined


@pytest.fixture(autouse=True)
def asks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luminous.node.shell.link.FETCH_PAUSE_S", 0.01)


def test_hostile_records_are_not_taken_and_the_right_one_is(tmp_path: Path) -> None:
    wanted = genesis()
    hostile = [None, b"", b"\x00" * 200_000, wanted + b"\x00", wanted[:-1], genesis("other"), b"\xa0", wanted]
    given: list[bytes | None] = []

    def answers() -> bytes | None:
        given.append(hostile[len(given)])
        return given[-1]

    body = newcomer(tmp_path, wanted, answers, told := [])
    assert live(body, lambda: 0, 1)
    assert given == hostile
    assert networks.genesis_bytes(tmp_path / "d") == wanted
    assert body.falls == []
    assert "genesis_refused" not in [report.name for report in told]


def test_another_constitution_is_told_once_and_not_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = other_constitution(monkeypatch)
    given: list[bytes] = []

    def answers() -> bytes:
        given.append(foreign)
        return foreign

    body = newcomer(tmp_path, foreign, answers, told := [])
    assert not live(body, lambda: len(given), 20)
    assert networks.genesis_bytes(tmp_path / "d") is None
    (report,) = [report for report in told if report.name == "genesis_refused"]
    assert "another constitution" in str(report.facts["why"])
    assert body.falls == []


@pytest.mark.parametrize(
    "line", ["", "luminous://", "luminous://" + "a" * 100_000, "http://x", "luminous://\x00", "luminous://ÿÿ"]
)
def test_a_hostile_card_is_a_clear_refusal(tmp_path: Path, line: str) -> None:
    with pytest.raises(Failure, match="the card cannot be read"):
        networks.join(tmp_path / "d", line)
    assert networks.network_of(tmp_path / "d") is None


def test_one_changed_letter_of_a_card_is_found(tmp_path: Path) -> None:
    line = write_card(Card(AuthorId(FOUNDER), network_id(genesis()), "lab", ()))
    for place in range(len("luminous://"), len(line)):
        changed = line[:place] + ("b" if line[place] == "a" else "a") + line[place + 1 :]
        with pytest.raises(Failure):
            networks.join(tmp_path / "d", changed)
