"""What people and machines do in a scenario: propose, vote, change their minds, try fixes, come and go.

Refuses to check anything: that is the checkers' part.
"""

from collections.abc import Callable

from luminous.node.core import commands, events
from luminous.node.core.observing import COMMAND_ENDED, FIX_TRIED
from luminous.protocol.codec import Value
from luminous.protocol.limits import FOUNDERS_MAX
from luminous.simulations.adversary import unleash
from luminous.simulations.disk import MemoryStore
from luminous.simulations.faults import Clog
from luminous.simulations.newer import schedule_newer
from luminous.simulations.place import CANARY, WALL_START_MS, Place
from luminous.simulations.roles import COPY
from luminous.simulations.scenario import Vote, choices
from luminous.simulations.sickness import begin, end, readings
from luminous.simulations.world import World

OPPOSITE = {"yes": "no", "no": "yes", "abstain": "yes"}
LAST_MINUTE_SHARE = 20
VOTE_MARGIN_MS = 500


def schedule(world: World) -> None:
    """Put the whole scenario into the world's queue; roles are on the places."""
    scenario = world.scenario
    late = scenario.late_joiners
    late_at_ms = scenario.late_at_ms or scenario.duration_ms // 2
    for place in world.places:
        is_late = scenario.nodes - late <= place.index < scenario.nodes
        start_ms = late_at_ms + world.chance.randint(0, 1000) if is_late else world.chance.randint(0, 200)
        is_copy = place.role == COPY and place.index >= scenario.nodes
        if is_copy:
            world.at(scenario.duration_ms // 2, _bind(_restore_copy, world, place))
            continue
        world.at(start_ms, _bind(world.boot, place))
        if place.role == "sybil":
            continue
        if scenario.learning is not None:
            world.at(start_ms + 10, _bind(_consent, world, place))
            _schedule_outcomes(world, place, start_ms)
        if scenario.people:
            _schedule_person(world, place, start_ms)
        if scenario.measures:
            world.at(start_ms + 1_000, _bind(_measure, world, place))
    if scenario.adversary:
        unleash(world)
    schedule_newer(world)
    voters_max = min(scenario.nodes - late, FOUNDERS_MAX)
    everybody = [place for place in world.places[:voters_max] if not place.role]
    for vote in scenario.vote:
        _schedule_vote(world, vote, everybody)
    _schedule_faults(world)
    if scenario.churn.every_ms:
        _schedule_churn(world)


def _restore_copy(world: World, place: Place) -> None:
    """The backup of a member, restored on a second machine while the first still runs."""
    original = next(item for item in world.places if item.config.signer.public == place.config.signer.public)
    place.journal, place.state = original.journal.copy(), original.state.copy()
    world.boot(place)


def _schedule_faults(world: World) -> None:
    scenario = world.scenario
    for crash in scenario.crash:
        place = world.places[crash.node]
        world.at(crash.at_ms, _crash(world, place, lose_state=crash.lose_state))
        if crash.lose_journal:
            world.at(crash.at_ms + 1, _bind(_burn_journal, place))
        world.at(crash.at_ms + crash.down_ms, _bind(world.boot, place))
    for full in scenario.disk_full:
        world.at(full.from_ms, _fill(world.places[full.node], is_full=True))
        world.at(full.until_ms, _fill(world.places[full.node], is_full=False))
    for corrupt in scenario.disk_corrupt:
        place = world.places[corrupt.node]
        backups: list[MemoryStore] = []
        world.at(corrupt.from_ms, _bind(_overwrite, place, backups))
        world.at(corrupt.until_ms, _bind(_repair, place, backups))
    for jump in scenario.clock_jump:
        world.at(jump.at_ms, _bind(_jump, world.places[jump.node], jump.by_ms))
    for sickness in scenario.sickness:
        place = world.places[sickness.node]
        world.at(sickness.from_ms, _bind(begin, place, sickness, sickness.from_ms))
        world.at(sickness.until_ms, _bind(end, place, sickness.kind))
    for clog in scenario.clog:
        _schedule_clog(world, clog)


def _burn_journal(place: Place) -> None:
    if not place.is_up:
        place.journal.wipe()
        place.journal_lost = True


def _overwrite(place: Place, backups: list[MemoryStore]) -> None:
    backups.append(place.state.copy())
    place.state.corrupt = True


def _repair(place: Place, backups: list[MemoryStore]) -> None:
    place.state = backups[0]
    if place.driver is not None:
        place.driver.replace_state(place.state)


def _jump(place: Place, by_ms: int) -> None:
    place.skew_ms += by_ms


def _schedule_clog(world: World, clog: Clog) -> None:
    nodes = world.chance.sample(range(len(world.places)), round(clog.share * len(world.places)))
    half_ms = (clog.from_ms + clog.until_ms) // 2
    for node in nodes:
        from_ms, until_ms = clog.from_ms, clog.until_ms
        if clog.swizzle:
            from_ms = world.chance.randint(clog.from_ms, half_ms - 1)
            until_ms = world.chance.randint(half_ms, clog.until_ms)
        world.network.clogs.setdefault(node, []).append((from_ms, until_ms))


def _measure(world: World, place: Place) -> None:
    """One sample of the host, and the next when the machine wants it; none while it is silent."""
    if place.is_up and not place.is_asleep and "silent" not in place.sick:
        at = world.instant(place)
        world.step(place, events.Measured(at, readings(place, at, world.chance)))
    interval_ms = place.node.machines.health.interval_ms if place.is_up else 30_000
    world.at(world.now_ms + interval_ms, _bind(_measure, world, place))


def _schedule_person(world: World, place: Place, start_ms: int) -> None:
    """Somebody works here: bursts of commands with pauses between, some fail, one carries the canary."""
    at_ms = start_ms + 100
    while at_ms < world.scenario.duration_ms:
        for _ in range(world.chance.randint(1, 6)):
            success = world.chance.random() < 0.8
            facts = {
                "command": world.chance.choice(("nixos-rebuild", "nix-build", "git", CANARY)),
                "success": success,
                "class": ""
                if success
                else world.chance.choice(("hash_mismatch", "attribute_missing", CANARY)),
                "signature": "" if success else CANARY,
                "duration_ms": world.chance.randint(10, 60_000),
            }
            world.at(at_ms, _bind(_see, world, place, COMMAND_ENDED, facts))
            at_ms += world.chance.randint(500, 20_000)
        at_ms += round(world.chance.expovariate(1 / 300_000))


def _see(world: World, place: Place, name: str, facts: dict[str, Value]) -> None:
    world.step(place, events.Observed(world.instant(place), name, facts))


def _bind(action: Callable[..., None], *arguments: object) -> Callable[[], None]:
    return lambda: action(*arguments)


def _crash(world: World, place: Place, *, lose_state: bool) -> Callable[[], None]:
    return lambda: world.crash(place, lose_state=lose_state)


def _doze(world: World, place: Place, back_ms: int) -> None:
    if place.is_up and not place.is_asleep:
        world.sleep(place)
        world.at(back_ms, _bind(world.wake, place))


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
    for place in world.places:
        if place.role == "equivocate":
            word = "yes" if place.index >= world.scenario.nodes else "no"
            world.at(world.chance.randint(first_ms, last_ms), _bind(_cast, world, place, title, word, vote))


def _cast(world: World, place: Place, title: str, word: str, vote: Vote) -> None:
    """Vote as soon as the proposal is known; a person tries again until the vote closes."""
    is_here = place.is_up and not place.is_asleep
    if is_here and place.node.machines.governance is not None:
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
            away_ms = round(world.chance.expovariate(1 / churn.away_ms))
            back_ms = min(at_ms + away_ms, end_ms * 3 // 4)
            if churn.sleep:
                world.at(at_ms, _bind(_doze, world, place, back_ms))
            else:
                world.at(at_ms, _crash(world, place, lose_state=False))
                world.at(back_ms, _bind(world.boot, place))
            at_ms = back_ms + 1 + round(world.chance.expovariate(1 / churn.every_ms))
