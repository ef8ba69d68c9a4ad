"""Data files that ship with the node, as values.

Refuses to go on with a file that does not fit: they are part of the program.
"""

import tomllib
from functools import lru_cache
from pathlib import Path

from luminous.node.core.learning.priors import PublicPrior, read_prior
from luminous.protocol.layout import FIXES_1, Pair

DATA = Path(__file__).resolve().parent / "data"


@lru_cache(maxsize=1)
def public_prior() -> PublicPrior:
    """What a fresh node believes about fixes."""
    with (DATA / "priors" / "fixes.toml").open("rb") as file:
        return read_prior(tomllib.load(file), FIXES_1)


@lru_cache(maxsize=1)
def shared_pairs() -> dict[tuple[str, str], Pair]:
    """(error class, catalogue fix id) to the pair of the public vocabulary that it counts as."""
    found: dict[tuple[str, str], Pair] = {}
    for path in sorted((DATA / "catalogue").glob("*.toml")):
        with path.open("rb") as file:
            for name, table in tomllib.load(file).items():
                for fix in table.get("fixes", ()):
                    if fix["pair"] >= 0:
                        found[name, fix["id"]] = FIXES_1.pairs[fix["pair"]]
    return found
