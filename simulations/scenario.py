"""A scenario: nodes, links, clocks, faults, people and what must hold, read from one TOML file.

Refuses impossible values and unknown keys with a sentence a person can act on. The same file serves
every body.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from luminous.protocol.limits import FOUNDERS_MAX
from luminous.protocol.roll import quorum
from luminous.simulations.faults import (
    SICKNESSES,
    Churn,
    ClockJump,
    Clog,
    Count,
    Crash,
    DiskCorrupt,
    DiskFull,
    Link,
    Milliseconds,
    Partition,
    Share,
    Sickness,
)

__all__ = ["Link", "Partition", "Scenario", "ScenarioError", "Vote", "choices", "read_scenario"]

SCENARIO_FOLDER = Path(__file__).parent / "scenarios"


class ScenarioError(Exception):
    """A scenario that cannot be run; the text says where and why."""


class Vote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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


class Learning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What machines learn: each node sees ``outcomes`` fix outcomes of ``pairs`` pairs, then releases.

    ``success``: the true success rate of each pair, repeated as needed.
    """

    level: str = "PUBLIC"
    window_ms: Milliseconds = 60_000
    outcomes: Count = 20
    success: tuple[Share, ...] = (0.9, 0.2)
    fleet: bool = False


# What hostile machines can be; a name outside this list comes from a researcher (``lab``).
KINDS = (
    "replay",
    "equivocate",
    "forge",
    "stuff",
    "backdate",
    "poison",
    "flood",
    "withhold",
    "sybil",
    "own",
)


class Adversary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``count`` hostile members of the kinds in ``adversary.py``; they are the last nodes.

    ``sybil``: strangers beside the members instead. ``every_ms``: how often they strike.
    """

    kind: str
    count: Count = 1
    every_ms: Annotated[int, Meta(ge=100)] = 5_000


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a body needs to run it. Times are milliseconds of virtual time from the start.

    ``measures``: machines read their health. ``people``: commands succeed and fail on them all day.
    ``restored_twice``: members whose backup also runs on a second machine from half time on.
    ``late_at_ms``: when late joiners start; 0: at half time. ``newer``: so many of the last honest members
    run a newer release, which also says what the others do not understand.
    """

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
    disk_corrupt: tuple[DiskCorrupt, ...] = ()
    clog: tuple[Clog, ...] = ()
    clock_jump: tuple[ClockJump, ...] = ()
    sickness: tuple[Sickness, ...] = ()
    measures: bool = False
    people: bool = False
    restored_twice: tuple[Count, ...] = ()
    vote: tuple[Vote, ...] = ()
    learning: Learning | None = None
    adversary: tuple[Adversary, ...] = ()
    newer: Count = 0
    late_joiners: Count = 0
    late_at_ms: Milliseconds = 0
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
    check(scenario, path.name)
    return scenario


BY_NODE = ("crash", "disk_full", "disk_corrupt", "clock_jump", "sickness")
RATIOS = {"simple": (1, 2), "super": (66, 100), "consensus": (90, 100)}


def _resize(scenario: Scenario, nodes: int) -> Scenario:
    """The same scenario for another number of nodes: voters, adversaries and late joiners in proportion.

    Where a network bore its hostile members, the smaller one must: of their kinds the last then stay away.
    """

    def scale(count: int) -> int:
        return count * nodes // scenario.nodes

    return msgspec.structs.replace(
        scenario,
        nodes=nodes,
        late_joiners=scale(scenario.late_joiners),
        newer=scale(scenario.newer),
        vote=tuple(
            msgspec.structs.replace(vote, yes=scale(vote.yes), no=scale(vote.no), abstain=scale(vote.abstain))
            for vote in scenario.vote
        ),
        adversary=_fewer(
            scenario,
            nodes,
            [msgspec.structs.replace(item, count=max(1, scale(item.count))) for item in scenario.adversary],
        ),
        restored_twice=tuple(node for node in scenario.restored_twice if node < nodes),
        **{field: tuple(item for item in getattr(scenario, field) if item.node < nodes) for field in BY_NODE},
    )


def _hostile_members(adversaries: Sequence[Adversary]) -> int:
    return sum(item.count for item in adversaries if item.kind != "sybil")


def _fewer(scenario: Scenario, nodes: int, scaled: list[Adversary]) -> tuple[Adversary, ...]:
    was_borne = _hostile_members(scenario.adversary) <= scenario.nodes - quorum(scenario.nodes)
    while was_borne and _hostile_members(scaled) > nodes - quorum(nodes):
        last = max(place for place, item in enumerate(scaled) if item.kind != "sybil")
        del scaled[last]
    return tuple(scaled)


def choices(vote: Vote, voters: int) -> list[str]:
    """Who votes what, one word for each voter in order."""
    if not vote.boundary:
        return ["yes"] * vote.yes + ["no"] * vote.no + ["abstain"] * vote.abstain
    num, den = RATIOS[vote.threshold]
    yes = num * voters // den + {"below": -1, "at": 0, "above": 1}[vote.boundary]
    return ["yes"] * yes + ["no"] * (voters - yes)


def check(scenario: Scenario, name: str) -> None:
    """Raise ScenarioError if what the values say together cannot be."""
    link = scenario.link
    timed: tuple[Clog | DiskFull | DiskCorrupt | Sickness, ...] = (
        *scenario.clog,
        *scenario.disk_full,
        *scenario.disk_corrupt,
        *scenario.sickness,
    )
    problems = [
        (link.delay_ms_mean < link.delay_ms_min, "link.delay_ms_mean is below link.delay_ms_min"),
        (link.loss >= 1.0, "link.loss of 1 delivers nothing"),
        (any(cut.until_ms <= cut.from_ms for cut in scenario.partition), "a partition ends before it begins"),
        (any(cut.until_ms > scenario.duration_ms for cut in scenario.partition), "a partition never heals"),
        *(
            (
                any(item.node >= scenario.nodes for item in getattr(scenario, field)),
                f"{field} names a node that is not there",
            )
            for field in BY_NODE
        ),
        (
            any(node >= scenario.nodes for node in scenario.restored_twice),
            "restored_twice names no such node",
        ),
        (any(item.until_ms <= item.from_ms for item in timed), "a fault ends before it begins"),
        (any(item.kind not in SICKNESSES for item in scenario.sickness), f"sicknesses: {_list(SICKNESSES)}"),
        (any(item.kind not in KINDS for item in scenario.adversary), f"adversaries are: {_list(KINDS)}"),
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
        (
            any(vote.yes + vote.no + vote.abstain > FOUNDERS_MAX for vote in scenario.vote),
            f"a vote has more voters than the {FOUNDERS_MAX} founders that a network may have",
        ),
        (
            scenario.nodes > FOUNDERS_MAX
            and bool(scenario.learning or scenario.adversary or scenario.late_joiners),
            f"a network has at most {FOUNDERS_MAX} founders; machines beyond them only watch: no learning, "
            "no adversaries, no late joiners",
        ),
        (scenario.newer >= scenario.nodes, "somebody must run the release before the newer one"),
        (scenario.late_joiners >= scenario.nodes, "somebody must be there before the late joiners"),
        (
            _hostile_members(scenario.adversary) >= scenario.nodes,
            "there must be an honest node",
        ),
    ]
    for is_wrong, text in problems:
        if is_wrong:
            raise ScenarioError(f"{name}: {text}.")


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def list_scenarios() -> list[Scenario]:
    """All scenarios that ship, by id."""
    return [read_scenario(path.stem) for path in sorted(SCENARIO_FOLDER.glob("*.toml"))]
