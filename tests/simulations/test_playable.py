"""Which body plays which scenario: the table is true, and no part of a scenario is left out in silence."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from luminous.simulations.bodies import run
from luminous.simulations.cli import cli
from luminous.simulations.doc_tables import refresh
from luminous.simulations.playable import BODIES, table, why_not
from luminous.simulations.scenario import ScenarioError, list_scenarios, read_scenario

DOCS = Path(__file__).resolve().parents[2] / "docs/simulation.md"
DESIGN = [
    *("calm", "lossy", "partition", "churn", "flash_crowd", "late_joiner", "near_tie", "thresholds"),
    *("byzantine_third", "byzantine_third_plus_one", "poisoned", "sybil_flood", "sick_hosts"),
    *("sleeping_laptops", "key_restored_twice", "mixed_versions"),
]


def test_every_scenario_of_the_design_plays_in_the_world() -> None:
    found = {item.id: item for item in list_scenarios()}
    assert set(DESIGN) <= set(found)
    assert [name for name in DESIGN if why_not(found[name], "world")] == []


def test_what_cannot_be_played_is_refused_with_the_words_of_the_table() -> None:
    refused = 0
    for scenario in list_scenarios():
        for body in ("wire", "hosts"):
            why = why_not(scenario, body)
            if why:
                refused += 1
                with pytest.raises(ScenarioError) as caught:
                    run(scenario, body, 1)
                assert why in str(caught.value)
    assert refused > 10


def test_what_is_no_body_and_what_is_not_there_yet_are_told_apart() -> None:
    for body, why in (("scale", "scale is not there yet"), ("moon", "moon is no body")):
        with pytest.raises(ScenarioError, match=f"{why}; there are world, mesh, wire, hosts"):
            run(read_scenario("churn", 4), body, 1)


def test_the_mesh_refuses_what_its_column_says() -> None:
    scenario = read_scenario("sleeping_laptops", 4)
    assert "sleep" in why_not(scenario, "mesh")
    with pytest.raises(ScenarioError, match="machines that sleep"):
        run(scenario, "mesh", 1)


def test_the_table_is_a_command_and_in_the_documentation() -> None:
    shown = CliRunner().invoke(cli, ["list", "--bodies"])
    assert shown.exit_code == 0 and shown.output == table()
    page, rows = DOCS.read_text(), table().splitlines()
    written = [
        line for line in page.splitlines() if line.startswith("| `") and line.count("|") == len(BODIES) + 2
    ]
    assert rows[0] in page and set(written) <= set(rows), "make docs"
    assert set(DESIGN) <= {line.split("`")[1] for line in written}
    assert table() in refresh(page.replace(written[0] + "\n", ""))
    assert table().count("\n") == len(list_scenarios()) + 2 and all(body in table() for body in BODIES)
