"""The learning machine as a whole: consent, one release a window, crashes, secrets, fleets."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.crypto.digest import digest
from luminous.crypto.entropy import SeededEntropy
from luminous.node.core.instant import Instant
from luminous.node.core.learning.machine import Learning, LearningConfig
from luminous.node.core.learning.priors import PublicPrior
from luminous.node.core.learning.records import CHARGE
from luminous.node.core.learning.statistics import Trial
from luminous.node.core.outcomes import Emit, Keep, Outcome, Tell
from luminous.protocol.codec import Value, encode
from luminous.protocol.deltas import (
    BUDGET_PERIOD_MS,
    DELTA,
    Delta,
    LearningLaw,
    Level,
    fleet_law,
)
from luminous.protocol.envelope import Admitted
from luminous.protocol.identifiers import AuthorId, EnvelopeId, NetworkId
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1
from luminous.protocol.reasons import Reason, Refused

NETWORK = NetworkId(bytes(range(16)))
HOUR = 3_600_000
MONTH = BUDGET_PERIOD_MS
START = 20 * MONTH
PAIR = ("disk_full", "collect_garbage")
RIVAL = ("disk_full", "limit_boot_entries")
# A law under which twelve authors are enough: what is tested is the machine, not the prediction.
EASY = LearningLaw(min_cosine_milli=10)


def at(wall_ms: int, mono_ms: int = 0) -> Instant:
    return Instant("boot", mono_ms, wall_ms)


def author(n: int) -> AuthorId:
    return AuthorId(digest("member", bytes([n])))


# Judges nothing that these tests are about, and believes nothing.
PRIOR = PublicPrior({}, (Trial(("syntax_error", "close_bracket"), True),))
MEMBERS = frozenset(author(n) for n in range(12))


def node(n: int, law: LearningLaw = EASY, config: LearningConfig | None = None) -> Learning:
    machine = Learning(NETWORK, author(n), law, SeededEntropy(b"node" + bytes([n])), config, PRIOR)
    machine.set_eligible(MEMBERS)
    return machine


def emits(outcomes: tuple[Outcome, ...]) -> list[Emit]:
    return [outcome for outcome in outcomes if isinstance(outcome, Emit)]


def tells(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [outcome.name for outcome in outcomes if isinstance(outcome, Tell)]


def admit(n: int, emit: Emit) -> Admitted:
    charge = emit.charge if isinstance(emit.charge, dict) else {}
    issued_at_ms = charge.get("wall_ms", 0)  # type: ignore[call-overload]
    raw = encode(DELTA.pack(emit.payload))  # type: ignore[arg-type]
    return Admitted(
        EnvelopeId(digest("t", author(n), raw)),
        NETWORK,
        Kind.DELTA,
        author(n),
        1,
        issued_at_ms,
        emit.payload,
        raw,
    )


def release(machine: Learning, wall_ms: int) -> Emit:
    (emit,) = emits(machine.tick(at(wall_ms)))
    return emit


def settled(machine: Learning) -> Instant:
    wall_ms = machine.deadline()
    assert wall_ms is not None
    return at(wall_ms)


# Consent


def test_nothing_leaves_without_consent_and_after_it_is_withdrawn() -> None:
    machine = node(0)
    machine.observe(PAIR, True, at(START))
    assert machine.tick(at(START + 3 * MONTH)) == () and machine.deadline() is None
    assert machine.preview(at(START))["leaves"] == "nothing: no consent to learning"
    machine.grant(Level.PUBLIC, at(START))
    machine.revoke(at(START + HOUR))
    assert machine.tick(at(START + 3 * MONTH)) == () and machine.deadline() is None


def test_windows_before_consent_are_never_released() -> None:
    machine = node(0)
    machine.grant(Level.PUBLIC, at(START + HOUR))
    assert emits(machine.tick(at(START + HOUR))) == []
    deadline = machine.deadline()
    assert deadline is not None and START + MONTH <= deadline <= START + MONTH + 6 * HOUR
    assert emits(machine.tick(at(deadline - 1))) == []
    assert release(machine, deadline).payload.window == START // MONTH  # type: ignore[attr-defined]


def test_encrypted_says_what_it_needs() -> None:
    refusal = node(0).grant(Level.ENCRYPTED, at(START))
    assert refusal == Refused(Reason.NO_ROLL, "ENCRYPTED needs a roll and cohorts: not yet")


# One release a window


@pytest.mark.parametrize("level", [Level.PUBLIC, Level.DIFFERENTIAL])
def test_one_release_a_window_with_or_without_events(level: Level) -> None:
    machine = node(0)
    machine.grant(level, at(START))
    windows = []
    for hour in range(0, 24 * 100, 5):
        for emit in emits(machine.tick(at(START + hour * HOUR))):
            assert isinstance(emit.payload, Delta) and emit.charge is not None
            windows.append(emit.payload.window)
    assert windows == [START // MONTH + k for k in range(3)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 20 * 24), st.booleans(), st.booleans()), max_size=30),
    st.sampled_from([Level.PUBLIC, Level.DIFFERENTIAL]),
)
def test_no_window_is_released_twice_through_crashes(
    steps: list[tuple[int, bool, bool]], level: Level
) -> None:
    """At any step the process may die; the journal keeps (charge, envelope), which restart recalls in
    either order."""
    machine, wall_ms = node(0), START
    journal: list[tuple[str, Value, Admitted | None]] = []

    def keep(outcomes: tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Emit):
                journal.append((CHARGE, outcome.charge, admit(0, outcome)))
            elif isinstance(outcome, Keep):
                journal.append((outcome.name, outcome.body, None))

    granted = machine.grant(level, at(wall_ms))
    assert not isinstance(granted, Refused)
    keep(granted)
    for hours, crashes, envelope_first in steps:
        wall_ms += hours * HOUR
        keep(machine.tick(at(wall_ms)))
        if crashes:
            machine = node(0)
            for name, body, envelope in journal:
                if envelope is not None and envelope_first:
                    machine.hear(envelope, at(wall_ms))
                machine.recall(name, body)
                if envelope is not None:
                    machine.hear(envelope, at(wall_ms))
        keep(machine.tick(at(wall_ms)))
    windows = [envelope.payload.window for _, _, envelope in journal if envelope is not None]
    assert len(windows) == len(set(windows))
    spent = machine.releases.ledger
    assert spent.compute_spent(wall_ms) <= spent.budget_nano


def test_a_machine_that_forgets_its_charges_is_caught() -> None:
    """The mutant: restart without recalling. It releases the window again."""
    machine = node(0)
    machine.grant(Level.DIFFERENTIAL, at(START))
    due = START + MONTH + 7 * HOUR
    first, mutant = release(machine, due), node(0)
    mutant.grant(Level.DIFFERENTIAL, at(START))
    assert release(mutant, due).payload.window == first.payload.window  # type: ignore[attr-defined]
    honest = node(0)
    honest.grant(Level.DIFFERENTIAL, at(START))
    honest.recall(CHARGE, first.charge)
    assert emits(honest.tick(at(due))) == []


def test_own_envelopes_alone_rebuild_the_ledger() -> None:
    """Were a charge not recalled, the released delta itself says what it cost; with both, it costs once."""
    machine = node(0)
    machine.grant(Level.DIFFERENTIAL, at(START))
    emit = release(machine, START + MONTH + 7 * HOUR)
    spent = machine.releases.ledger.lifetime_spent_nano
    for recalled in (0, 1, 2):
        again = node(0)
        for _ in range(recalled):
            again.recall(CHARGE, emit.charge)
        again.hear(admit(0, emit), at(START + MONTH + 8 * HOUR))
        assert again.releases.ledger.lifetime_spent_nano == spent > 0


def test_a_useless_release_is_refused_once_a_window_and_keeps_the_budget() -> None:
    machine = node(0, LearningLaw())
    machine.grant(Level.DIFFERENTIAL, at(START))
    outcomes = machine.tick(at(START + MONTH + 7 * HOUR))
    assert [o.facts["why"] for o in outcomes if isinstance(o, Tell)] == [
        "predicted cosine 0.05 < 0.30, budget kept: 12 contributors, about 452 needed"
    ]
    assert machine.tick(at(START + MONTH + 8 * HOUR)) == ()
    assert machine.status(at(START + MONTH + 8 * HOUR))["epsilon_milli_spent"] == 0


def test_a_clock_set_back_releases_nothing_until_it_caught_up() -> None:
    machine = node(0)
    machine.grant(Level.PUBLIC, at(START))
    far = START + 5 * MONTH + 7 * HOUR
    release(machine, far)
    machine.releases.ledger.newest_window = 0  # even if the window were free
    assert tells(machine.tick(at(far - HOUR))) == ["learning.not_released"]
    assert len(emits(machine.tick(at(far)))) == 1


def test_a_lost_journal_stops_releases_for_a_period() -> None:
    machine = node(0)
    machine.grant(Level.DIFFERENTIAL, at(START))
    machine.lose_journal(at(START + MONTH))
    assert emits(machine.tick(at(START + 2 * MONTH - HOUR))) == []
    assert len(emits(machine.tick(at(START + 3 * MONTH - HOUR)))) == 1


# Secrets


SECRETS = ["hunter2-canary", "/home/alice/canary", "canary.example.org", "ssh-canary-AAAA"]


@pytest.mark.parametrize("level", [Level.PUBLIC, Level.DIFFERENTIAL])
def test_no_canary_reaches_a_byte_that_leaves(level: Level) -> None:
    """Secrets as class, as fix and beside listed names: kept here, absent from every payload and charge."""
    machine = node(0)
    machine.grant(level, at(START))
    kept = []
    for secret in SECRETS:
        for pair in ((secret, secret), ("disk_full", secret), (secret, "collect_garbage")):
            kept.extend(machine.observe(pair, True, at(START)))
    emit = release(machine, START + MONTH + 7 * HOUR)
    sent = encode(DELTA.pack(emit.payload)) + encode(emit.charge)  # type: ignore[arg-type]
    local = b"".join(encode(o.body) for o in kept if isinstance(o, Keep))
    for secret in SECRETS:
        assert secret.encode() in local and (secret, secret) in machine.counts()
        assert not any(secret.encode()[k : k + 6] in sent for k in range(len(secret) - 5))
    if level == Level.PUBLIC:
        assert set(emit.payload.vector) == {0}  # type: ignore[attr-defined]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20), st.booleans()), max_size=10))
def test_what_the_layout_does_not_list_changes_no_byte(trials: list[tuple[str, str, bool]]) -> None:
    one, two = node(0), node(0)
    for machine in (one, two):
        machine.grant(Level.DIFFERENTIAL, at(START))
        machine.observe(PAIR, True, at(START))
    for error_class, fix, success in trials:
        if (error_class, fix) not in FIXES_1.index:
            one.observe((error_class, fix), success, at(START))
    due = START + MONTH + 7 * HOUR
    assert release(one, due) == release(two, due)


# Together


def exchange(machines: list[Learning], wall_ms: int) -> list[str]:
    """All release, all hear all, all judge; the names of what they tell."""
    sent = [(n, release(machine, wall_ms)) for n, machine in enumerate(machines)]
    for machine in machines:
        for n, emit in sent:
            machine.hear(admit(n, emit), at(wall_ms))
    return [name for machine in machines for name in tells(machine.tick(settled(machine)))]


def test_in_a_fleet_of_three_a_fix_found_on_one_is_known_to_the_others_at_once() -> None:
    law = fleet_law(10_000)
    machines = [node(n, law) for n in range(3)]
    for machine in machines:
        machine.grant(Level.PUBLIC, at(START))
    machines[0].observe(PAIR, True, at(START))
    machines[0].observe(RIVAL, False, at(START))
    assert exchange(machines, START + 11_500) == ["learning.adopted"] * 3
    for other in machines[1:]:
        beliefs = other.prior()
        assert beliefs[PAIR][0] / beliefs[PAIR][1] > beliefs[RIVAL][0] / beliefs[RIVAL][1]
    assert PAIR not in machines[0].prior()  # its own outcomes are not heard twice
    digests = {machine.aggregate_digest(START // 10_000) for machine in machines}
    assert len(digests) == 1
    wisdom = machines[2].wisdom()
    assert not isinstance(wisdom, Refused)
    assert {(p.pair, p.rate_milli, p.trials) for p in wisdom} == {(PAIR, 1000, 1), (RIVAL, 0, 1)}


@pytest.mark.parametrize(("count", "is_enough"), [(9, False), (10, True)])
def test_a_community_shows_and_adopts_nothing_below_ten(count: int, is_enough: bool) -> None:
    machines = [node(n, LearningLaw()) for n in range(count)]
    for machine in machines:
        machine.grant(Level.PUBLIC, at(START))
        machine.observe(PAIR, True, at(START))
    told = exchange(machines, START + MONTH + 7 * HOUR)
    assert told == (["learning.adopted"] * count if is_enough else [])
    wisdom = machines[0].wisdom()
    if is_enough:
        assert not isinstance(wisdom, Refused) and wisdom[0].pair == PAIR and wisdom[0].contributors == 10
        assert wisdom[0].rate_milli >= 950 and wisdom[0].low_milli < wisdom[0].rate_milli
    else:
        assert wisdom == Refused(Reason.TOO_FEW, "9 contributors heard, at least 10 needed to show any")
        assert machines[0].prior() == {}


def test_local_wishes_only_make_it_stricter() -> None:
    assert node(0, LearningLaw(), LearningConfig(min_participants=3)).contributors_min == 10
    assert node(0, LearningLaw(), LearningConfig(min_participants=30)).contributors_min == 30


def test_a_decision_can_ask_for_more_contributors_and_not_for_fewer() -> None:
    machine = node(0, LearningLaw())
    machine.set_contributors_min(25)
    assert machine.contributors_min == 25
    machine.set_contributors_min(2)
    assert machine.contributors_min == 10


def test_sybils_outside_the_roll_do_not_count() -> None:
    machine = node(0, LearningLaw())
    donor = node(1, LearningLaw())
    donor.grant(Level.PUBLIC, at(START))
    emit = release(donor, START + MONTH + 7 * HOUR)
    for n in range(100, 200):
        machine.hear(admit(n, emit), at(START + MONTH + 7 * HOUR))
    assert machine.pool.count(START // MONTH) == 0
    machine.set_eligible(None)
    assert machine.pool.count(START // MONTH) == 100


def test_poisoned_wisdom_is_set_aside_on_own_data() -> None:
    """Eleven say that a fix never works; here it has always worked, and the gate says no."""
    machines = [node(n, LearningLaw()) for n in range(12)]
    for n, machine in enumerate(machines):
        machine.grant(Level.PUBLIC, at(START))
        for _ in range(40):
            machine.observe(PAIR, n == 0, at(START))
    told = exchange(machines, START + MONTH + 7 * HOUR)
    assert told == ["learning.set_aside"] + ["learning.adopted"] * 11
    assert machines[0].prior() == {}


def test_regret_rolls_back() -> None:
    machines = [node(n, LearningLaw()) for n in range(12)]
    for n, machine in enumerate(machines):
        machine.grant(Level.PUBLIC, at(START))
        for _ in range(40 if n else 0):
            machine.observe(PAIR, False, at(START))
    exchange(machines, START + MONTH + 7 * HOUR)
    young = machines[0]
    assert young.prior()[PAIR][1] > 1
    told: list[str] = []
    for _ in range(12):
        told += tells(young.observe(PAIR, True, at(START + 2 * MONTH)))
    assert told == ["learning.rolled_back"] and young.prior() == {}


def test_a_restart_rebuilds_beliefs_and_counts() -> None:
    law = fleet_law(10_000)
    machines = [node(n, law) for n in range(3)]
    kept: list[Keep] = []
    for machine in machines:
        machine.grant(Level.PUBLIC, at(START))
    machines[0].observe(PAIR, True, at(START))
    kept += [o for o in machines[1].observe(RIVAL, False, at(START)) if isinstance(o, Keep)]
    wall_ms = START + 11_500
    sent = [(n, release(machine, wall_ms)) for n, machine in enumerate(machines)]
    for n, emit in sent:
        machines[1].hear(admit(n, emit), at(wall_ms))
    kept += [o for o in machines[1].tick(settled(machines[1])) if isinstance(o, Keep)]
    again = node(1, law)
    for record in kept:
        again.recall(record.name, record.body)
    assert again.prior() == machines[1].prior() != {}
    assert again.counts() == machines[1].counts()
    again.forget(at(wall_ms))
    assert again.prior() == {} == again.counts()


def test_the_public_prior_is_capped_at_ten_pseudo_trials() -> None:
    prior = PublicPrior({PAIR: (9, 10)})
    machine = Learning(NETWORK, author(0), EASY, SeededEntropy(b""), prior=prior)
    assert machine.prior() == {PAIR: (9.0, 10.0)}


def test_preview_says_what_will_be_sent() -> None:
    machine = node(0)
    machine.observe(PAIR, True, at(START))
    machine.grant(Level.PUBLIC, at(START))
    facts = machine.preview(at(START))
    emit = release(machine, facts["due_at_ms"])  # type: ignore[arg-type]
    assert facts["counts"] == [[*PAIR, 1, 0]]
    assert facts["window"] == emit.payload.window  # type: ignore[attr-defined]
    assert emit.payload.vector[2 * FIXES_1.index[PAIR]] == 1  # type: ignore[attr-defined]


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 11))
def test_hearing_in_any_order_and_twice_gives_one_digest(order: list[int], twice: int) -> None:
    delta = Delta(START // MONTH, Level.PUBLIC, FIXES_1.id, 1, 0, (0,) * 64)
    envelopes = [
        admit(n, Emit(Kind.DELTA, replace(delta, vector=(n, n * n % 7, *delta.vector[2:]))))
        for n in range(12)
    ]
    straight, mixed = node(0), node(1)
    for envelope in envelopes:
        straight.hear(envelope, at(START + MONTH))
    for n in [*order, twice]:
        mixed.hear(envelopes[n], at(START + MONTH))
    window = START // MONTH
    assert straight.aggregate_digest(window) == mixed.aggregate_digest(window)
    assert not isinstance(mixed.aggregate_digest(window), Refused)


def test_retired_and_far_windows_are_not_held() -> None:
    machine = node(0)
    for window in (START // MONTH - 3, START // MONTH + 2):
        delta = Delta(window, Level.PUBLIC, FIXES_1.id, 1, 0, (0,) * 64)
        machine.hear(admit(1, Emit(Kind.DELTA, delta)), at(START))
    assert machine.pool.windows() == ()
