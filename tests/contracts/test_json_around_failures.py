"""``--json`` of the commands around a failure fits docs/schemas, and a wrong answer does not."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from luminous.node.shell import backfill, bisect, preflight, what_changed, what_if
from luminous.node.shell.changes import Change
from luminous.node.shell.closure import ClosureDiff, PackageChange
from luminous.node.shell.replay import Outcome

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location(
    "json_checker", Path(__file__).with_name("test_json_output.py")
)
_checker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_checker)

RED, GREEN = Outcome(1, "error: no\n", 5), Outcome(0, "", 7)
STEP = bisect.Step("a" * 40, "change", False, "no")
ANSWERS = {
    "what-if": what_if.Answer(what_if.HadNot("a.nix", 1), RED, GREEN).to_json(),
    "bisect": bisect.Found("b" * 40, "a" * 40, (STEP,), ("a.nix",)).to_json(),
    "backfill": backfill.Backfilled((backfill.Past(1, "built", "x"),), {"journal": "none"}).to_json(),
    "what-changed": what_changed.LastRun(
        {},
        (Change("git_add", "a.nix"),),
        ClosureDiff("/old", "/new", 1, 1, (PackageChange("hello", ("2.10",), ("2.12",)),)),
    ).to_json(),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_fit_and_spoilt_ones_do_not(name):
    answer, schema = json.loads(json.dumps(ANSWERS[name])), _checker.schema_of(name)
    assert _checker.faults(answer, schema) == []
    assert answer.keys() == schema["properties"].keys()
    for key in answer:
        assert _checker.faults({k: v for k, v in answer.items() if k != key}, schema)
        assert _checker.faults(answer | {key: object}, schema)


def test_preflight_fits(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    preflight.run(["--json", "--", "nix-build"])
    assert _checker.faults(json.loads(capsys.readouterr().out), _checker.schema_of("preflight")) == []


def test_exec_fits(tmp_path):
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "LUMINOUS_DATA_DIR": str(tmp_path / "data")}
    argv = [
        sys.executable,
        "-m",
        "luminous.node",
        "exec",
        "--json",
        "--",
        "sh",
        "-c",
        "echo error: no >&2; exit 3",
    ]
    ended = subprocess.run(argv, env=env, capture_output=True, cwd=tmp_path)
    line = json.loads(ended.stderr.decode().splitlines()[-1])
    assert _checker.faults(line, _checker.schema_of("exec")) == []
    assert (ended.returncode, line["exit_code"]) == (3, 3)
