"""Commands of ``luminous-sim`` about many runs: campaign, sweep, compare, replay, report, converge, mutants.

Refuses half results, as ``cli`` does: exit 1 when a check fails, 2 when what is asked cannot be.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import click

from luminous.simulations.scenario import ScenarioError

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ScenarioError(f"{option} takes numbers with commas between, such as 24,48,96") from None


@click.command("campaign")
@click.option("--runs", type=click.IntRange(1, 10_000_000), default=100, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed; the others follow.")
@click.option(
    "--fresh", type=click.IntRange(0, 100_000), default=0, help="So many seeds more, of this moment."
)
@click.option("--nodes", default="4..10", show_default=True, help="Least and most nodes of a run.")
@click.option("--workers", type=click.IntRange(1, 256), default=os.cpu_count() or 1, show_default=True)
@click.option("--out", type=FILE, help="Also append the summary as a JSON line here.")
@click.option("--log", type=FILE, help="Keep each run here; with the same file, what is done is not redone.")
def campaign_command(
    runs: int, seed: int, fresh: int, nodes: str, workers: int, out: Path | None, log: Path | None
) -> None:
    """Play random faults and adversaries from seeds; every check must hold in every run.

    Stop it with Ctrl-C or SIGTERM: it tells what was reached. Exit 1 if a check failed, 3 if it was stopped.
    """
    from luminous.simulations.campaign import commit, line_of, play, read_log
    from luminous.simulations.output import append_line

    low, _, high = nodes.partition("..")
    least, most = _numbers(low, "--nodes")[0], _numbers(high or low, "--nodes")[0]
    if not 1 <= least <= most <= 100:
        raise ScenarioError("--nodes takes two numbers such as 4..10")
    begun_s, now, version = time.perf_counter(), int(time.time()), commit()
    seeds = [*range(seed, seed + runs), *range(now, now + fresh)]
    if fresh:
        click.echo(f"fresh seeds {now} to {now + fresh - 1}", err=True)
    known = {} if log is None else read_log(log, least, most, version)
    done = [known[number] for number in seeds if number in known]
    if done:
        click.echo(f"{len(done)} of {len(seeds)} runs are in {log} already", err=True)
    terminate = signal.signal(signal.SIGTERM, signal.default_int_handler)
    was_stopped = False
    try:
        for outcome in play([number for number in seeds if number not in known], least, most, workers):
            done.append(outcome)
            if log is not None:
                append_line(log, line_of(outcome, least, most, version))
            if outcome.broken:
                click.echo(f"seed {outcome.seed}, commit {version}: {'; '.join(outcome.broken)}")
                click.echo(
                    f"replay: luminous-sim campaign --runs 1 --seed {outcome.seed} --nodes {least}..{most}"
                )
            if len(done) % max(1, len(seeds) // 20) == 0 and sys.stderr.isatty():
                click.echo(f"{len(done)} of {len(seeds)}", err=True)
    except KeyboardInterrupt:
        was_stopped = True
        click.echo(f"stopped after {len(done)} of {len(seeds)} runs", err=True)
    finally:
        signal.signal(signal.SIGTERM, terminate)
    broken = sorted(outcome.seed for outcome in done if outcome.broken)
    facts = {
        "schema": 1,
        "commit": version,
        "nodes": [least, most],
        "first_seed": seed,
        "runs": len(done),
        "broken": broken,
        "events": sum(outcome.events for outcome in done),
        "cpu_s": round(sum(outcome.cpu_s for outcome in done), 1),
        "wall_s": round(time.perf_counter() - begun_s, 1),
    }
    if out is not None:
        append_line(out, json.dumps(facts))
    click.echo(json.dumps(facts))
    sys.exit(1 if broken else 3 if was_stopped else 0)


@click.command("sweep")
@click.argument("spec", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="Results are kept, and resumed from, here.")
@click.option("--workers", type=click.IntRange(1, 256), default=os.cpu_count() or 1, show_default=True)
@click.option("--engine", type=click.Choice(["local", "dask", "ray"]), default="local", show_default=True)
@click.option("--point", type=click.IntRange(1), help="Only this point of the grid, counted from 1.")
def sweep_command(spec: Path, out: Path, workers: int, engine: str, point: int | None) -> None:
    """Play one scenario over the grid of a TOML file, on all cores; run it again to resume.

    Exit 1 if a check failed in any point, 3 if it was stopped.
    """
    from luminous.simulations.campaign import commit
    from luminous.simulations.sweep import points, read_results, read_spec, sweep

    if engine != "local":
        raise ScenarioError(f"clusters are not there yet: {engine}; --engine local uses all cores")
    found = read_spec(spec)
    grid = points(found)
    if point is not None and point > len(grid):
        raise ScenarioError(f"{spec.name} has {len(grid)} points; there is no point {point}")
    wanted = grid if point is None else [grid[point - 1]]
    try:
        for done, total, row in sweep(found, out, workers, wanted):
            state = "ok" if row["ok"] else "BROKEN"
            click.echo(f"{done}/{total} {json.dumps(row['point'])} {state}", err=True)
            if not row["ok"]:
                broken = [f"{name}: {one['detail']}" for name, one in row["checks"].items() if not one["ok"]]
                click.echo(f"seed {row['seed']}, commit {commit()}: {'; '.join(broken)}")
                number = grid.index(row["point"]) + 1
                click.echo(f"replay: luminous-sim sweep {spec} --point {number} --out NEW_FOLDER")
    except KeyboardInterrupt:
        click.echo("stopped; run it again to go on where it was", err=True)
        sys.exit(3)
    click.echo(f"results in {out / 'results.jsonl'}; luminous-sim report {out}")
    rows = read_results(out / "results.jsonl")
    sys.exit(1 if any(not row["ok"] for row in rows if row["point"] in wanted) else 0)


@click.command("compare")
@click.argument("one")
@click.argument("other")
@click.option("--scenario", default="calm", show_default=True, help="What commits play.")
@click.option(
    "--body", type=click.Choice(["world", "mesh", "wire", "hosts"]), default="world", show_default=True
)
@click.option("--seeds", default="1,2,3", show_default=True)
@click.option("--json", "as_json", is_flag=True)
def compare_command(one: str, other: str, scenario: str, body: str, seeds: str, as_json: bool) -> None:
    """Play ONE and OTHER (scenarios, or commits of this repository) with the same seeds, side by side."""
    from dataclasses import asdict

    from luminous.simulations.compare import compare, run_side

    numbers = _numbers(seeds, "--seeds")
    ones = run_side(one, scenario, body, numbers)
    rows = compare(ones, run_side(other, scenario, body, numbers))
    if as_json:
        click.echo(json.dumps({"schema": 1, "seeds": numbers, "rows": [asdict(row) for row in rows]}))
        return
    click.echo(f"{'figure':20} {one[:16]:>16} {other[:16]:>16}   over seeds {seeds}")
    for row in rows:
        doubt = "" if row.agree else "   seeds disagree"
        click.echo(f"{row.figure:20} {row.one:16.2f} {row.other:16.2f}{doubt}")


@click.command("replay")
@click.argument("trace", type=FILE)
@click.option("--until", type=click.IntRange(1), default=10**12, help="The step to stop after; else the end.")
def replay_command(trace: Path, until: int) -> None:
    """Play a trace again and show how every machine stands at a step."""
    from luminous.simulations.trace import replay

    lines, stands = replay(trace, until)
    for line in lines:
        what = f"node {line['node']:<4} {line['event']} {line['detail']}"
        click.echo(f"{line['step']:>8} {line['at_ms']:>9} ms  {what}")
    for stand in stands:
        state = f"{stand.records} records, {stand.trials} outcomes" if stand.is_up else "down"
        click.echo(f"node {stand.node}: {state}{''.join(f'; {text}' for text in stand.proposals)}")


@click.command("report")
@click.argument("folder", type=FOLDER)
def report_command(folder: Path) -> None:
    """Write one page with plots, and the numbers as JSON and Parquet, about the results in FOLDER."""
    from luminous.simulations.report import write_report
    from luminous.simulations.tables import MISSING, is_parquet_possible

    for path in write_report(folder):
        click.echo(str(path))
    if not is_parquet_possible():
        click.echo(MISSING, err=True)


@click.command("converge")
@click.option("--nodes", default="24,48,96", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--windows", type=click.IntRange(1, 100), default=12, show_default=True)
@click.option("--out", type=FOLDER)
@click.option("--json", "as_json", is_flag=True)
def converge_command(nodes: str, seed: int, windows: int, out: Path | None, as_json: bool) -> None:
    """Show models converging to the pooled optimum within the stated noise."""
    from luminous.simulations.convergence import converge
    from luminous.simulations.output import write_whole

    counts = _numbers(nodes, "--nodes")
    found = converge(counts, seed, windows)
    if out is not None:
        write_whole(out / "converge.json", json.dumps(found, indent=1) + "\n")
    if as_json:
        click.echo(json.dumps(found))
    else:
        for level in ("PUBLIC", "DIFFERENTIAL"):
            for count in counts:
                mine = [p for p in found["points"] if (p["level"], p["nodes"]) == (level, count)]
                within = sum(p["is_within"] for p in mine)
                click.echo(
                    f"{level:12} {count:4} nodes: relative error {mine[0]['error']:.3f} after one window, "
                    f"{mine[-1]['error']:.3f} after {windows}; {within} of {windows} within the stated band"
                )
        for world in found["worlds"]:
            click.echo(
                f"world, fleet {world['nodes']:4} nodes: the exact pooled sum on {world['exact_on']} of them"
            )
    sys.exit(0 if found["ok"] else 1)


@click.command("mutants")
@click.option("--run", "is_run", is_flag=True, help="Also play each and show what caught it.")
def mutants_command(is_run: bool) -> None:
    """The mutants of the product, each with the checker that catches it."""
    from luminous.simulations.mutants import MUTANTS, table

    if not is_run:
        click.echo(table(), nl=False)
        return
    missed = 0
    for mutant in MUTANTS:
        caught = mutant.caught()
        missed += mutant.checker not in caught
        verdict = "caught" if mutant.checker in caught else "MISSED"
        click.echo(f"{verdict} {mutant.name}: {', '.join(caught) or 'nothing failed'}")
    sys.exit(1 if missed else 0)


COMMANDS = (
    campaign_command,
    sweep_command,
    compare_command,
    replay_command,
    report_command,
    converge_command,
    mutants_command,
)
