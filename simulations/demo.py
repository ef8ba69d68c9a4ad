"""``make demo``: the main job on this machine, scene by scene, real or marked SIMULATED.

Refuses to script an outcome: fixes are tried in worlds that nix runs (or a recorded run where there is no
nix, and then it says so), peers are real libp2p nodes on loopback, and each scene checks what it shows.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import trio

from luminous.node.core import commands, events
from luminous.node.core.learning.ledger import Ledger
from luminous.node.core.learning.release import compute_contributors_needed, compute_cosine
from luminous.node.core.observing import FIX_TRIED
from luminous.node.shell import consent, experience
from luminous.node.shell.body import Body
from luminous.node.shell.explain import explain_text
from luminous.protocol.codec import Value
from luminous.protocol.deltas import LearningLaw
from luminous.protocol.reasons import Refused
from luminous.simulations import fix_trials
from luminous.simulations.scenario import Learning, Scenario
from luminous.simulations.wire import Wire, connect_all, settle, start_node

PEERS = 7
TRIALS_EACH = 3
STUDY_MEMBERS = 1000
VOTE_MS = 9_000


def main() -> int:
    """Play all scenes; 0 when each showed what it promised."""
    began_s = time.perf_counter()
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="luminous-demo-") as folder:
        for name, scene in (("1", scene_explain), ("2 and 3", scene_fleet), ("4 to 6", scene_community)):
            try:
                scene(Path(folder))
            except AssertionError as error:
                failed.append(f"scene {name}: {error}")
                say(f"   THIS SCENE DID NOT SHOW WHAT IT PROMISED: {error}")
    title("Next")
    say("   luminous-node init            make this machine's identity; nothing is sent")
    say("   luminous-node exec -- nixos-rebuild switch     explain it if it fails")
    say("   luminous-node run             the node itself; offline until you consent")
    say("   luminous-sim list             the simulations behind every claim")
    say(f"\n{'done' if not failed else 'FAILED'} in {time.perf_counter() - began_s:.0f} s")
    return 1 if failed else 0


def say(line: str) -> None:
    """One line for the person."""
    print(line, flush=True)


def title(words: str) -> None:
    """A scene's heading."""
    say(f"\n== {words}")


# Scene 1


def scene_explain(folder: Path) -> None:
    """A real failure, explained offline."""
    title("1. A command fails; why, and what fixes it (offline, nothing is sent)")
    stderr, is_recorded = fix_trials.failure(0)
    say(f"   {'RECORDED run (nix is not installed here)' if is_recorded else 'nix-build, run just now'}:")
    for line in stderr.strip().splitlines()[:4]:
        say(f"   | {line}")
    before_s = time.perf_counter()
    answer = explain_text(stderr, command="nix-build default.nix", exit_code=1)
    took_ms = 1000 * (time.perf_counter() - before_s)
    say("")
    for line in answer.to_text().splitlines():
        say(f"   {line}")
    say(f"   ({took_ms:.0f} ms)")
    assert answer.class_id == fix_trials.FAULT, answer.class_id


# Scenes 2 and 3


def scene_fleet(folder: Path) -> None:
    """A fleet learns which fix works; then the same peers refuse to send noise that helps nobody."""
    scenario = Scenario(
        id="demo-fleet",
        summary="one owner's machines",
        nodes=PEERS,
        duration_ms=600_000,
        learning=Learning(level="PUBLIC", window_ms=100_000, fleet=True),
    )
    (folder / "fleet").mkdir()
    trio.run(_fleet, Wire(scenario, int(time.time()), folder / "fleet"))


async def _fleet(wire: Wire) -> None:
    title(f"2. A fleet of {PEERS} real peers (libp2p on loopback) learns which fix works")
    async with trio.open_nursery() as nursery:
        for index in range(PEERS):
            await start_node(wire, index, nursery)
        await connect_all(wire)
        say(f"   {PEERS} peers connected; level PUBLIC, by consent; six try fixes, the seventh nothing")
        tally = await _try_fixes(wire)
        for fix, (worked, tried) in tally.items():
            say(f"   {fix:16} worked in {worked} of {tried} worlds")
        fresh = wire.bodies[-1]
        say(f"   the seventh would try first, alone:      {_first_fix(None)}")
        window = await _released(wire)
        digests = {await body.service.ask(lambda node: _digest(node, window)) for body in wire.bodies}
        say(f"   window {window}: digests on {PEERS} peers: {', '.join(d[:16] for d in sorted(digests))}")
        with trio.fail_after(20):
            while "set_search_path" not in str(experience.read(fresh.paths.data)[1]) and not _knows(fresh):
                await trio.sleep(0.2)
        first = _first_fix(fresh)
        say(f"   the seventh would try first, with peers: {first}")
        await _refuse_noise(wire)
        nursery.cancel_scope.cancel()
    for body in wire.bodies:
        body.close()
    assert len(digests) == 1, "one set of deltas gave two aggregates"
    assert first == "missing_channel.nix_path", f"the fleet's fix is not first: {first}"


def _knows(body: Body) -> bool:
    return any(key[1] == "missing_channel.nix_path" for key in experience.read(body.paths.data)[1])


async def _try_fixes(wire: Wire) -> dict[str, tuple[int, int]]:
    tally = dict.fromkeys(fix_trials.FIXES, (0, 0))
    for index, body in enumerate(wire.bodies[:-1]):
        for turn in range(TRIALS_EACH):
            fix = fix_trials.FIXES[(index + turn) % 2]
            tried = await trio.to_thread.run_sync(fix_trials.try_fix, fix, 10 * index + turn)
            facts: dict[str, Value] = {"class": fix_trials.FAULT, "fix": fix, "success": tried.success}
            await body.service.put(events.Observed(body.clock.now(), FIX_TRIED, facts))
            worked, times = tally[fix]
            tally[fix] = (worked + tried.success, times + 1)
    return tally


def _first_fix(body: Body | None) -> str:
    local, prior = ({}, {}) if body is None else experience.read(body.paths.data)
    answer = explain_text(
        fix_trials.failure(0)[0], command="nix-build", exit_code=1, ask=False, local=local, prior=prior
    )
    return answer.fixes[0].id if answer.fixes else "nothing"


async def _released(wire: Wire) -> int:
    """Wait until every peer holds the deltas of one window with the outcomes from all."""
    with trio.fail_after(60):
        while True:
            windows = [await body.service.ask(_full_windows) for body in wire.bodies]
            common = set.intersection(*windows)
            if common:
                return max(common)
            await trio.sleep(0.3)


def _full_windows(node: Any) -> set[int]:
    pool = node.machines.learning.pool
    return {window for window in pool.windows() if pool.count(window) == PEERS}


def _digest(node: Any, window: int) -> str:
    found = node.machines.learning.aggregate_digest(window)
    return found.detail if isinstance(found, Refused) else str(found.hex())


async def _refuse_noise(wire: Wire) -> None:
    title(
        "3. The same peers at DIFFERENTIAL (epsilon 1 in 30 days): when noise would drown it, nothing is sent"
    )
    for body in wire.bodies:
        held = consent.read(body.paths.consent)
        wall_ms = body.clock.now().wall_ms
        consent.write(body.paths.consent, consent.grant_learning(held, "DIFFERENTIAL", (), wall_ms))
        await body.sync_learning_consent()
    from luminous.simulations.learning_study import alone_vs_noised_vs_cohort

    study = partial(alone_vs_noised_vs_cohort, STUDY_MEMBERS, judged=100)
    arms = await trio.to_thread.run_sync(study)
    body = wire.bodies[0]
    with trio.fail_after(40):
        while not any(report.name == "learning.not_released" for report in body.service.history):
            await trio.sleep(0.3)
    told = next(report for report in body.service.history if report.name == "learning.not_released")
    say(f"   not released: {told.facts['why']!s}")
    say("   (windows of 10 s split the budget of 30 days 259 200 ways. With the default window of 30 days:")
    usual = LearningLaw()
    noise = Ledger(usual, 1000).noise_milli
    cosine = compute_cosine(PEERS, usual.dimension, noise)
    needed = compute_contributors_needed(usual.min_cosine_milli, usual.dimension, noise)
    say(f"    the same {PEERS} peers give a cosine of {cosine:.2f}; {needed} contributors would be enough)")
    say(f"   SIMULATED, {STUDY_MEMBERS} members, 20 outcomes each: how often the first fix tried works")
    for arm in arms:
        say(f"     {arm.name:34} {arm.success:.3f}")
    assert "cosine" in str(told.facts["why"]), told.facts["why"]


# Scenes 4 to 6


def scene_community(folder: Path) -> None:
    """A vote, the constitution, health, a repair, and why."""
    scenario = Scenario(id="demo-community", summary="a community", nodes=PEERS, duration_ms=600_000)
    (folder / "community").mkdir()
    trio.run(_community, Wire(scenario, int(time.time()) + 1, folder / "community"))


async def _community(wire: Wire) -> None:
    async with trio.open_nursery() as nursery:
        for index in range(PEERS):
            await start_node(wire, index, nursery)
        await connect_all(wire)
        await _decide(wire)
        await _heal(wire)
        await _ask_why(wire.bodies[1])
        nursery.cancel_scope.cancel()
    for body in wire.bodies:
        body.close()


async def _decide(wire: Wire) -> None:
    title(f"4. {PEERS} members decide; every node counts; the constitution bounds what a vote can do")
    body = wire.bodies[0]
    forbidden = commands.Propose(
        "parameter",
        "Measure every second",
        "",
        (("health.interval_s", 1),),
        "simple",
        _closing(body),
        ("cost",),
    )
    report = await body.service.command(forbidden)
    say(f"   proposed: health.interval_s = 1   refused: {report.facts.get('detail')!s}")
    assert report.name == "refused", "an unconstitutional proposal was taken"
    closes_at_ms = _closing(body)
    legal = commands.Propose(
        "parameter",
        "Measure every 20 seconds",
        "",
        (("health.interval_s", 20),),
        "simple",
        closes_at_ms,
        ("cost",),
    )
    report = await body.service.command(legal)
    assert report.name == "done", report.facts
    say("   proposed: health.interval_s = 20  taken; five vote yes, two no")
    identifier = str(report.facts["ids"][0])  # type: ignore[index]
    for index, voter in enumerate(wire.bodies):
        with trio.fail_after(10):
            while not await voter.service.ask(lambda node: bool(node.machines.governance.proposals())):  # type: ignore[union-attr]
                await trio.sleep(0.1)
        await voter.service.command(commands.CastVote(identifier, "yes" if index < 5 else "no"))
    await settle(wire, 1, 60.0)
    words = {await item.service.ask(_words) for item in wire.bodies}
    for line in sorted(words):
        say(f"   on every node: {line}")
    assert len(words) == 1 and "passed" in next(iter(words)), words
    value = await body.service.ask(lambda node: node.machines.governance.parameters()["health.interval_s"])  # type: ignore[union-attr]
    await body.service.command(commands.Override("health.interval_s", 60))
    own = await body.service.ask(lambda node: node.machines.governance.parameters()["health.interval_s"])  # type: ignore[union-attr]
    say(f"   in force: {value} s; this machine's owner keeps {own} s: opting out is always legal")


def _closing(body: Body) -> int:
    return int(body.clock.now().wall_ms) + VOTE_MS


def _words(node: Any) -> str:
    return str(node.machines.governance.proposals()[0].words)


async def _heal(wire: Wire) -> None:
    title("5. Self-care: an honest score; a damaged store is found, restored, verified, refilled")
    body = wire.bodies[1]
    await trio.sleep(0.5)
    view = await body.service.ask(lambda node: node.machines.health.view())
    say(f"   {view['summary']!s}")
    held = await body.service.ask(lambda node: len(node.records))
    await _overwrite(body)
    say("   the state store's pages were just overwritten with noise, while the node runs")
    await body.service.report_damage((await trio.to_thread.run_sync(body.stores.state.integrity))[0])
    body.look()
    with trio.fail_after(30):
        while not any("repaired" in incident for incident in body.incidents):
            await trio.sleep(0.1)
    say(f"   {body.incidents[-1][:300]}")
    damage = await trio.to_thread.run_sync(body.stores.state.integrity)
    stored = sum(1 for record in body.stores.state.records() if record.kind == "envelope")
    say(f"   check: {'sound' if not damage else damage[0]}; {stored} envelopes stored again, {held} held")
    assert not damage, damage


async def _overwrite(body: Body) -> None:
    """Noise over the middle of the file, as a dying disk does it; the backup was taken before."""
    body.paths.backups.mkdir(exist_ok=True)
    store = body.stores.state
    await trio.to_thread.run_sync(store.backup, body.paths.backups / "state.sqlite")
    store.checkpoint()
    size = store.path.stat().st_size
    with store.path.open("r+b") as file:
        for page in range(1, size // 4096):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)


async def _ask_why(body: Body) -> None:
    title("6. Why? From what really happened on this machine, or: I don't know")
    for question in ("acted:repair", "symptom:store_damaged:state", "why is the sky blue"):
        answer = await body.service.ask(partial(_why, question=question))
        say(f"   why {question!r}")
        for line in str(answer.text).splitlines():
            say(f"      {line}")


def _why(node: Any, question: str) -> Any:
    return node.machines.causes.why(question)


if __name__ == "__main__":
    sys.exit(main())
