"""``luminous-sim``: list, run, study, evaluate and report simulations.

Refuses half results: an impossible scenario is a sentence and exit 2, a broken check is exit 1.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from luminous.simulations.output import OutputError, write_whole
from luminous.simulations.scenario import ScenarioError, list_scenarios, read_scenario
from luminous.simulations.studies import COMMANDS

KINDS = {
    "explain": "luminous.simulations.evaluate_explain",
    "causes": "luminous.simulations.evaluate_causes",
    "forecast": "luminous.simulations.evaluate_forecast",
    "health": "luminous.simulations.evaluate_health",
}
# Models of the design that no node has yet.
WAITING = {
    "intent": "intent recognition",
    "interface": "how much an interface shows",
    "learn": "learning paths",
    "personas": "user personas",
    "predict": "command prediction",
}


@click.group()
def cli() -> None:
    """Test convergence, privacy, voting and attacks on the real node code."""


for _command in COMMANDS:
    cli.add_command(_command)


@cli.command("list")
@click.option("--bodies", is_flag=True, help="A table: which body plays which, and if not, why.")
@click.option("--json", "as_json", is_flag=True)
def list_command(bodies: bool, as_json: bool) -> None:
    """The scenarios that ship."""
    if bodies:
        from luminous.simulations.playable import table

        click.echo(table(), nl=False)
        return
    rows = [
        {"id": item.id, "summary": item.summary, "nodes": item.nodes, "waits_for": item.waits_for}
        for item in list_scenarios()
    ]
    if as_json:
        click.echo(json.dumps({"schema": 1, "scenarios": rows}))
        return
    for row in rows:
        waits = f" (waits for {row['waits_for']})" if row["waits_for"] else ""
        click.echo(f"{row['id']:24} {row['nodes']:>5} nodes  {row['summary']}{waits}")


@cli.command("run")
@click.argument("scenario")
@click.option(
    "--body",
    type=click.Choice(["world", "mesh", "wire", "hosts", "scale"]),
    default="world",
    show_default=True,
    help="hosts: a daemon each in a network namespace each, with delay and loss (root).",
)
@click.option("--nodes", type=click.IntRange(1, 10_000))
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Also keep results and samples here."
)
@click.option(
    "--trace", type=click.Path(dir_okay=False, path_type=Path), help="Write every event here (world)."
)
@click.option("--json", "as_json", is_flag=True, help="The result as the last line.")
def run_command(
    scenario: str,
    body: str,
    nodes: int | None,
    seed: int,
    out: Path | None,
    trace: Path | None,
    as_json: bool,
) -> None:
    """Play SCENARIO (an id or a TOML file) and check what must hold."""
    from luminous.simulations.bodies import run

    began_s = time.perf_counter()
    found = read_scenario(scenario, nodes)
    if trace is not None and body != "world":
        raise ScenarioError(f"only the world can be traced and replayed event by event, not the {body}")
    click.echo(f"{found.id}: {found.nodes} nodes in the {body}, seed {seed} …", err=True)
    if body == "world" and not found.waits_for and (out is not None or trace is not None):
        from luminous.simulations.watched import run_watched

        result = run_watched(found, seed, out, trace)
    else:
        result = run(found, body, seed)
    facts = result.as_json()
    if out is not None:
        write_whole(out / "result.json", json.dumps(facts, indent=1) + "\n")
    if as_json:
        click.echo(json.dumps(facts))
    else:
        _show(facts, time.perf_counter() - began_s)
    if found.expect_failure:
        click.echo("this scenario must break a check: that it does is the expected result", err=True)
    if not result.ok:
        sized = "" if nodes is None else f" --nodes {nodes}"
        click.echo(f"replay: luminous-sim run {scenario} --body {body}{sized} --seed {seed}", err=True)
        sys.exit(1)


def _show(facts: dict[str, Any], took_s: float) -> None:
    for name, check in facts["checks"].items():
        click.echo(f"  {'ok  ' if check['ok'] else 'FAIL'} {name:14} {check['detail']}")
    figures = ", ".join(f"{name} {value}" for name, value in facts["figures"].items())
    verdict = "all checks hold" if facts["ok"] else "BROKEN"
    click.echo(f"  {verdict}; digest {facts['digest']}; {figures}; {took_s:.1f} s")


@cli.command("evaluate")
@click.argument("kind")
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--fix", is_flag=True, help="explain only: also judge whether fixes repair the world.")
@click.option("--json", "as_json", is_flag=True)
def evaluate_command(kind: str, data: Path, fix: bool, as_json: bool) -> None:
    """Judge a feature on data it has not seen: explain, causes, forecast, health."""
    if kind in WAITING:
        raise ScenarioError(f"{kind} waits for a feature that is not there yet: {WAITING[kind]}")
    if kind not in KINDS:
        waiting = ", ".join(WAITING)
        raise ScenarioError(
            f"there is no evaluation {kind!r}; there are {', '.join(KINDS)}; waiting: {waiting}"
        )
    if not data.exists():
        raise ScenarioError(f"{data} does not exist")
    module: Any = importlib.import_module(KINDS[kind])
    wishes = {"fix": fix} if kind == "explain" else {}
    sys.exit(module.run(str(data), as_json, **wishes))


def main() -> None:
    """Run and exit; faults of the asker and of the disk are sentences."""
    try:
        cli(standalone_mode=True)
    except (ScenarioError, OutputError) as error:
        click.echo(f"luminous-sim: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
