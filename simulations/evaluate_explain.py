"""``luminous-sim evaluate explain``: how often explain names the right class, beside chance and neighbours.

Reads rows with ``label`` and ``stderr`` or ``error_text`` (one file or a folder of them), asks nothing of
this machine's state, and prints accuracy at one and three with 95 % Wilson intervals, abstentions, and
answers that were confident and wrong. Rows of one source (thread) go into a tuning or a held-out part by a
hash, and both are reported. Refuses to tune anything.
"""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from luminous.node.core.causes.answer import OTHER as NO_CLASS
from luminous.node.core.causes.answer import public_id
from luminous.node.core.causes.neighbours import Corpus, KnownText
from luminous.node.core.causes.signature import masked_cause
from luminous.node.core.causes.text import read_failure
from luminous.node.shell.explain import explain_text
from luminous.simulations.intervals import wilson

HELD_OUT_OF_TEN = 4
CONFIDENT_ABOVE = 0.8
BINS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.01)


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled failure."""

    text: str
    label: str
    source: str
    command: str | None
    exit_code: int | None

    @property
    def is_held_out(self) -> bool:
        """Whether the row's source is in the part that nothing was tuned on (fixed by a hash)."""
        return hashlib.sha256(self.source.encode()).digest()[0] % 10 < HELD_OUT_OF_TEN


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row's answer: classes best first and the confidence of the first; ``known`` is neighbours alone."""

    row: Row
    ranked: tuple[str, ...]
    confidence: float
    abstained: bool
    neighbours: tuple[str, ...]

    def is_right(self, places: int = 1) -> bool:
        """Whether the label is among the first ``places`` classes; a text of no class must get none."""
        if self.row.label == NO_CLASS:
            return self.abstained or self.ranked[:1] == (NO_CLASS,)
        return not self.abstained and self.row.label in self.ranked[:places]


def read_rows(path: Path) -> list[Row]:
    """Rows of a .jsonl file, or of every one in a folder; rows without label or text are left out."""
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    rows = []
    for file in files:
        for number, line in enumerate(file.read_text("utf-8").splitlines()):
            if not line.strip():
                continue
            body: dict[str, Any] = json.loads(line)
            text = body.get("stderr") or body.get("error_text") or ""
            if not text or "label" not in body:
                continue
            source = str(body.get("source") or "")
            if "#" not in source and "!" not in source and "/" not in source:
                source = str(body.get("id") or number)  # own runs: each is its own source
            rows.append(
                Row(text, body["label"] or NO_CLASS, source, body.get("command"), body.get("exit_code"))
            )
    return rows


def answer_all(rows: list[Row]) -> list[Outcome]:
    """Explain every row, and what the nearest other row (never of the same source) would have said."""
    masked = [masked_cause(read_failure(row.text)) for row in rows]
    known = Corpus(KnownText(m, row.label, row.source) for m, row in zip(masked, rows, strict=True))
    outcomes = []
    for row, line in zip(rows, masked, strict=True):
        answer = explain_text(row.text, command=row.command, exit_code=row.exit_code, ask=False)
        ranked = tuple(public_id(class_id) for class_id, _, _ in answer.candidates)
        near = tuple(class_id for class_id, _ in known.nearest_masked(line, 3, leave_out=row.source))
        confidence = answer.candidates[0][1] if answer.candidates else 0.0
        outcomes.append(Outcome(row, ranked, confidence, answer.class_id is None, near))
    return outcomes


def figures(outcomes: list[Outcome]) -> dict[str, Any]:
    """The figures of one part."""
    n = len(outcomes)
    labels = Counter(o.row.label for o in outcomes)
    first = sum(o.is_right() for o in outcomes)
    third = sum(o.is_right(3) for o in outcomes)
    wrong = sum(not o.abstained and o.confidence > CONFIDENT_ABOVE and not o.is_right() for o in outcomes)
    no_class = [o for o in outcomes if o.row.label == NO_CLASS]
    return {
        "n": n,
        "classes": len(labels),
        "ac1": _rate(first, n),
        "ac3": _rate(third, n),
        "abstained": _rate(sum(o.abstained for o in outcomes), n),
        "no_class_left_alone": _rate(sum(o.is_right() for o in no_class), len(no_class)),
        "confident_and_wrong": _rate(wrong, n),
        "chance_ac1": {
            "uniform": round(1 / len(labels), 3) if labels else None,
            "most_frequent": round(max(labels.values()) / n, 3) if n else None,
        },
        "nearest_neighbour": {
            "ac1": _rate(sum(o.neighbours[:1] == (o.row.label,) for o in outcomes), n),
            "ac3": _rate(sum(o.row.label in o.neighbours[:3] for o in outcomes), n),
            "how": "TF-IDF over the other rows here, leaving the row's own source out",
        },
        "reliability": _reliability(outcomes),
    }


def _rate(hits: int, n: int) -> dict[str, Any]:
    low, high = wilson(hits, n)
    return {
        "value": round(hits / n, 3) if n else None,
        "hits": hits,
        "low": round(low, 3),
        "high": round(high, 3),
    }


def _reliability(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    rows = list(outcomes)
    bins = []
    for low, high in pairwise(BINS):
        inside = [o for o in rows if low <= o.confidence < high and not o.abstained]
        if inside:
            hits = sum(o.is_right() for o in inside)
            mean = sum(o.confidence for o in inside) / len(inside)
            bins.append({"n": len(inside), "said": round(mean, 3), "was_right": round(hits / len(inside), 3)})
    return bins


def evaluate(path: Path) -> dict[str, Any]:
    """All figures for the rows at ``path``: whole, tuning part, held-out part, mistakes."""
    outcomes = answer_all(read_rows(path))
    return {
        "schema": 1,
        "data": path.name,
        "all": figures(outcomes),
        "tuning": figures([o for o in outcomes if not o.row.is_held_out]),
        "held_out": figures([o for o in outcomes if o.row.is_held_out]),
        "mistakes": [
            {
                "source": o.row.source,
                "label": o.row.label,
                "said": list(o.ranked[:3]),
                "confidence": o.confidence,
            }
            for o in outcomes
            if not o.is_right()
        ],
    }


def to_text(report: dict[str, Any]) -> str:
    """The figures for a person."""
    lines = [f"explain on {report['data']}"]
    for part in ("all", "tuning", "held_out"):
        f = report[part]
        if not f["n"]:
            continue
        near = f["nearest_neighbour"]
        lines += [
            f"{part.replace('_', ' '):9} n {f['n']}, {f['classes']} classes",
            f"  AC@1 {_shown(f['ac1'])}   AC@3 {_shown(f['ac3'])}",
            f"  abstained {_shown(f['abstained'])}   confident and wrong {_shown(f['confident_and_wrong'])}",
            f"  texts of no class left alone {_shown(f['no_class_left_alone'])}",
            f"  nearest neighbour AC@1 {_shown(near['ac1'])}   AC@3 {_shown(near['ac3'])}",
            *_reliability_lines(f["reliability"]),
            "  chance: uniform {uniform}, most frequent {most_frequent}".format(**f["chance_ac1"]),
        ]
    for m in report["mistakes"][:20]:
        lines.append(f"  not right: {m['label']} said {m['said']} ({m['confidence']:.2f}) {m['source'][:60]}")
    return "\n".join(lines) + "\n"


def _reliability_lines(bins: list[dict[str, Any]]) -> list[str]:
    """The reliability diagram as text: what was said against how often that was right."""
    lines = ["  reliability (said, was right, of n)"]
    for entry in bins:
        bar = "#" * round(20 * entry["was_right"])
        lines.append(f"    {entry['said']:.2f}  {entry['was_right']:.2f}  {bar:20}  {entry['n']}")
    return lines


def _shown(rate: dict[str, Any]) -> str:
    if rate["value"] is None:
        return "none here"
    return f"{rate['value']:.3f} [{rate['low']:.2f}, {rate['high']:.2f}]"


def run(path: str, as_json: bool, fix: bool) -> int:
    """Print the figures; with ``fix`` those of the replay harness. 0, or 1 when there is nothing to read."""
    if fix:
        from luminous.simulations.fix_worlds import measure

        report = measure()
        sys.stdout.write(json.dumps(report) + "\n" if as_json else report["text"])
        return 0 if report["ran"] else 1
    if not Path(path).exists():
        sys.stderr.write(f"there is nothing at {path}\n  do: name a folder or a .jsonl file with labels\n")
        return 1
    report = evaluate(Path(path))
    if not report["all"]["n"]:
        sys.stderr.write(f"no row at {path} has a text and a label\n  do: name a .jsonl file with labels\n")
        return 1
    sys.stdout.write(json.dumps(report) + "\n" if as_json else to_text(report))
    return 0
