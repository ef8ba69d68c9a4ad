"""Writes the lifecycle table into the documentation page, and reads it back.

Refuses to touch anything but the part between its two marks.
"""

import sys
from pathlib import Path

from luminous.node.core.governance.lifecycle import diagram

_START = "<!-- lifecycle -->\n```mermaid\n"
_END = "```\n<!-- /lifecycle -->"


def drawn(page: str) -> str:
    """The diagram in ``page``. Raises ValueError if the marks are missing."""
    start = page.index(_START) + len(_START)
    return page[start : page.index(_END, start)]


def with_diagram(page: str) -> str:
    """The page with the table's present diagram."""
    start = page.index(_START) + len(_START)
    return page[:start] + diagram() + page[page.index(_END, start) :]


def main() -> None:
    """``python -m luminous.simulations.lifecycle_diagram docs/governance.md``"""
    path = Path(sys.argv[1])
    path.write_text(with_diagram(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
