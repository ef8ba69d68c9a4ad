"""How often counting without Minutes differs, over seeds: Minutes and the naive count on the same records.

Refuses a figure without its n: ``python -m luminous.simulations.siege_study --nodes 10 --seeds 1..20``.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from luminous.simulations.bodies import run
from luminous.simulations.result import Result
from luminous.simulations.scenario import read_scenario


@dataclass(frozen=True, slots=True)
class Summary:
    """``runs`` with one vote each; in how many which property was seen. ``wrong``: honest machines, of
    ``honest``, whose naive verdict is not the final one."""

    runs: int
    agreed: int
    verdict_splits: int
    count_splits: int
    wrong: int
    honest: int

    def __str__(self) -> str:
        return (
            f"{self.runs} runs: one final outcome on every honest machine in {self.agreed}; counting naively "
            f"they would have shown different counts in {self.count_splits} and different verdicts in "
            f"{self.verdict_splits}; {self.wrong} of {self.honest} machines a verdict that is not final"
        )


def play(scenario: str, body: str, nodes: int | None, seeds: Iterable[int]) -> Iterator[Result]:
    """Each seed's run."""
    for seed in seeds:
        yield run(read_scenario(scenario, nodes), body, seed)


def summarise(results: Iterable[Result], honest: int) -> Summary:
    """What the runs say together; ``honest``: machines of one run."""
    rows = list(results)
    figures = [row.figures for row in rows]
    return Summary(
        len(rows),
        sum(row.checks["agreement"]["ok"] and row.checks["liveness"]["ok"] for row in rows),
        sum(one["naive_verdict_splits"] for one in figures),
        sum(one["naive_count_splits"] for one in figures),
        sum(one["naive_nodes_wrong"] for one in figures),
        honest * len(rows),
    )


def main() -> None:
    """Print each run and the summary; exit 1 if honest machines ever disagreed or never decided."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", default="siege")
    parser.add_argument("--body", choices=("world", "mesh"), default="mesh")
    parser.add_argument("--nodes", type=int)
    parser.add_argument("--seeds", default="1..5", help="first..last")
    asked = parser.parse_args()
    first, _, last = asked.seeds.partition("..")
    scenario = read_scenario(asked.scenario, asked.nodes)
    honest = scenario.nodes - sum(item.count for item in scenario.adversary if item.kind != "sybil")
    rows = []
    for row in play(asked.scenario, asked.body, asked.nodes, range(int(first), int(last or first) + 1)):
        rows.append(row)
        failed = ", ".join(name for name, check in row.checks.items() if not check["ok"]) or "all checks hold"
        figures = {
            key: value for key, value in row.figures.items() if key.startswith(("naive", "cpu", "ban"))
        }
        print(f"seed {row.seed}: {failed}; digest {row.digest}; {figures}", flush=True)
    found = summarise(rows, honest)
    print(f"{scenario.id}, {asked.body}, {scenario.nodes} nodes, {scenario.nodes - honest} liars: {found}")
    sys.exit(0 if found.agreed == found.runs else 1)


if __name__ == "__main__":
    main()
