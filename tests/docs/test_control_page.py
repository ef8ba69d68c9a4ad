"""docs/control.md and docs/openapi.json against the code's endpoints and a node that runs.

To write openapi.json anew: ``make docs``.
"""

import inspect
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from luminous import __version__
from luminous.node.shell import control
from luminous.node.shell.body import Body
from luminous.node.shell.http_server import Request
from luminous.node.shell.keyfile import Seeds
from luminous.node.shell.paths import Paths
from luminous.node.shell.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/control.md"
OPENAPI = ROOT / "docs/openapi.json"
JSON_TYPES = {
    "text": "string",
    "integer": "integer",
    "number": "number",
    "flag": "boolean",
    "list": "array",
    "object": "object",
}


@dataclass(frozen=True)
class Row:
    """One row of the tables."""

    method: str
    path: str
    takes: tuple[tuple[str, bool, str], ...]
    answers: tuple[str, ...]
    what: str


def rows(page: str) -> list[Row]:
    """Every endpoint that the page names."""
    found = []
    for part in re.findall(r"<!-- endpoints -->\n(.*?)<!-- /endpoints -->", page, re.S):
        for line in part.splitlines()[2:]:
            method, path, takes, answers, what = (cell.strip() for cell in line.strip("|").split("|"))
            fields = re.findall(r"`(\w+)`(\*?): (\w+)", takes)
            found.append(
                Row(
                    method,
                    path.strip("`"),
                    tuple((name, bool(star), kind) for name, star, kind in fields),
                    tuple(re.findall(r"`(\w+)`", answers)),
                    what,
                )
            )
    return found


ROWS = rows(PAGE.read_text(encoding="utf-8"))


def routes() -> set[tuple[str, str]]:
    """Every endpoint of the code."""
    decision = {("GET", "/v1/decision/{prefix}")}
    return decision | {("GET", path) for path in control.GET} | {("POST", path) for path in control.POST}


def openapi() -> str:
    """docs/openapi.json"""
    paths: dict[str, dict[str, Any]] = {}
    for row in ROWS:
        properties = {name: {"type": JSON_TYPES[kind]} for name, _, kind in row.takes}
        shown: dict[str, Any] = {
            "summary": row.what.replace("`", ""),
            "responses": {
                "200": {
                    "description": "done",
                    "content": {"application/json": {"schema": {
                        "type": "object",
                        "required": ["schema", *row.answers],
                        "properties": {"schema": {"const": control.SCHEMA}},
                    }}},
                },
                "default": {
                    "description": "refused, in words",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                },
            },
        }  # fmt: skip
        if row.method == "POST":
            needed = [name for name, is_needed, _ in row.takes if is_needed]
            body = {"type": "object", "properties": properties, "required": needed}
            shown["requestBody"] = {"content": {"application/json": {"schema": body}}}
        else:
            inside = re.findall(r"\{(\w+)\}", row.path)
            shown["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in inside
            ] + [{"name": name, "in": "query", "schema": kind} for name, kind in properties.items()]
        paths.setdefault(row.path, {})[row.method.lower()] = shown
    text = {"type": "string"}
    words = {"type": "object", "properties": {"what": text, "why": text, "do": text}}
    error = {"type": "object", "properties": {"error": words, "code": {"type": "integer"}}}
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "luminous-node control", "version": __version__},
        "servers": [{"url": "http://localhost", "description": "over the unix socket control.sock"}],
        "paths": paths,
        "components": {"schemas": {"Error": error}},
    }
    return json.dumps(whole, indent=1) + "\n"


def test_every_endpoint_is_on_the_page_and_nothing_else() -> None:
    assert {(row.method, row.path) for row in ROWS} == routes()
    assert len(ROWS) == len(routes())


def test_openapi_is_what_the_page_says() -> None:
    again = "make docs"
    assert OPENAPI.read_text(encoding="utf-8") == openapi(), f"docs/openapi.json is stale: run {again}"


def test_a_row_left_out_or_added_is_noticed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    without = page.replace("| POST | `/v1/vote`", "| POST | `/v1/elect`")
    assert {(row.method, row.path) for row in rows(without)} != routes()


def body_at(folder: Path) -> Body:
    """A node without a network: it can read everything and sign nothing."""
    folder.chmod(0o700)
    paths = Paths(config=folder / "config.yaml", data=folder, runtime=folder)
    seeds = Seeds(b"a" * 32, b"t" * 32, b"e" * 32)

    def no_transport(body: Body) -> Any:
        raise AssertionError("no consent, no transport")

    return Body(paths, Settings(), seeds, no_transport, {})


def ask(body: Body, requests: list[Request]) -> list[tuple[int, dict[str, Any]]]:
    """What the node answers."""
    answers = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(body.run)
            for request in requests:
                response = await control.answer(body, request)
                answers.append((response.status, json.loads(response.body)))
            nursery.cancel_scope.cancel()

    trio.run(main)
    body.close()
    return answers


def test_a_running_node_answers_with_these_keys(tmp_path: Path) -> None:
    reading = [row for row in ROWS if row.method == "GET" and "{" not in row.path]
    found = ask(body_at(tmp_path), [Request("GET", row.path, {}, {}) for row in reading])
    for row, (status, facts) in zip(reading, found, strict=True):
        assert status == 200, (row.path, facts)
        assert set(facts) >= {"schema", *row.answers}, row.path


def test_what_a_post_needs_is_needed(tmp_path: Path) -> None:
    """Without a key marked ``*`` the request is not understood; with all of them it is."""
    acting = [row for row in ROWS if row.method == "POST" and any(needed for _, needed, _ in row.takes)]
    found = ask(body_at(tmp_path), [Request("POST", row.path, {}, {}) for row in acting])
    assert [(row.path, status) for row, (status, _) in zip(acting, found, strict=True)] == [
        (row.path, 400) for row in acting
    ]


def fields_read(source: str) -> set[str]:
    """The keys of the JSON body that an endpoint's code reads."""
    return set(re.findall(r"(?:asked|request\.body)(?:\.get\(|\[)\"(\w+)\"", source))


def test_what_a_post_takes_is_what_its_code_reads() -> None:
    for row in ROWS:
        if row.method == "POST":
            source = inspect.getsource(control.POST[row.path])
            assert {name for name, _, _ in row.takes} == fields_read(source), row.path


def test_acts_without_a_network_are_refused_in_words(tmp_path: Path) -> None:
    vote = Request("POST", "/v1/vote", {}, {"proposal": "ab", "choice": "yes"})
    seen = {"name": "command_ended", "facts": {"command": "nix_build", "success": True}}
    told = Request("POST", "/v1/observe", {}, seen)
    refused, done, lost = ask(body_at(tmp_path), [vote, told, Request("GET", "/v1/nothing", {}, {})])
    assert (refused[0], set(refused[1]["error"])) == (409, {"what", "why", "do"})
    assert done[0] == 200
    assert lost[0] == 404


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_every_type_is_known(row: Row) -> None:
    assert {kind for _, _, kind in row.takes} <= set(JSON_TYPES)


def main() -> None:
    """Write the file."""
    OPENAPI.write_text(openapi(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
