"""A part that falls or hangs is started again, alone; the node itself is rebuilt from its stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from luminous.node.core import commands, events
from luminous.node.core.effects import Effect, Report
from luminous.node.shell import consent, networks
from luminous.node.shell.body import Body
from luminous.node.shell.components import Components
from luminous.node.shell.keyfile import load_or_create
from luminous.node.shell.paths import locate
from luminous.node.shell.settings import Settings

RESTARTED_WITHIN_S = 1.0


@pytest.fixture
def body(tmp_path: Path) -> Iterator[Body]:
    paths = locate({"HOME": str(tmp_path), "LUMINOUS_DATA_DIR": str(tmp_path / "d")})
    networks.create(paths.data, "lab", True, [])
    told: list[Report] = []
    made = Body(
        paths=paths,
        settings=Settings(),
        seeds=load_or_create(paths.keys),
        make_transport=lambda body: DeadTransport,  # type: ignore[arg-type, return-value]
        environ={},
        tell=told.append,
    )
    made.heard = told  # type: ignore[attr-defined]
    yield made
    made.close()


class DeadTransport:
    """A transport that cannot be opened: the port is in use, say."""

    def __init__(self, **callbacks: object) -> None:
        self.callbacks = callbacks

    async def run(self, *, task_status: object) -> None:
        raise OSError("address already in use")

    def peers(self) -> tuple[object, ...]:
        return ()

    def addresses(self) -> tuple[str, ...]:
        return ()


async def until(is_so: object, limit_s: float = RESTARTED_WITHIN_S) -> None:
    with trio.fail_after(limit_s):
        while not is_so():  # type: ignore[operator]
            await trio.sleep(0.01)


PARTS = ("node", "monitor", "spool", "backup", "experience", "link")


def generations(body: Body) -> dict[str, int]:
    return {name: body.components.generation(name) for name in PARTS}


def test_a_monitor_that_raises_is_restarted_and_its_siblings_are_untouched(body: Body) -> None:
    read = body.host.read
    planted = [True]

    def broken(*args: object) -> object:
        if planted:
            planted.clear()
            raise RuntimeError("planted")
        return read(*args)  # type: ignore[arg-type]

    async def main() -> None:
        body.host.read = broken  # type: ignore[method-assign, assignment]
        async with trio.open_nursery() as nursery:
            await nursery.start(body.run)
            await until(lambda: body.components.generation("monitor") == 2)
            view = body.service.ask
            with trio.fail_after(2):
                while not (await view(lambda node: node.machines.health.view()))["samples"]:
                    await trio.sleep(0.01)
            assert generations(body) == dict.fromkeys(PARTS, 1) | {"monitor": 2}
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert body.falls == ["monitor: RuntimeError: planted"]
    fell = [report for report in body.heard if report.name == "component_fell"]  # type: ignore[attr-defined]
    assert fell[0].facts == {"component": "monitor", "why": "RuntimeError: planted"}


def test_a_link_that_raises_is_tried_again_and_voting_goes_on(body: Body) -> None:
    consent.write(body.paths.consent, consent.grant_network(consent.Record(), 1))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(body.run)
            await until(lambda: body.components.generation("link") >= 2)
            close_ms = body.clock.now().wall_ms + 200_000_000
            propose = commands.Propose("text", "Still here", "", (), "simple", close_ms)
            assert (await body.service.command(propose)).name == "done"
            assert generations(body) | {"link": 1} == dict.fromkeys(PARTS, 1)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert all("address already in use" in fall for fall in body.falls)


def test_a_hung_task_is_found_told_with_its_stack_and_restarted() -> None:
    told: list[Report] = []
    runs: list[str] = []

    async def stuck() -> None:
        runs.append("stuck")
        if len([name for name in runs if name == "stuck"]) == 1:
            await waits_for_nobody()
        while True:
            parts.beat("stuck")
            await trio.sleep(0.05)

    async def waits_for_nobody() -> None:
        await trio.Event().wait()

    async def well() -> None:
        runs.append("well")
        while True:
            parts.beat("well")
            await trio.sleep(0.05)

    parts = Components(told.append, is_fatal=lambda error: False)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(parts.watch)
            nursery.start_soon(parts.live, "stuck", stuck, 0.3)
            nursery.start_soon(parts.live, "well", well, 0.3)
            await until(lambda: parts.generation("stuck") == 2, 3.0)
            await trio.sleep(0.7)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert runs.count("stuck") == 2
    assert runs.count("well") == 1, "a part that makes progress is left alone"
    (report,) = told
    assert report.name == "component_hung"
    assert report.facts["component"] == "stuck"
    assert "in waits_for_nobody" in str(report.facts["stack"])


def test_a_node_that_breaks_off_in_the_middle_is_rebuilt_from_its_journal(body: Body) -> None:
    """Signed in memory, then a fault before the commit: the act never happened, its number is used once."""
    handlers = body.service._node._handlers
    measured = handlers[events.Measured]
    planted: list[bool] = []

    def broken(event: events.Measured) -> Iterator[Effect]:
        if planted:
            planted.clear()
            raise RuntimeError("planted")
        return measured(event)

    handlers[events.Measured] = broken

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(body.run)
            close_ms = body.clock.now().wall_ms + 200_000_000
            await body.service.command(commands.Propose("text", "first", "", (), "simple", close_ms))
            planted.append(True)
            lost = commands.Propose("text", "lost", "", (), "simple", close_ms)
            # Both in one batch: the proposal is signed, then the second event breaks the step.
            body.service.post(events.Commanded(body.clock.now(), lost, 99))
            body.service.post(events.Measured(body.clock.now(), body.host.read(body.clock.now(), {})))
            await until(lambda: body.components.generation("node") == 2)
            done = await body.service.command(commands.Propose("text", "third", "", (), "simple", close_ms))
            assert done.name == "done", done.facts
            held = await body.service.ask(lambda node: node.records.envelopes())
            proposals = [item for item in held if item.kind.name == "PROPOSAL"]
            assert [item.payload.title for item in proposals] == ["first", "third"]
            assert len({item.sequence for item in held}) == len(held)
            assert generations(body) | {"node": 1} == dict.fromkeys(PARTS, 1)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert body.falls == ["node: RuntimeError: planted"]


def test_without_the_rebuilding_the_lost_act_would_be_served(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: a service that goes on with the old node fails the test above."""
    monkeypatch.setattr("luminous.node.shell.service.Service.renew", lambda self, make: None)
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        test_a_node_that_breaks_off_in_the_middle_is_rebuilt_from_its_journal(body)
