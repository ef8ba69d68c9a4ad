"""Healing: at most one act, kept before it is done, verified or not done, undone, learnt, and told once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from luminous.node.core.healing import machine as machine_module
from luminous.node.core.healing.arms import OUTCOMES_MIN, Arms
from luminous.node.core.healing.guards import Breaker, Budget, Surroundings, freeze_reason
from luminous.node.core.healing.lifecycle import ACTING, OPEN, TRANSITIONS, Phase, Step, move
from luminous.node.core.healing.machine import ACT_TIMEOUT_MS, ASK_TIMEOUT_MS, PROOF_MS, Healing
from luminous.node.core.healing.outcomes import Act
from luminous.node.core.healing.strategies import PLANS, RELEASE_MEMORY, RESTART_COMPONENT, Verb
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Keep, Tell
from luminous.protocol.codec import encode
from luminous.protocol.reasons import Refused

MINUTE, HOUR = 60_000, 3_600_000
DAMAGED = {"name": "store_damaged", "target": "state", "present": True}
SOUND = {**DAMAGED, "present": False}
CRASHED = {"name": "component_failed", "target": "sync", "present": True}
FULL = {"name": "disk_full", "target": "/nix", "present": True}


def at(ms, boot_id="b"):
    return Instant(boot_id, ms, 1_700_000_000_000 + ms)


def acts(outcomes):
    return [outcome for outcome in outcomes if isinstance(outcome, Act)]


def told(outcomes, name):
    return [o.facts for o in outcomes if isinstance(o, Tell) and o.name == name]


def restarted(*batches):
    """A new machine from what was kept, as after a crash."""
    again = Healing()
    for outcome in (o for batch in batches for o in batch):
        if isinstance(outcome, Keep):
            again.recall(outcome.name, outcome.body)
    return again


def test_a_damaged_store_is_repaired_verified_after_its_soak_and_read_back():
    healing = Healing()
    first = healing.symptom(DAMAGED, at(0))
    (act,) = acts(first)
    assert (act.verb, act.target) == ("repair", "state")
    assert healing.remedied(act.intent_id, True, {"verified": True, "steps": "restored"}, at(2_000))
    assert not told(healing.tick(at(30_000)), "healed")  # the soak is not over
    (healed,) = told(healing.tick(at(70_000)), "healed")
    assert (healed["result"], healed["steps"]) == ("verified", "restored")
    view = healing.view()
    assert (view["active"], view["closed"][0]["result"]) == (0, "repair state: verified")
    encode(view)


def test_the_intent_is_kept_durably_before_the_act_leaves():
    outcomes = Healing().symptom(DAMAGED, at(0))
    kinds = [type(outcome).__name__ for outcome in outcomes]
    kept = next(o for o in outcomes if isinstance(o, Keep) and o.name == "healing.intent")
    assert kinds.index("Act") == len(kinds) - 1 > kinds.index("Keep")
    assert kept.durable
    assert kept.body["phase"] == "intended"


def test_a_repair_that_nobody_verified_did_not_happen():
    healing = Healing()
    (act,) = acts(healing.symptom(DAMAGED, at(0)))
    healing.remedied(act.intent_id, True, {}, at(1_000))  # "ok", and nobody looked
    assert not told(healing.tick(at(2 * MINUTE)), "healed")
    outcomes = healing.tick(at(2 * MINUTE + PROOF_MS))
    assert told(outcomes, "heal_failed")
    assert not told(outcomes, "healed")
    assert told(outcomes, "escalated")


def test_the_fault_it_guards_against_a_table_that_trusts_the_shell_would_be_seen(monkeypatch):
    trusting = {**TRANSITIONS, (Phase.SOAKING, Step.TIMEOUT): Phase.VERIFIED}
    monkeypatch.setattr(machine_module, "move", lambda phase, step: trusting[phase, step])
    with pytest.raises(AssertionError):
        test_a_repair_that_nobody_verified_did_not_happen()


def test_a_clean_probe_after_the_act_verifies_it_too_and_ends_a_long_wait_at_once():
    healing = Healing()
    (act,) = acts(healing.symptom(DAMAGED, at(0)))
    healing.remedied(act.intent_id, True, {}, at(1_000))
    healing.tick(at(2 * MINUTE))
    assert told(healing.symptom(SOUND, at(3 * MINUTE)), "healed")


def test_a_symptom_that_returns_within_the_soak_undoes_the_repair():
    healing = Healing()
    (act,) = acts(healing.symptom(DAMAGED, at(0)))
    healing.remedied(act.intent_id, True, {"verified": True}, at(1_000))
    outcomes = healing.symptom(DAMAGED, at(20_000))
    assert told(outcomes, "heal_failed")
    (undo,) = acts(outcomes)
    assert (undo.verb, undo.intent_id) == ("undo_repair", act.intent_id)
    outcomes = healing.remedied(act.intent_id, True, {}, at(21_000))
    assert told(outcomes, "heal_undone")
    assert told(outcomes, "escalated")


def test_one_act_at_a_time():
    healing = Healing()
    assert len(acts(healing.symptom(DAMAGED, at(0)))) == 1
    assert acts(healing.symptom(CRASHED, at(1_000))) == []
    assert healing.view()["open"][0]["waiting_for"].startswith("another act")
    healing.remedied(healing.view()["intents"][0]["id"], True, {"verified": True}, at(2_000))
    assert len(acts(healing.tick(at(70_000)))) == 1


def fail_once(healing, symptom, start):
    (act,) = acts(healing.symptom(symptom, at(start)))
    outcomes = healing.remedied(act.intent_id, False, {}, at(start + 1_000))
    return (*outcomes, *healing.symptom({**symptom, "present": False}, at(start + 2_000)))


def test_the_breaker_opens_after_two_failures_survives_a_restart_and_then_asks():
    healing = Healing()
    batches = []
    for start in (0, 20 * MINUTE):
        batches.append(healing.symptom(DAMAGED, at(start)))
        (act,) = acts(batches[-1])
        batches.append(healing.remedied(act.intent_id, False, {}, at(start + 1_000)))
        batches.append(healing.symptom(SOUND, at(start + 2_000)))
    for third in (healing, restarted(*batches)):
        assert acts(third.symptom(DAMAGED, at(40 * MINUTE))) == []
        third.symptom(SOUND, at(41 * MINUTE))
        outcomes = third.symptom(DAMAGED, at(2 * HOUR))  # half-open: by consent only
        assert acts(outcomes) == []
        assert told(outcomes, "heal_asked")


def test_without_the_breaker_it_would_have_gone_on(monkeypatch):
    monkeypatch.setattr("luminous.node.core.healing.guards.BREAKER_AT", 99)
    with pytest.raises(AssertionError):
        test_the_breaker_opens_after_two_failures_survives_a_restart_and_then_asks()


def test_a_cool_down_holds_a_second_try_and_a_flapping_symptom_gets_one():
    healing = Healing()
    count = 0
    for flip in range(20):
        outcomes = healing.symptom({**DAMAGED, "present": flip % 2 == 0}, at(flip * 10_000))
        for act in acts(outcomes):
            count += act.verb == "repair"
            healing.remedied(act.intent_id, True, {"verified": True}, at(flip * 10_000 + 500))
    assert count == 1


@pytest.mark.parametrize("phase", ["intended", "soaking"])
def test_an_intent_left_by_a_crash_is_resolved_once_and_never_acted_again(phase):
    healing = Healing()
    batches = [healing.symptom(DAMAGED, at(0))]
    (act,) = acts(batches[0])
    if phase == "soaking":
        batches.append(healing.remedied(act.intent_id, True, {"verified": True}, at(1_000)))
    again = restarted(*batches)
    first = again.tick(at(10, "c"))
    assert acts(first) == []
    kept = [o for o in first if isinstance(o, Keep) and o.body.get("id") == act.intent_id]
    assert [o.body["phase"] for o in kept] == ["soaking"]
    assert again.tick(at(20, "c")) == ()
    again.symptom(SOUND, at(2 * MINUTE, "c"))
    assert told(again.tick(at(3 * MINUTE, "c")), "healed")


def test_after_a_crash_a_symptom_that_is_still_there_is_a_failed_act():
    healing = Healing()
    batch = healing.symptom(DAMAGED, at(0))
    again = restarted(batch)
    again.tick(at(10, "c"))
    assert told(again.symptom(DAMAGED, at(30_000, "c")), "heal_failed")


def test_an_undo_cut_by_a_crash_is_said_and_not_tried_again():
    healing = Healing()
    batches = [healing.symptom(DAMAGED, at(0))]
    (act,) = acts(batches[0])
    batches.append(healing.remedied(act.intent_id, True, {"verified": True}, at(1_000)))
    batches.append(healing.symptom(DAMAGED, at(2_000)))
    again = restarted(*batches)
    outcomes = again.tick(at(10, "c"))
    assert told(outcomes, "heal_stuck")
    assert [act.verb for act in acts(outcomes)] == []


def test_consent_levels_observe_suggest_ask_and_act():
    for level, name in ((0, None), (1, "heal_suggested"), (2, "heal_asked")):
        healing = Healing(own_consent=level)
        outcomes = healing.symptom(DAMAGED, at(0))
        assert acts(outcomes) == []
        assert bool(name) == any(told(outcomes, kind) for kind in ("heal_suggested", "heal_asked"))
        if name:
            assert told(outcomes, name)[0]["undo"]
    assert acts(Healing(own_consent=3).symptom(DAMAGED, at(0)))
    assert acts(Healing(consent=0).symptom(DAMAGED, at(0))) == []


def test_a_question_is_answered_by_a_person_and_silence_means_no():
    healing = Healing(own_consent=2)
    (asked,) = told(healing.symptom(DAMAGED, at(0)), "heal_asked")
    agreed = healing.agree(asked["intent"][:8], at(1_000))
    assert len(acts(agreed)) == 1
    assert isinstance(healing.agree(asked["intent"], at(2_000)), Refused)
    silent = Healing(own_consent=2)
    (asked,) = told(silent.symptom(DAMAGED, at(0)), "heal_asked")
    outcomes = silent.tick(at(ASK_TIMEOUT_MS))
    assert acts(outcomes) == []
    assert isinstance(silent.agree(asked["intent"], at(ASK_TIMEOUT_MS + 1)), Refused)


def test_what_cleared_before_anyone_agreed_is_dropped():
    healing = Healing(own_consent=2)
    (asked,) = told(healing.symptom(DAMAGED, at(0)), "heal_asked")
    healing.symptom(SOUND, at(1_000))
    assert isinstance(healing.agree(asked["intent"], at(2_000)), Refused)


def test_the_system_is_never_touched_and_a_person_is_told_once_with_command_and_undo():
    healing = Healing()
    batch = healing.symptom({"name": "inodes_full", "target": "/", "present": True}, at(0))
    assert acts(batch) == []
    (facts,) = told(batch, "escalated")
    assert "inodes" in facts["cause"]
    assert "nix-store" in facts["command"]
    assert facts["undo"]
    again = [healing.tick(at(minute * MINUTE)) for minute in range(1, 300)]
    assert not any(told(outcomes, "escalated") for outcomes in again)
    healing.symptom({"name": "inodes_full", "target": "/", "present": False}, at(300 * MINUTE))
    healing.symptom({"name": "inodes_full", "target": "/", "present": True}, at(301 * MINUTE))


def test_no_strategy_can_harm_by_its_words():
    verbs = {act.verb for plan in PLANS.values() for act in plan.acts}
    assert verbs <= {Verb.RESTART, Verb.REPAIR, Verb.REINDEX, Verb.CACHE_CLEAR, Verb.MEMORY_RELEASE}
    assert not any(act.target == "journal" for plan in PLANS.values() for act in plan.acts)
    words = " ".join(plan.advice.command for plan in PLANS.values() if plan.advice)
    for harmful in ("kill", "reboot", "delete-generations", "collect-garbage -d", "rm "):
        assert harmful not in words
    assert find_acts("store_damaged", "journal") == []


def find_acts(name, target):
    return acts(Healing().symptom({"name": name, "target": target, "present": True}, at(0)))


def test_a_full_disk_first_gets_the_own_caches_cleared_and_then_a_person():
    healing = Healing()
    (act,) = acts(healing.symptom(FULL, at(0)))
    assert (act.verb, act.target) == ("cache_clear", "own")
    outcomes = healing.remedied(act.intent_id, False, {}, at(1_000))
    (facts,) = told(outcomes, "escalated")
    assert "/nix" in facts["cause"]
    assert facts["tried"] == ["cache_clear"]


def test_slowness_under_load_gets_no_restart():
    healing = Healing()
    healing.symptom({"name": "cpu_starved", "target": "", "present": True}, at(0))
    assert (
        acts(healing.symptom({"name": "component_hung", "target": "link", "present": True}, at(1_000))) == []
    )
    rested = healing.symptom({"name": "cpu_starved", "target": "", "present": False}, at(60_000))
    assert [act.verb for act in acts(rested)] == ["restart"]


@pytest.mark.parametrize(
    "surroundings",
    [Surroundings(is_building=True), Surroundings(is_battery_low=True), Surroundings(is_quiet_time=True)],
)
def test_freezes_hold_what_can_wait_and_never_the_own_repair(surroundings):
    healing = Healing()
    healing.surround(surroundings)
    assert acts(healing.symptom(FULL, at(0))) == []
    assert acts(healing.symptom(DAMAGED, at(1_000)))


def test_after_a_resume_nothing_is_hurried():
    healing = Healing()
    healing.tick(at(0))
    woken = Instant("b", 1_000, 1_700_000_000_000 + 8 * HOUR)
    assert acts(healing.symptom(FULL, woken)) == []
    later = Instant("b", 3 * MINUTE, 1_700_000_000_000 + 8 * HOUR + 3 * MINUTE)
    assert len(acts(healing.tick(later))) == 1


def test_an_act_that_never_answers_is_not_verified():
    healing = Healing()
    healing.symptom(DAMAGED, at(0))
    assert told(healing.tick(at(ACT_TIMEOUT_MS)), "heal_failed")


def test_answers_for_unknown_or_finished_intents_change_nothing():
    healing = Healing()
    (act,) = acts(healing.symptom(DAMAGED, at(0)))
    assert healing.remedied("nobody", True, {}, at(1)) == ()
    healing.remedied(act.intent_id, True, {"verified": True}, at(2))
    assert healing.remedied(act.intent_id, False, {}, at(3)) == ()


def test_deadlines_never_stand_still_in_the_past():
    healing = Healing()
    (act,) = acts(healing.symptom(DAMAGED, at(0)))
    healing.remedied(act.intent_id, True, {}, at(1_000))
    now = 1_000
    for _ in range(20):
        due = healing.deadline()
        if due is None:
            break
        assert due > now
        now = due
        healing.tick(at(now))
    assert healing.deadline() is None


# The table


def test_every_phase_can_be_left_or_is_an_end_and_no_shortcut_heals():
    for phase in Phase:
        ways = [step for step in Step if (phase, step) in TRANSITIONS]
        assert bool(ways) == (phase in OPEN or phase in (Phase.VERIFIED, Phase.UNVERIFIED))
    into_verified = [source for (source, _), target in TRANSITIONS.items() if target is Phase.VERIFIED]
    assert into_verified == [Phase.SOAKING]
    assert all(TRANSITIONS[phase, Step.CRASHED] is not Phase.INTENDED for phase in ACTING)


@given(st.lists(st.sampled_from(Step), max_size=12))
@settings(max_examples=150)
def test_any_walk_through_the_table_acts_once_at_most(steps):
    phase, intended = Phase.PLANNED, 0
    for step in steps:
        if (phase, step) in TRANSITIONS:
            phase = move(phase, step)
            intended += phase is Phase.INTENDED
        else:
            with pytest.raises(AssertionError):
                move(phase, step)
    assert intended <= 1


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order: one act at a time, each kept first, none twice, budgets hold."""

    def __init__(self):
        super().__init__()
        self.healing, self.now, self.kept, self.sent, self.open = Healing(), 0, {}, {}, []
        self.log = []

    def take(self, outcomes):
        if isinstance(outcomes, Refused):
            return
        for outcome in outcomes:
            if isinstance(outcome, Keep):
                self.log.append(outcome)
                if outcome.name == "healing.intent":
                    self.kept[outcome.body["id"]] = outcome.body["phase"]
            elif isinstance(outcome, Act):
                undo = outcome.verb.startswith("undo_")
                assert self.kept[outcome.intent_id] == ("undoing" if undo else "intended")
                assert (outcome.intent_id, undo) not in self.sent
                self.sent[outcome.intent_id, undo] = self.now
                self.open.append(outcome.intent_id)

    @rule(
        name=st.sampled_from(["store_damaged", "component_failed", "disk_full", "cpu_starved", "nonsense"]),
        present=st.booleans(),
        wait=st.integers(0, 600_000),
    )
    def symptom(self, name, present, wait):
        self.now += wait
        target = {"store_damaged": "state", "component_failed": "sync"}.get(name, "/")
        self.take(self.healing.symptom({"name": name, "target": target, "present": present}, at(self.now)))

    @rule(ok=st.booleans(), verified=st.booleans(), wait=st.integers(0, 60_000))
    def answer(self, ok, verified, wait):
        self.now += wait
        if self.open:
            intent = self.open.pop()
            self.take(self.healing.remedied(intent, ok, {"verified": verified}, at(self.now)))

    @rule(wait=st.integers(0, 3_600_000))
    def tick(self, wait):
        self.now += wait
        self.take(self.healing.tick(at(self.now)))

    @rule()
    def crash(self):
        self.healing, self.open = restarted(self.log), []
        self.take(self.healing.tick(at(self.now)))

    @invariant()
    def one_at_a_time_within_budget(self):
        phases = [intent["phase"] for intent in self.healing.view()["intents"]]
        assert sum(phase in ("intended", "soaking", "undoing") for phase in phases) <= 1
        recent = [ms for (_, undo), ms in self.sent.items() if not undo and self.now - ms < HOUR]
        assert len(recent) <= 6


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


# Guards and arms


def test_budgets_count_targets_and_all_and_a_clock_set_back_lends_nothing():
    budget = Budget()
    for index in range(3):
        assert budget.refusal("restart", "sync", index * MINUTE, 10_000) == ""
        budget.add("restart", "sync", index * MINUTE)
    assert "in an hour" in budget.refusal("restart", "sync", 10 * MINUTE, 10_000)
    assert budget.refusal("restart", "link", 10 * MINUTE, 10_000) == ""
    assert budget.refusal("restart", "sync", 2 * HOUR, 10_000) == ""
    assert budget.refusal("restart", "sync", -HOUR, 10_000)


def test_the_breaker_waits_longer_each_time_up_to_a_day():
    breaker, waits = Breaker(), []
    for _ in range(9):
        breaker.add(False, 0)
        waits.append(breaker.open_until_wall_ms // HOUR)
    assert waits == [0, 1, 2, 4, 8, 16, 24, 24, 24]
    breaker.add(True, 0)
    assert not breaker.is_tripped


def test_freezes_name_their_reason():
    assert "starved" in freeze_reason("restart", Surroundings(), {"cpu_starved": None}, 10**6)
    assert "build" in freeze_reason("cache_clear", Surroundings(is_building=True), {}, 10**6)
    assert "woken" in freeze_reason("cache_clear", Surroundings(), {}, 5)
    assert freeze_reason("cache_clear", Surroundings(), {}, 10**6) == ""


def test_an_act_that_helps_no_more_than_waiting_is_left_alone():
    arms = Arms()
    assert arms.order("s", (RESTART_COMPONENT, RELEASE_MEMORY)) == (RESTART_COMPONENT, RELEASE_MEMORY)
    for _ in range(OUTCOMES_MIN):
        arms.add("s", "restart", False)
        arms.add("s", "memory_release", True)
    assert arms.order("s", (RESTART_COMPONENT, RELEASE_MEMORY))[0] is RELEASE_MEMORY
    for _ in range(40):
        arms.add("s", "wait", True)
    assert arms.order("s", (RESTART_COMPONENT, RELEASE_MEMORY)) == ()
