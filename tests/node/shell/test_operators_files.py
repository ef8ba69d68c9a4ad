"""What operators are given: alert rules that promtool accepts and that fire, panels of metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
GRAFANA = ROOT / "docs/grafana"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: package prometheus)"
)


def exposed() -> set[str]:
    """The names that the node can expose, read where they are written."""
    source = (ROOT / "node/shell/metrics.py").read_text()
    return {f"luminous_{name}" for name in re.findall(r'put\(\s*"([a-z_]+)"', source)}


def test_every_metric_in_panels_and_rules_exists() -> None:
    names = exposed()
    assert {"luminous_peers", "luminous_transport_events_total"} <= names and len(names) > 12
    for name in ("luminous-node.json", "alerts.yml"):
        used = set(re.findall(r"luminous_[a-z_]+", (GRAFANA / name).read_text()))
        assert used and used <= names, used - names


def test_the_dashboard_is_whole() -> None:
    board = json.loads((GRAFANA / "luminous-node.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) >= 10
    variables = {variable["name"] for variable in board["templating"]["list"]}
    for panel in board["panels"]:
        for target in panel["targets"]:
            assert set(re.findall(r"\$\{?([a-z]+)", target["expr"])) <= variables
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]}
    assert len(places) == len(ids)


def test_every_alert_says_what_to_do() -> None:
    rules = yaml.safe_load((GRAFANA / "alerts.yml").read_text())["groups"][0]["rules"]
    guide = (ROOT / "docs/operators.md").read_text()
    for rule in rules:
        assert rule["annotations"]["summary"] and rule["annotations"]["do"]
        assert rule["alert"] in guide


@needs_promtool
def test_promtool_accepts_the_rules_and_they_fire_when_they_should(tmp_path: Path) -> None:
    rules = GRAFANA / "alerts.yml"
    subprocess.run(["promtool", "check", "rules", str(rules)], check=True, capture_output=True)

    def alert(name: str, at: str, is_firing: bool) -> dict[str, object]:
        wanted = {"instance": "a", "severity": "critical"}
        found: dict[str, object] = {"eval_time": at, "alertname": name, "exp_alerts": []}
        if is_firing:
            rule = next(r for r in loaded if r["alert"] == name)
            notes = {k: v.replace("{{ $labels.instance }}", "a") for k, v in rule["annotations"].items()}
            found["exp_alerts"] = [{"exp_labels": wanted, "exp_annotations": notes}]
        return found

    loaded = yaml.safe_load(rules.read_text())["groups"][0]["rules"]
    tests = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": 'luminous_peers{instance="a"}', "values": "3x5 0x20"},
                    {"series": 'luminous_mute{instance="a"}', "values": "0x10 1x10"},
                ],
                "alert_rule_test": [
                    alert("LuminousNodeAlone", "5m", False),
                    alert("LuminousNodeAlone", "20m", True),
                    alert("LuminousNodeMute", "10m", False),
                    alert("LuminousNodeMute", "15m", True),
                ],
            }
        ],
    }
    path = tmp_path / "alerts_test.yml"
    path.write_text(yaml.safe_dump(tests))
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.slow
def test_promtool_accepts_what_a_node_exposes(tmp_path: Path) -> None:
    from daemon_process import Daemon

    daemon = Daemon(tmp_path).start()
    try:
        text = daemon.type("metrics").stdout + "\n"
    finally:
        daemon.stop()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert "luminous_peers 0" in text and done.returncode == 0, done.stdout + done.stderr
