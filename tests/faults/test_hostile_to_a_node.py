"""A whole node in its own process against hostile members and liars: it stays bounded and decides."""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from libp2p.custom_types import TProtocol
from libp2p.pubsub.pb import rpc_pb2
from node_victim import SCENARIO, SEED, propose

from luminous.crypto.keys import signer_from_seed
from luminous.node.core import commands
from luminous.node.shell import libp2p_patches
from luminous.node.shell.frames import split_frames
from luminous.node.shell.link import SYNC_PROTOCOL
from luminous.protocol.admission import topic_of
from luminous.protocol.ballots import BALLOT, Ballot, Choice
from luminous.protocol.codec import encode
from luminous.protocol.envelope import WIRE_VERSION, seal, signing_digest
from luminous.protocol.identifiers import AuthorId, EnvelopeId, NetworkId, ProposalId
from luminous.protocol.kinds import Kind
from luminous.protocol.limits import ORPHANS_PER_AUTHOR_MAX
from luminous.protocol.ranges import INFINITY, VERSION_BYTE, MessageWriter
from luminous.protocol.sync_messages import Envelopes, Fetch, Offer, Reconcile, decode_request, encode_answer
from luminous.simulations.hostile_peer import Attacker, attacker, framed, write
from luminous.simulations.wire import Wire, start_node

pytestmark = [pytest.mark.alone, pytest.mark.slow]
HERE = Path(__file__).parent
WORDS = itertools.cycle((("yes", "no"), ("no", "yes")))
GROWTH_BYTES_MAX = 24 << 20


class Victim:
    def __init__(self) -> None:
        env = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src")}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "node_victim.py")], env=env, text=True, **pipes
        )
        self.address = json.loads(self.process.stdout.readline())["address"]

    async def ask(self, line: str) -> Any:
        def exchange() -> str:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline()

        return json.loads(await trio.to_thread.run_sync(exchange))

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        with trio.fail_after(60):
            while not holds(state := await self.ask("state")):
                await trio.sleep(0.1)
        return state

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    libp2p_patches.install()
    found = Victim()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the honest member keeps its journal, from one test to the next."""
    return tmp_path_factory.mktemp("honest")


class Honest:
    """An honest member in the test's process, and how it and the victim hear each other."""

    def __init__(self, wire: Wire, victim: Victim) -> None:
        self.wire, self.victim, self.body = wire, victim, wire.bodies[0]
        self.network = wire.membership.id
        self.topic = topic_of(self.network)
        self.hostile = signer_from_seed(wire.seeds[2].author)  # a member that is hostile

    async def holds(self, identifier: str) -> None:
        with trio.fail_after(60):
            while not await self.body.service.ask(
                lambda node: node.records.get(EnvelopeId(bytes.fromhex(identifier)))
            ):
                await trio.sleep(0.1)

    async def exchange(self) -> None:
        """A record each way: a vote of this member, and one of the victim."""
        known = await self.body.service.ask(
            lambda node: [p.id.hex() for p in node.machines.governance.proposals()]
        )
        if known:
            proposal = known[0]
        else:
            report = await self.body.service.command(propose(self.body))
            assert report.name == "done", report
            proposal = report.facts["ids"][0]
        await self.victim.until(lambda state: proposal in state["records"])
        ours, theirs = next(WORDS)  # a vote that changes nothing is refused
        report = await self.body.service.command(commands.CastVote(proposal, ours))
        assert report.name == "done", report
        await self.victim.until(lambda state: report.facts["ids"][0] in state["records"])
        await self.holds((await self.victim.ask(f"vote {proposal} {theirs}"))["ids"][0])


@asynccontextmanager
async def honest(victim: Victim, folder: Path) -> AsyncIterator[Honest]:
    wire = Wire(SCENARIO, SEED, folder)
    wire.entrance += [victim.address] * 3
    async with trio.open_nursery() as nursery:
        await start_node(wire, 1, nursery)
        yield Honest(wire, victim)
        nursery.cancel_scope.cancel()
    wire.bodies[0].close()


def counted(state: dict[str, Any], name: str) -> int:
    return int(state["counters"].get(name, 0))


async def publish(enemy: Attacker, topic: str, raws: list[bytes]) -> None:
    stream = await enemy.stream()
    for raw in raws:
        rpc = rpc_pb2.RPC(publish=[enemy.message(topic, raw)])
        if not await write(stream, framed(rpc.SerializeToString())):
            return


def play(victim: Victim, folder: Path, attack: Callable[[Honest, dict[str, Any]], Any]) -> None:
    """Exchange records, attack, exchange again; the victim neither grew nor fell."""

    async def scenario() -> None:
        async with honest(victim, folder) as peer:
            await peer.exchange()
            before = await victim.ask("state")
            await attack(peer, before)
            await peer.exchange()
            after = await victim.ask("state")
            assert after["rss"] - before["rss"] < GROWTH_BYTES_MAX
            assert after["counters"].get("restarts", 0) == 0

    trio.run(scenario)
    assert victim.process.poll() is None


def test_nested_and_oversized_cbor_is_refused_and_its_sender_banned(victim: Victim, home: Path) -> None:
    nested = b"\x81" * 20_000 + b"\x00"
    many = b"\x9a\x00\x0f\xff\xff" + bytes(50_000)
    announced = b"\x9b" + b"\xff" * 8
    oversized = bytes(65_537)

    async def attack(peer: Honest, before: dict[str, Any]) -> None:
        async with attacker(victim.address, random.Random(1)) as enemy:
            await publish(enemy, peer.topic, [nested, many, announced, oversized] * 10)
            state = await victim.until(lambda state: bool(state["banned"]))
            assert counted(state, "offence.rejected") > counted(before, "offence.rejected")
            assert any("never be valid" in reason for reason in state["banned"])

    play(victim, home, attack)


def test_what_only_a_newer_release_says_is_ignored_and_bans_nobody(victim: Victim, home: Path) -> None:
    async def attack(peer: Honest, before: dict[str, Any]) -> None:
        author, raws = AuthorId(peer.hostile.public), []
        for number in range(150):
            payload: dict[int, Any] = {0: "what comes next"}
            signature = peer.hostile.sign(signing_digest(peer.network, 200, author, number, 1, payload))
            fields = (WIRE_VERSION, peer.network, 200, author, number, 1, payload, signature)
            raws.append(encode(dict(enumerate(fields))))
            raws.append(encode({0: WIRE_VERSION + 1, 1: "another shape", 2: number}))
        async with attacker(victim.address, random.Random(2)) as enemy:
            await publish(enemy, peer.topic, raws)
            ignored = counted(before, "messages.ignore")
            state = await victim.until(
                lambda state: state["counters"].get("messages.ignore", 0) >= ignored + 300
            )
            assert len(state["banned"]) == len(before["banned"])
            assert state["counters"].get("offence.rejected", 0) == before["counters"].get(
                "offence.rejected", 0
            )

    play(victim, home, attack)


def test_a_members_ballots_on_nothing_wait_in_a_bounded_place(victim: Victim, home: Path) -> None:
    async def attack(peer: Honest, before: dict[str, Any]) -> None:
        now_ms, raws = peer.body.clock.now().wall_ms, []
        for number in range(300):
            nothing = ProposalId(number.to_bytes(32, "big"))
            payload = BALLOT.pack(Ballot(nothing, Choice.YES, 0, b""))
            raws.append(seal(peer.hostile, peer.network, Kind.BALLOT, number, now_ms, payload))
        async with attacker(victim.address, random.Random(3)) as enemy:
            await publish(enemy, peer.topic, raws)
            heard = counted(before, "messages.accept")
            state = await victim.until(lambda state: counted(state, "messages.accept") >= heard + 300)
            assert 0 < state["orphans"] <= ORPHANS_PER_AUTHOR_MAX

    play(victim, home, attack)


def test_lying_sync_partners_hold_nobody_up(victim: Victim, home: Path) -> None:
    invented = [number.to_bytes(32, "big") for number in range(256)]
    claim = MessageWriter()
    claim.id_list(INFINITY, invented)
    lies = [
        bytes(1000),
        b"\x9b" + b"\xff" * 8,
        encode_answer(Offer(tuple(invented))),
        encode_answer(Reconcile(bytes([VERSION_BYTE]) + b"\xff" * 500)),
        encode_answer(Reconcile(random.Random(4).randbytes(60_000))),
        encode_answer(Reconcile(claim.finish())),  # and gives none of them
    ]

    async def answer(stream: Any, lie: bytes, network: NetworkId) -> None:
        try:
            frames: list[bytes] = []
            buffer = bytearray()
            while not frames:
                buffer += await stream.read(70_000)
                frames = split_frames(buffer, 1 << 20)
            request = decode_request(network, frames[0])
            is_fetch = isinstance(request, Fetch)
            await stream.write(framed(encode_answer(Envelopes(len(request.ids), ())) if is_fetch else lie))
            await stream.close()
        except Exception:  # noqa: BLE001 - hung up on
            return

    async def attack(peer: Honest, before: dict[str, Any]) -> None:
        async with AsyncExitStack() as liars:
            names = []
            for number, lie in enumerate(lies):
                enemy = await liars.enter_async_context(attacker(victim.address, random.Random(50 + number)))
                handler = partial(answer, lie=lie, network=peer.network)
                enemy.host.set_stream_handler(TProtocol(SYNC_PROTOCOL), handler)
                names.append(str(enemy.host.get_id()))
            await victim.until(lambda state: all(state["sync_failures"].get(name) for name in names))
            await peer.exchange()  # while the liars are connected

    play(victim, home, attack)
