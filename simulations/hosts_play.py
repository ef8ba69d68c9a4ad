"""The wire body in several processes: every node is the real daemon on a host of its own (``namespaces``).

Times are ``PACE`` times faster. Crashes are kill -9, full disks full. Refuses to judge what it cannot see:
outcomes and every machine's own recount of them are compared; the other checkers look into machines and
belong to the other bodies.
"""

import hashlib
import heapq
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from luminous.simulations.hosts import LOOK_S, START_S, Host, fill, wait
from luminous.simulations.namespaces import Lab, opened, run
from luminous.simulations.playable import why_not
from luminous.simulations.result import Result
from luminous.simulations.scenario import Scenario, ScenarioError, Vote, choices

PACE = 10
VOTE_S_MIN = 25.0
VOTE_S_A_NODE = 2.0
SETTLE_S = 240.0
DISK_MB = 16
GRACE_MS = 5_000


def run_hosts(scenario: Scenario, seed: int) -> Result:
    """Play a scenario's votes, cuts, crashes and full disks. Raises ScenarioError where that cannot be."""
    why = why_not(scenario, "hosts")
    if why:
        raise ScenarioError(f"{scenario.id}: {why}")
    with (
        tempfile.TemporaryDirectory(prefix="lum-") as folder,
        opened(scenario.nodes, scenario.link, seed) as lab,
        ExitStack() as stack,
    ):
        return Play(scenario, seed, lab, Path(folder), stack).run()


class Play:
    """One scenario on its hosts: what happens when, in real time."""

    def __init__(self, scenario: Scenario, seed: int, lab: Lab, folder: Path, stack: ExitStack) -> None:
        self.scenario, self.seed, self.lab = scenario, seed, lab
        self.hosts = [Host(lab, index, folder) for index in range(scenario.nodes)]
        for host in self.hosts:
            stack.callback(host.end, kill=True)
        for index in sorted({full.node for full in scenario.disk_full}):
            self._small_disk(self.hosts[index].data, stack)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._start_s = 0.0

    def _small_disk(self, data: Path, stack: ExitStack) -> None:
        data.mkdir(mode=0o700)
        run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "none", str(data))
        stack.callback(run, "umount", "-l", str(data))

    def run(self) -> Result:
        """Found the network, let everything happen, wait until it is settled, compare."""
        began_s = time.perf_counter()
        self._found()
        self._plan()
        self._start_s = time.monotonic()
        while self._due:
            at_s, _, action = heapq.heappop(self._due)
            time.sleep(max(0.0, self._start_s + at_s - time.monotonic()))
            action()
        is_settled = True
        try:
            wait(self._is_settled, SETTLE_S, lambda: "")
        except ScenarioError:
            is_settled = False
        shown = [host.decisions() for host in self.hosts]
        recounts = [host.has_recounted() for host in self.hosts]
        checks = compare(self.scenario, shown, recounts)
        for host in self.hosts:
            host.end(kill=False)
        return Result(
            scenario=self.scenario.id,
            body="hosts",
            seed=self.seed,
            nodes=self.scenario.nodes,
            ok=is_settled and all(check["ok"] for check in checks.values()),
            digest=hashlib.sha256(json.dumps([outcome(item) for item in shown[0]]).encode()).hexdigest()[:32],
            checks=checks,
            figures={
                "wall_s": round(time.perf_counter() - began_s, 1),
                "settled": is_settled,
                "pace": PACE,
                "links": self.lab.links.kind,
                "not_played": "learning" if self.scenario.learning is not None else "",
            },
        )

    def _found(self) -> None:
        """Identities, one network, consent, daemons; then everybody has a peer."""
        first, *others = self.hosts
        for host in self.hosts:
            host.type("init")
        founders = [host.type("network", "card", "--json")["card"] for host in others]
        law = ["voting.window_ms_min=1000", f"voting.grace_ms={GRACE_MS}"]
        words = [word for card in founders for word in ("--founder", card)]
        first.type("network", "create", "hosts", *words, *(word for one in law for word in ("--set", one)))
        first.type("consent", "grant", "network")
        first.start()
        wait(
            lambda: "/tcp/" in str(first.type("network", "card", "--json")),
            START_S,
            lambda: "no address in the card",
        )
        card = first.type("network", "card", "--json")["card"]
        for host in others:
            host.type("network", "join", card)
            host.type("consent", "grant", "network")
            host.start()
        for host in self.hosts:
            wait(host.has_peers, START_S, lambda host=host: f"host {host.index} found no peer")  # type: ignore[misc]

    def _plan(self) -> None:
        scenario = self.scenario
        for vote in scenario.vote:
            self._at(vote.opens_ms, partial(self._open, vote))
        for cut in scenario.partition:
            apart = range(round(cut.share * scenario.nodes))
            self._at(cut.from_ms, partial(self.lab.links.cut, apart))
            self._at(cut.until_ms, partial(self.lab.links.cut, ()))
        for crash in scenario.crash:
            host = self.hosts[crash.node]
            self._at(crash.at_ms, partial(host.end, kill=True))
            self._at(crash.at_ms + crash.down_ms, host.start)
        for full in scenario.disk_full:
            hog = self.hosts[full.node].data / "hog"
            self._at(full.from_ms, partial(fill, hog))
            self._at(full.until_ms, hog.unlink)

    def _at(self, virtual_ms: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (virtual_ms / 1000 / PACE, next(self._number), action))

    def _open(self, vote: Vote) -> None:
        """The first host proposes; everybody casts in the first half of the time, as soon as it is known."""
        length_s = max(
            VOTE_S_MIN, VOTE_S_A_NODE * len(self.hosts), (vote.closes_ms - vote.opens_ms) / 1000 / PACE
        )
        title = title_of(vote)
        facts = {
            "kind": "feature" if vote.key.startswith("feature.") else "parameter",
            "title": title,
            "effects": [[vote.key, vote.value]],
            "threshold": vote.threshold,
            "closes_at_ms": round(1000 * (time.time() + length_s)),
            "unknowns": ["whether people like it"],
        }
        self.hosts[0].api.post("/v1/propose", facts)
        words = choices(vote, len(self.hosts))
        for place, (host, word) in enumerate(zip(self.hosts, words, strict=False)):
            at_s = vote.opens_ms / 1000 / PACE + length_s * (0.1 + 0.4 * place / len(self.hosts))
            until_s = time.monotonic() + length_s
            self._at(1000 * PACE * at_s, partial(self._cast, host, title, word, until_s))

    def _cast(self, host: Host, title: str, word: str, until_s: float) -> None:
        """Vote, or try again soon, until the vote is closed."""
        now_s = time.monotonic()
        if not host.cast(title, word) and now_s < until_s:
            again_ms = 1000 * PACE * (now_s - self._start_s + 2 * LOOK_S)
            self._at(again_ms, partial(self._cast, host, title, word, until_s))

    def _is_settled(self) -> bool:
        shown = [host.decisions() for host in self.hosts]
        votes = len(self.scenario.vote)
        return all(len(one) == votes and all(item["final"] for item in one) for one in shown)


def outcome(item: dict[str, Any]) -> dict[str, Any]:
    """What all machines must show alike of one decision."""
    return {
        name: item[name] for name in ("title", "final", "outcome", "yes", "no", "abstain", "void", "members")
    }


def compare(
    scenario: Scenario, shown: list[list[dict[str, Any]]], recounts: list[bool]
) -> dict[str, dict[str, Any]]:
    """The checks: one outcome on all, everything final, every machine's recount, who won, nobody invented."""
    kinds = {json.dumps([outcome(item) for item in one]) for one in shown}
    finals = sum(item["final"] for one in shown for item in one)
    wanted = len(shown) * len(scenario.vote)
    text = "; ".join(f"{item['outcome']}, {item['yes']} yes, {item['no']} no" for item in shown[0])
    wrong = [item["title"] for one in shown for item in one if not _is_possible(scenario, item)]
    return {
        "agreement": {"ok": len(kinds) == 1, "detail": f"{len(kinds)} outcome on {len(shown)} hosts: {text}"},
        "liveness": {"ok": finals == wanted, "detail": f"{finals} of {wanted} decisions are final"},
        "independence": {
            "ok": all(recounts),
            "detail": f"{sum(recounts)} hosts recounted and found the same",
        },
        "inclusion": {"ok": not wrong, "detail": f"{len(wrong)} outcomes that these votes cannot have"},
    }


def _is_possible(scenario: Scenario, item: dict[str, Any]) -> bool:
    """No more votes than were cast, and the side that had to win won."""
    vote = next(vote for vote in scenario.vote if item["title"] == title_of(vote))
    words = choices(vote, scenario.nodes)
    if any(item[word] > words.count(word) for word in ("yes", "no", "abstain")):
        return False
    return vote.passes is None or (item["outcome"] == "passed") == vote.passes


def title_of(vote: Vote) -> str:
    """A vote's title in the network: two votes of one scenario may have the same."""
    return f"{vote.title} ({vote.opens_ms})"
