"""The generated tables of the simulation guide: which body plays what, and mutants with their checkers.

Refuses to touch anything but its own tables. ``python -m luminous.simulations.doc_tables docs/simulation.md``
writes them; a test compares.
"""

import sys
from pathlib import Path

from luminous.simulations import mutants, playable


def refresh(text: str) -> str:
    """The page with both tables as they are now. Raises ValueError where a table is missing."""
    for table in (playable.table(), mutants.table()):
        lines, head = text.splitlines(), table.splitlines()[0]
        begin = lines.index(head)
        end = next(
            at for at in range(begin, len(lines) + 1) if at == len(lines) or not lines[at].startswith("|")
        )
        text = "\n".join([*lines[:begin], *table.splitlines(), *lines[end:]]) + "\n"
    return text


def main() -> None:
    """Write the page named on the command line."""
    page = Path(sys.argv[1])
    page.write_text(refresh(page.read_text()))


if __name__ == "__main__":
    main()
