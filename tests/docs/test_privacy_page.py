"""docs/privacy.md: its numbers are those that the ledger's own functions print."""

from pathlib import Path

from luminous.simulations.privacy_numbers import lines

PAGE = Path(__file__).resolve().parents[2] / "docs/privacy.md"
START, END = "<!-- numbers -->\n", "<!-- /numbers -->"


def test_the_numbers_are_printed_by_the_command() -> None:
    page = PAGE.read_text(encoding="utf-8")
    printed = page.partition(START)[2].partition(END)[0]
    assert printed == "\n".join(lines()) + "\n", "docs/privacy.md is stale: run make docs"


def main() -> None:
    """Write the table anew."""
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(START)
    _, _, tail = rest.partition(END)
    PAGE.write_text(head + START + "\n".join(lines()) + "\n" + END + tail, encoding="utf-8")


if __name__ == "__main__":
    main()
