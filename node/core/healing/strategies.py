"""What may be tried for which symptom: the ceiling on everything healing can do.

Refuses the harmful by not having words for it: no verb kills, reboots, or deletes a generation, and no
verb repairs the journal. Verbs of the system are sentences for a person, never acts.
"""

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """What can be done. Values are stable: they are kept in the journal."""

    RESTART = "restart"
    REPAIR = "repair"
    REINDEX = "reindex"
    CACHE_CLEAR = "cache_clear"
    MEMORY_RELEASE = "memory_release"
    ESCALATE = "escalate"
    WAIT = "wait"


MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Strategy:
    """One thing to try. ``undo`` names the verb's way back, empty when none is needed.

    ``undoable``: the shell can undo it; ``soak_ms``: how long the symptom must stay away.
    """

    verb: Verb
    target: str
    text: str
    undo: str
    undoable: bool
    soak_ms: int
    cool_down_ms: int


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person is told when the node may not or cannot act: cause, exact command, undo."""

    cause: str
    command: str
    undo: str


@dataclass(frozen=True, slots=True)
class Plan:
    """For one symptom: own acts in order of preference, then the advice. ``patience_ms``: wait before it."""

    acts: tuple[Strategy, ...]
    advice: Advice | None
    patience_ms: int = 0


RESTART_COMPONENT = Strategy(
    Verb.RESTART, "{target}", "stop the component and start it again", "", False, MINUTE_MS, 10_000
)
REPAIR_STATE = Strategy(
    Verb.REPAIR,
    "state",
    "move the damaged store aside, restore the newest backup that passes its check, refill it from peers",
    "put the damaged file back",
    True,
    MINUTE_MS,
    10 * MINUTE_MS,
)
REINDEX_STATE = Strategy(
    Verb.REINDEX, "state", "rebuild the indexes of the state store", "", False, MINUTE_MS, 10 * MINUTE_MS
)
CLEAR_CACHES = Strategy(
    Verb.CACHE_CLEAR, "own", "drop this node's own caches", "", False, 2 * MINUTE_MS, 30 * MINUTE_MS
)
RELEASE_MEMORY = Strategy(
    Verb.MEMORY_RELEASE,
    "own",
    "give this node's unused memory back",
    "",
    False,
    2 * MINUTE_MS,
    30 * MINUTE_MS,
)

PLANS: dict[str, Plan] = {
    "component_failed": Plan(
        (RESTART_COMPONENT,),
        Advice(
            "a component of this node keeps failing",
            "luminous-node logs; systemctl --user restart luminous-node",
            "none needed",
        ),
    ),
    "component_hung": Plan(
        (RESTART_COMPONENT,),
        Advice("a component of this node hangs", "systemctl --user restart luminous-node", "none needed"),
    ),
    "store_damaged:state": Plan(
        (REPAIR_STATE,),
        Advice(
            "the state store is damaged and could not be repaired",
            "luminous-node backup list; luminous-node restore",
            "the damaged file is kept beside it",
        ),
    ),
    "store_damaged": Plan(
        (),
        Advice(
            "the journal of this node's own acts is damaged; it is never restored from a backup",
            "luminous-node doctor",
            "nothing was changed",
        ),
    ),
    "index_damaged": Plan(
        (REINDEX_STATE,), Advice("indexes are damaged", "luminous-node doctor", "none needed")
    ),
    "disk_full": Plan(
        (CLEAR_CACHES,),
        Advice(
            "{target} has almost no space left",
            "nix-store --gc --max-freed 5G   (removes only what nothing refers to; generations stay)",
            "what was removed is downloaded or built again when needed",
        ),
    ),
    "inodes_full": Plan(
        (),
        Advice(
            "{target} has no inodes left: many small files, though there may be space",
            "nix-store --gc --max-freed 5G; df -i",
            "what was removed is downloaded or built again when needed",
        ),
    ),
    "own_memory_high": Plan((RELEASE_MEMORY,), None),
    "memory_pressure": Plan(
        (RELEASE_MEMORY,),
        Advice(
            "programs wait for memory and little is left",
            "ps -eo rss,comm --sort=-rss | head   (close what you can spare)",
            "none needed",
        ),
        patience_ms=5 * MINUTE_MS,
    ),
    "units_failed": Plan(
        (),
        Advice(
            "system services failed",
            "systemctl --failed; then systemctl restart UNIT",
            "systemctl stop UNIT",
        ),
    ),
    "root_read_only": Plan(
        (),
        Advice(
            "the root file system turned read-only: the disk or its file system has errors",
            "journalctl -k -p 3; save your data, then check the disk",
            "nothing was changed",
        ),
    ),
    # Slowness under load heals by waiting; restarting what is starved makes it worse.
    "cpu_starved": Plan((), None),
    "io_pressure": Plan((), None),
    "slow_response": Plan((), None),
    "many_errors": Plan((), None),
}


def find_plan(symptom: str, target: str) -> Plan:
    """The plan for a symptom about a target; an unknown one has no acts and no advice."""
    return PLANS.get(f"{symptom}:{target}") or PLANS.get(symptom) or Plan((), None)
