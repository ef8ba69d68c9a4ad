"""Nearest known texts by character n-grams, in plain Python.

TF-IDF over 3- to 5-grams of the masked cause line (Salton and Buckley 1988), cosine similarity. Refuses
numpy: this runs in the cold process that explains a failure.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from luminous.node.core.causes.signature import masked_cause
from luminous.node.core.causes.text import FailureText

GRAM_SIZES = (3, 4, 5)
CAUSE_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class KnownText:
    """A known failure: its masked cause line and its class; ``source`` keeps evaluations honest."""

    masked: str
    class_id: str
    source: str = ""


class Corpus:
    """An immutable set of known texts, indexed on first use."""

    def __init__(self, known: Iterable[KnownText]) -> None:
        self._known = tuple(known)
        self._postings: dict[str, list[tuple[int, float]]] | None = None
        self._idf: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._known)

    def nearest(self, failure: FailureText, count: int) -> tuple[tuple[str, float], ...]:
        """The ``count`` best (class, similarity) pairs, one a class, best first; similarity in 0..1."""
        return self.nearest_masked(masked_cause(failure), count)

    def nearest_masked(self, masked: str, count: int, leave_out: str = "") -> tuple[tuple[str, float], ...]:
        """As ``nearest`` for a masked line; texts whose source is ``leave_out`` do not count."""
        postings = self._index()
        if not masked:
            return ()
        query = _weights(masked, self._idf)
        dots: dict[int, float] = {}
        for gram, weight in query.items():
            for row, other in postings.get(gram, ()):
                dots[row] = dots.get(row, 0.0) + weight * other
        best: dict[str, float] = {}
        for row, dot in dots.items():
            known = self._known[row]
            if leave_out and known.source == leave_out:
                continue
            if dot > best.get(known.class_id, 0.0):
                best[known.class_id] = dot
        ordered = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        return tuple((class_id, min(1.0, dot)) for class_id, dot in ordered[:count])

    def _index(self) -> dict[str, list[tuple[int, float]]]:
        if self._postings is not None:
            return self._postings
        counts = [Counter(_grams(known.masked)) for known in self._known]
        seen: Counter[str] = Counter()
        for grams in counts:
            seen.update(grams.keys())
        size = max(1, len(counts))
        self._idf = {gram: math.log((1 + size) / (1 + n)) + 1.0 for gram, n in seen.items()}
        postings: dict[str, list[tuple[int, float]]] = {}
        for row, grams in enumerate(counts):
            for gram, weight in _normalise(grams, self._idf).items():
                postings.setdefault(gram, []).append((row, weight))
        self._postings = postings
        return postings


def _weights(masked: str, idf: dict[str, float]) -> dict[str, float]:
    return _normalise(Counter(_grams(masked)), idf)


def _normalise(grams: Counter[str], idf: dict[str, float]) -> dict[str, float]:
    top = math.log(1 + len(idf)) + 1.0
    raw = {gram: (1.0 + math.log(n)) * idf.get(gram, top) for gram, n in grams.items()}
    norm = math.sqrt(sum(weight * weight for weight in raw.values())) or 1.0
    return {gram: weight / norm for gram, weight in raw.items()}


@lru_cache(maxsize=1)
def _blank() -> re.Pattern[str]:
    return re.compile(r"\s+")


def _grams(masked: str) -> list[str]:
    text = " " + _blank().sub(" ", masked.lower())[:CAUSE_CHARS_MAX] + " "
    return [text[i : i + size] for size in GRAM_SIZES for i in range(len(text) - size + 1)]
