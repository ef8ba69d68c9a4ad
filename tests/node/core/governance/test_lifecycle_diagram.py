"""The diagram in the documentation is the one of the table."""

from pathlib import Path

from luminous.node.core.governance.lifecycle import TRANSITIONS, Phase, diagram
from luminous.simulations.lifecycle_diagram import drawn, with_diagram

PAGE = Path(__file__).resolve().parents[4] / "docs" / "governance.md"


def test_the_documented_diagram_is_current() -> None:
    assert drawn(PAGE.read_text(encoding="utf-8")) == diagram()


def test_an_outdated_diagram_would_be_noticed() -> None:
    page = PAGE.read_text(encoding="utf-8").replace("open --> closing", "open --> in_force")
    assert drawn(page) != diagram()
    assert drawn(with_diagram(page)) == diagram()


def test_every_transition_and_every_end_is_drawn() -> None:
    lines = diagram().splitlines()
    assert len(lines) == 2 + len(TRANSITIONS) + len(set(Phase) - {phase for phase, _ in TRANSITIONS})
