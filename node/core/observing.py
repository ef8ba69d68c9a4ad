"""What was seen on this machine, carried to the machines that learn from it.

Refuses names outside its closed list: an observation nobody knows is a fault of the shell.
"""

from luminous.node.core import events
from luminous.node.core.machines import Machines
from luminous.node.core.outcomes import Outcome

# {class, fix, success}: a verified outcome of a fix; propensity_milli: with what chance it was offered first
FIX_TRIED = "fix_tried"
COMMAND_ENDED = "command_ended"  # {command, success, class, signature, duration_ms}
UNIT_FAILED = "unit_failed"  # {unit}
STORE_REPAIRED = "store_repaired"  # {steps}
COMPONENT_FAILED = "component_failed"  # {component}
COMPONENT_HUNG = "component_hung"  # {component}
# {events: [[wall_ms, source, name]…], read: {source: [from_ms, until_ms]}}: before this node watched
PAST = "past"
NAMES = (COMPONENT_FAILED, COMPONENT_HUNG, FIX_TRIED, COMMAND_ENDED, UNIT_FAILED, STORE_REPAIRED, PAST)


def observe(machines: Machines, event: events.Observed) -> tuple[Outcome, ...]:
    """What follows from an observation."""
    assert event.name in NAMES, event.name
    facts = event.facts
    if event.name == PAST:
        return machines.causes.past(facts)  # what was only read about is no trial: learning does not hear it
    outcomes: tuple[Outcome, ...] = machines.causes.observe(event.name, facts, event.at)
    if event.name == FIX_TRIED and machines.learning is not None:
        pair = (str(facts["class"]), str(facts["fix"]))
        chance = facts.get("propensity_milli")
        chance_milli = chance if isinstance(chance, int) else 0
        learnt = machines.learning.observe(pair, facts["success"] is True, event.at, chance_milli)
        outcomes = (*outcomes, *learnt)
    return outcomes
