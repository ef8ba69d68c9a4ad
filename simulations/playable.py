"""Which body can play which scenario, and if not, what of it that body cannot do.

Refuses to leave a part of a scenario out in silence: what a body cannot do, it does not play. Learning on
hosts of their own is the one exception; the result says that it was not played.
"""

from luminous.simulations.scenario import Scenario, list_scenarios, read_scenario

BODIES = ("world", "mesh", "wire", "hosts")
NODES_MAX = {"wire": 25, "hosts": 25}
# On hosts a link loses packets, not messages: at a tenth, and 400 ms, daemons found no peer in four minutes.
PACKET_LOSS_MAX = 0.05
# Parts of a scenario. In one process on loopback a crash would be everybody's, and links are what they are.
_FAULTS = ("disk_corrupt", "clog", "clock_jump", "sickness", "restored_twice", "adversary", "people", "newer")
_NOT_PLAYED = {
    "world": (),
    "mesh": (),
    "wire": ("crash", "disk_full", *_FAULTS),
    "hosts": ("late_joiners", *_FAULTS),
}


def why_not(scenario: Scenario, body: str) -> str:
    """What keeps a body from playing a scenario; empty if nothing does."""
    if scenario.waits_for:
        return f"waits for a feature that is not there yet: {scenario.waits_for}"
    odd = [name for name in _NOT_PLAYED[body] if getattr(scenario, name)]
    if body == "mesh" and scenario.churn.sleep:
        odd.append("machines that sleep")
    if body in ("wire", "hosts") and scenario.churn.every_ms:
        odd.append("churn")
    if body == "wire" and scenario.link.loss:
        odd.append("loss")
    if body == "hosts":
        odd += ["loss above 5 %"] * (scenario.link.loss > PACKET_LOSS_MAX)
        odd += ["one-way cuts"] * any(cut.one_way for cut in scenario.partition)
        odd += ["lost disks"] * any(crash.lose_state or crash.lose_journal for crash in scenario.crash)
        odd += ["no vote to agree on"] * (not scenario.vote)
    if odd:
        return f"not in this body: {', '.join(odd)}"
    most = NODES_MAX.get(body, scenario.nodes)
    return f"at most {most} nodes on one machine; use --nodes" if scenario.nodes > most else ""


def table() -> str:
    """The table of the documentation: every scenario that ships, and where it plays."""
    lines = [f"| scenario | {' | '.join(BODIES)} |", f"|---|{'---|' * len(BODIES)}"]
    for scenario in list_scenarios():
        cells = [_cell(scenario, body) for body in BODIES]
        lines.append(f"| `{scenario.id}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(scenario: Scenario, body: str) -> str:
    most = NODES_MAX.get(body, scenario.nodes)
    sized = read_scenario(scenario.id, most) if scenario.nodes > most else scenario
    why = why_not(sized, body)
    if why:
        return why.removeprefix("not in this body: ")
    return "plays" if sized is scenario else f"plays, `--nodes {most}`"
