"""The report of a folder of results: one self-contained page with plots, and the same numbers as JSON.

Refuses to load anything from elsewhere and to leave half a page. Parquet only where pyarrow is installed.
"""

import json
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from luminous.simulations.output import OutputError, write_whole
from luminous.simulations.plots import Line, plot
from luminous.simulations.scenario import ScenarioError
from luminous.simulations.sweep import read_results

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
    """``index.html`` and ``report.json``, and ``sweep.parquet`` if it can be. Raises OutputError."""
    found = read_folder(folder)
    page, data = folder / "index.html", folder / "report.json"
    write_whole(data, json.dumps(found, indent=1) + "\n")
    write_whole(page, render(found))
    written = [page, data]
    if "sweep" in found and find_spec("pyarrow") is not None:
        written.append(_write_parquet(folder / "sweep.parquet", found["sweep"]))
    return written


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow  # type: ignore[import-not-found, unused-ignore]
    from pyarrow import parquet  # type: ignore[import-not-found, unused-ignore]

    flat = [
        {**{f"point.{k}": v for k, v in row["point"].items()}, "ok": row["ok"], **row["figures"]}
        for row in rows
    ]
    beside = path.with_name(f".{path.name}.part")
    try:
        parquet.write_table(pyarrow.Table.from_pylist(flat), beside)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError(f"{path} was not written: {error.strerror or error}") from error
    return path


def render(found: dict[str, Any]) -> str:
    """The page."""
    parts = ["<!doctype html><html lang='en'><meta charset='utf-8'><title>luminous-sim report</title>"]
    parts.append("<meta name='viewport' content='width=device-width, initial-scale=1'>")
    parts.append(f"<style>{STYLE}</style><h1>Simulation report</h1>")
    parts.append("<p>Everything here is simulated: real node code, virtual time, links and hosts.</p>")
    if "result" in found:
        parts += _of_result(found["result"])
    if "samples" in found:
        parts += _of_samples(found["samples"])
    if "converge" in found:
        parts += _of_convergence(found["converge"])
    if "sweep" in found:
        parts += _of_sweep(found["sweep"])
    return "\n".join(parts) + "</html>\n"


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
    parts = ["<h2>Convergence to the pooled optimum</h2>"]
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
    chart = plot("Utility: how often the fix shown first works", "nodes", "share", lines)
    return [*parts, f"<figure>{chart}</figure>"] if chart else parts


def _of_sweep(rows: list[dict[str, Any]]) -> list[str]:
    keys = list(rows[0]["point"])
    body = []
    for row in rows[:500]:
        cells = "".join(f"<td>{escape(str(row['point'].get(key)))}</td>" for key in keys)
        failed = ", ".join(name for name, check in row["checks"].items() if not check["ok"])
        verdict = f"<td class=bad>{escape(failed)}</td>" if failed else "<td>all hold</td>"
        body.append(f"<tr>{cells}{verdict}<td>{row['figures'].get('events', '')}</td></tr>")
    head = "".join(f"<th>{escape(key)}</th>" for key in keys)
    table = f"<table><tr>{head}<th>checks</th><th>events</th></tr>{''.join(body)}</table>"
    return [f"<h2>Sweep: {len(rows)} points</h2><div class=overflow>{table}</div>"]
