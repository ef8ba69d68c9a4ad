"""A trace: every event of one world run as JSON lines, and its replay up to a step.

Refuses traces of another schema or another version of luminous-node: they would not be the same history.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import msgspec

import luminous
from luminous.node.core import events
from luminous.simulations.place import Place
from luminous.simulations.scenario import Scenario, ScenarioError
from luminous.simulations.workload import schedule
from luminous.simulations.world import World

SCHEMA = 1


class Reached(Exception):
    """The replay came to the step it was asked for."""


def describe(world: World, step: int, place: Place, event: events.Event) -> dict[str, Any]:
    """One line of a trace."""
    detail = ""
    if isinstance(event, events.Received):
        detail = f"{event.envelope.kind.name} {event.envelope.id.hex()[:12]}"
    elif isinstance(event, events.Commanded):
        detail = type(event.command).__name__
    elif isinstance(event, events.PeerJoined | events.PeerLeft):
        detail = event.peer
    line = {"step": step, "at_ms": world.now_ms, "node": place.index, "event": type(event).__name__}
    return {**line, "detail": detail}


def record(world: World, scenario: Scenario, file: TextIO) -> None:
    """Write the header now and a line for each event; attach before the first event."""
    header = {
        "schema": SCHEMA,
        "version": luminous.__version__,
        "body": "world",
        "seed": world.seed,
        "scenario": msgspec.to_builtins(scenario),
    }
    file.write(json.dumps(header) + "\n")

    def write(step: int, place: Place, event: events.Event) -> None:
        file.write(json.dumps(describe(world, step, place, event)) + "\n")

    world.watchers.append(write)


@dataclass(frozen=True, slots=True)
class Stand:
    """One machine at a step of a replay."""

    node: int
    is_up: bool
    records: int
    proposals: tuple[str, ...]
    trials: int


def read_header(path: Path) -> tuple[Scenario, int, Iterator[dict[str, Any]]]:
    """The scenario, the seed and the lines of a trace. Raises ScenarioError if it cannot be replayed."""
    try:
        lines = path.read_text().splitlines()
        header = json.loads(lines[0])
    except (OSError, UnicodeDecodeError, ValueError, IndexError) as error:
        raise ScenarioError(f"{path} is no trace: {error}") from error
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        found = header.get("schema") if isinstance(header, dict) else None
        raise ScenarioError(f"{path} has trace schema {found}; this version reads {SCHEMA}")
    if header.get("version") != luminous.__version__:
        raise ScenarioError(
            f"{path} was written by luminous-node {header.get('version')}, this is {luminous.__version__}: "
            f"replay it with that version"
        )
    try:
        scenario = msgspec.convert(header["scenario"], Scenario)
        seed = int(header["seed"])
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise ScenarioError(f"{path} has a header that cannot be read: {error}") from error
    return scenario, seed, _lines(path, lines[1:])


def _lines(path: Path, lines: list[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 2):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise ScenarioError(f"{path}, line {number} is cut off or damaged: {error}") from error


def replay(path: Path, until: int) -> tuple[list[dict[str, Any]], list[Stand]]:
    """Play a trace again up to step ``until``: the last lines, and how each machine stands then.

    Raises ScenarioError where history differs from the trace: the code is not the one that wrote it.
    """
    scenario, seed, lines = read_header(path)
    world = World(scenario, seed)
    schedule(world)
    last: list[dict[str, Any]] = []

    def compare(step: int, place: Place, event: events.Event) -> None:
        if step > until:
            raise Reached
        found, wanted = describe(world, step, place, event), next(lines, None)
        if found != wanted:
            raise ScenarioError(f"history differs at step {step}: {found}, the trace says {wanted}")
        last.append(found)
        del last[:-10]

    world.watchers.append(compare)
    with suppress(Reached):
        world.run()
    return last, [_stand(place) for place in world.places]


def _stand(place: Place) -> Stand:
    if not place.is_up:
        return Stand(place.index, False, 0, (), 0)
    machines = place.node.machines
    decisions = () if machines.governance is None else machines.governance.proposals()
    trials = 0 if machines.learning is None else machines.learning.statistics.total
    shown = tuple(f"{item.proposal.title}: {item.words}" for item in decisions)
    return Stand(place.index, True, len(place.node.records), shown, trials)
