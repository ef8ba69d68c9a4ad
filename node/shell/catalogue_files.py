"""The data files of explain: the catalogue of causes and the corpus of known texts.

Refuses to go on with a catalogue that does not fit: it is part of the program.
"""

import json
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from luminous.node.core.causes.catalogue import Catalogue, parse_catalogue
from luminous.node.core.causes.neighbours import Corpus, KnownText

DATA = Path(__file__).resolve().parent.parent / "data"


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """Every class of ``data/catalogue/*.toml``."""
    tables: dict[str, dict[str, Any]] = {}
    for path in sorted((DATA / "catalogue").glob("*.toml")):
        with path.open("rb") as file:
            tables |= tomllib.load(file)
    return parse_catalogue(tables)


@lru_cache(maxsize=1)
def load_corpus() -> Corpus:
    """The shipped known texts; empty when the file is absent."""
    path = DATA / "corpus" / "known.jsonl"
    if not path.exists():
        return Corpus(())
    rows = (json.loads(line) for line in path.read_text("utf-8").splitlines() if line)
    return Corpus(KnownText(row["masked"], row["class"], row.get("source", "")) for row in rows)
