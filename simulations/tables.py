"""The tables of a folder of results, and the same as Parquet where pyarrow is installed.

Refuses half a file, and to need pyarrow: JSON says the same numbers.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from luminous.simulations.output import OutputError

Row = dict[str, Any]
MISSING = (
    "Parquet was not written: pyarrow is not installed. report.json holds the same numbers; "
    "pip install 'luminous-node[parquet]' adds it."
)


def is_parquet_possible() -> bool:
    """Is pyarrow installed?"""
    return find_spec("pyarrow") is not None


def make_tables(found: dict[str, Any]) -> dict[str, list[Row]]:
    """Flat rows by name: ``runs`` (one a run), ``samples`` (over time), ``convergence`` and ``utility``."""
    runs = [_run(row) for row in found.get("sweep", [])]
    if "result" in found:
        runs.append(_run(found["result"]))
    converge = found.get("converge", {})
    tables = {
        "runs": _even(runs),
        "samples": [_sample(row) for row in found.get("samples", {}).get("samples", [])],
        "convergence": list(converge.get("points", [])),
        "utility": list(converge.get("utility", [])),
    }
    return {name: rows for name, rows in tables.items() if rows}


def _run(row: dict[str, Any]) -> Row:
    flat = {name: row[name] for name in ("scenario", "body", "seed", "nodes", "ok", "digest")}
    flat |= {f"point.{name}": value for name, value in row.get("point", {}).items()}
    flat |= {f"check.{name}": check["ok"] for name, check in row["checks"].items()}
    return flat | {f"figure.{name}": value for name, value in row["figures"].items()}


def _sample(row: dict[str, Any]) -> Row:
    flat = {name: value for name, value in row.items() if name != "tallies"}
    titles = [{"title": title, "counts": counts} for title, counts in row["tallies"].items()]
    return flat | {"tallies": titles}


def _even(rows: list[Row]) -> list[Row]:
    """Every row with every column: a single run has no point, a wire run other figures."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]


def write_parquet(folder: Path, tables: dict[str, list[Row]]) -> list[Path]:
    """``NAME.parquet`` for each table. Raises OutputError; a file is whole or as it was."""
    return [_write(folder / f"{name}.parquet", rows) for name, rows in tables.items()]


def _write(path: Path, rows: list[Row]) -> Path:
    import pyarrow
    from pyarrow import parquet

    beside = path.with_name(f".{path.name}.part")
    try:
        parquet.write_table(pyarrow.Table.from_pylist(rows), beside)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError(f"{path} was not written: {error.strerror or error}") from error
    except pyarrow.ArrowException as error:
        # A column whose values are of two kinds, such as a grid of numbers and words.
        beside.unlink(missing_ok=True)
        raise OutputError(f"{path} was not written: {str(error).splitlines()[0]}") from error
    return path
