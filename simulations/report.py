"""The report of a folder of results: one self-contained page with plots, and the same numbers as JSON.

Refuses to load anything from elsewhere and to leave half a page. Parquet: see ``tables``.
"""

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from luminous.simulations.output import write_whole
from luminous.simulations.plots import Line, plot
from luminous.simulations.scenario import ScenarioError
from luminous.simulations.sweep import read_results
from luminous.simulations.tables import is_parquet_possible, make_tables, write_parquet

SCHEMA = 1
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
 color: #1b1b1b; }
h1, h2 { line-height: 1.2; } table { border-collapse: collapse; margin: 1rem 0; }
svg { width: 100%; height: auto; }
td, th { border-bottom: 1px solid #ccc; padding: .2rem .7rem; text-align: left; vertical-align: top; }
.bad { color: #a01010; font-weight: bold; } .title { font-weight: 600; font-size: 14px; }
.tick { font-size: 11px; fill: #333; } .grid { stroke: #ddd; } .overflow { overflow-x: auto; }
"""


def read_folder(folder: Path) -> dict[str, Any]:
    """What the other commands left: result, samples, sweep results and convergence."""
    found: dict[str, Any] = {"schema": SCHEMA}
    for name in ("result", "samples", "converge"):
        path = folder / f"{name}.json"
        if path.exists():
            try:
                found[name] = json.loads(path.read_text())
            except (OSError, ValueError) as error:
                raise ScenarioError(f"{path} cannot be read: {error}") from error
    rows = read_results(folder / "results.jsonl")
    if rows:
        found["sweep"] = rows
    if len(found) == 1:
        raise ScenarioError(
            f"{folder} holds no results; run luminous-sim run, sweep or converge with --out {folder} first"
        )
    return found


def write_report(folder: Path) -> list[Path]:
    """``index.html`` and ``report.json``, and Parquet tables if they can be. Raises OutputError."""
    found = read_folder(folder)
    page, data = folder / "index.html", folder / "report.json"
    write_whole(data, json.dumps(found, indent=1) + "\n")
    write_whole(page, render(found))
    tables = write_parquet(folder, make_tables(found)) if is_parquet_possible() else []
    return [page, data, *tables]


def render(found: dict[str, Any]) -> str:
    """The page."""
    parts = ["<!doctype html><html lang='en'><meta charset='utf-8'><title>luminous-sim report</title>"]
    parts.append("<meta name='viewport' content='width=device-width, initial-scale=1'>")
    parts.append(f"<style>{STYLE}</style><h1>Simulation report</h1>")
    parts.append(f"<p>{_what_is_real(found)}</p>")
    if "result" in found:
        parts += _of_result(found["result"])
    if "samples" in found:
        parts += _of_samples(found["samples"])
    if "converge" in found:
        parts += _of_convergence(found["converge"])
    if "sweep" in found:
        parts += _of_sweep(found["sweep"])
    return "\n".join(parts) + "</html>\n"


def _what_is_real(found: dict[str, Any]) -> str:
    runs = [*found.get("sweep", []), *([found["result"]] if "result" in found else [])]
    if runs and all(run["body"] in ("wire", "hosts") for run in runs):
        return "Real nodes, real TCP, real disks, on one machine. People are scripted, and time is shortened."
    return "Everything here is simulated: real node code, virtual time, links and hosts."


def _of_result(result: dict[str, Any]) -> list[str]:
    head = f"{result['scenario']}: {result['nodes']} nodes in the {result['body']}, seed {result['seed']}"
    rows = [
        f"<tr><td{'' if check['ok'] else ' class=bad'}>{'holds' if check['ok'] else 'BROKEN'}</td>"
        f"<td>{escape(name)}</td><td>{escape(check['detail'])}</td></tr>"
        for name, check in result["checks"].items()
    ]
    figures = [
        f"<tr><td>{escape(k)}</td><td>{escape(str(v))}</td></tr>" for k, v in result["figures"].items()
    ]
    return [
        f"<h2>{escape(head)}</h2><p>Digest {result['digest']}</p>",
        f"<div class=overflow><table>{''.join(rows)}</table></div>",
        f"<table>{''.join(figures)}</table>",
    ]


def _of_samples(samples: dict[str, Any]) -> list[str]:
    rows = samples["samples"]

    def over(name: str) -> list[tuple[float, float]]:
        return [(row["at_ms"] / 1000, float(row[name])) for row in rows if row[name] is not None]

    titles = dict.fromkeys(title for row in rows for title in row["tallies"])
    votes = [
        Line(
            f"{word}: {title}",
            [(r["at_ms"] / 1000, float(r["tallies"][title][k])) for r in rows if title in r["tallies"]],
        )
        for title in list(titles)[:3]
        for k, word in enumerate(("yes", "no"))
    ]
    spread = [(float(took), float(share)) for share, took in samples["propagation_ms"].items()]
    charts = (
        plot("Machines up, and machines that hold the same records", "virtual seconds", "machines",
             [Line("up", over("up")), Line("in the largest equal set", over("in_largest_set"))]),
        plot("Tallies as one machine shows them", "virtual seconds", "votes", votes),
        plot("Privacy spent, the most of any machine", "virtual seconds", "epsilon / 1000",
             [Line("spent", over("epsilon_milli_spent_max"))]),
        plot("Health, mean score", "virtual seconds", "points", [Line("score", over("health_mean"))]),
        plot("Propagation of gossiped envelopes", "ms since published", "% of deliveries",
             [Line("delivered", spread)]),
    )  # fmt: skip
    return ["<h2>Over time</h2>", *(f"<figure>{chart}</figure>" for chart in charts if chart)]


def _of_convergence(found: dict[str, Any]) -> list[str]:
    points = found["points"]
    parts = ["<h2>Convergence to the pooled optimum</h2>", _convergence_table(found)]
    for level in dict.fromkeys(point["level"] for point in points):
        lines = []
        for nodes in dict.fromkeys(point["nodes"] for point in points if point["level"] == level):
            mine = [
                p for p in points if (p["level"], p["nodes"], p["seed"]) == (level, nodes, points[0]["seed"])
            ]
            xs = [(float(p["window"] + 1), float(p["error"])) for p in mine]
            lines.append(Line(f"{nodes} nodes", xs, [(p["low"], p["high"]) for p in mine]))
        title = f"{level}: distance to the pooled optimum, with the stated band"
        parts.append(f"<figure>{plot(title, 'windows', 'relative L2', lines)}</figure>")
    utility = found.get("utility", [])
    names = dict.fromkeys(row["arm"] for row in utility)
    lines = [
        Line(name, [(float(r["nodes"]), float(r["success"])) for r in utility if r["arm"] == name])
        for name in names
    ]
    chart = plot("Utility: how often the fix shown first works", "nodes", "share", lines, from_zero=False)
    return [*parts, f"<figure>{chart}</figure>"] if chart else parts


def _convergence_table(found: dict[str, Any]) -> str:
    """What ``luminous-sim converge`` prints, as a table: the study's levels, then whole nodes."""
    rows = []
    for level in dict.fromkeys(point["level"] for point in found["points"]):
        what = "PUBLIC, a fleet" if level == "PUBLIC" else f"{level}, a community"
        for nodes in dict.fromkeys(p["nodes"] for p in found["points"] if p["level"] == level):
            mine = [p for p in found["points"] if (p["level"], p["nodes"]) == (level, nodes)]
            within = sum(p["is_within"] for p in mine)
            words = f"{mine[0]['error']:.3f} after one window, {mine[-1]['error']:.3f} after the last"
            rows.append((what, nodes, words, f"{within} of {len(mine)}", 20 * within >= 19 * len(mine)))
    for world in found.get("worlds", []):
        exact, nodes = world["exact_on"], world["nodes"]
        words = "the exact sum of what happened on all"
        rows.append(
            ("whole nodes of the world, a fleet", nodes, words, f"{exact} of {nodes}", exact == nodes)
        )
    body = "".join(
        f"<tr><td>{escape(what)}</td><td>{nodes}</td><td>{escape(words)}</td>"
        f"<td{'' if ok else ' class=bad'}>{held}</td></tr>"
        for what, nodes, words, held, ok in rows
    )
    head = "<tr><th></th><th>nodes</th><th>relative error</th><th>within the stated band</th></tr>"
    return f"<div class=overflow><table>{head}{body}</table></div>"


def _of_sweep(rows: list[dict[str, Any]]) -> list[str]:
    keys = list(rows[0]["point"])
    body = []
    for row in sorted(rows, key=lambda row: [_order(row["point"].get(key)) for key in keys])[:500]:
        cells = "".join(f"<td>{escape(str(row['point'].get(key)))}</td>" for key in keys)
        failed = ", ".join(name for name, check in row["checks"].items() if not check["ok"])
        verdict = f"<td class=bad>{escape(failed)}</td>" if failed else "<td>all hold</td>"
        body.append(f"<tr>{cells}{verdict}<td>{row['figures'].get('events', '')}</td></tr>")
    head = "".join(f"<th>{escape(key)}</th>" for key in keys)
    table = f"<table><tr>{head}<th>checks</th><th>events</th></tr>{''.join(body)}</table>"
    charts = [f"<figure>{chart}</figure>" for key in keys for chart in _against(key, rows)]
    return [f"<h2>Sweep: {len(rows)} points</h2>", *charts, f"<div class=overflow>{table}</div>"]


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, then words."""
    is_number = isinstance(value, int | float)
    return (not is_number, float(value) if is_number else 0.0, str(value))


def _against(key: str, rows: list[dict[str, Any]]) -> list[str]:
    """Figures and broken checks against one numeric key of the grid: the mean over everything else."""
    groups: dict[float, list[dict[str, Any]]] = {}
    for row in rows:
        value = row["point"].get(key)
        if key == "seed" or isinstance(value, bool) or not isinstance(value, int | float):
            return []
        groups.setdefault(float(value), []).append(row)
    if len(groups) < 2:
        return []

    def mean(read: Callable[[dict[str, Any]], float]) -> list[tuple[float, float]]:
        return [(at, sum(map(read, groups[at])) / len(groups[at])) for at in sorted(groups)]

    def broken(row: dict[str, Any]) -> float:
        return 100.0 * any(not check["ok"] for check in row["checks"].values())

    figures = [name for name in ("events", "deliveries") if all(name in row["figures"] for row in rows)]
    lines = [Line(name, mean(lambda row, name=name: float(row["figures"][name]))) for name in figures]  # type: ignore[misc]
    charts = (
        plot(f"Work against {key}, mean of the points", key, "a run", lines),
        plot(f"Runs with a broken check against {key}", key, "% of runs", [Line("broken", mean(broken))]),
    )
    return [chart for chart in charts if chart]
