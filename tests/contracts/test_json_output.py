"""``--json``: what each command prints fits its schema in docs/schemas, and the schemas are not vacuous."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from luminous.node.shell.cli.root import run

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "docs/schemas"
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
KNOWN = {
    "$schema", "title", "description", "type", "required", "properties", "additionalProperties", "items",
    "enum", "anyOf", "pattern", "minimum", "maximum",
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """Where ``value`` does not fit; the part of JSON Schema 2020-12 that the files use."""
    assert set(schema) <= KNOWN, f"the checker does not know {set(schema) - KNOWN}"
    found: list[str] = []
    if "anyOf" in schema and all(faults(value, option) for option in schema["anyOf"]):
        found.append(f"{at}: fits none of the alternatives: {value!r}")
    if "enum" in schema and not any(
        value == known and type(value) is type(known) for known in schema["enum"]
    ):
        found.append(f"{at}: {value!r} is not one of {schema['enum']}")
    if "type" in schema:
        is_type = isinstance(value, TYPES[schema["type"]])
        if not is_type or (isinstance(value, bool) and schema["type"] in ("integer", "number")):
            return [*found, f"{at}: {value!r} is not of type {schema['type']}"]
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: {value!r} does not match {schema['pattern']}")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at}: {value} is out of bounds")
    if isinstance(value, dict):
        found += [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            part = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            found += faults(item, part, f"{at}.{name}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += faults(item, schema.get("items", {}), f"{at}[{index}]")
    return found


def schema_of(name: str) -> dict[str, Any]:
    value = json.loads((SCHEMAS / f"{name}.json").read_text())
    assert isinstance(value, dict)
    return value


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("LUMINOUS_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LUMINOUS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv(
        "LUMINOUS_RUNTIME_DIR", "/nonexistent/luminous"
    )  # short, whatever the path of the tests
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return tmp_path


COMMANDS = [
    ("version", ["version"], 0),
    ("init", ["init"], 0),
    ("id", ["id"], 0),
    ("config-show", ["config", "show"], 0),
    ("config-check", ["config", "check"], 0),
    ("config-path", ["config", "path"], 0),
    ("consent", ["consent", "status"], 0),
    ("consent", ["consent", "grant", "network"], 0),
    ("consent", ["consent", "grant", "learning", "public", "--models", "fixes"], 0),
    ("consent", ["consent", "revoke", "learning"], 0),
    ("network", ["network", "card"], 0),
    ("network", ["network", "create", "lab", "--fleet"], 0),
    ("error", ["status"], 3),
    ("error", ["selftest"], 1),
    ("error", ["consent", "grant", "learning"], 2),
    ("error", ["privacy", "preview"], 3),
]


@pytest.mark.parametrize(
    ("name", "words", "code"), COMMANDS, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_what_a_command_prints_fits_its_schema(
    home: Path, capsys: pytest.CaptureFixture[str], name: str, words: list[str], code: int
) -> None:
    assert run(["init"]) == 0
    capsys.readouterr()
    assert run([*words, "--json"]) == code
    shown = capsys.readouterr()
    assert shown.err == ""
    assert faults(json.loads(shown.out), schema_of(name)) == []


def test_what_backup_and_restore_print_fits_their_schemas(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init"]) == 0
    capsys.readouterr()
    file, empty = str(home / "b.tar"), str(home / "empty")
    for name, words, code in [
        ("backup", ["backup", file, "--identity"], 0),
        ("error", ["backup", file], 2),
        ("restore", ["--data-dir", empty, "restore", file, "--identity"], 0),
        ("error", ["--data-dir", empty, "restore", file, "--identity"], 2),
    ]:
        assert run([*words, "--json"]) == code
        assert faults(json.loads(capsys.readouterr().out), schema_of(name)) == []
    assert run(["--data-dir", str(home / "third"), "restore", file]) == 0
    assert "consent was not restored" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["error: undefined variable 'pkg'\n       at /etc/nixos/a.nix:3:4:\n", "all is well\n"]
)
def test_what_explain_prints_fits_its_schema(home: Path, text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "luminous.node", "explain", "--json", "-"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    facts = json.loads(done.stdout)
    assert faults(facts, schema_of("explain")) == []
    assert (facts["class"] is None) == (done.returncode == 1) == ("well" in text)


STATUS = {
    "schema": 1,
    "version": "0.1.0",
    "author": "ab",
    "network": None,
    "peer_id": None,
    "peers": 0,
    "mesh": 0,
    "health": {"score": None, "status": "UNKNOWN", "coverage": 0.2},
    "privacy": {"level": "LOCAL_ONLY", "consent": False, "spent": 0, "left": 1.0},
    "proposals": 0,
    "uptime_s": 3,
}


def test_the_fixed_shape_of_status_fits_its_schema() -> None:
    assert faults(STATUS, schema_of("status")) == []


@pytest.mark.parametrize("name", sorted(path.stem for path in SCHEMAS.glob("*.json")))
def test_every_schema_asks_for_something(name: str) -> None:
    schema = schema_of(name)
    assert faults({}, schema)
    assert faults({"schema": 2}, schema)
    assert schema["required"][0] == "schema"
    assert len(schema["required"]) > 1
    assert set(schema["required"]) <= set(schema["properties"])


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"schema": True},
        {"uptime_s": "3"},
        {"uptime_s": True},
        {"peers": None},
        {"health": {"score": 1}},
        {"privacy": {**STATUS["privacy"], "level": "ALL"}},  # type: ignore[dict-item]
    ],
)
def test_a_planted_fault_does_not_fit(change: dict[str, Any]) -> None:
    assert faults(STATUS | change, schema_of("status"))


def test_the_checker_itself() -> None:
    assert faults("ab", {"type": "string", "pattern": "^b"})
    assert faults(3, {"maximum": 2})
    assert faults([1, "a"], {"type": "array", "items": {"type": "integer"}}) == [
        "$[1]: 'a' is not of type integer"
    ]
    assert faults({"a": {"b": 1}}, {"additionalProperties": {"required": ["c"]}}) == ["$.a: c is missing"]
    assert faults({"a": 1, "b": 2}, {"properties": {"a": {"type": "integer"}}}) == []
