"""A scenario: nodes, links, clocks, faults, people and what must hold, read from one TOML file.

Refuses impossible values and unknown keys with a sentence a person can act on. The same file serves
every body.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Milliseconds = Annotated[int, Meta(ge=0, le=400 * 24 * 3600 * 1000)]
Count = Annotated[int, Meta(ge=0, le=100_000)]

SCENARIO_FOLDER = Path(__file__).parent / "scenarios"


class ScenarioError(Exception):
    """A scenario that cannot be run; the text says where and why."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A TOML table whose unknown keys are errors."""


class Link(Table):
    """Physics of every link. Delay is exponential above its minimum; duplicates and losses are shares."""

    delay_ms_mean: Milliseconds = 40
    delay_ms_min: Milliseconds = 5
    loss: Share = 0.0
    duplicate: Share = 0.0
    degree: Annotated[int, Meta(ge=1, le=64)] = 6


class Partition(Table):
    """From ``from_ms`` until ``until_ms`` the first ``share`` of the nodes is cut off from the rest.

    ``one_way``: only messages from the first group to the second are lost.
    """

    from_ms: Milliseconds
    until_ms: Milliseconds
    share: Share = 0.5
    one_way: bool = False


class Crash(Table):
    """The node loses power at ``at_ms`` and is back ``down_ms`` later, from its stores."""

    node: Count
    at_ms: Milliseconds
    down_ms: Milliseconds = 5_000
    lose_state: bool = False


class Churn(Table):
    """Each node leaves on average once per ``every_ms`` and stays away ``away_ms``; 0: nobody leaves."""

    every_ms: Milliseconds = 0
    away_ms: Milliseconds = 60_000


class DiskFull(Table):
    """The node's disk takes no write between the two times."""

    node: Count
    from_ms: Milliseconds
    until_ms: Milliseconds


class Vote(Table):
    """One proposal and who votes how; voters are the members in order: yes first, then no, then abstain.

    ``boundary``: instead of counts, everybody votes; yes is one ``below``, ``at`` or one ``above`` the
    share of the threshold. ``last_minute``: share who cast in the last twentieth. ``change``: first vote the
    opposite. ``passes``: what every node must find, or None where either outcome is right.
    """

    title: str
    yes: Count = 0
    no: Count = 0
    abstain: Count = 0
    boundary: str = ""
    threshold: str = "simple"
    key: str = "feature.command_prediction"
    value: int = 2
    opens_ms: Milliseconds = 1_000
    closes_ms: Milliseconds = 120_000
    last_minute: Share = 0.2
    change: Share = 0.0
    passes: bool | None = None


class Learning(Table):
    """What machines learn: each node sees ``outcomes`` fix outcomes of ``pairs`` pairs, then releases.

    ``success``: the true success rate of each pair, repeated as needed.
    """

    level: str = "PUBLIC"
    window_ms: Milliseconds = 60_000
    outcomes: Count = 20
    success: tuple[Share, ...] = (0.9, 0.2)
    fleet: bool = False


class Adversary(Table):
    """``count`` hostile members of the kinds in ``adversary.py``; they are the last nodes."""

    kind: str
    count: Count = 1


class Scenario(Table):
    """Everything a body needs to run it. Times are milliseconds of virtual time from the start."""

    id: str
    summary: str
    nodes: Annotated[int, Meta(ge=1, le=10_000)]
    duration_ms: Milliseconds
    link: Link = Link()
    skew_ms_max: Milliseconds = 500
    partition: tuple[Partition, ...] = ()
    crash: tuple[Crash, ...] = ()
    churn: Churn = Churn()
    disk_full: tuple[DiskFull, ...] = ()
    vote: tuple[Vote, ...] = ()
    learning: Learning | None = None
    adversary: tuple[Adversary, ...] = ()
    late_joiners: Count = 0
    grace_ms: Milliseconds = 60_000
    expect_failure: bool = False
    waits_for: str = ""


def read_scenario(name: str, nodes: int | None = None) -> Scenario:
    """The scenario of an id or a path to a TOML file, with another number of nodes where asked."""
    path = Path(name) if name.endswith(".toml") else SCENARIO_FOLDER / f"{name}.toml"
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in SCENARIO_FOLDER.glob("*.toml")))
        raise ScenarioError(f"There is no scenario {name!r}. Known: {known}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path} cannot be read: {error}") from error
    try:
        scenario = msgspec.convert(raw, Scenario)
        if nodes is not None and nodes != scenario.nodes:
            scenario = msgspec.convert(msgspec.to_builtins(_resize(scenario, nodes)), Scenario)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{path.name}: {error}") from error
    _check(scenario, path.name)
    return scenario


RATIOS = {"simple": (1, 2), "super": (66, 100), "consensus": (90, 100)}


def _resize(scenario: Scenario, nodes: int) -> Scenario:
    """The same scenario for another number of nodes: voters, adversaries and late joiners in proportion."""

    def scale(count: int) -> int:
        return count * nodes // scenario.nodes

    return msgspec.structs.replace(
        scenario,
        nodes=nodes,
        late_joiners=scale(scenario.late_joiners),
        vote=tuple(
            msgspec.structs.replace(vote, yes=scale(vote.yes), no=scale(vote.no), abstain=scale(vote.abstain))
            for vote in scenario.vote
        ),
        adversary=tuple(
            msgspec.structs.replace(item, count=max(1, scale(item.count))) for item in scenario.adversary
        ),
        crash=tuple(item for item in scenario.crash if item.node < nodes),
        disk_full=tuple(item for item in scenario.disk_full if item.node < nodes),
    )


def choices(vote: Vote, voters: int) -> list[str]:
    """Who votes what, one word for each voter in order."""
    if not vote.boundary:
        return ["yes"] * vote.yes + ["no"] * vote.no + ["abstain"] * vote.abstain
    num, den = RATIOS[vote.threshold]
    yes = num * voters // den + {"below": -1, "at": 0, "above": 1}[vote.boundary]
    return ["yes"] * yes + ["no"] * (voters - yes)


def _check(scenario: Scenario, name: str) -> None:
    link = scenario.link
    problems = [
        (link.delay_ms_mean < link.delay_ms_min, "link.delay_ms_mean is below link.delay_ms_min"),
        (link.loss >= 1.0, "link.loss of 1 delivers nothing"),
        (any(cut.until_ms <= cut.from_ms for cut in scenario.partition), "a partition ends before it begins"),
        (any(cut.until_ms > scenario.duration_ms for cut in scenario.partition), "a partition never heals"),
        (
            any(item.node >= scenario.nodes for item in scenario.crash),
            "a crash names a node that is not there",
        ),
        (any(item.node >= scenario.nodes for item in scenario.disk_full), "disk_full names no such node"),
        (any(vote.closes_ms <= vote.opens_ms for vote in scenario.vote), "a vote closes before it opens"),
        (
            any(vote.yes + vote.no + vote.abstain > scenario.nodes for vote in scenario.vote),
            "a vote has more voters than there are nodes",
        ),
        (
            any(vote.threshold not in RATIOS for vote in scenario.vote),
            "a vote's threshold is simple, super or consensus",
        ),
        (
            any(vote.boundary not in ("", "below", "at", "above") for vote in scenario.vote),
            "a vote's boundary is below, at or above",
        ),
        (scenario.late_joiners >= scenario.nodes, "somebody must be there before the late joiners"),
        (
            sum(item.count for item in scenario.adversary) >= scenario.nodes,
            "there must be an honest node",
        ),
    ]
    for is_wrong, text in problems:
        if is_wrong:
            raise ScenarioError(f"{name}: {text}.")


def list_scenarios() -> list[Scenario]:
    """All scenarios that ship, by id."""
    return [read_scenario(path.stem) for path in sorted(SCENARIO_FOLDER.glob("*.toml"))]
