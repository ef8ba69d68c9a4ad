"""A sweep: one scenario over a grid of parameters and seeds, on all cores, resumed where it stopped.

Refuses to run twice what is done: each finished point is one line of ``results.jsonl``.
"""

import itertools
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from luminous.simulations.bodies import run
from luminous.simulations.output import append_line
from luminous.simulations.scenario import Scenario, ScenarioError, check, read_scenario
from luminous.simulations.workers import open_pool

POINTS_MAX = 100_000


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``grid``: a dotted key of the scenario, or ``seed`` or ``nodes``, to the values it takes."""

    scenario: str
    grid: dict[str, list[Any]]
    body: str = "world"


def read_spec(path: Path) -> Spec:
    """A sweep from a TOML file. Raises ScenarioError."""
    try:
        spec = msgspec.convert(tomllib.loads(path.read_text()), Spec)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path} cannot be read: {error}") from error
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{path.name}: {error}") from error
    size = 1
    for values in spec.grid.values():
        size *= len(values)
    if not 0 < size <= POINTS_MAX:
        raise ScenarioError(f"{path.name}: the grid has {size} points; 1 to {POINTS_MAX} are possible")
    for point in points(spec):
        build(spec.scenario, point)
    return spec


def points(spec: Spec) -> list[dict[str, Any]]:
    """Every combination, in the order of the file."""
    names = list(spec.grid)
    return [
        dict(zip(names, values, strict=True)) for values in itertools.product(*(spec.grid[n] for n in names))
    ]


def build(name: str, point: dict[str, Any]) -> tuple[Scenario, int]:
    """The scenario and seed of one point. Raises ScenarioError for a key that does not exist."""
    settings = dict(point)
    seed, nodes = int(settings.pop("seed", 1)), settings.pop("nodes", None)
    raw: Any = msgspec.to_builtins(read_scenario(name, nodes))
    for key, value in settings.items():
        holder = raw
        *path, last = key.split(".")
        for part in path:
            holder = holder[int(part)] if isinstance(holder, list | tuple) else holder.get(part)
            if holder is None:
                raise ScenarioError(f"{name} has no {key!r}")
        holder[last] = value
    try:
        scenario = msgspec.convert(raw, Scenario)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{name} with {point}: {error}") from error
    check(scenario, name)
    return scenario, seed


def _play(job: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    name, body, point = job
    scenario, seed = build(name, point)
    return {"point": point, **run(scenario, body, seed).as_json()}


def sweep(
    spec: Spec, folder: Path, workers: int, wanted: list[dict[str, Any]] | None = None
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Play what is not done yet of ``wanted``, else of all points; (done, all, result) after each."""
    path = folder / "results.jsonl"
    done = {json.dumps(row["point"], sort_keys=True) for row in read_results(path)}
    asked = points(spec) if wanted is None else wanted
    waiting = [point for point in asked if json.dumps(point, sort_keys=True) not in done]
    total = len(asked)
    jobs = [(spec.scenario, spec.body, point) for point in waiting]
    finished = total - len(jobs)
    if not jobs:
        return
    with open_pool(max(1, min(workers, len(jobs)))) as pool:
        for row in pool.imap_unordered(_play, jobs):
            append_line(path, json.dumps(row))
            finished += 1
            yield finished, total, row


def read_results(path: Path) -> list[dict[str, Any]]:
    """The finished points; a line cut off by a crash is not one."""
    rows: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
    return rows
