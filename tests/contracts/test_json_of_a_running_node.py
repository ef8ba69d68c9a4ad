"""``--json`` of the commands that ask a running node against their schemas; their words on 80 columns."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from luminous.node.api import LivingNode, running_fleet
from luminous.node.shell.cli.root import run

sys.path.insert(0, str(Path(__file__).parent))
from test_json_output import faults, schema_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingNode]:
    """The only member of a community, with a long title, an override and a vote that was decided."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DO_NOT_TRACK", raising=False)
        values = {"voting.window_ms_min": 1000, "voting.grace_ms": 0}
        folder = tmp_path_factory.mktemp("one")
        with running_fleet(folder, 1, is_fleet=False, level=None, values=values) as (one,):
            post = one.connection.post
            asked = {
                "kind": "parameter",
                "title": "Measure every 20 seconds because the disks of old machines are slow " + "x" * 40,
                "effects": [["health.interval_s", 20]],
                "closes_at_ms": time.time_ns() // 1_000_000 + 1500,
                "unknowns": ["cost"],
            }
            first = post("/v1/propose", asked)["proposal"]
            post("/v1/vote", {"proposal": first, "choice": "yes"})
            post("/v1/propose", {"kind": "text", "title": "Be kind", "closes_in_s": 90_000})
            post("/v1/override", {"key": "notify.per_day_max", "value": 1})
            one.wait_until(f"/v1/decision/{first}", lambda facts: facts["final"] is True)
            yield one


def typed(
    node: LivingNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> str:
    for name in [name for name in os.environ if name.startswith("LUMINOUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LUMINOUS_DATA_DIR", str(node.data_dir))
    monkeypatch.setenv("LUMINOUS_CONFIG", str(node.data_dir / "none.yaml"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    assert run(list(words)) == 0
    return capsys.readouterr().out


def first_id(node: LivingNode) -> str:
    return str(node.connection.get("/v1/proposals")["proposals"][0]["id"])


NAMES = ["status", "peers", "proposals", "parameters", "decision", "propose"]


@pytest.mark.parametrize("name", NAMES)
def test_what_it_prints_fits_its_schema(
    node: LivingNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words = {"decision": ["decision", first_id(node)], "propose": ["propose", "text", "Again"]}
    shown = json.loads(typed(node, monkeypatch, capsys, *words.get(name, [name]), "--json"))
    schema = schema_of(name)
    assert faults(shown, schema) == []
    for part in schema["required"]:  # a missing field would be noticed
        assert faults({key: value for key, value in shown.items() if key != part}, schema)


@pytest.mark.parametrize("words", ["status", "peers", "proposals", "parameters"])
def test_it_fits_a_screen_of_80_columns(
    node: LivingNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    text = typed(node, monkeypatch, capsys, words)
    assert text.strip()
    assert max(map(len, text.splitlines())) <= 80, text


def test_the_important_comes_first(
    node: LivingNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    look: Any = lambda *words: typed(node, monkeypatch, capsys, *words)  # noqa: E731
    listed = look("proposals").splitlines()
    assert "Be kind" in listed[1] and listed[1].endswith("open")  # what waits for a vote
    assert "passed, final" in listed[-2] and "…" in listed[-2]
    shown = look("decision", first_id(node)).splitlines()
    assert shown[0].startswith("Measure every 20 seconds")
    assert shown[1].startswith("outcome") and "final: passed" in shown[1]
    assert any(line.startswith("unknown") and "cost" in line for line in shown)
    held = look("parameters")
    assert held.index("notify.per_day_max = 1") < held.index("learning.window_ms")
    assert "kept on this machine; network 3 a day" in held
    assert "health.interval_s = 20 s\n    the network's; default 30 s" in held
    assert "10 s to 1 h by vote" in held and "0 to 6 a day by vote" in held
    assert "30 d" in held and "2592000000" not in held
    made = look("propose", "text", "Once more", "--closes-in", "2d")
    assert "luminous-node vote" in made and "(in 2 d)" in made
