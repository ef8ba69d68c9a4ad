"""Random scenarios from seeds: small networks, all faults and adversaries mixed, every check.

Refuses luck: a seed is a scenario and a history. A failure is reported with its seed, the commit and the
command that replays it. More than f liars are never drawn: what must hold is then no longer promised.
"""

import json
import random
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from luminous.protocol.roll import quorum
from luminous.simulations.running import run_world
from luminous.simulations.scenario import Scenario, ScenarioError
from luminous.simulations.workers import open_pool

FAULTS_END_MS = 200_000
DURATION_MS = 600_000
# A machine that falls over is a finding with a seed, not the end of the campaign.
OUR_FAULTS = (
    AssertionError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
)
HOSTILE = ("replay", "equivocate", "forge", "stuff", "poison", "flood", "withhold")


def draw_scenario(seed: int, low: int = 4, high: int = 10) -> Scenario:
    """The scenario of a seed: everything is drawn from it."""
    chance = random.Random(f"campaign/{seed}")
    nodes = chance.randint(low, high)
    faulty_max = nodes - quorum(nodes)
    hostile = chance.randint(0, faulty_max) if chance.random() < 0.6 else 0
    honest = nodes - hostile
    kind = chance.choice(("simple", "super", "consensus"))
    yes = chance.randint(0, honest)
    raw: dict[str, Any] = {
        "id": f"campaign-{seed}",
        "summary": "drawn",
        "nodes": nodes,
        "duration_ms": DURATION_MS,
        "skew_ms_max": chance.choice((0, 500, 5_000)),
        "grace_ms": chance.choice((1_000, 20_000, 60_000)),
        "measures": chance.random() < 0.2,
        "people": chance.random() < 0.2,
        "link": {
            "delay_ms_mean": chance.choice((20, 200, 2_000)),
            "loss": chance.choice((0.0, 0.0, 0.05, 0.1)),
            "duplicate": chance.choice((0.0, 0.1)),
            "degree": nodes,
        },
        "vote": [
            {
                "title": "drawn",
                "yes": yes,
                "no": chance.randint(0, honest - yes),
                "key": "feature.learning_paths",
                "value": 0,
                "threshold": kind,
                "closes_ms": chance.choice((60_000, 120_000)),
                "last_minute": chance.random(),
                "change": chance.choice((0.0, 0.3)),
            }
        ],
    }
    if chance.random() < 0.5:
        raw["learning"] = {"level": "PUBLIC", "window_ms": 60_000, "outcomes": 4}
    raw["adversary"] = [
        {"kind": chance.choice(HOSTILE), "every_ms": chance.choice((15_000, 60_000))} for _ in range(hostile)
    ]
    raw.update(_draw_faults(chance, nodes))
    return msgspec.convert(raw, Scenario)


def _draw_faults(chance: random.Random, nodes: int) -> dict[str, Any]:
    faults: dict[str, list[dict[str, Any]]] = {}

    def span() -> dict[str, int]:
        from_ms = chance.randint(1_000, FAULTS_END_MS - 20_000)
        return {"from_ms": from_ms, "until_ms": chance.randint(from_ms + 1_000, FAULTS_END_MS)}

    def some(name: str, share: float, draw: Any) -> None:
        if chance.random() < share:
            faults[name] = [draw() for _ in range(chance.randint(1, 2))]

    some("partition", 0.4, lambda: {**span(), "share": chance.random(), "one_way": chance.random() < 0.3})
    some("clog", 0.3, lambda: {**span(), "share": chance.random(), "swizzle": chance.random() < 0.5})
    some(
        "crash",
        0.5,
        lambda: {
            "node": chance.randrange(nodes),
            "at_ms": chance.randint(1_000, FAULTS_END_MS),
            "down_ms": chance.randint(100, 60_000),
            "lose_state": chance.random() < 0.3,
        },
    )
    some("disk_full", 0.2, lambda: {"node": chance.randrange(nodes), **span()})
    some("clock_jump", 0.2, lambda: {"node": chance.randrange(nodes), **_jump(chance)})
    if chance.random() < 0.2:
        faults["disk_corrupt"] = [{"node": chance.randrange(nodes), **span()}]
    return dict(faults)


def _jump(chance: random.Random) -> dict[str, int]:
    return {"at_ms": chance.randint(1_000, FAULTS_END_MS), "by_ms": chance.randint(-8_000, 8_000)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: what failed, if anything, and how much happened."""

    seed: int
    broken: tuple[str, ...]
    events: int
    cpu_s: float


def play_seed(job: tuple[int, int, int]) -> Outcome:
    """One seed of a campaign: (seed, least and most nodes)."""
    seed, low, high = job
    try:
        result = run_world(draw_scenario(seed, low, high), seed)
    except OUR_FAULTS as error:
        return Outcome(seed, (f"crash: {type(error).__name__}: {error}",), 0, 0.0)
    broken = tuple(f"{name}: {one['detail']}" for name, one in result.checks.items() if not one["ok"])
    return Outcome(seed, broken, result.figures["events"], result.figures["cpu_s"])


def play(seeds: Iterable[int], low: int, high: int, workers: int) -> Iterator[Outcome]:
    """All seeds, on so many cores; outcomes in the order of the seeds."""
    jobs = [(seed, low, high) for seed in seeds]
    if workers <= 1:
        yield from map(play_seed, jobs)
        return
    with open_pool(workers) as pool:
        yield from pool.imap(play_seed, jobs, chunksize=4)


def line_of(outcome: Outcome, low: int, high: int, commit: str) -> str:
    """One run as a line of a log."""
    return json.dumps({"commit": commit, "nodes": [low, high], **asdict(outcome)})


def read_log(path: Path, low: int, high: int, commit: str) -> dict[int, Outcome]:
    """Runs of a log that need not be played again: of this commit and these sizes, by seed.

    A line cut off by a crash is not one. Raises ScenarioError if the log is there and cannot be read.
    """
    try:
        lines = path.read_text().splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path} cannot be read: {error}") from error
    found: dict[int, Outcome] = {}
    for line in lines:
        try:
            row = json.loads(line)
            if (row["commit"], row["nodes"]) == (commit, [low, high]):
                broken = tuple(str(one) for one in row["broken"])
                found[row["seed"]] = Outcome(row["seed"], broken, row["events"], row["cpu_s"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def commit() -> str:
    """The commit of the checkout this runs from, or "unknown"."""
    folder = Path(__file__).resolve().parent
    command = ["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
