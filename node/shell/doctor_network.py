"""What ``doctor`` says about the network: the running node, its clock, who reaches it, its mesh.

Refuses to guess and to dial: reachability is what peers say of this node, never what its own interfaces
promise, and what nobody has said is SKIP with the reason.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from luminous.node.shell import dial_address, networks, reach
from luminous.node.shell.check import Check, Verdict
from luminous.node.shell.failure import Failure
from luminous.node.shell.paths import Paths
from luminous.node.shell.reachability import Reachability

Facts = dict[str, Any]
# The path of the control API to its facts; None while no node runs.
Ask = Callable[[str], Facts] | None

CIRCUIT_END = "/p2p-circuit"
CLOCK_MS_WARN, CLOCK_MS_MAX = 60_000, 600_000  # past the second nothing is released


def about_network(paths: Paths, environ: Mapping[str, str], ask: Ask) -> Iterator[Check]:
    """Every check about the network. ``ask``: the control API of the running node, if one runs."""
    yield _bootstrap(paths, environ)
    if ask is None:
        why = "the node is not running"
        yield Check("node", Verdict.WARN, why, "luminous-node run")
        for name in ("clock", "reachability", "mesh"):
            yield Check(name, Verdict.SKIP, why)
        return
    status = ask("/v1/status")
    yield _node(status)
    if networks.network_of(paths.data) is None or not status["privacy"]["consent"]["network"]:
        for name in ("clock", "reachability", "mesh"):
            yield Check(name, Verdict.SKIP, "this node takes part in no network")
        return
    yield _clock(ask("/v1/clock"))
    peers = ask("/v1/peers")
    yield _reach(peers, status["addresses"])
    yield _mesh(peers["peers"], status)


def _bootstrap(paths: Paths, environ: Mapping[str, str]) -> Check:
    """Whether the addresses that are dialled first are addresses at all."""
    from luminous.node.shell.settings_file import load

    name = "bootstrap addresses"
    try:
        wished = load(paths.config, environ).settings.network.bootstrap
    except Failure:
        return Check(name, Verdict.SKIP, "the configuration cannot be read")
    joined = networks.joined_card(paths.data)
    addresses = (*wished, *(joined.addresses if joined else ()))
    if not addresses:
        return Check(name, Verdict.PASS, "none are set: it waits to be dialled, or asks the peers it knew")
    flaws = dial_address.flaws(addresses)
    if not flaws:
        return Check(name, Verdict.PASS, f"{len(addresses)} can be read")
    told = "; ".join(f"{address!r}: {why}" for address, why in flaws)
    verdict = Verdict.FAIL if len(flaws) == len(addresses) else Verdict.WARN
    do = "mend network.bootstrap (luminous-node config show), or join again with a fresh card"
    return Check(name, verdict, f"{len(flaws)} of {len(addresses)} are never dialled: {told}", do)


def _node(status: Facts) -> Check:
    if status["halted"]:
        do = "luminous-node status; never run one key on two machines: make a new identity on one of them"
        return Check("node", Verdict.FAIL, f"signing has stopped: {status['halted']}", do)
    if status["mute"]:
        return Check(
            "node", Verdict.FAIL, "its journal cannot be written, so it signs nothing", "df -h; dmesg"
        )
    return Check("node", Verdict.PASS, f"version {status['version']}, up {status['uptime_s']} s")


def _clock(found: Facts) -> Check:
    members, ahead_ms = found["members"], found["ahead_ms"]
    if ahead_ms is None:
        return Check("clock", Verdict.SKIP, "no member was heard within the hour")
    side = "behind" if ahead_ms > 0 else "ahead of"
    text = f"{abs(ahead_ms) / 1000:.1f} s {side} the median of {members} members"
    do = "timedatectl set-ntp true; timedatectl timesync-status"
    if abs(ahead_ms) > CLOCK_MS_MAX:
        return Check("clock", Verdict.FAIL, f"{text}: nothing is released", do)
    if abs(ahead_ms) > CLOCK_MS_WARN:
        return Check("clock", Verdict.WARN, text, do)
    return Check("clock", Verdict.PASS, text)


def _reach(peers: Facts, addresses: list[str]) -> Check:
    if not addresses:
        return Check(
            "reachability",
            Verdict.FAIL,
            "it listens nowhere",
            "luminous-node config show; see network.listen",
        )
    seen = peers.get("seen_by") or {}
    word, through = peers.get("reachability"), [reach.relay_of(one) for one in peers.get("relays") or ()]
    if word == Reachability.REACHABLE:
        reached = {(view["host"], port) for view in seen.values() for port in view["ports"]}
        shown = ", ".join(f"{host} port {port}" for host, port in sorted(reached)[:3])
        return Check("reachability", Verdict.PASS, f"reachable: peers dialled it back at {shown}")
    if word == Reachability.BEHIND_NAT:
        hosts = ", ".join(sorted({view["host"] for view in seen.values()})[:3])
        text = f"{word}: peers see it at {hosts} and cannot dial it"
        if through:
            others = ", ".join(peer[-8:] for peer in through)
            return Check("reachability", Verdict.PASS, f"{text}; others reach it through {others}")
        do = "open its TCP port in the firewall: networking.firewall.allowedTCPPorts; see network.listen"
        return Check("reachability", Verdict.WARN, f"{text}, and no relay has a slot for it", do)
    inbound = [
        row
        for row in peers["peers"]
        if row.get("direction") == "inbound" and CIRCUIT_END not in row.get("address", "")
    ]
    if inbound:
        return Check("reachability", Verdict.PASS, f"reachable: {len(inbound)} peers dialled it")
    why = "unknown: no peer has said yet whether it can dial this node"
    return Check("reachability", Verdict.SKIP, why)


def _mesh(peers: list[Facts], status: Facts) -> Check:
    banned = sum(1 for row in peers if row["banned"])
    meshed = sum(1 for row in peers if row.get("mesh"))
    text = f"{len(peers) - banned} peers, {meshed} in the mesh, {banned} banned"
    if not status["peers"]:
        do = "ask a member for a fresh card: luminous-node network join CARD"
        members = (status["network"] or {}).get("members", 0)
        if members == 1:
            return Check("mesh", Verdict.PASS, "this network has no other member")
        return Check("mesh", Verdict.WARN, "nobody is connected", do)
    if not meshed:
        return Check(
            "mesh", Verdict.WARN, f"{text}: gossip goes nowhere", "luminous-node peers; wait a minute"
        )
    return Check("mesh", Verdict.PASS, text)
