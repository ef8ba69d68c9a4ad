"""What leaves the machine, byte by byte: nothing of what was seen at LOCAL_ONLY, closed vocabulary above it.

Two whole nodes; the wire between them is a recorder.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from luminous.crypto.keys import signer_from_seed
from luminous.node.core.founding import found
from luminous.node.shell import consent, networks, spool
from luminous.node.shell.body import Body
from luminous.node.shell.keyfile import load_or_create
from luminous.node.shell.paths import locate
from luminous.node.shell.settings import Settings
from luminous.node.shell.transport_types import PeerView
from luminous.protocol.admission import admit
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.kinds import Kind

WINDOW_MS = 2_000
# In every place where something private can enter: commands, classes, errors, paths, names.
CANARIES = ("canaryclass41", "canaryfix52", "canarytext63", "canaryhome74", "canarysig85", "canarycmd96")


class Recorder:
    """The wire: carries everything between the transports and keeps a copy of each byte."""

    def __init__(self) -> None:
        self.ends: dict[str, End] = {}
        self.sent: dict[str, list[bytes]] = {}

    def make(self, name: str) -> Callable[..., "End"]:
        return lambda **callbacks: End(self, name, callbacks)


class End:
    """One node's transport on the recorded wire."""

    def __init__(self, wire: Recorder, name: str, callbacks: dict[str, Any]) -> None:
        self._wire, self._name, self._callbacks = wire, name, callbacks

    async def run(self, *, task_status: Any) -> None:
        self._wire.ends[self._name] = self
        task_status.started()
        while len(self._wire.ends) < 2:
            await trio.sleep(0.01)
        for peer in self.peers():
            self._callbacks["joined"](peer.id)
        await trio.sleep_forever()

    def peer_id(self) -> str:
        return f"peer-{self._name}"

    def addresses(self) -> tuple[str, ...]:
        return ()

    def peers(self) -> tuple[PeerView, ...]:
        others = [name for name in sorted(self._wire.ends) if name != self._name]
        return tuple(PeerView(f"peer-{n}", "", "", (), 0.0, 0.0, 0, 0, 0, "") for n in others)

    async def publish(self, topic: str, data: bytes) -> None:
        self._leaves(data)
        await trio.lowlevel.checkpoint()
        for name, end in self._wire.ends.items():
            if (
                name != self._name
                and end._callbacks["validate"](topic, data, self.peer_id()).name == "ACCEPT"
            ):
                end._callbacks["received"](topic, data, self.peer_id())

    async def request(self, peer: str, protocol: str, data: bytes, timeout_s: float) -> bytes | None:
        self._leaves(data)
        other = self._wire.ends[peer.removeprefix("peer-")]
        answer = await other._callbacks["serve"][protocol](self.peer_id(), data)
        other._leaves(answer)
        return bytes(answer)

    def _leaves(self, data: bytes) -> None:
        self._wire.sent.setdefault(self._name, []).append(bytes(data))


def make_body(folder: Path, name: str, genesis: bytes, wire: Recorder, level: str) -> Body:
    paths = locate({"HOME": str(folder), "LUMINOUS_DATA_DIR": str(folder / name)})
    seeds = load_or_create(paths.keys)
    networks.keep_genesis(paths.data, genesis)
    agreed = consent.grant_network(consent.Record(), 1)
    if level != "LOCAL_ONLY":
        agreed = consent.grant_learning(agreed, level, (), 1)
    consent.write(paths.consent, agreed)
    return Body(
        paths=paths, settings=Settings(), seeds=seeds, environ={}, make_transport=lambda body: wire.make(name)
    )  # fmt: skip


def drop_canaries(data_dir: Path) -> None:
    """What ``exec`` would leave after a private failure, its mending, and a public one."""
    common = {
        "schema": 1,
        "command_class": "nix-build",
        "command_key": "canarycmd96",
        "cwd": "/home/canaryhome74",
    }
    private = {"error_class": "canaryclass41", "signature": "canarysig85", "evidence": "canarytext63"}
    public = {"error_class": "hash_mismatch", "fix_observed": "hash_changed"}
    tried = {"success": True, "place": 1, "propensity_milli": 913, "why": "command"}
    for record in (
        {"kind": "failure", **private},
        {"kind": "fix", **private, "fix_observed": "canaryfix52"},
        {"kind": "fix", **public, "changed": ["/home/canaryhome74/x.nix"]},
        {"kind": "fix", "error_class": "hash_mismatch", "fix_observed": "canaryfix52"},
        {"kind": "attempt", **private, "fix_observed": "canaryfix52", **tried},
        {"kind": "attempt", "error_class": "hash_mismatch", "fix_observed": "canaryfix52", **tried},
        {"kind": "attempt", "error_class": "hash_mismatch", "fix_observed": "replace_hash", **tried},
    ):
        spool.write(os.fspath(data_dir), {**spool.now(), **common, **record})


def live(folder: Path, level: str) -> tuple[list[bytes], list[Admitted]]:
    """Two nodes for two windows; all that the first one sent, and its envelopes."""
    wire = Recorder()
    names = ("one", "two")
    authors = []
    for name in names:
        paths = locate({"HOME": str(folder), "LUMINOUS_DATA_DIR": str(folder / name)})
        authors.append(signer_from_seed(load_or_create(paths.keys).author).public)
    genesis = found(
        "lab", authors, is_fleet=True, is_open=False, salt=b"s" * 16, created_at_ms=1,
        parameters={"learning.window_ms": WINDOW_MS, "learning.min_contributors": 1},
    )  # fmt: skip
    bodies = [make_body(folder, name, genesis, wire, level) for name in names]
    drop_canaries(bodies[0].paths.data)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for body in bodies:
                await nursery.start(body.run)
            with trio.fail_after(90):
                while list((bodies[0].paths.data / "spool").glob("*.json")):
                    await trio.sleep(0.05)
            await trio.sleep(2.5 * WINDOW_MS / 1000)
            nursery.cancel_scope.cancel()

    trio.run(main)
    experience = json.loads((bodies[0].paths.data / "experience.json").read_text())
    assert experience["local"], "it was learnt here all the same"
    network = networks.network_of(bodies[0].paths.data)
    assert network is not None
    for body in bodies:
        body.close()
    held = [admit(raw, NetworkId(network)) for raw in wire.sent["one"]]
    own = {item.id: item for item in held if isinstance(item, Admitted) and item.author == authors[0]}
    return wire.sent["one"], list(own.values())


def assert_no_canary(sent: list[bytes]) -> None:
    everything = b"\x00".join(sent)
    for canary in CANARIES:
        assert canary.encode() not in everything
        assert canary.encode().hex().encode() not in everything


@pytest.mark.slow
def test_local_only_sends_nothing_of_what_was_seen(tmp_path: Path) -> None:
    sent, own = live(tmp_path, "LOCAL_ONLY")
    assert sent, "it is a peer all the same: it compares, and says who it is"
    assert {item.kind for item in own} <= {Kind.BINDING}
    assert_no_canary(sent)
    assert b"hash_mismatch" not in b"".join(sent)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["PUBLIC", "DIFFERENTIAL"])
def test_above_it_only_numbers_leave(tmp_path: Path, level: str) -> None:
    """A delta is a vector of the public layout: no word of this machine, public or private."""
    sent, own = live(tmp_path, level)
    deltas = [item for item in own if item.kind is Kind.DELTA]
    if level == "PUBLIC":
        assert deltas, "by consent, it is released"
    assert {item.kind for item in own} <= {Kind.BINDING, Kind.DELTA}
    for item in deltas:
        texts = [value for value in vars_of(item.payload) if isinstance(value, str)]
        assert texts == []
    assert_no_canary(sent)


def vars_of(payload: object) -> list[object]:
    return [getattr(payload, name) for name in payload.__dataclass_fields__]  # type: ignore[attr-defined]


def test_a_planted_leak_is_seen() -> None:
    with pytest.raises(AssertionError):
        assert_no_canary([b"delta", b"\x01canaryhome74/x.nix"])
