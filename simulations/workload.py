"""What people and machines do in a scenario: propose, vote, change their minds, try fixes, come and go.

Refuses to check anything: that is the checkers' part.
"""

from collections.abc import Callable

from luminous.node.core import commands, events
from luminous.node.core.observing import FIX_TRIED
from luminous.simulations.adversary import unleash
from luminous.simulations.scenario import Vote, choices
from luminous.simulations.world import WALL_START_MS, Place, World

OPPOSITE = {"yes": "no", "no": "yes", "abstain": "yes"}
LAST_MINUTE_SHARE = 20
VOTE_MARGIN_MS = 500


def schedule(world: World) -> frozenset[int]:
    """Put the whole scenario into the world's queue; the indexes of hostile places."""
    scenario = world.scenario
    late = scenario.late_joiners
    for place in world.places:
        is_late = place.index >= scenario.nodes - late
        start_ms = scenario.duration_ms // 2 if is_late else world.chance.randint(0, 200)
        world.at(start_ms, _bind(world.boot, place))
        if scenario.learning is not None:
            world.at(start_ms + 10, _bind(_consent, world, place))
            _schedule_outcomes(world, place, start_ms)
    hostile = unleash(world)
    voters = [place for place in world.places[: scenario.nodes - late] if place.index not in hostile]
    for vote in scenario.vote:
        _schedule_vote(world, vote, voters)
    for crash in scenario.crash:
        place = world.places[crash.node]
        world.at(crash.at_ms, _crash(world, place, lose_state=crash.lose_state))
        world.at(crash.at_ms + crash.down_ms, _bind(world.boot, place))
    for full in scenario.disk_full:
        world.at(full.from_ms, _fill(world.places[full.node], is_full=True))
        world.at(full.until_ms, _fill(world.places[full.node], is_full=False))
    if scenario.churn.every_ms:
        _schedule_churn(world)
    return hostile


def _bind(action: Callable[..., None], *arguments: object) -> Callable[[], None]:
    return lambda: action(*arguments)


def _crash(world: World, place: Place, *, lose_state: bool) -> Callable[[], None]:
    return lambda: world.crash(place, lose_state=lose_state)


def _fill(place: Place, *, is_full: bool) -> Callable[[], None]:
    def fill() -> None:
        place.journal.full = place.state.full = is_full

    return fill


def _consent(world: World, place: Place) -> None:
    assert world.scenario.learning is not None
    world.command(place, commands.GrantLearning(world.scenario.learning.level))


def _schedule_outcomes(world: World, place: Place, start_ms: int) -> None:
    learning = world.scenario.learning
    assert learning is not None
    pairs = place.config.layout.pairs
    for _ in range(learning.outcomes):
        index = world.chance.randrange(len(pairs))
        success = world.chance.random() < learning.success[index % len(learning.success)]
        error_class, fix = pairs[index]
        at_ms = start_ms + 20 + world.chance.randrange(max(1, learning.window_ms))
        place.truth.append((error_class, fix, success, at_ms))
        world.at(at_ms, _bind(_try_fix, world, place, error_class, fix, success))


def _try_fix(world: World, place: Place, error_class: str, fix: str, success: bool) -> None:
    facts = {"class": error_class, "fix": fix, "success": success}
    world.step(place, events.Observed(world.instant(place), FIX_TRIED, facts))  # type: ignore[arg-type]


def _schedule_vote(world: World, vote: Vote, voters: list[Place]) -> None:
    words = choices(vote, len(voters))
    title = f"{vote.title} ({vote.opens_ms})"
    proposer = voters[vote.opens_ms // 1000 % len(voters)]

    def propose() -> None:
        world.command(
            proposer,
            commands.Propose(
                kind="feature" if vote.key.startswith("feature.") else "parameter",
                title=title,
                text="",
                effects=((vote.key, vote.value),),
                threshold=vote.threshold,
                closes_at_ms=WALL_START_MS + vote.closes_ms,
                unknowns=("whether people like it",),
            ),
        )

    world.at(vote.opens_ms, propose)
    length_ms = vote.closes_ms - vote.opens_ms
    first_ms, last_ms = vote.opens_ms + min(10_000, length_ms // 4), vote.closes_ms - VOTE_MARGIN_MS
    for place, word in zip(voters, words, strict=False):
        early_ms = first_ms
        if world.chance.random() < vote.last_minute:
            early_ms = max(first_ms, vote.closes_ms - length_ms // LAST_MINUTE_SHARE)
        # A voter acts by its own clock: one that runs ahead must not come too late for it.
        at_ms = world.chance.randint(early_ms, last_ms) - max(0, place.skew_ms)
        if world.chance.random() < vote.change:
            changes_ms = world.chance.randint(first_ms, max(first_ms, at_ms - 1))
            world.at(changes_ms, _bind(_cast, world, place, title, OPPOSITE[word], vote))
        world.at(at_ms, _bind(_cast, world, place, title, word, vote))


def _cast(world: World, place: Place, title: str, word: str, vote: Vote) -> None:
    """Vote as soon as the proposal is known; a person tries again until the vote closes."""
    if place.is_up and place.node.machines.governance is not None:
        for decision in place.node.machines.governance.proposals():
            if decision.proposal.title == title:
                world.command(place, commands.CastVote(decision.id.hex(), word))
                return
    if world.now_ms + 5_000 < vote.closes_ms:
        world.at(world.now_ms + 5_000, _bind(_cast, world, place, title, word, vote))


def _schedule_churn(world: World) -> None:
    churn, end_ms = world.scenario.churn, world.scenario.duration_ms
    for place in world.places:
        at_ms = world.chance.randint(0, 2 * churn.every_ms)
        # The last quarter is calm: what must hold in the end must be able to.
        while at_ms < end_ms * 3 // 4:
            world.at(at_ms, _crash(world, place, lose_state=False))
            away_ms = round(world.chance.expovariate(1 / churn.away_ms))
            back_ms = min(at_ms + away_ms, end_ms * 3 // 4)
            world.at(back_ms, _bind(world.boot, place))
            at_ms = back_ms + 1 + round(world.chance.expovariate(1 / churn.every_ms))
