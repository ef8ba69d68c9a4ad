"""Every attack has a test that exists, and every attack that is written is in the table."""

import re
from functools import cache
from pathlib import Path

from luminous.simulations import attacks

ROOT = Path(__file__).resolve().parents[2]


@cache
def written() -> frozenset[str]:
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(
        name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)\(", text, re.M)
    )


def rows(page: str) -> list[str]:
    table = page.partition("<!-- attacks -->")[2].partition("<!-- /attacks -->")[0]
    return [line for line in table.splitlines() if re.match(r"\| \d", line)]


def missing(page: str) -> list[str]:
    """Tests that the table names and nobody wrote, and attacks that no row names."""
    named = re.findall(r"`(test_\w+)(?:\[(\w+)\])?`", "\n".join(rows(page)))
    known = attacks.ON_A_STREAM
    unknown = [name for name, case in named if name not in written() or (case and case not in known)]
    return unknown + sorted(set(known) - {case for _, case in named})


def test_every_row_names_tests_that_exist_and_no_attack_is_missing() -> None:
    page = (ROOT / "docs/attacks.md").read_text(encoding="utf-8")
    assert len(rows(page)) >= 20
    assert [row for row in rows(page) if "`test_" not in row] == []
    assert missing(page) == []


def test_a_planted_name_and_a_forgotten_attack_are_seen() -> None:
    page = (ROOT / "docs/attacks.md").read_text(encoding="utf-8")
    forgotten = page.replace("[want_flood]", "[want_food]")
    assert missing(forgotten) == ["test_victim_survives_and_counts", "want_flood"]
    assert missing(page.replace("`test_one_members_flood_is_bounded`", "`test_gone`")) == ["test_gone"]
