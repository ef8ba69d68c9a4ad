"""The wire body: real TCP, Noise and SQLite on loopback, the whole shell of every node in one process.

Refuses virtual time: what takes a minute takes a minute, so scenario times are divided by ``PACE``.
"""

import hashlib
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio

from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import signer_from_seed
from luminous.node.core import commands, events
from luminous.node.core.node import Node
from luminous.node.core.observing import FIX_TRIED
from luminous.node.shell import consent, networks
from luminous.node.shell.body import Body
from luminous.node.shell.keyfile import Seeds
from luminous.node.shell.link import MakeTransport
from luminous.node.shell.paths import Paths
from luminous.node.shell.service import TooBusy
from luminous.node.shell.settings import Settings
from luminous.simulations.checkers import Evidence, check_all
from luminous.simulations.playable import why_not
from luminous.simulations.running import Result
from luminous.simulations.scenario import Scenario, ScenarioError, Vote, choices
from luminous.simulations.world import Place, settle_raw

PACE = 10
GRACE_MS = 3_000
VOTE_MS_MIN = 6_000
# All nodes share the cores of one machine: the more, the longer until everybody knows and has voted.
VOTE_MS_A_NODE = 1_600
START_S = 120.0
SETTLE_S = 240.0


def run_wire(scenario: Scenario, seed: int) -> Result:
    """Play a scenario with real peers; its times ``PACE`` times faster."""
    why = why_not(scenario, "wire")
    if why:
        raise ScenarioError(f"{scenario.id}: {why}")
    with tempfile.TemporaryDirectory(prefix="luminous-wire-") as folder:
        return trio.run(_play, scenario, seed, Path(folder))


class Wire:
    """Bodies of one scenario, and which side of a cut each peer is on."""

    def __init__(self, scenario: Scenario, seed: int, folder: Path) -> None:
        self.scenario = scenario
        self.folder = folder
        self.seeds = [
            Seeds(*(_seed(seed, index, what) for what in ("author", "transport", "noise")))
            for index in range(scenario.nodes)
        ]
        signers = [signer_from_seed(item.author) for item in self.seeds]
        self.genesis, self.membership = settle_raw(
            scenario, [signer.public for signer in signers], _seed(seed, 0, "salt")[:16], GRACE_MS, PACE
        )
        self.bodies: list[Body] = []
        self.entrance: list[str] = []
        self.side: dict[str, int] = {}
        self.is_cut = False
        self.truth: list[list[tuple[str, str, bool, int]]] = [[] for _ in range(scenario.nodes)]

    def make_body(self, index: int) -> Body:
        """A node with consent given, as a user would."""
        data = self.folder / str(index)
        data.mkdir(mode=0o700, exist_ok=True)
        networks.keep_genesis(data, self.genesis)
        record = consent.grant_network(consent.Record(), 1)
        if self.scenario.learning is not None:
            record = consent.grant_learning(record, self.scenario.learning.level, (), 1)
        paths = Paths(data / "none.yaml", data, data / "run")
        consent.write(paths.consent, record)
        body = Body(paths, Settings(), self.seeds[index], partial(self._transport, index=index), {})
        body.entropy = SeededEntropy(_seed(0, index, "entropy"))
        return body

    def _transport(self, body: Body, *, index: int) -> MakeTransport:
        from luminous.node.shell.libp2p_transport import LibP2PTransport

        def make(**callbacks: Any) -> Any:
            return LibP2PTransport(
                transport_seed=body.seeds.transport,
                noise_seed=body.seeds.noise,
                listen=("/ip4/127.0.0.1/tcp/0",),
                bootstrap=tuple(self.entrance),
                allow=partial(self._may_meet, index),
                **callbacks,
            )

        return make

    def _may_meet(self, index: int, peer: str) -> bool:
        return not self.is_cut or self.side.get(peer, 0) == self._side_of(index)

    def _side_of(self, index: int) -> int:
        share = self.scenario.partition[0].share if self.scenario.partition else 0.0
        return int(index < round(share * self.scenario.nodes))

    async def cut(self, seconds: float) -> None:
        """Keep the two sides apart for a while; the transports' own care drops who is not allowed."""
        for index, body in enumerate(self.bodies):
            if body.link is not None:
                self.side[body.link.transport.peer_id()] = self._side_of(index)
        self.is_cut = True
        await trio.sleep(seconds)
        self.is_cut = False


def _seed(seed: int, index: int, what: str) -> bytes:
    return hashlib.sha256(f"wire/{seed}/{index}/{what}".encode()).digest()


async def _play(scenario: Scenario, seed: int, folder: Path) -> Result:
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    wire = Wire(scenario, seed, folder)
    async with trio.open_nursery() as nursery:
        late = scenario.late_joiners
        for index in range(scenario.nodes - late):
            await start_node(wire, index, nursery)
        await connect_all(wire)
        async with trio.open_nursery() as playing:
            for vote in scenario.vote:
                playing.start_soon(_vote, wire, vote)
            for cut in scenario.partition:
                playing.start_soon(_cut, wire, cut.from_ms / 1000 / PACE, cut.until_ms / 1000 / PACE)
            if scenario.learning is not None:
                playing.start_soon(_learn, wire, seed)
        for index in range(scenario.nodes - late, scenario.nodes):
            await start_node(wire, index, nursery)
        is_settled = await settle(wire, len(scenario.vote), SETTLE_S)
        places = [await _place(wire, index, body) for index, body in enumerate(wire.bodies)]
        nursery.cancel_scope.cancel()
    checks = check_all(Evidence(scenario, tuple(places)))
    for body in wire.bodies:
        body.close()
    return Result(
        scenario=scenario.id,
        body="wire",
        seed=seed,
        nodes=scenario.nodes,
        ok=all(check.ok for check in checks),
        digest=_digest(places),
        checks={check.name: {"ok": check.ok, "detail": check.detail} for check in checks},
        figures={
            "wall_s": round(time.perf_counter() - began_s, 1),
            "cpu_s": round(time.process_time() - began_cpu_s, 1),
            "settled": is_settled,
            "pace": PACE,
        },
    )


async def start_node(wire: Wire, index: int, nursery: trio.Nursery) -> None:
    """Start one node and wait until it can be reached; the first three are where the others enter."""
    body = wire.make_body(index)
    wire.bodies.append(body)
    await nursery.start(body.run)
    with trio.fail_after(START_S):
        while body.link is None or not body.link.transport.addresses():
            await trio.sleep(0.05)
    if len(wire.entrance) < 3:
        wire.entrance.append(body.link.transport.addresses()[0])


async def connect_all(wire: Wire) -> None:
    """Wait until everybody has a peer."""
    with trio.move_on_after(START_S):
        while any(body.link is None or not body.link.transport.peers() for body in wire.bodies[1:]):
            await trio.sleep(0.1)


async def _cut(wire: Wire, from_s: float, until_s: float) -> None:
    await trio.sleep(from_s)
    await wire.cut(until_s - from_s)


async def _vote(wire: Wire, vote: Vote) -> None:
    """Everybody votes in the first half of the time; the proposal is tried until it is known."""
    voters = wire.bodies[: wire.scenario.nodes - wire.scenario.late_joiners]
    words = choices(vote, len(voters))
    title = f"{vote.title} ({vote.opens_ms})"
    await trio.sleep(vote.opens_ms / 1000 / PACE)
    length_ms = max(VOTE_MS_MIN, VOTE_MS_A_NODE * len(voters), (vote.closes_ms - vote.opens_ms) // PACE)
    closes_at_ms = voters[0].clock.now().wall_ms + length_ms
    kind = "feature" if vote.key.startswith("feature.") else "parameter"
    propose = commands.Propose(
        kind, title, "", ((vote.key, vote.value),), vote.threshold, closes_at_ms, ("whether people like it",)
    )
    report = await voters[0].service.command(propose)
    assert report.name == "done", report
    async with trio.open_nursery() as voting:
        for place, (body, word) in enumerate(zip(voters, words, strict=False)):
            pause_s = length_ms / 1000 * (0.1 + 0.4 * place / len(voters))
            voting.start_soon(_cast, body, title, word, pause_s, closes_at_ms)


async def _cast(body: Body, title: str, word: str, pause_s: float, closes_at_ms: int) -> None:
    await trio.sleep(pause_s)
    while body.clock.now().wall_ms < closes_at_ms:
        with suppress(TooBusy):  # as a person would, try again
            found = await body.service.ask(partial(_titled, title=title))
            if found:
                await body.service.command(commands.CastVote(found[0], word))
                return
        await trio.sleep(0.2)


def _titled(node: Node, title: str) -> list[str]:
    governance = node.machines.governance
    assert governance is not None
    return [item.id.hex() for item in governance.proposals() if item.proposal.title == title]


async def _learn(wire: Wire, seed: int) -> None:
    """Outcomes on every machine, then the wait for the window's end."""
    learning = wire.scenario.learning
    assert learning is not None
    import random

    chance = random.Random(f"wire/{seed}")
    for index, body in enumerate(wire.bodies):
        pairs = await body.service.ask(lambda node: node.config.layout.pairs, 120.0)
        for _ in range(learning.outcomes):
            pair = chance.randrange(len(pairs))
            success = chance.random() < learning.success[pair % len(learning.success)]
            error_class, fix = pairs[pair]
            facts: dict[str, Any] = {"class": error_class, "fix": fix, "success": success}
            at = body.clock.now()
            wire.truth[index].append((error_class, fix, success, 0))
            await body.service.put(events.Observed(at, FIX_TRIED, facts))
            await trio.sleep(0.002)
    await trio.sleep(2.2 * learning.window_ms / 1000 / PACE)


async def settle(wire: Wire, votes: int, patience_s: float) -> bool:
    """Wait until every vote is final everywhere and all hold the same lasting records."""
    until_s = trio.current_time() + patience_s
    while trio.current_time() < until_s:
        states = []
        with suppress(TooBusy):
            states = [await body.service.ask(_state) for body in wire.bodies]
        if states and len({state[0] for state in states}) == 1 and all(state[1] >= votes for state in states):
            return True
        await trio.sleep(0.25)
    return False


def _state(node: Any) -> tuple[frozenset[bytes], int]:
    lasting = frozenset(
        item.id for item in node.records.envelopes() if item.kind.name in ("PROPOSAL", "BALLOT")
    )
    finals = sum(1 for item in node.machines.governance.proposals() if item.is_final)
    return lasting, finals


async def _place(wire: Wire, index: int, body: Body) -> Place:
    """The body's node as the checkers see a machine of the world."""
    from luminous.node.driver import Driver

    place = Place(index, await body.service.ask(lambda node: node.config), None, None, 0)  # type: ignore[arg-type]
    driver: Driver = body.service._driver
    place.driver = driver
    place.journal = body.stores.journal  # type: ignore[assignment]
    place.state = body.stores.state  # type: ignore[assignment]
    place.published = [item.raw for item in driver.node.records.envelopes() if item.author == driver.node.me]
    place.truth = wire.truth[index]
    return place


def _digest(places: list[Place]) -> str:
    """Of the lasting records: real time makes every other byte different from run to run."""
    digests = sorted({place.node.records.digest().hex() for place in places})
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]
